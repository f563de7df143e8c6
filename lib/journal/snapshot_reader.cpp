#include "cluster/apply.hpp"
#include "journal/codec.hpp"
#include "journal/snapshot_records.hpp"

namespace jarvis::journal {

Result<void> SnapshotReader::take_job(std::shared_ptr<cluster::Job> job, std::optional<cluster::ArrayProgress> progress)
{
    const auto id = job->id;
    if (job->run)
        for (const auto& part : job->run->placement.nodes)
            if (part.node.value >= state_.nodes.size())
                return fail(Errc::corrupt, "job {} of the snapshot: a placement names node number {} of {}", id, part.node, state_.nodes.size());
    if (id >= state_.next_job || (!state_.jobs.empty() && id <= state_.jobs.rbegin()->first))
        return fail(Errc::corrupt, "job {} of the snapshot is out of order (the next id is {})", id, state_.next_job);
    if (progress)
        state_.arrays.emplace(id.value, std::move(*progress));
    state_.jobs.emplace_hint(state_.jobs.end(), id, std::move(job));
    return {};
}

Result<void> SnapshotReader::take_other(const SnapshotRecord& record)
{
    switch (record.body_case()) {
    case SnapshotRecord::kHeader:
        header_ = true;
        return read_header(state_, record.header());
    case SnapshotRecord::kNode: {
        auto node = read_node(record.node(), NodeId{static_cast<std::uint32_t>(state_.nodes.size())});
        if (!node)
            return std::unexpected(std::move(node.error()));
        state_.nodes.push_back(std::move(*node));
        return {};
    }
    case SnapshotRecord::kJob: {
        auto job = read_task(record.job(), state_);
        return job ? take_job(std::move(*job), {}) : std::unexpected(std::move(job.error()));
    }
    case SnapshotRecord::kFooter:
        footer_ = true;
        if (record.footer().nodes() != state_.nodes.size() || record.footer().jobs() != state_.jobs.size())
            return fail(Errc::corrupt, "the snapshot counts {} jobs and holds {}", record.footer().jobs(), state_.jobs.size());
        return {};
    case SnapshotRecord::BODY_NOT_SET: break;
    }
    return fail(Errc::corrupt, "a snapshot record of an unknown kind");
}

Result<void> SnapshotReader::take(DecodedRecord decoded)
{
    if (footer_ || header_ == decoded.is_header())
        return fail(Errc::corrupt, "a snapshot record stands in the wrong place");
    return decoded.other ? take_other(*decoded.other) : take_job(std::move(decoded.job), std::move(decoded.progress));
}

Result<void> SnapshotReader::feed(std::string_view piece)
{
    for (auto& record : records_.feed(piece)) {
        if (!record)
            return std::unexpected(std::move(record.error()));
        if (auto taken = take(std::move(*record)); !taken)
            return taken;
    }
    return {};
}

Result<cluster::State> SnapshotReader::finish()
{
    if (!footer_ || !records_.at_boundary())
        return fail(Errc::corrupt, "the snapshot ends in the middle");
    cluster::rebuild_derived(state_);
    return std::move(state_);
}

} // namespace jarvis::journal
