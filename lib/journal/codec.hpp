// Events and states as bytes with a version, and back. What is read was checked by the storage against damage; here it is
// checked for sense, so that apply() can rely on it.
#pragma once

#include "base/result.hpp"
#include "cluster/events.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <span>
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
    struct Decoded;

    cluster::State state_;
    std::string rest_;     // of a record that is not yet complete
    const cluster::State* like_;
    bool header_ = false, footer_ = false;

    static Result<Decoded> decode(std::string_view bytes, SnapshotRecord& record);
    Result<void> take_records(std::span<const std::string_view> records);
    Result<void> take(Decoded decoded);
    Result<void> take_other(const SnapshotRecord& record);
    Result<void> take_job(std::shared_ptr<cluster::Job> job, std::optional<cluster::ArrayProgress> progress);

public:
    explicit SnapshotReader(const cluster::State* like = nullptr) : like_(like) {}
    Result<void> feed(std::string_view piece);
    // The state with everything derived rebuilt; fails when the snapshot ended early.
    Result<cluster::State> finish();
};

// Whether an event may be applied to this state: what replay checks before it believes a journal. A failure names the
// event and what does not fit.
Result<void> check_event(const cluster::State& state, const cluster::Event& event);

} // namespace jarvis::journal
