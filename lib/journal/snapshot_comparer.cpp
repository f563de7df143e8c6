#include "journal/snapshot_comparer.hpp"

#include "journal/relations_codec.hpp"
#include "journal/snapshot_records.hpp"

namespace jarvis::journal {

namespace {

constexpr std::string_view another = "what was read back is another state than what was written";

// What is derived in it is left out.
std::string stored(const cluster::ArrayProgress& progress)
{
    ArrayRecord record;
    fill(record, progress);
    return record.SerializeAsString();
}

} // namespace

bool SnapshotComparer::equals_job(const cluster::Job& job, const std::optional<cluster::ArrayProgress>& progress)
{
    if (next_job_ == state_.jobs.end() || *next_job_->second != job)
        return false;
    ++next_job_;
    return !progress || stored(*progress) == stored(state_.arrays.at(job.id.value));
}

bool SnapshotComparer::equals_other(const SnapshotRecord& record)
{
    switch (record.body_case()) {
    case SnapshotRecord::kHeader: {
        header_ = true;
        cluster::StoredState read;
        return read_header(read, record.header()) && header_of(read).SerializeAsString() == header_of(state_).SerializeAsString();
    }
    case SnapshotRecord::kNode: {
        if (nodes_ == state_.nodes.size())
            return false;
        const auto& node = state_.nodes[nodes_++];
        const auto read = read_node(record.node(), node.id);
        return read && record_of(*read).SerializeAsString() == record_of(node).SerializeAsString();
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
    const auto records = records_.feed(piece);
    if (!records)
        return std::unexpected(records.error());
    for (const auto& record : *records)
        if (!equals(record))
            return fail(Errc::corrupt, "{}", another);
    return {};
}

Result<void> SnapshotComparer::finish() const
{
    return footer_ && records_.at_boundary() ? Result<void>{} : fail(Errc::corrupt, "{}", another);
}

} // namespace jarvis::journal
