#include "journal/snapshot_records.hpp"

#include "journal/format.hpp"
#include "journal/relations_codec.hpp"
#include "journal/value_codec.hpp"
#include "wire/convert.hpp"

#include <future>
#include <span>

namespace jarvis::journal {

namespace {

// A record holds one job or one node; a node of 65,536 cores is far below this.
constexpr std::uint32_t max_record = std::uint32_t{64} << 20;
constexpr std::size_t worth_a_thread = 256; // records

Result<cluster::Run> read_run(const Run& record)
{
    auto placement = wire::from_message(record.placement());
    if (!placement)
        return std::unexpected(placement.error());
    cluster::Run run{std::move(*placement), instant(record.started_us()), wall_time(record.started_wall_us())};
    if (auto sound = check_moment(run.started, run.started_wall); !sound)
        return std::unexpected(sound.error());
    if (record.members_size() != 0 && static_cast<std::size_t>(record.members_size()) != run.placement.nodes.size())
        return fail(Errc::corrupt, "a run over {} nodes says how {} of them are", run.placement.nodes.size(), record.members_size());
    for (auto member : record.members()) {
        if (member > static_cast<std::uint32_t>(cluster::MemberState::finished))
            return fail(Errc::corrupt, "there is no member state {}", member);
        run.members.push_back(static_cast<cluster::MemberState>(member));
    }
    if (record.has_ending()) {
        auto ending = from_message(record.ending());
        if (!ending)
            return std::unexpected(ending.error());
        run.ending = std::move(*ending);
    }
    if (record.has_suspension())
        run.suspension = from_message(record.suspension());
    run.suspended = Duration(record.suspended_us());
    run.steps = {record.steps_through(), record.steps_failed()};
    for (const auto at : {run.suspension ? run.suspension->since : Instant{}, Instant(run.suspended)})
        if (auto sound = check_times(at, {}); !sound)
            return std::unexpected(sound.error());
    return run;
}

// `record` is there to be used again: so its strings are allocated once.
Result<DecodedRecord> decode(std::string_view bytes, SnapshotRecord& record)
{
    if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
        return fail(Errc::corrupt, "a snapshot record cannot be read");
    DecodedRecord decoded;
    if (!record.has_job() || record.job().has_task()) {
        decoded.other = std::make_unique<SnapshotRecord>(std::move(record));
        return decoded;
    }
    auto request = wire::from_message(record.job().request());
    auto job = request ? read_job(record.job(), std::make_shared<const JobRequest>(std::move(*request))) : std::unexpected(request.error());
    if (!job)
        return fail(Errc::corrupt, "job {} of the snapshot: {}", job_in(record.job()), job.error().message);
    decoded.job = std::move(*job);
    if (decoded.job->is_array()) {
        auto progress = read_array(record.job().array(), *decoded.job->request);
        if (!progress)
            return fail(Errc::corrupt, "array {} of the snapshot: {}", decoded.job->id, progress.error().message);
        decoded.progress = std::move(*progress);
    }
    return decoded;
}

// Decoding is most of a restart with many jobs, so half of it is for another thread.
std::vector<Result<DecodedRecord>> decode(std::span<const std::string_view> records)
{
    std::vector<Result<DecodedRecord>> decoded(records.size());
    const auto decode_part = [&](std::size_t from, std::size_t to) {
        SnapshotRecord record;
        for (auto i = from; i < to; ++i)
            decoded[i] = decode(records[i], record);
    };
    const auto half = records.size() < worth_a_thread ? records.size() : records.size() / 2;
    // Either policy: without a thread it is done here.
    auto other = std::async(half == records.size() ? std::launch::deferred : std::launch::async | std::launch::deferred, decode_part, half,
                            records.size());
    decode_part(0, half);
    other.get();
    return decoded;
}

} // namespace

// Everything but the request: a task's is its array's.
Result<std::shared_ptr<cluster::Job>> read_job(const JobRecord& record, std::shared_ptr<const JobRequest> request)
{
    auto state = wire::job_state_from(record.state());
    auto id = sixteen_bytes(record.request_id(), "a request id");
    auto digest = sixteen_bytes(record.digest(), "a request digest");
    if (!state || !id || !digest)
        return std::unexpected(!state ? state.error() : !id ? id.error() : digest.error());
    auto job = std::make_shared<cluster::Job>();
    job->id = job_in(record);
    job->request = std::move(request);
    job->request_id = {record.request_uid(), *id};
    job->digest = *digest;
    job->priority = record.priority();
    job->submitted = instant(record.submitted_us());
    job->submitted_wall = wall_time(record.submitted_wall_us());
    job->state = *state;
    job->incarnation = Incarnation{record.incarnation()};
    job->waits_for_begin = record.waits_for_begin();
    if (record.has_hold())
        job->hold = from_message(record.hold());
    if (record.has_stop())
        job->stop = from_message(record.stop());
    if (record.has_run()) {
        auto run = read_run(record.run());
        if (!run)
            return std::unexpected(run.error());
        job->run = std::move(*run);
    }
    if (record.has_ended()) {
        auto ended = from_message(record.ended());
        if (!ended)
            return std::unexpected(ended.error());
        job->ended = std::move(*ended);
    }
    job->failed_attempts = record.failed_attempts();
    if (record.has_not_before_us())
        job->not_before = instant(record.not_before_us());
    if (record.has_waits()) {
        auto waits = read_waits(record.waits(), *job->request);
        if (!waits)
            return std::unexpected(waits.error());
        job->waits = std::move(*waits);
    }
    for (const auto at : {job->submitted, job->not_before.value_or(Instant{})})
        if (auto sound = check_moment(at, job->submitted_wall); !sound)
            return std::unexpected(sound.error());
    if (holds_resources(job->state) && (!job->run || job->is_array()))
        return fail(Errc::corrupt, "it is {} and has no placement", name(job->state));
    if ((job->state == JobState::suspended) != (job->run && job->run->suspension))
        return fail(Errc::corrupt, "it is {}, and its run says otherwise", name(job->state));
    if (is_final(job->state) != static_cast<bool>(job->ended))
        return fail(Errc::corrupt, "it is {}, and its end says otherwise", name(job->state));
    if (job->waits_for_begin && !job->request->begin)
        return fail(Errc::corrupt, "it waits for a begin time and has none");
    return job;
}

Result<std::shared_ptr<cluster::Job>> read_task(const JobRecord& record, const cluster::StoredState& state)
{
    const auto array = state.find({record.job()});
    if (!array || !array->request->array->tasks.contains(record.task()))
        return fail(Errc::corrupt, "job {} of the snapshot: it is a task of no array", job_in(record));
    auto job = read_job(record, array->request);
    if (!job)
        return fail(Errc::corrupt, "job {} of the snapshot: {}", job_in(record), job.error().message);
    return job;
}

Result<void> read_header(cluster::StoredState& state, const SnapshotHeader& header)
{
    if (auto format = check_format(header.format(), "the snapshot"); !format)
        return format;
    auto uuid = sixteen_bytes(header.uuid(), "the cluster's UUID");
    auto settings = from_message(header.settings());
    if (!uuid || !settings)
        return std::unexpected(uuid ? settings.error() : uuid.error());
    state.uuid = *uuid;
    state.name = header.name();
    state.epoch = Epoch{header.epoch()};
    state.sequence = SequenceNumber{header.sequence()};
    state.now = instant(header.now_us());
    state.wall_offset = Duration(header.wall_offset_us());
    if (auto sound = check_times(state.now, state.wall_offset); !sound)
        return sound;
    state.settings = std::move(*settings);
    state.next_job = JobId{header.next_job()};
    state.clock = from_message(header.clock());
    return {};
}

Result<cluster::Node> read_node(const NodeRecord& record, NodeId id)
{
    cluster::Node node;
    node.id = id;
    node.name = record.name();
    node.declared = record.declared();
    node.connected = record.connected();
    if (record.has_registration()) {
        auto registration = from_message(record.registration());
        if (!registration)
            return fail(registration.error(), "node {}", node.name);
        node.registration = std::move(*registration);
    }
    if (record.has_drain())
        node.drain = from_message(record.drain());
    node.node_class = record.node_class();
    node.since = instant(record.since_us());
    if (auto sound = check_times(node.since, {}); !sound)
        return fail(sound.error(), "node {}", node.name);
    if (record.has_down())
        node.down = from_message(record.down());
    for (const auto& condemned : record.condemned())
        node.condemned.emplace(cluster::JobRef{job_in(condemned), Incarnation{condemned.incarnation()}}, condemned.noted());
    for (const auto& violation : record.violations())
        node.violations.push_back({{job_in(violation), Incarnation{violation.incarnation()}}, violation.text(), wall_time(violation.at_us())});
    return node;
}

std::vector<Result<DecodedRecord>> RecordDecoder::feed(std::string_view piece)
{
    rest_.append(piece);
    std::vector<std::string_view> records;
    std::string_view unread = rest_;
    std::optional<jarvis::Error> too_large;
    while (unread.size() >= 4) {
        std::uint32_t size = 0;
        for (const unsigned char byte : unread.substr(0, 4))
            size = size << 8 | byte;
        if (size > max_record)
            too_large = jarvis::Error{Errc::corrupt, fmt::format("a snapshot record says it has {} bytes", size)};
        if (too_large || unread.size() - 4 < size)
            break;
        records.push_back(unread.substr(4, size));
        unread.remove_prefix(4 + size);
    }
    auto decoded = decode(records);
    if (too_large)
        decoded.emplace_back(std::unexpected(std::move(*too_large)));
    rest_.erase(0, rest_.size() - unread.size());
    return decoded;
}

} // namespace jarvis::journal
