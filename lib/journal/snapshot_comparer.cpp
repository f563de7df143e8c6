#include "journal/snapshot_comparer.hpp"

#include "journal/snapshot_records.hpp"

namespace jarvis::journal {

namespace {

constexpr std::string_view another = "what was read back is another state than what was written";

// What is derived is not stored, and taken as it is. Everything else must be equal: a member that somebody forgets to store, too.
bool same_stored(cluster::ArrayProgress read, const cluster::ArrayProgress& live)
{
    read.ready = live.ready;
    read.released = live.released;
    read.known = live.known;
    read.unended = live.unended;
    read.holding = live.holding;
    read.queued = live.queued;
    return read == live;
}

bool same_stored(cluster::Node read, const cluster::Node& live)
{
    read.jobs = live.jobs;
    read.free = live.free;
    read.partitions = live.partitions;
    read.position = live.position;
    read.features = live.features;
    read.vouches = live.vouches;
    read.shortfall = live.shortfall;
    return read == live;
}

bool same_header(const cluster::StoredState& a, const cluster::StoredState& b)
{
    return a.uuid == b.uuid && a.name == b.name && a.epoch == b.epoch && a.sequence == b.sequence && a.now == b.now && a.clock == b.clock &&
           a.wall_offset == b.wall_offset && a.settings == b.settings && a.next_job == b.next_job;
}

} // namespace

bool SnapshotComparer::equals_job(const cluster::Job& job, const std::optional<cluster::ArrayProgress>& progress)
{
    if (next_job_ == state_.jobs.end() || *next_job_->second != job)
        return false;
    ++next_job_;
    return !progress || same_stored(*progress, state_.arrays.at(job.id.value));
}

bool SnapshotComparer::equals_other(const SnapshotRecord& record)
{
    switch (record.body_case()) {
    case SnapshotRecord::kHeader: {
        header_ = true;
        cluster::StoredState read;
        return read_header(read, record.header()) && same_header(read, state_);
    }
    case SnapshotRecord::kNode: {
        if (nodes_ == state_.nodes.size())
            return false;
        const auto& node = state_.nodes[nodes_++];
        const auto read = read_node(record.node(), node.id);
        return read && same_stored(*read, node);
    }
    case SnapshotRecord::kJob: {
        const auto job = read_task(record.job(), state_);
        return job && equals_job(**job, {});
    }
    case SnapshotRecord::kFooter:
        footer_ = true;
        return record.footer().nodes() == nodes_ && record.footer().jobs() == state_.jobs.size() && nodes_ == state_.nodes.size() &&
               next_job_ == state_.jobs.end();
    case SnapshotRecord::BODY_NOT_SET: break;
    }
    return false;
}

bool SnapshotComparer::equals(const DecodedRecord& record)
{
    if (footer_ || header_ == record.is_header())
        return false;
    return record.other ? equals_other(*record.other) : equals_job(*record.job, record.progress);
}

Result<void> SnapshotComparer::feed(std::string_view piece)
{
    for (const auto& record : records_.feed(piece)) {
        if (!record)
            return std::unexpected(record.error());
        if (!equals(*record))
            return fail(Errc::corrupt, "{}", another);
    }
    return {};
}

Result<void> SnapshotComparer::finish() const
{
    return footer_ && records_.at_boundary() ? Result<void>{} : fail(Errc::corrupt, "{}", another);
}

} // namespace jarvis::journal
