#include "journal/value_codec.hpp"

#include "wire/convert.hpp"
#include "wire/limits.hpp"

namespace jarvis::journal {

namespace {

Partition to_message(const cluster::PartitionSettings& partition)
{
    Partition message;
    message.set_name(partition.name);
    for (const auto& node : partition.nodes)
        message.add_nodes(node);
    message.set_is_default(partition.is_default);
    if (partition.default_time)
        message.set_default_time_us(partition.default_time->count());
    if (partition.max_time)
        message.set_max_time_us(partition.max_time->count());
    message.set_up(partition.up);
    message.set_confinement(static_cast<std::uint32_t>(partition.confinement));
    if (partition.default_memory_per_cpu)
        message.set_default_memory_per_cpu(partition.default_memory_per_cpu->bytes);
    return message;
}

Result<cluster::PartitionSettings> from_message(const Partition& message)
{
    cluster::PartitionSettings partition;
    partition.name = message.name();
    partition.nodes.assign(message.nodes().begin(), message.nodes().end());
    partition.is_default = message.is_default();
    if (message.has_default_time_us())
        partition.default_time = Duration(message.default_time_us());
    if (message.has_max_time_us())
        partition.max_time = Duration(message.max_time_us());
    partition.up = message.up();
    if (message.confinement() > static_cast<std::uint32_t>(Confinement::full))
        return fail(Errc::corrupt, "partition {}: unknown confinement {}", partition.name, message.confinement());
    partition.confinement = static_cast<Confinement>(message.confinement());
    if (message.has_default_memory_per_cpu())
        partition.default_memory_per_cpu = MemorySize{message.default_memory_per_cpu()};
    return partition;
}

} // namespace

Settings to_message(const cluster::Settings& settings)
{
    Settings message;
    for (const auto& node : settings.nodes)
        message.add_nodes(node);
    for (const auto& partition : settings.partitions)
        *message.add_partitions() = to_message(partition);
    message.set_queue_mode(static_cast<std::uint32_t>(settings.queue_mode));
    message.set_keep_ended_us(settings.keep_ended.count());
    message.set_heartbeat_us(settings.heartbeat.count());
    message.set_kill_grace_us(settings.kill_grace.count());
    message.set_first_job_id(settings.first_job_id);
    message.set_max_jobs(settings.max_jobs);
    message.set_allow_root_jobs(settings.allow_root_jobs);
    return message;
}

Result<cluster::Settings> from_message(const Settings& message)
{
    cluster::Settings settings;
    settings.nodes.assign(message.nodes().begin(), message.nodes().end());
    for (const auto& partition : message.partitions()) {
        auto read = from_message(partition);
        if (!read)
            return std::unexpected(read.error());
        settings.partitions.push_back(std::move(*read));
    }
    if (message.queue_mode() > static_cast<std::uint32_t>(cluster::QueueMode::strict))
        return fail(Errc::corrupt, "unknown queue mode {}", message.queue_mode());
    settings.queue_mode = static_cast<cluster::QueueMode>(message.queue_mode());
    for (auto [us, into, field] : {std::tuple(message.keep_ended_us(), &settings.keep_ended, "keep_ended"),
                                   {message.heartbeat_us(), &settings.heartbeat, "heartbeat"},
                                   {message.kill_grace_us(), &settings.kill_grace, "kill_grace"}}) {
        auto duration = wire::duration_from(us, field);
        if (!duration)
            return std::unexpected(duration.error());
        *into = *duration;
    }
    settings.first_job_id = message.first_job_id();
    settings.max_jobs = message.max_jobs();
    settings.allow_root_jobs = message.allow_root_jobs();
    return settings;
}

Registration to_message(const cluster::Registration& registration)
{
    Registration message;
    message.set_boot_id(registration.boot_id);
    *message.mutable_topology() = wire::to_message(registration.topology);
    message.set_capabilities(registration.capabilities.bits());
    message.set_version(registration.version);
    for (const auto& note : registration.notes)
        message.add_notes(note);
    return message;
}

Result<cluster::Registration> from_message(const Registration& message)
{
    auto topology = wire::from_message(message.topology());
    if (!topology)
        return std::unexpected(topology.error());
    return cluster::Registration{.boot_id = message.boot_id(),
                                 .topology = std::move(*topology),
                                 .capabilities = Capabilities(message.capabilities()),
                                 .version = message.version(),
                                 .notes = {message.notes().begin(), message.notes().end()}};
}

Hold to_message(const cluster::Hold& hold)
{
    Hold message;
    message.set_by(hold.by);
    message.set_by_operator(hold.by_operator);
    return message;
}

cluster::Hold from_message(const Hold& message) { return {message.by(), message.by_operator()}; }

Stop to_message(const cluster::Stop& stop)
{
    Stop message;
    message.set_by(stop.by);
    message.set_cause(stop.cause);
    return message;
}

cluster::Stop from_message(const Stop& message) { return {message.by(), message.cause()}; }

Drain to_message(const cluster::Drain& drain)
{
    Drain message;
    message.set_reason(drain.reason);
    message.set_by(drain.by);
    message.set_since_us(microseconds(drain.since));
    return message;
}

cluster::Drain from_message(const Drain& message)
{
    return {message.reason(), message.by(), wall_time(message.since_us())};
}

BootClock to_message(const cluster::BootClock& clock)
{
    BootClock message;
    message.set_boot_id(clock.boot_id);
    message.set_offset_us(clock.offset.count());
    return message;
}

cluster::BootClock from_message(const BootClock& message) { return {message.boot_id(), Duration(message.offset_us())}; }

Result<void> check_times(Instant now, Duration wall_offset)
{
    constexpr Duration limit{wire::limits::wall_us};
    if (now < Instant{} || now > Instant(limit))
        return fail(Errc::corrupt, "an elapsed time of {} microseconds is out of range", microseconds(now));
    if (wall_offset < -limit || wall_offset > limit)
        return fail(Errc::corrupt, "a wall clock {} microseconds from elapsed time is out of range", wall_offset.count());
    return {};
}

Result<std::array<std::uint8_t, 16>> sixteen_bytes(std::string_view bytes, std::string_view what)
{
    std::array<std::uint8_t, 16> value{};
    if (bytes.size() != value.size())
        return fail(Errc::corrupt, "{} has {} bytes instead of 16", what, bytes.size());
    std::copy(bytes.begin(), bytes.end(), value.begin());
    return value;
}

} // namespace jarvis::journal
