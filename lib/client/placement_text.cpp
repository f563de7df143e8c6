#include "client/placement_text.hpp"

#include "base/escape.hpp"
#include "base/units.hpp"

#include <array>
#include <fmt/format.h>

namespace jarvis::client {

namespace {

template <std::size_t count>
std::string_view word(const std::array<std::string_view, count>& words, std::uint32_t number)
{
    return number < count ? words[number] : "unknown";
}

class List {
    std::string text_;

public:
    void add(std::string_view part) { text_ += (text_.empty() ? "" : ", ") + std::string(part); }
    std::string take() { return std::move(text_); }
};

std::string distribution_text(const wire::PlacementWishes& wishes, std::uint32_t which)
{
    constexpr std::uint32_t plane = 2;
    return which == plane ? fmt::format("in planes of {}", wishes.plane()) : std::string(distribution_word(which));
}

std::string device_text(const wire::DeviceRequest& device)
{
    auto text = fmt::format("{} {}", device.count(), escape_for_terminal(device.resource()));
    return device.type().empty() ? text : fmt::format("{} ({})", text, escape_for_terminal(device.type()));
}

void add_tasks(List& list, std::uint32_t tasks, std::string_view part)
{
    if (tasks > 0)
        list.add(fmt::format("at most {} task{} per {}", tasks, tasks == 1 ? "" : "s", part));
}

} // namespace

// By the numbers of model/placement_wishes.hpp.
std::string_view place_word(std::uint32_t place) { return word<3>({"close", "spread", "numa"}, place); }
std::string_view memory_binding_word(std::uint32_t binding) { return word<4>({"prefer", "local", "interleave", "none"}, binding); }
std::string_view alone_on_word(std::uint32_t level) { return word<4>({"core", "l3", "numa", "package"}, level); }
std::string_view distribution_word(std::uint32_t distribution) { return word<3>({"block", "cyclic", "plane"}, distribution); }

std::string wishes_text(const wire::PlacementWishes& wishes)
{
    List list;
    list.add(word<3>({"close", "spread", "each task inside one NUMA node"}, wishes.place()));
    if (wishes.numa_nodes() > 0)
        list.add(fmt::format("exactly {} NUMA node{}", wishes.numa_nodes(), wishes.numa_nodes() == 1 ? "" : "s"));
    if (wishes.memory() > 0)
        list.add(word<4>({"", "local memory", "interleaved memory", "memory of any NUMA node"}, wishes.memory()));
    for (const auto& device : wishes.devices())
        list.add(device_text(device));
    if (wishes.near_devices())
        list.add("cores near the devices");
    for (const auto& pages : wishes.huge_pages())
        list.add(fmt::format("at most {} huge page{} of {}", pages.count(), pages.count() == 1 ? "" : "s",
                             format_memory_size(MemorySize{pages.size()})));
    if (wishes.isolated())
        list.add("isolated cores");
    if (wishes.alone_on() > 0)
        list.add(word<4>({"", "whole L3 caches", "whole NUMA nodes", "whole packages"}, wishes.alone_on()));
    if (wishes.threads_per_core() > 0)
        list.add(fmt::format("{} thread{} per core", wishes.threads_per_core(), wishes.threads_per_core() == 1 ? "" : "s"));
    add_tasks(list, wishes.tasks_per_package(), "package");
    add_tasks(list, wishes.tasks_per_numa(), "NUMA node");
    add_tasks(list, wishes.tasks_per_l3(), "L3 cache");
    if (wishes.over_nodes() > 0)
        list.add(fmt::format("tasks {} over nodes", distribution_text(wishes, wishes.over_nodes())));
    if (wishes.inside() > 0)
        list.add(fmt::format("tasks {} inside nodes", distribution_text(wishes, wishes.inside())));
    return list.take();
}

std::string placement_text(const wire::JobNode& node)
{
    List list;
    list.add(fmt::format("cores {}", escape_for_terminal(node.cores())));
    if (!node.pus().empty())
        list.add(fmt::format("PUs {}", escape_for_terminal(node.pus())));
    std::string_view before = "memory ";
    for (const auto& share : node.memory()) {
        list.add(fmt::format("{}{} of NUMA node {}", before, format_memory_size(MemorySize{share.memory()}), share.numa()));
        before = "";
    }
    for (const auto& device : node.devices())
        list.add(fmt::format("{} {}", escape_for_terminal(device.resource()), escape_for_terminal(device.address())));
    return list.take();
}

} // namespace jarvis::client
