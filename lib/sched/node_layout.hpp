// The free part of a node as placement looks at it: by NUMA node, with what a demand's wishes leave of it.
#pragma once

#include "sched/fit.hpp"

#include <algorithm>
#include <span>

namespace jarvis::sched {

// A core belongs to one NUMA node, its home: of those that it is local to the first of the fastest ordinary kind (DRAM before HBM
// before slow). The others that it is local to are memory beside it.
struct NumaPart {
    CoreSet cores{};                     // free ones that are at home here and may be given
    std::uint32_t core_count = 0;        // of these
    std::uint32_t most = 0;              // so many may be given, with whole tasks and limits of tasks
    MemorySize memory{};                 // that may be given
    MemoryKind kind = MemoryKind::dram;
    std::vector<std::uint32_t> packages{}; // of all cores that it is local to: numbers from 0 in the layout
    std::uint32_t devices_near = 0;      // free ones that are asked for
};

// A free device that is asked for.
struct DeviceNear {
    std::uint32_t device = 0;
    std::uint32_t request = 0;       // index into PlacementWishes::devices: the one that names its type, else the one of any type
    bool everywhere = false;         // it is as near to any core as to others
    std::vector<std::uint32_t> numa; // else: near to cores that may be given here
};

// Levels of hardware that limits of tasks and whole tasks speak of, from large to small.
enum class Level : std::uint8_t { package, l3, l2 };

class NodeLayout {
    const Topology& topology_;
    const FreeResources& free_;
    const Demand& demand_;
    const PlacementWishes& wishes_;
    std::vector<NumaPart> parts_;
    std::vector<std::uint32_t> packages_; // the topology's number of each
    std::vector<DeviceNear> devices_;
    std::uint32_t task_ = 1;              // cores of one
    bool whole_in_numa_ = false, whole_in_l3_ = false;

    void add_parts(const CoreSet* only);
    void find_packages();
    void keep_what_is_alone();
    void limit_tasks();
    void find_devices();
    std::uint32_t most_by_l3(const CoreSet& cores) const;

public:
    // `only`: cores outside are not given. Null: all may be. Refers to its arguments.
    NodeLayout(const Topology& topology, const FreeResources& free, const Demand& demand, const CoreSet* only = nullptr);

    const Topology& topology() const { return topology_; }
    const Demand& demand() const { return demand_; }
    const PlacementWishes& wishes() const { return wishes_; }
    // By NUMA node; free cores at home in none come last, as a part without memory.
    std::span<const NumaPart> parts() const { return parts_; }
    std::span<const DeviceNear> devices() const { return devices_; }
    std::size_t package_count() const { return packages_.size(); }
    std::uint32_t cores_needed() const { return demand_.cores; }
    // Cores are given to a NUMA node in steps of so many: a task's, where tasks are whole in one.
    std::uint32_t step() const { return whole_in_numa_ ? task_ : 1; }
    bool whole_in_l3() const { return whole_in_l3_; }
    // The cores of so many tasks, at most so many as a node can have.
    std::uint32_t cores_of(std::uint32_t tasks) const { return static_cast<std::uint32_t>(std::min(std::uint64_t{tasks} * task_, std::uint64_t{UINT32_MAX})); }
    std::uint32_t distance(std::uint32_t a, std::uint32_t b) const;
    // Names the part of that level that a core is in. (Machines that tell of no caches have the same numbers in several packages.)
    std::uint64_t key(Level level, std::uint32_t core) const;
};

// The cores in both.
CoreSet common(const CoreSet& a, const CoreSet& b);
// In units of bytes: part * whole / of, for shares of memory.
std::int64_t proportion(std::int64_t whole, std::uint32_t part, std::uint32_t of);

} // namespace jarvis::sched
