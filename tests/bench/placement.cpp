// What placement inside a node costs, and what it is good for: a mixed day of demands on nodes of several sizes, from a seed.
//
//   bench_placement [placements=N] [steps=N]
//
// Prints one line of JSON: for each size and load the time of a placement; for one size the same day once as placed by topology and once
// by the lowest free cores and memory, as a scheduler that knows of no NUMA nodes does it: how much memory is local, and how large the
// largest hole inside one NUMA node is, of all that is free.
#include "sched/fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>
#include <string_view>

using namespace jarvis;
using namespace jarvis::sched;

namespace {

using Random = std::mt19937_64;
constexpr std::int64_t memory_per_core = 4096; // MiB

std::uint32_t below(Random& random, std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); }

// Two hardware threads a core, L3 caches of 8 cores at most, NUMA nodes of 16 cores and more, at most 16 of them, up to 4 in a package.
Topology machine(std::uint32_t pus)
{
    Topology topology;
    const auto cores = pus / 2, numa_nodes = std::clamp(cores / 16, 1u, 16u), each = cores / numa_nodes;
    for (std::uint32_t core = 0; core < cores; ++core)
        topology.cores.push_back({.pus = {core, core + cores}, .package = core / each / 4, .l3 = core / 8, .l2 = core});
    for (std::uint32_t numa = 0; numa < numa_nodes; ++numa) {
        topology.numa_nodes.push_back({.os_index = numa, .memory = mebibytes(memory_per_core) * each, .cores = CoreSet::range(numa * each, each)});
        topology.devices.push_back({.resource = "gpu", .type = "a100", .address = std::to_string(numa), .paths = {},
                                    .near = topology.numa_nodes.back().cores});
    }
    for (std::uint32_t a = 0; a < numa_nodes; ++a)
        for (std::uint32_t b = 0; b < numa_nodes; ++b)
            topology.distances.push_back(a == b ? 10 : a / 4 == b / 4 ? 12 : 32);
    return topology;
}

PlacementWishes some_wishes(Random& random)
{
    switch (below(random, 20)) {
    case 0: return {.memory = MemoryBinding::local};
    case 1: return {.place = PlacePattern::numa};
    case 2: return {.memory = MemoryBinding::interleave};
    case 3: return {.place = PlacePattern::spread};
    case 4: return {.numa_nodes = 2};
    case 5: return {.alone_on = AloneOn::l3};
    case 6: return {.devices = {{"gpu", "", 1}}};
    case 7: return {.devices = {{"gpu", "a100", 1}}, .near_devices = true};
    default: return {};
    }
}

// Many small jobs, some of a quarter of the node; memory from little to twice the cores' share.
Demand some_demand(Random& random, const Topology& topology, bool wishes)
{
    const auto all = static_cast<std::uint32_t>(topology.cores.size());
    const auto kind = below(random, 10);
    const auto cores = kind < 4 ? 1 : kind < 8 ? 1 + below(random, std::min(8u, all)) : 1 + below(random, std::max(1u, all / 4));
    const auto cpus = cores % 4 == 0 ? 4u : 1u;
    return {.cores = cores, .memory = mebibytes(memory_per_core / 8 * (1 + below(random, 16)) * cores), .tasks = cores / cpus, .cpus_per_task = cpus,
            .wishes = wishes ? Wishes(some_wishes(random)) : Wishes{}};
}

// The rule of a scheduler to which a node is so many cores and so much memory.
std::optional<NodePlacement> place_lowest(const Demand& demand, const FreeResources& free)
{
    if (free.cores.count() < demand.cores || free.total_memory() < demand.memory)
        return std::nullopt;
    NodePlacement placement{.node = {}, .cores = {}, .memory = {}};
    auto missing = demand.cores;
    free.cores.for_each([&](std::uint32_t core) {
        if (missing > 0) {
            placement.cores.insert(core);
            --missing;
        }
    });
    auto left = demand.memory;
    for (std::uint32_t numa = 0; numa < free.memory.size(); ++numa)
        if (const auto share = std::min(left, free.memory[numa]); share.bytes > 0) {
            placement.memory.push_back({numa, share});
            left -= share;
        }
    return placement;
}

// --- Time

struct Times {
    std::vector<std::int64_t> ns;

    std::string json() const
    {
        auto sorted = ns;
        std::ranges::sort(sorted);
        const auto at = [&](std::size_t percent) { return static_cast<double>(sorted[std::min(sorted.size() * percent / 100, sorted.size() - 1)]) / 1e3; };
        return fmt::format("\"p50_us\": {:.3f}, \"p99_us\": {:.3f}, \"worst_us\": {:.3f}", at(50), at(99), at(100));
    }
};

// Jobs come; above the load some of those that run end. A demand that does not fit counts, too: it is looked at as often.
std::string measure(std::uint32_t pus, std::uint32_t percent, std::size_t placements)
{
    const auto topology = machine(pus);
    const auto busy = pus / 2 * percent / 100;
    auto free = everything(topology);
    std::vector<NodePlacement> running;
    Random random(pus + percent);
    Times times;
    std::size_t placed = 0;
    while (times.ns.size() < placements) {
        const auto demand = some_demand(random, topology, true);
        const auto begin = std::chrono::steady_clock::now();
        auto placement = place({}, demand, topology, free);
        times.ns.push_back(std::chrono::nanoseconds(std::chrono::steady_clock::now() - begin).count());
        if (placement) {
            ++placed;
            take(free, *placement);
            running.push_back(std::move(*placement));
        }
        while (!running.empty() && (pus / 2 - free.cores.count() > busy || !placement)) {
            auto& ends = running[below(random, static_cast<std::uint32_t>(running.size()))];
            give_back(free, ends, topology);
            std::swap(ends, running.back());
            running.pop_back();
            if (!placement)
                break;
        }
    }
    return fmt::format("{{\"pus\": {}, \"numa_nodes\": {}, \"load\": {}, \"placed\": {}, {}}}", pus, topology.numa_nodes.size(), percent, placed, times.json());
}

// --- What it is good for

struct Day {
    std::int64_t bytes = 0, local_bytes = 0;    // of all jobs that started
    std::uint64_t free_cores = 0, hole_cores = 0; // summed over the steps
    std::uint64_t started = 0;

    void look_at(const Topology& topology, const FreeResources& free)
    {
        std::uint32_t hole = 0;
        for (const auto& numa : topology.numa_nodes) {
            std::uint32_t here = 0;
            numa.cores.for_each([&](std::uint32_t core) { here += free.cores.contains(core); });
            hole = std::max(hole, here);
        }
        hole_cores += hole;
        free_cores += free.cores.count();
    }
    void start(const Topology& topology, const NodePlacement& placement)
    {
        ++started;
        for (const auto& share : placement.memory) {
            bytes += share.memory.bytes >> 20;
            if (topology.numa_nodes[share.numa].cores.intersects(placement.cores))
                local_bytes += share.memory.bytes >> 20;
        }
    }
    std::string json() const
    {
        return fmt::format("{{\"started\": {}, \"local\": {:.4f}, \"hole\": {:.4f}}}", started,
                           static_cast<double>(local_bytes) / static_cast<double>(std::max<std::int64_t>(bytes, 1)),
                           static_cast<double>(hole_cores) / static_cast<double>(std::max<std::uint64_t>(free_cores, 1)));
    }
};

// Each step a job comes and the first in line start; a job runs for as long as the day says, however it is placed.
template <class Place>
Day replay(std::uint32_t pus, std::size_t steps, Place place_one)
{
    struct Job {
        Demand demand;
        std::size_t time = 0;
    };
    const auto topology = machine(pus);
    auto free = everything(topology);
    Random random(4711);
    std::vector<Job> waiting;
    std::vector<std::pair<std::size_t, NodePlacement>> running; // by when they end
    Day day;
    for (std::size_t step = 0; step < steps; ++step) {
        std::erase_if(running, [&](const auto& job) {
            if (job.first > step)
                return false;
            give_back(free, job.second, topology);
            return true;
        });
        waiting.push_back({some_demand(random, topology, false), 1 + below(random, 24)});
        while (!waiting.empty()) {
            auto placement = place_one(waiting.front().demand, topology, free);
            if (!placement)
                break;
            take(free, *placement);
            day.start(topology, *placement);
            running.emplace_back(step + waiting.front().time, std::move(*placement));
            waiting.erase(waiting.begin());
        }
        day.look_at(topology, free);
    }
    return day;
}

std::uint64_t number(int argc, char** argv, std::string_view name, std::uint64_t usual)
{
    for (int i = 1; i < argc; ++i)
        if (const std::string_view word = argv[i]; word.starts_with(name) && word.substr(name.size()).starts_with("="))
            return std::max(1ull, std::strtoull(argv[i] + name.size() + 1, nullptr, 10));
    return usual;
}

} // namespace

int main(int argc, char** argv)
{
    const auto placements = number(argc, argv, "placements", 20'000), steps = number(argc, argv, "steps", 20'000);
    std::string times;
    for (std::uint32_t pus : {8, 32, 128, 256, 512, 1024})
        for (std::uint32_t load : {0, 50, 95})
            times += (times.empty() ? "" : ", ") + measure(pus, load, placements);
    constexpr std::uint32_t size = 256;
    const auto topology = replay(size, steps, [](const Demand& demand, const Topology& t, const FreeResources& free) { return place({}, demand, t, free); });
    const auto lowest = replay(size, steps, [](const Demand& demand, const Topology&, const FreeResources& free) { return place_lowest(demand, free); });
    fmt::print("{{\"times\": [{}], \"pus\": {}, \"topology\": {}, \"lowest\": {}}}\n", times, size, topology.json(), lowest.json());
    return 0;
}
