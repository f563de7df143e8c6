// Events and states as bytes with a version, and back. What is read was checked by the storage against damage; here it is
// checked for sense, so that apply() can rely on it.
#pragma once

#include "base/result.hpp"
#include "cluster/events.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace jarvis::journal {

class SnapshotRecord;

std::string encode_group(const cluster::EventGroup& group);
Result<cluster::EventGroup> decode_group(std::string_view bytes);

// Gives the pieces of a snapshot, each at most about 1 MiB, to `write` until it fails. What is derived is not stored.
Result<void> encode_snapshot(const cluster::State& state, const std::function<Result<void>(std::string_view)>& write);

// Puts a snapshot together from its pieces, however they are cut. Jobs that are equal to those of `like`, a state that outlives
// the reader, are shared with it: so a snapshot can be compared with its state without a second one in memory.
class SnapshotReader {
    cluster::State state_;
    std::string rest_;     // of a record that is not yet complete
    const cluster::State* like_;
    std::shared_ptr<SnapshotRecord> record_; // each in turn, so that its strings are allocated once
    bool header_ = false, footer_ = false;

    Result<void> take_record(std::string_view bytes);

public:
    explicit SnapshotReader(const cluster::State* like = nullptr);
    Result<void> feed(std::string_view piece);
    // The state with everything derived rebuilt; fails when the snapshot ended early.
    Result<cluster::State> finish();
};

// Whether an event may be applied to this state: what replay checks before it believes a journal. A failure names the
// event and what does not fit.
Result<void> check_event(const cluster::State& state, const cluster::Event& event);

} // namespace jarvis::journal
