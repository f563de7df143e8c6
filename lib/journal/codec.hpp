// Events and states as bytes with a version, and back. What is read was checked by the storage against damage; here it is
// checked for sense, so that apply() can rely on it.
#pragma once

#include "base/result.hpp"
#include "cluster/events.hpp"
#include "journal/record_decoder.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace jarvis::journal {

class SnapshotRecord;

std::string encode_group(const cluster::EventGroup& group);
Result<cluster::EventGroup> decode_group(std::string_view bytes);

// Gives the pieces of a snapshot, each at most about 1 MiB, to `write` until it fails. What is derived is not stored.
Result<void> encode_snapshot(const cluster::StoredState& state, const std::function<Result<void>(std::string_view)>& write);

// Puts a snapshot together from its pieces, however they are cut.
class SnapshotReader {
    cluster::State state_;
    RecordDecoder records_;
    bool header_ = false, footer_ = false;

    Result<void> take(DecodedRecord decoded);
    Result<void> take_other(const SnapshotRecord& record);
    Result<void> take_job(std::shared_ptr<cluster::Job> job, std::optional<cluster::ArrayProgress> progress);

public:
    Result<void> feed(std::string_view piece);
    // The state with everything derived rebuilt; fails when the snapshot ended early.
    Result<cluster::State> finish();
};

// Whether an event may be applied to this state: what replay checks before it believes a journal. A failure names the
// event and what does not fit.
Result<void> check_event(const cluster::State& state, const cluster::Event& event);

} // namespace jarvis::journal
