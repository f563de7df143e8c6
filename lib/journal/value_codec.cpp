#include "journal/value_codec.hpp"

#include "wire/convert.hpp"
#include "wire/limits.hpp"

namespace jarvis::journal {

namespace {

template <class List, class Field>
void put(const List& list, Field& field)
{
    field.Assign(list.begin(), list.end());
}
template <class Field, class List>
void take(const Field& field, List& list)
{
    list.assign(field.begin(), field.end());
}

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
    put(partition.node_classes, *message.mutable_node_classes());
    message.set_min_nodes(partition.min_nodes);
    message.set_max_nodes(partition.max_nodes);
    message.set_max_cores(partition.max_cores);
    put(partition.allow_users, *message.mutable_allow_users());
    put(partition.allow_groups, *message.mutable_allow_groups());
    put(partition.allow_gids, *message.mutable_allow_gids());
    put(partition.deny_users, *message.mutable_deny_users());
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
    take(message.node_classes(), partition.node_classes);
    partition.min_nodes = message.min_nodes();
    partition.max_nodes = message.max_nodes();
    partition.max_cores = message.max_cores();
    take(message.allow_users(), partition.allow_users);
    take(message.allow_groups(), partition.allow_groups);
    take(message.allow_gids(), partition.allow_gids);
    take(message.deny_users(), partition.deny_users);
    return partition;
}

NodeExpectation to_message(const jarvis::NodeExpectation& expect)
{
    NodeExpectation message;
    message.set_packages(expect.packages);
    message.set_numa_nodes(expect.numa_nodes);
    message.set_cores(expect.cores);
    message.set_threads_per_core(expect.threads_per_core);
    message.set_memory(expect.memory.bytes);
    for (const auto& [name, count] : expect.devices) {
        auto& device = *message.add_devices();
        device.set_name(name);
        device.set_count(count);
    }
    return message;
}

jarvis::NodeExpectation from_message(const NodeExpectation& message)
{
    jarvis::NodeExpectation expect{.packages = message.packages(),
                                   .numa_nodes = message.numa_nodes(),
                                   .cores = message.cores(),
                                   .threads_per_core = message.threads_per_core(),
                                   .memory = MemorySize{message.memory()}};
    for (const auto& device : message.devices())
        expect.devices[device.name()] = device.count();
    return expect;
}

NodeTraits to_message(const std::string& name, const cluster::NodeTraits& traits)
{
    NodeTraits message;
    message.set_name(name);
    put(traits.features, *message.mutable_features());
    message.set_vouch(traits.vouch);
    if (traits.expect != jarvis::NodeExpectation{})
        *message.mutable_expect() = to_message(traits.expect);
    return message;
}

cluster::NodeTraits from_message(const NodeTraits& message)
{
    cluster::NodeTraits traits{.features = {}, .vouch = message.vouch(), .expect = from_message(message.expect())};
    take(message.features(), traits.features);
    return traits;
}

NodeClass to_message(const cluster::NodeClass& node_class)
{
    NodeClass message;
    message.set_name(node_class.name);
    message.set_accept_all(node_class.accept_all);
    put(node_class.names, *message.mutable_names());
    *message.mutable_traits() = to_message({}, node_class.traits);
    message.set_max_nodes(node_class.max_nodes);
    return message;
}

cluster::NodeClass from_message(const NodeClass& message)
{
    cluster::NodeClass node_class{.name = message.name(), .accept_all = message.accept_all(), .names = {},
                                  .traits = from_message(message.traits()), .max_nodes = message.max_nodes()};
    take(message.names(), node_class.names);
    return node_class;
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
    if (settings.down_after != cluster::Settings{}.down_after)
        message.set_down_after_us(settings.down_after.count());
    message.set_requeue_on_silence(settings.requeue_on_silence);
    for (const auto& [name, traits] : settings.traits)
        *message.add_traits() = to_message(name, traits);
    for (const auto& node_class : settings.node_classes)
        *message.add_node_classes() = to_message(node_class);
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
    if (message.has_down_after_us()) {
        auto duration = wire::duration_from(message.down_after_us(), "down_after");
        if (!duration)
            return std::unexpected(duration.error());
        settings.down_after = *duration;
    }
    settings.requeue_on_silence = message.requeue_on_silence();
    for (const auto& traits : message.traits())
        settings.traits.emplace(traits.name(), from_message(traits));
    for (const auto& node_class : message.node_classes())
        settings.node_classes.push_back(from_message(node_class));
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

Suspension to_message(const cluster::Suspension& suspension)
{
    Suspension message;
    message.set_by(suspension.by);
    message.set_by_operator(suspension.by_operator);
    message.set_since_us(microseconds(suspension.since));
    return message;
}

cluster::Suspension from_message(const Suspension& message) { return {message.by(), message.by_operator(), instant(message.since_us())}; }

cluster::Hold from_message(const Hold& message) { return {message.by(), message.by_operator()}; }

Stop to_message(const cluster::Stop& stop)
{
    Stop message;
    message.set_by(stop.by);
    message.set_cause(stop.cause);
    message.set_requeue(stop.requeue);
    return message;
}

cluster::Stop from_message(const Stop& message) { return {message.by(), message.cause(), message.requeue()}; }

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

Down to_message(const cluster::Down& down)
{
    Down message;
    message.set_reason(down.reason);
    message.set_by(down.by);
    message.set_since_us(microseconds(down.since));
    message.set_confirmed(down.confirmed);
    return message;
}

cluster::Down from_message(const Down& message)
{
    return {message.reason(), message.by(), wall_time(message.since_us()), message.confirmed()};
}

Ending to_message(const cluster::Ending& ending)
{
    Ending message;
    *message.mutable_end() = wire::to_message(ending.end);
    *message.mutable_usage() = wire::to_message(ending.usage);
    message.set_may_requeue(ending.may_requeue);
    return message;
}

Result<cluster::Ending> from_message(const Ending& message)
{
    auto end = wire::from_message(message.end());
    auto usage = wire::from_message(message.usage());
    if (!end || !usage)
        return std::unexpected(end ? usage.error() : end.error());
    return cluster::Ending{std::move(*end), *usage, message.may_requeue()};
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

Result<void> check_moment(Instant at, WallTime wall)
{
    constexpr Duration limit{2 * wire::limits::wall_us}; // elapsed time and the wall clock's offset from it
    if (wall.time_since_epoch() < -limit || wall.time_since_epoch() > limit)
        return fail(Errc::corrupt, "a wall time of {} microseconds is out of range", microseconds(wall));
    return check_times(at, {});
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
