#include "sched/node_layout.hpp"

#include <algorithm>
#include <map>

namespace jarvis::sched {

CoreSet common(const CoreSet& a, const CoreSet& b)
{
    std::vector<std::uint64_t> words(std::min(a.words().size(), b.words().size()));
    for (std::size_t i = 0; i < words.size(); ++i)
        words[i] = a.words()[i] & b.words()[i];
    return CoreSet::from_words(std::move(words));
}

std::int64_t proportion(std::int64_t whole, std::uint32_t part, std::uint32_t of)
{
    return whole / of * part + whole % of * part / of; // the product might not fit
}

NodeLayout::NodeLayout(const Topology& topology, const FreeResources& free, const Demand& demand, const CoreSet* only)
    : topology_(topology), free_(free), demand_(demand), wishes_(*demand.wishes)
{
    if (demand.tasks > 0)
        task_ = std::max(demand.cpus_per_task, 1u);
    whole_in_l3_ = wishes_.tasks_per_l3 > 0;
    whole_in_numa_ = wishes_.place == PlacePattern::numa || wishes_.tasks_per_numa > 0 || whole_in_l3_;
    add_parts(only);
    find_packages();
    if (wishes_.alone_on != AloneOn::core)
        keep_what_is_alone();
    for (auto& part : parts_)
        part.most = part.core_count = part.cores.count();
    if (whole_in_numa_ || wishes_.tasks_per_package > 0)
        limit_tasks();
    if (!wishes_.devices.empty())
        find_devices();
}

void NodeLayout::add_parts(const CoreSet* only)
{
    const auto& numas = topology_.numa_nodes;
    const CoreSet may = only ? common(free_.cores, *only) : CoreSet{};
    const CoreSet& usable = only ? may : free_.cores;
    parts_.resize(numas.size());
    CoreSet claimed;
    std::uint32_t given = 0;
    for (auto kind : {MemoryKind::dram, MemoryKind::hbm, MemoryKind::slow})
        for (std::size_t i = 0; i < numas.size(); ++i) {
            if (numas[i].kind != kind)
                continue;
            auto& part = parts_[i];
            part.kind = kind;
            part.cores = common(usable, numas[i].cores);
            if (claimed.intersects(part.cores))
                part.cores -= claimed;
            claimed |= numas[i].cores;
            part.memory = i < free_.memory.size() ? std::max(MemorySize{}, free_.memory[i]) : MemorySize{};
            given += part.cores.count();
        }
    if (given < usable.count())
        parts_.push_back({.cores = usable - claimed});
}

void NodeLayout::find_packages()
{
    const auto add = [this](NumaPart& part, std::uint32_t core) {
        const auto package = topology_.cores[core].package;
        if (!part.packages.empty() && packages_[part.packages.back()] == package)
            return;
        const auto number = static_cast<std::uint32_t>(std::ranges::find(packages_, package) - packages_.begin());
        if (number == packages_.size())
            packages_.push_back(package);
        if (std::ranges::find(part.packages, number) == part.packages.end())
            part.packages.push_back(number);
    };
    for (std::size_t i = 0; i < parts_.size(); ++i)
        (i < topology_.numa_nodes.size() ? topology_.numa_nodes[i].cores : parts_[i].cores).for_each([&](std::uint32_t core) { add(parts_[i], core); });
}

// Leaves what nobody else uses any of, at the level that is asked for.
void NodeLayout::keep_what_is_alone()
{
    const auto& numas = topology_.numa_nodes;
    if (wishes_.alone_on == AloneOn::l3) {
        std::vector<std::uint64_t> shared; // L3 groups with a core that is not free
        for (std::uint32_t core = 0; core < topology_.cores.size(); ++core)
            if (!free_.cores.contains(core) && (shared.empty() || shared.back() != key(Level::l3, core)))
                shared.push_back(key(Level::l3, core));
        for (auto& part : parts_) {
            CoreSet alone;
            part.cores.for_each([&](std::uint32_t core) {
                if (std::ranges::find(shared, key(Level::l3, core)) == shared.end())
                    alone.insert(core);
            });
            part.cores = std::move(alone);
        }
        return;
    }
    std::vector<bool> is_shared(packages_.size());
    std::vector<bool> is_whole(parts_.size());
    for (std::size_t i = 0; i < parts_.size(); ++i) {
        is_whole[i] = i < numas.size() && free_.memory[i] == numas[i].memory && (numas[i].cores - free_.cores).empty();
        for (auto package : parts_[i].packages)
            is_shared[package] = is_shared[package] || !is_whole[i];
    }
    for (std::size_t i = 0; i < parts_.size(); ++i) {
        const bool package_shared = std::ranges::any_of(parts_[i].packages, [&](auto package) { return is_shared[package]; });
        if (is_whole[i] && !(wishes_.alone_on == AloneOn::package && package_shared))
            continue;
        parts_[i].cores = {};
        parts_[i].memory = {};
    }
}

std::uint32_t NodeLayout::most_by_l3(const CoreSet& cores) const
{
    std::map<std::uint64_t, std::uint32_t> counts;
    cores.for_each([&](std::uint32_t core) { ++counts[key(Level::l3, core)]; });
    std::uint32_t most = 0;
    for (const auto& [l3, count] : counts)
        most += std::min(count / task_ * task_, cores_of(wishes_.tasks_per_l3));
    return most;
}

// A limit of tasks counts tasks that are whole on the part that it is about: cores there come in the sizes of tasks.
void NodeLayout::limit_tasks()
{
    for (auto& part : parts_) {
        if (whole_in_l3_)
            part.most = most_by_l3(part.cores);
        part.most = part.most / step() * step();
        if (wishes_.tasks_per_numa > 0)
            part.most = std::min(part.most, cores_of(wishes_.tasks_per_numa));
        if (wishes_.tasks_per_package > 0)
            part.most = static_cast<std::uint32_t>(std::min<std::uint64_t>(part.most, std::uint64_t{cores_of(wishes_.tasks_per_package)} * std::max<std::size_t>(1, part.packages.size())));
    }
}

void NodeLayout::find_devices()
{
    for (auto index : free_.devices) {
        const auto& device = topology_.devices[index];
        const DeviceRequest* found = nullptr;
        for (const auto& request : wishes_.devices)
            if (request.resource == device.resource && (request.type.empty() || request.type == device.type) && (!found || !request.type.empty()))
                found = &request;
        if (!found)
            continue;
        DeviceNear near{.device = index, .request = static_cast<std::uint32_t>(found - wishes_.devices.data()), .everywhere = device.near.empty(), .numa = {}};
        for (std::uint32_t i = 0; i < parts_.size(); ++i)
            if (near.everywhere || parts_[i].cores.intersects(device.near)) {
                ++parts_[i].devices_near;
                if (!near.everywhere)
                    near.numa.push_back(i);
            }
        devices_.push_back(std::move(near));
    }
}

std::uint32_t NodeLayout::distance(std::uint32_t a, std::uint32_t b) const
{
    const auto known = topology_.numa_nodes.size();
    if (a < known && b < known)
        return topology_.distance(a, b);
    return a == b ? 10 : 20;
}

std::uint64_t NodeLayout::key(Level level, std::uint32_t core) const
{
    const auto& c = topology_.cores[core];
    switch (level) {
    case Level::package: return c.package;
    case Level::l3: return std::uint64_t{c.package} << 32 | c.l3;
    case Level::l2: return std::uint64_t{c.l3} << 32 | c.l2;
    }
    return 0;
}

} // namespace jarvis::sched
