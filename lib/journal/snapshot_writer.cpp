// A state as the records of a snapshot.
#include "journal/codec.hpp"
#include "journal/format.hpp"
#include "journal/relations_codec.hpp"
#include "journal/value_codec.hpp"
#include "wire/convert.hpp"

namespace jarvis::journal {

namespace {

SnapshotHeader header_of(const cluster::StoredState& state)
{
    SnapshotHeader header;
    header.set_format(current_format);
    header.set_uuid(bytes_of(state.uuid));
    header.set_name(state.name);
    header.set_epoch(state.epoch.value);
    header.set_sequence(state.sequence.value);
    header.set_now_us(microseconds(state.now));
    header.set_wall_offset_us(state.wall_offset.count());
    *header.mutable_settings() = to_message(state.settings);
    header.set_next_job(state.next_job.value);
    *header.mutable_clock() = to_message(state.clock);
    return header;
}

NodeRecord record_of(const cluster::Node& node)
{
    NodeRecord record;
    record.set_name(node.name);
    record.set_declared(node.declared);
    record.set_connected(node.connected);
    if (node.registration)
        *record.mutable_registration() = to_message(*node.registration);
    if (node.drain)
        *record.mutable_drain() = to_message(*node.drain);
    record.set_node_class(node.node_class);
    record.set_since_us(microseconds(node.since));
    if (node.down)
        *record.mutable_down() = to_message(*node.down);
    for (const auto& [ref, noted] : node.condemned) {
        auto& condemned = *record.add_condemned();
        put_job(ref.job, condemned);
        condemned.set_incarnation(ref.incarnation.value);
        condemned.set_noted(noted);
    }
    for (const auto& violation : node.violations) {
        auto& out = *record.add_violations();
        put_job(violation.job.job, out);
        out.set_incarnation(violation.job.incarnation.value);
        out.set_text(violation.text);
        out.set_at_us(microseconds(violation.at));
    }
    return record;
}

constexpr std::size_t piece_size = std::size_t{1} << 20;

void fill(JobRecord& record, const cluster::StoredState& state, const cluster::Job& job)
{
    put_job(job.id, record);
    if (!job.id.is_task())
        *record.mutable_request() = wire::to_message(*job.request);
    if (job.is_array())
        fill(*record.mutable_array(), state.arrays.at(job.id.value));
    if (job.waits)
        fill(*record.mutable_waits(), *job.waits);
    record.set_failed_attempts(job.failed_attempts);
    if (job.not_before)
        record.set_not_before_us(microseconds(*job.not_before));
    record.set_request_uid(job.request_id.uid);
    record.set_request_id(bytes_of(job.request_id.id));
    record.set_digest(bytes_of(job.digest));
    record.set_priority(job.priority);
    record.set_submitted_us(microseconds(job.submitted));
    record.set_submitted_wall_us(microseconds(job.submitted_wall));
    record.set_state(static_cast<std::uint32_t>(job.state));
    record.set_incarnation(job.incarnation.value);
    record.set_waits_for_begin(job.waits_for_begin);
    if (job.hold)
        *record.mutable_hold() = to_message(*job.hold);
    if (job.stop)
        *record.mutable_stop() = to_message(*job.stop);
    if (job.run) {
        *record.mutable_run()->mutable_placement() = wire::to_message(job.run->placement);
        record.mutable_run()->set_started_us(microseconds(job.run->started));
        record.mutable_run()->set_started_wall_us(microseconds(job.run->started_wall));
        for (auto member : job.run->members)
            record.mutable_run()->add_members(static_cast<std::uint32_t>(member));
        if (job.run->ending)
            *record.mutable_run()->mutable_ending() = to_message(*job.run->ending);
        if (job.run->suspension)
            *record.mutable_run()->mutable_suspension() = to_message(*job.run->suspension);
        record.mutable_run()->set_suspended_us(job.run->suspended.count());
        record.mutable_run()->set_steps_through(job.run->steps.through);
        record.mutable_run()->set_steps_failed(job.run->steps.failed);
    }
    if (job.ended)
        *record.mutable_ended() = to_message(*job.ended);
}

// Collects length-prefixed records into pieces.
class PieceWriter {
    const std::function<Result<void>(std::string_view)>& write_;
    std::string piece_;

public:
    explicit PieceWriter(const std::function<Result<void>(std::string_view)>& write) : write_(write) {}

    Result<void> add(const SnapshotRecord& record)
    {
        const auto size = static_cast<std::uint32_t>(record.ByteSizeLong());
        for (int shift = 24; shift >= 0; shift -= 8)
            piece_ += static_cast<char>(size >> shift);
        record.AppendToString(&piece_);
        return piece_.size() < piece_size ? Result<void>{} : flush();
    }
    Result<void> flush()
    {
        auto written = piece_.empty() ? Result<void>{} : write_(piece_);
        piece_.clear();
        return written;
    }
};

} // namespace

Result<void> encode_snapshot(const cluster::StoredState& state, const std::function<Result<void>(std::string_view)>& write)
{
    PieceWriter writer(write);
    SnapshotRecord record;
    *record.mutable_header() = header_of(state);
    if (auto written = writer.add(record); !written)
        return written;
    for (const auto& node : state.nodes) {
        *record.mutable_node() = record_of(node);
        if (auto written = writer.add(record); !written)
            return written;
    }
    for (const auto& [id, job] : state.jobs) {
        record.mutable_job()->Clear();
        fill(*record.mutable_job(), state, *job);
        if (auto written = writer.add(record); !written)
            return written;
    }
    record.mutable_footer()->set_nodes(state.nodes.size());
    record.mutable_footer()->set_jobs(state.jobs.size());
    if (auto written = writer.add(record); !written)
        return written;
    return writer.flush();
}

} // namespace jarvis::journal
