// Placement against all ways there are: on small random machines every choice of NUMA nodes for cores and for memory is tried, and
// the best one, by the rule as it is written down here, must be what place() chose.
#include "machines.hpp"

#include <boost/test/unit_test.hpp>
#include <map>
#include <random>
#include <set>
#include <tuple>

using namespace jarvis;
using namespace jarvis::sched;
using namespace jarvis::sched::test;

namespace {

using Random = std::mt19937_64;
std::uint32_t below(Random& random, std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); }

Topology some_topology(Random& random)
{
    Builder builder;
    const auto packages = 1 + below(random, 4), each = 1 + below(random, packages > 2 ? 2 : 3);
    for (std::uint32_t i = 0; i < packages * each && i < 6; ++i)
        builder.numa(i / each, 1 + below(random, 2), 1 + below(random, 3), 100 + 100 * below(random, 10));
    if (below(random, 3) == 0)
        builder.memory_beside({}, 100 + 100 * below(random, 10), MemoryKind::slow);
    if (below(random, 3) == 0)
        builder.memory_beside(builder.topology.numa_nodes[0].cores, 100 + 100 * below(random, 5), MemoryKind::hbm);
    const auto count = builder.topology.numa_nodes.size();
    if (below(random, 3) > 0)
        for (std::size_t a = 0; a < count; ++a)
            for (std::size_t b = 0; b < count; ++b)
                builder.topology.distances.push_back(a == b ? 10 : 11 + below(random, 4));
    return builder.topology;
}

void load(Random& random, const Topology& topology, FreeResources& free)
{
    const auto percent = below(random, 100);
    NodePlacement used{.node = {}, .cores = {}, .memory = {}};
    for (std::uint32_t core = 0; core < topology.cores.size(); ++core)
        if (below(random, 100) < percent)
            used.cores.insert(core);
    for (std::uint32_t numa = 0; numa < topology.numa_nodes.size(); ++numa)
        used.memory.push_back({numa, {topology.numa_nodes[numa].memory.bytes * below(random, percent + 1) / 100}});
    take(free, used);
}

Demand some_demand(Random& random)
{
    PlacementWishes wishes;
    if (below(random, 2) == 0)
        wishes.memory = static_cast<MemoryBinding>(below(random, 4));
    if (below(random, 4) == 0)
        wishes.place = PlacePattern::numa;
    if (below(random, 4) == 0)
        wishes.numa_nodes = 1 + below(random, 3);
    if (below(random, 6) == 0)
        wishes.tasks_per_numa = 1 + below(random, 2);
    return wanting(1 + below(random, 5), 1 + below(random, 3), below(random, 5) == 0 ? 0 : 1 + below(random, 1500), wishes);
}

// The NUMA node that each core is at home at. Here HBM comes after the DRAM that it lies beside.
std::size_t home_of(const Topology& topology, std::uint32_t core)
{
    for (std::size_t i = 0; i < topology.numa_nodes.size(); ++i)
        if (topology.numa_nodes[i].cores.contains(core))
            return i;
    return topology.numa_nodes.size();
}

using Quality = std::tuple<std::size_t, std::size_t, std::uint64_t, std::uint32_t, std::uint64_t, std::int64_t, std::set<std::size_t>>;

struct Reference {
    const Topology& topology;
    const FreeResources& free;
    const Demand& wanted;
    std::vector<std::uint32_t> cores; // free, by home
    std::vector<std::uint32_t> most;  // that tasks can use

    Reference(const Topology& t, const FreeResources& f, const Demand& d) : topology(t), free(f), wanted(d), cores(t.numa_nodes.size())
    {
        free.cores.for_each([&](std::uint32_t core) { ++cores[home_of(topology, core)]; });
        for (auto count : cores)
            most.push_back(usable(count));
    }
    std::uint32_t usable(std::uint32_t count) const
    {
        if (whole_tasks())
            count -= count % wanted.cpus_per_task;
        if (wanted.wishes->tasks_per_numa > 0)
            count = std::min(count, wanted.wishes->tasks_per_numa * wanted.cpus_per_task);
        return count;
    }
    bool whole_tasks() const { return wanted.wishes->place == PlacePattern::numa || wanted.wishes->tasks_per_numa > 0; }

    // Each of `givers` gives a core or a whole task at least, and together they give all.
    bool cores_fit(const std::set<std::size_t>& givers) const
    {
        std::uint32_t sum = 0;
        const auto least = whole_tasks() ? wanted.cpus_per_task : 1;
        for (auto i : givers) {
            if (most[i] < least)
                return false;
            sum += most[i];
        }
        return sum >= wanted.cores && givers.size() * least <= wanted.cores &&
               (wanted.wishes->numa_nodes == 0 || givers.size() == wanted.wishes->numa_nodes);
    }

    bool memory_fits(const std::set<std::size_t>& givers, const std::set<std::size_t>& from) const
    {
        std::int64_t sum = 0;
        for (auto i : from)
            sum += free.memory[i].bytes;
        switch (wanted.wishes->memory) {
        case MemoryBinding::prefer: return sum >= wanted.memory.bytes;
        case MemoryBinding::none: return from.empty(); // as it comes: it does not count
        case MemoryBinding::local:
            for (auto i : from) {
                bool local = givers.contains(i);
                for (auto giver : givers)
                    local = local || topology.numa_nodes[i].cores.intersects(topology.numa_nodes[giver].cores);
                if (!local)
                    return false;
            }
            return sum >= wanted.memory.bytes;
        case MemoryBinding::interleave: break;
        }
        if (from != givers)
            return false;
        const auto count = static_cast<std::int64_t>(givers.size());
        std::int64_t nth = 0;
        for (auto i : givers)
            if (free.memory[i].bytes < wanted.memory.bytes / count + (nth++ < wanted.memory.bytes % count))
                return false;
        return true;
    }

    Quality quality(const std::set<std::size_t>& touched) const
    {
        std::set<std::uint32_t> packages;
        std::uint64_t distance = 0, left = 0;
        std::uint32_t kinds = 0;
        std::int64_t memory = 0;
        for (auto i : touched) {
            topology.numa_nodes[i].cores.for_each([&](std::uint32_t core) { packages.insert(topology.cores[core].package); });
            for (auto j : touched)
                if (i != j)
                    distance += topology.distance(i, j);
            left += cores[i];
            memory += free.memory[i].bytes;
            kinds += static_cast<std::uint32_t>(topology.numa_nodes[i].kind);
        }
        return {packages.size(), touched.size(), distance, kinds, left, memory, touched};
    }

    std::optional<Quality> best() const
    {
        std::optional<Quality> found;
        const auto sets = std::size_t{1} << cores.size();
        const auto members = [](std::size_t bits) {
            std::set<std::size_t> set;
            for (std::size_t i = 0; bits >> i != 0; ++i)
                if (bits >> i & 1)
                    set.insert(i);
            return set;
        };
        for (std::size_t g = 1; g < sets; ++g) {
            const auto givers = members(g);
            if (!cores_fit(givers))
                continue;
            for (std::size_t m = 0; m < sets; ++m) {
                const auto from = members(m);
                if (!memory_fits(givers, from))
                    continue;
                auto touched = givers;
                touched.insert(from.begin(), from.end());
                if (auto q = quality(touched); !found || q < *found)
                    found = q;
            }
        }
        return found;
    }
};

std::set<std::size_t> touched_by(const Topology& topology, const NodePlacement& placement, MemoryBinding binding)
{
    std::set<std::size_t> touched;
    placement.cores.for_each([&](std::uint32_t core) { touched.insert(home_of(topology, core)); });
    if (binding != MemoryBinding::none)
        for (const auto& share : placement.memory)
            touched.insert(share.numa);
    return touched;
}

// What must hold of any placement.
void check_placement(const Topology& topology, const FreeResources& free, const Demand& wanted, const NodePlacement& placement)
{
    BOOST_TEST(placement.cores.count() == wanted.cores);
    BOOST_TEST((placement.total_memory() == wanted.memory));
    BOOST_TEST((placement.cores - free.cores).empty());
    for (std::size_t i = 0; i < placement.memory.size(); ++i) {
        const auto& share = placement.memory[i];
        BOOST_TEST(share.memory.bytes > 0);
        BOOST_TEST((share.memory <= free.memory.at(share.numa)));
        BOOST_TEST((i == 0 || placement.memory[i - 1].numa < share.numa));
    }
    auto left = free;
    take(left, placement);
    give_back(left, placement, topology);
    BOOST_TEST((left == free));
    std::map<std::size_t, std::uint32_t> by_home;
    placement.cores.for_each([&](std::uint32_t core) { ++by_home[home_of(topology, core)]; });
    for (const auto& [home, count] : by_home) {
        if (wanted.wishes->place == PlacePattern::numa || wanted.wishes->tasks_per_numa > 0)
            BOOST_TEST(count % wanted.cpus_per_task == 0u);
        if (wanted.wishes->tasks_per_numa > 0)
            BOOST_TEST(count <= wanted.wishes->tasks_per_numa * wanted.cpus_per_task);
    }
    if (wanted.wishes->numa_nodes > 0)
        BOOST_TEST(by_home.size() == wanted.wishes->numa_nodes);
}

} // namespace

BOOST_AUTO_TEST_CASE(placement_is_the_best_of_all_ways)
{
    int placed = 0, refused = 0;
    for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
        Random random(seed);
        const auto topology = some_topology(random);
        auto free = everything(topology);
        load(random, topology, free);
        const auto wanted = some_demand(random);
        const auto placement = place(NodeId{0}, wanted, topology, free);
        const auto best = Reference(topology, free, wanted).best();
        // Memory from anywhere has to be there, too.
        const bool possible = best && free.total_memory() >= wanted.memory;
        BOOST_TEST_CONTEXT("seed " << seed)
        {
            BOOST_REQUIRE(placement.has_value() == possible);
            (possible ? placed : refused)++;
            if (!placement)
                continue;
            check_placement(topology, free, wanted, *placement);
            BOOST_TEST((touched_by(topology, *placement, wanted.wishes->memory) == std::get<6>(*best)));
        }
    }
    BOOST_TEST(placed > 400);
    BOOST_TEST(refused > 400);
}
