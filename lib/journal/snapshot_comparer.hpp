// Whether what a snapshot gives back is the state that it was made of, without a second state in memory.
#pragma once

#include "cluster/state.hpp"
#include "journal/record_decoder.hpp"

namespace jarvis::journal {

class SnapshotRecord;

class SnapshotComparer {
    const cluster::StoredState& state_;
    RecordDecoder records_;
    std::size_t nodes_ = 0;
    cluster::Jobs::const_iterator next_job_;
    bool header_ = false, footer_ = false;

    bool equals(const DecodedRecord& record);
    bool equals_other(const SnapshotRecord& record);
    bool equals_job(const cluster::Job& job, const std::optional<cluster::ArrayProgress>& progress);

public:
    explicit SnapshotComparer(const cluster::StoredState& state) : state_(state), next_job_(state.jobs.begin()) {}
    // Fails at the first record that cannot be read or is another one.
    Result<void> feed(std::string_view piece);
    // Fails when the snapshot ended early.
    Result<void> finish() const;
};

} // namespace jarvis::journal
