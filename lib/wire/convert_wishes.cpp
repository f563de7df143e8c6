// How a job wants to lie inside its nodes.
#include "wire/convert.hpp"

#include "model/huge_pages.hpp"
#include "wire/limits.hpp"

namespace jarvis::wire {

namespace {

// Enumerations are stored and sent by number; a newer peer may know more of them than we do.
template <class E>
Result<E> enum_from(std::uint32_t number, E last, std::string_view what)
{
    if (number > static_cast<std::uint32_t>(last))
        return fail(Errc::invalid, "{} {} is not known", what, number);
    return static_cast<E>(number);
}

Result<std::vector<jarvis::DeviceRequest>> devices_from(const google::protobuf::RepeatedPtrField<DeviceRequest>& messages)
{
    if (static_cast<std::size_t>(messages.size()) > limits::device_requests)
        return fail(Errc::invalid, "{} kinds of devices; at most {} are possible", messages.size(), limits::device_requests);
    std::vector<jarvis::DeviceRequest> devices;
    for (const auto& message : messages) {
        if (auto text = check_text(message.resource(), limits::name, "device"); !text)
            return std::unexpected(std::move(text.error()));
        if (auto text = check_text(message.type(), limits::name, "type of a device"); !text)
            return std::unexpected(std::move(text.error()));
        if (message.resource().empty())
            return fail(Errc::invalid, "a device without a name");
        if (message.count() < 1 || message.count() > limits::devices)
            return fail(Errc::invalid, "{} {}: from 1 to {} are possible", message.count(), message.resource(), limits::devices);
        jarvis::DeviceRequest device{message.resource(), message.type(), message.count()};
        const auto key = [](const jarvis::DeviceRequest& d) { return std::pair(d.resource, d.type); };
        if (!devices.empty() && !(key(devices.back()) < key(device)))
            return fail(Errc::invalid, "devices {} are out of order", message.resource());
        devices.push_back(std::move(device));
    }
    return devices;
}

Result<std::vector<jarvis::HugePages>> huge_pages_from(const google::protobuf::RepeatedPtrField<HugePages>& messages)
{
    std::vector<jarvis::HugePages> all;
    for (const auto& message : messages) {
        const jarvis::HugePages pages{MemorySize{message.size()}, message.count()};
        if (!capability_for(pages.size))
            return fail(Errc::invalid, "huge pages of {} bytes: no kernel has them", message.size());
        if (pages.count < 1 || pages.count > limits::huge_pages)
            return fail(Errc::invalid, "{} huge pages: from 1 to {} are possible", pages.count, limits::huge_pages);
        if (!all.empty() && all.back().size >= pages.size)
            return fail(Errc::invalid, "huge pages are out of order");
        all.push_back(pages);
    }
    return all;
}

} // namespace

PlacementWishes to_message(const jarvis::PlacementWishes& wishes)
{
    PlacementWishes message;
    message.set_place(static_cast<std::uint32_t>(wishes.place));
    message.set_memory(static_cast<std::uint32_t>(wishes.memory));
    message.set_alone_on(static_cast<std::uint32_t>(wishes.alone_on));
    message.set_numa_nodes(wishes.numa_nodes);
    message.set_tasks_per_package(wishes.tasks_per_package);
    message.set_tasks_per_numa(wishes.tasks_per_numa);
    message.set_tasks_per_l3(wishes.tasks_per_l3);
    message.set_threads_per_core(wishes.threads_per_core);
    message.set_over_nodes(static_cast<std::uint32_t>(wishes.over_nodes));
    message.set_inside(static_cast<std::uint32_t>(wishes.inside));
    message.set_plane(wishes.plane);
    for (const auto& device : wishes.devices) {
        auto& device_message = *message.add_devices();
        device_message.set_resource(device.resource);
        device_message.set_type(device.type);
        device_message.set_count(device.count);
    }
    message.set_near_devices(wishes.near_devices);
    for (const auto& pages : wishes.huge_pages) {
        auto& pages_message = *message.add_huge_pages();
        pages_message.set_size(pages.size.bytes);
        pages_message.set_count(pages.count);
    }
    message.set_isolated(wishes.isolated);
    return message;
}

Result<jarvis::PlacementWishes> from_message(const PlacementWishes& message)
{
    const auto place = enum_from(message.place(), PlacePattern::numa, "placement");
    const auto memory = enum_from(message.memory(), MemoryBinding::none, "memory binding");
    const auto alone_on = enum_from(message.alone_on(), AloneOn::package, "level of exclusiveness");
    const auto over_nodes = enum_from(message.over_nodes(), Distribution::plane, "distribution over nodes");
    const auto inside = enum_from(message.inside(), Distribution::plane, "distribution inside nodes");
    for (const auto* error : {place ? nullptr : &place.error(), memory ? nullptr : &memory.error(),
                              alone_on ? nullptr : &alone_on.error(), over_nodes ? nullptr : &over_nodes.error(),
                              inside ? nullptr : &inside.error()})
        if (error)
            return std::unexpected(*error);
    for (auto count : {message.tasks_per_package(), message.tasks_per_numa(), message.tasks_per_l3(), message.plane()})
        if (count > limits::tasks)
            return fail(Errc::invalid, "{} tasks on a part of a node: at most {} are possible", count, limits::tasks);
    if (message.numa_nodes() > limits::numa_nodes)
        return fail(Errc::invalid, "{} NUMA nodes: at most {} are possible", message.numa_nodes(), limits::numa_nodes);
    if (message.threads_per_core() > limits::pus_of_core)
        return fail(Errc::invalid, "{} threads per core: at most {} are possible", message.threads_per_core(), limits::pus_of_core);
    auto devices = devices_from(message.devices());
    if (!devices)
        return std::unexpected(std::move(devices.error()));
    auto huge_pages = huge_pages_from(message.huge_pages());
    if (!huge_pages)
        return std::unexpected(std::move(huge_pages.error()));
    return jarvis::PlacementWishes{.place = *place,
                                   .memory = *memory,
                                   .alone_on = *alone_on,
                                   .numa_nodes = message.numa_nodes(),
                                   .tasks_per_package = message.tasks_per_package(),
                                   .tasks_per_numa = message.tasks_per_numa(),
                                   .tasks_per_l3 = message.tasks_per_l3(),
                                   .threads_per_core = message.threads_per_core(),
                                   .over_nodes = *over_nodes,
                                   .inside = *inside,
                                   .plane = message.plane(),
                                   .devices = std::move(*devices),
                                   .near_devices = message.near_devices(),
                                   .huge_pages = std::move(*huge_pages),
                                   .isolated = message.isolated()};
}

} // namespace jarvis::wire
