#include "cluster/apply.hpp"
#include "journal/codec.hpp"
#include "journal/format.hpp"
#include "journal/relations_codec.hpp"
#include "journal/value_codec.hpp"
#include "wire/convert.hpp"

#include <future>

namespace jarvis::journal {

namespace {

constexpr std::size_t piece_size = std::size_t{1} << 20;
// A record holds one job or one node; a node of 65,536 cores is far below this.
constexpr std::uint32_t max_record = std::uint32_t{64} << 20;
constexpr std::size_t worth_a_thread = 256; // records

SnapshotHeader header_of(const cluster::State& state)
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

void fill(JobRecord& record, const cluster::State& state, const cluster::Job& job)
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
    }
    if (job.ended)
        *record.mutable_ended() = to_message(*job.ended);
}

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
    return run;
}

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
    if (is_final(job->state) != static_cast<bool>(job->ended))
        return fail(Errc::corrupt, "it is {}, and its end says otherwise", name(job->state));
    if (job->waits_for_begin && !job->request->begin)
        return fail(Errc::corrupt, "it waits for a begin time and has none");
    return job;
}

Result<void> read_header(cluster::State& state, const SnapshotHeader& header)
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

Result<void> read_node(cluster::State& state, const NodeRecord& record)
{
    cluster::Node node;
    node.id = NodeId{static_cast<std::uint32_t>(state.nodes.size())};
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
    state.nodes.push_back(std::move(node));
    return {};
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

Result<void> encode_snapshot(const cluster::State& state, const std::function<Result<void>(std::string_view)>& write)
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

// A record as far as it can be read without what stands before it: that of a job or an array whole, any other as it came.
struct SnapshotReader::Decoded {
    std::shared_ptr<cluster::Job> job;
    std::optional<cluster::ArrayProgress> progress;
    std::unique_ptr<SnapshotRecord> other;
};

// `record` is there to be used again: so its strings are allocated once.
Result<SnapshotReader::Decoded> SnapshotReader::decode(std::string_view bytes, SnapshotRecord& record)
{
    if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
        return fail(Errc::corrupt, "a snapshot record cannot be read");
    Decoded decoded;
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
    cluster::JobPtr same = like_ ? like_->find(id) : nullptr;
    if (!same || *same != *job)
        same = std::move(job);
    state_.jobs.emplace_hint(state_.jobs.end(), id, std::move(same));
    return {};
}

Result<void> SnapshotReader::take_other(const SnapshotRecord& record)
{
    switch (record.body_case()) {
    case SnapshotRecord::kHeader:
        header_ = true;
        return read_header(state_, record.header());
    case SnapshotRecord::kNode: return read_node(state_, record.node());
    case SnapshotRecord::kJob: {
        const auto array = state_.find({record.job().job()});
        const bool is_task = array && array->request->array.tasks.contains(record.job().task());
        auto job = is_task ? read_job(record.job(), array->request) : fail(Errc::corrupt, "it is a task of no array");
        if (!job)
            return fail(Errc::corrupt, "job {} of the snapshot: {}", job_in(record.job()), job.error().message);
        return take_job(std::move(*job), {});
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

Result<void> SnapshotReader::take(Decoded decoded)
{
    if (footer_ || header_ == (decoded.other && decoded.other->has_header()))
        return fail(Errc::corrupt, "a snapshot record stands in the wrong place");
    return decoded.other ? take_other(*decoded.other) : take_job(std::move(decoded.job), std::move(decoded.progress));
}

// Decoding is most of a restart with many jobs, so half of it is for another thread.
Result<void> SnapshotReader::take_records(std::span<const std::string_view> records)
{
    std::vector<Result<Decoded>> decoded(records.size());
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
    for (auto& one : decoded) {
        if (!one)
            return std::unexpected(std::move(one.error()));
        if (auto taken = take(std::move(*one)); !taken)
            return taken;
    }
    return {};
}

Result<void> SnapshotReader::feed(std::string_view piece)
{
    rest_.append(piece);
    std::vector<std::string_view> records;
    std::string_view unread = rest_;
    while (unread.size() >= 4) {
        std::uint32_t size = 0;
        for (const unsigned char byte : unread.substr(0, 4))
            size = size << 8 | byte;
        if (size > max_record)
            return fail(Errc::corrupt, "a snapshot record says it has {} bytes", size);
        if (unread.size() - 4 < size)
            break;
        records.push_back(unread.substr(4, size));
        unread.remove_prefix(4 + size);
    }
    if (auto taken = take_records(records); !taken)
        return taken;
    rest_.erase(0, rest_.size() - unread.size());
    return {};
}

Result<cluster::State> SnapshotReader::finish()
{
    if (!footer_ || !rest_.empty())
        return fail(Errc::corrupt, "the snapshot ends in the middle");
    cluster::rebuild_derived(state_);
    return std::move(state_);
}

} // namespace jarvis::journal
