#include "sched/choose_nodes.hpp"

#include <algorithm>
#include <limits>

namespace jarvis::sched {

namespace {

constexpr std::uint32_t no_limit = std::numeric_limits<std::uint32_t>::max();

// How many candidates fulfil each count of the constraint; counts of more than is asked for do not matter.
class CountsLeft {
    std::span<const FeatureCount> counts_;
    std::vector<std::uint32_t> have_;

public:
    explicit CountsLeft(const Constraint* constraint) : counts_(constraint ? constraint->counts() : std::span<const FeatureCount>{}), have_(counts_.size()) {}

    std::size_t size() const { return counts_.size(); }
    bool fulfilled(std::size_t count) const { return have_[count] >= counts_[count].nodes; }
    bool fulfilled() const
    {
        for (std::size_t i = 0; i < counts_.size(); ++i)
            if (!fulfilled(i))
                return false;
        return true;
    }
    bool serves(std::size_t count, const Candidate& candidate) const { return holds(counts_[count].features, *candidate.features); }
    void add(const Candidate& candidate)
    {
        for (std::size_t i = 0; i < counts_.size(); ++i)
            have_[i] += serves(i, candidate);
    }
    void remove(const Candidate& candidate)
    {
        for (std::size_t i = 0; i < counts_.size(); ++i)
            have_[i] -= serves(i, candidate);
    }
};

class Chooser {
    const NodesWanted& wanted_;
    std::span<const Candidate> candidates_;
    std::vector<std::uint32_t> capacity_; // by candidate
    std::uint32_t tasks_, min_, max_;
    std::uint32_t required_ = 0;

public:
    Chooser(const NodesWanted& wanted, std::span<const Candidate> candidates)
        : wanted_(wanted), candidates_(candidates), tasks_(wanted.resources.tasks), min_(std::max(wanted.nodes_min, 1u)),
          max_(wanted.nodes_max == 0 ? no_limit : wanted.nodes_max)
    {
        max_ = std::min(max_, tasks_); // each node has a task
        for (const auto& candidate : candidates_) {
            capacity_.push_back(capacity_for_tasks(wanted_, *candidate.topology, candidate.free));
            required_ += candidate.required;
        }
    }

    // Indices of candidates, ascending; empty: none.
    std::vector<std::size_t> run() const
    {
        for (std::size_t i = 0; i < candidates_.size(); ++i)
            if (candidates_[i].required && capacity_[i] == 0)
                return {};
        if (std::max(min_, required_) > max_)
            return {};
        if (wanted_.resources.contiguous)
            return neighbours();
        if (auto one = single(); !one.empty())
            return one;
        return several();
    }

    std::vector<Chosen> distribute(const std::vector<std::size_t>& nodes) const
    {
        std::vector<Chosen> chosen;
        auto left = tasks_;
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            const auto later = static_cast<std::uint32_t>(nodes.size() - i - 1);
            const auto tasks = std::min(capacity_[nodes[i]], left - later);
            chosen.push_back({nodes[i], tasks});
            left -= tasks;
        }
        return chosen;
    }

private:
    std::vector<std::size_t> single() const
    {
        if (min_ > 1 || required_ > 1)
            return {};
        for (std::size_t i = 0; i < candidates_.size(); ++i) {
            if (capacity_[i] < tasks_ || (required_ == 1 && !candidates_[i].required))
                continue;
            CountsLeft counts(wanted_.constraint);
            counts.add(candidates_[i]);
            if (counts.fulfilled())
                return {i};
        }
        return {};
    }

    // The required ones, then one for each count that is not yet fulfilled, then what is missing in tasks and nodes.
    std::vector<std::size_t> several() const
    {
        std::vector<bool> in(candidates_.size());
        CountsLeft counts(wanted_.constraint);
        std::uint64_t room = 0;
        std::uint32_t taken = 0;
        const auto take = [&](std::size_t i) {
            in[i] = true;
            counts.add(candidates_[i]);
            room += capacity_[i];
            ++taken;
        };
        for (std::size_t i = 0; i < candidates_.size(); ++i)
            if (candidates_[i].required)
                take(i);
        const auto by_room = in_order_of_room();
        for (std::size_t count = 0; count < counts.size(); ++count)
            for (auto i : by_room) {
                if (counts.fulfilled(count))
                    break;
                if (!in[i] && counts.serves(count, candidates_[i]))
                    take(i);
            }
        if (!counts.fulfilled())
            return {};
        const auto fixed = in;
        const auto fixed_room = room;
        const auto fixed_taken = taken;
        for (auto i : by_room)
            if (!in[i] && (room < tasks_ || taken < min_))
                take(i);
        if (room < tasks_ || taken < min_ || taken > max_)
            return {};
        // So many nodes it takes; the first ones in the order do where they have the room.
        if (auto first = first_ones(fixed, fixed_room, taken - fixed_taken); !first.empty())
            return first;
        return indices(in);
    }

    std::vector<std::size_t> in_order_of_room() const
    {
        std::vector<std::size_t> order;
        for (std::size_t i = 0; i < candidates_.size(); ++i)
            if (capacity_[i] > 0)
                order.push_back(i);
        std::ranges::stable_sort(order, std::ranges::greater{}, [this](std::size_t i) { return capacity_[i]; });
        return order;
    }

    std::vector<std::size_t> first_ones(std::vector<bool> in, std::uint64_t room, std::uint32_t more) const
    {
        for (std::size_t i = 0; i < candidates_.size() && more > 0; ++i)
            if (!in[i] && capacity_[i] > 0) {
                in[i] = true;
                room += capacity_[i];
                --more;
            }
        return room < tasks_ ? std::vector<std::size_t>{} : indices(in);
    }

    static std::vector<std::size_t> indices(const std::vector<bool>& in)
    {
        std::vector<std::size_t> list;
        for (std::size_t i = 0; i < in.size(); ++i)
            if (in[i])
                list.push_back(i);
        return list;
    }

    // The shortest row of neighbours that does; the first of several. A window slides over the nodes in the cluster's order.
    std::vector<std::size_t> neighbours() const
    {
        std::vector<std::size_t> order;
        for (std::size_t i = 0; i < candidates_.size(); ++i)
            if (capacity_[i] > 0)
                order.push_back(i);
        std::ranges::sort(order, {}, [this](std::size_t i) { return candidates_[i].position; });
        CountsLeft counts(wanted_.constraint);
        std::uint64_t room = 0;
        std::uint32_t required = 0;
        std::size_t best_first = 0, best_length = 0, first = 0;
        const auto drop_first = [&] {
            const auto i = order[first++];
            counts.remove(candidates_[i]);
            room -= capacity_[i];
            required -= candidates_[i].required;
        };
        for (std::size_t last = 0; last < order.size(); ++last) {
            const auto i = order[last];
            if (last > 0 && candidates_[i].position != candidates_[order[last - 1]].position + 1)
                while (first < last)
                    drop_first();
            counts.add(candidates_[i]);
            room += capacity_[i];
            required += candidates_[i].required;
            while (room >= tasks_ && last - first + 1 >= min_ && required == required_ && counts.fulfilled()) {
                const auto length = last - first + 1;
                if (length <= max_ && (best_length == 0 || length < best_length)) {
                    best_length = length;
                    best_first = first;
                }
                drop_first();
            }
        }
        std::vector<std::size_t> chosen(order.begin() + static_cast<std::ptrdiff_t>(best_first),
                                        order.begin() + static_cast<std::ptrdiff_t>(best_first + best_length));
        std::ranges::sort(chosen);
        return chosen;
    }
};

} // namespace

Demand demand_of_tasks(const NodesWanted& wanted, std::uint32_t tasks, const Topology& topology)
{
    auto part = wanted.resources;
    part.tasks = tasks;
    return demand_on(part, topology, wanted.default_memory_per_cpu);
}

namespace {

// So many counts of tasks are tried one by one from the largest on, then ever fewer.
constexpr std::uint32_t tried_one_by_one = 16;

// The largest number of tasks that was found to have a place; what wishes make of it has no order that could be searched by halves.
std::uint32_t capacity_with_wishes(const NodesWanted& wanted, std::uint32_t tasks, const Topology& topology, const FreeResources* free)
{
    const auto all = free ? FreeResources{} : everything(topology);
    for (std::uint32_t tried = 1; tasks > 0; ++tried) {
        if (place({}, demand_of_tasks(wanted, tasks, topology), topology, free ? *free : all))
            return tasks;
        tasks = tried < tried_one_by_one ? tasks - 1 : tasks / 2;
    }
    return 0;
}

} // namespace

std::uint32_t capacity_for_tasks(const NodesWanted& wanted, const Topology& topology, const FreeResources* free)
{
    const auto& resources = wanted.resources;
    const auto whole = static_cast<std::uint32_t>(topology.cores.size());
    if (free && resources.exclusive && *free != everything(topology))
        return 0;
    const auto cores = free ? free->cores.count() : whole;
    const auto memory = free ? free->total_memory() : topology.memory();
    auto tasks = std::min(cores / std::max(resources.cpus_per_task, 1u), resources.tasks);
    if (resources.tasks_per_node > 0)
        tasks = std::min(tasks, resources.tasks_per_node);
    if (resources.wishes != Wishes{})
        return capacity_with_wishes(wanted, tasks, topology, free);
    // Memory grows with the tasks, and not above what all of the node's cores would get.
    std::uint32_t low = 0;
    while (low < tasks) {
        const auto middle = low + (tasks - low + 1) / 2;
        if (demand_of_tasks(wanted, middle, topology).memory <= memory)
            low = middle;
        else
            tasks = middle - 1;
    }
    return low;
}

std::vector<Chosen> choose_nodes(const NodesWanted& wanted, std::span<const Candidate> candidates)
{
    const Chooser chooser(wanted, candidates);
    const auto nodes = chooser.run();
    return nodes.empty() ? std::vector<Chosen>{} : chooser.distribute(nodes);
}

std::optional<Placement> place_on_nodes(const NodesWanted& wanted, std::span<const Candidate> candidates)
{
    Placement placement;
    for (const auto& [index, tasks] : choose_nodes(wanted, candidates)) {
        const auto& candidate = candidates[index];
        const auto demand = demand_of_tasks(wanted, tasks, *candidate.topology);
        const auto& free = candidate.free ? *candidate.free : everything(*candidate.topology);
        auto part = place(candidate.node, demand, *candidate.topology, free);
        if (!part)
            return std::nullopt;
        part->tasks = tasks;
        placement.nodes.push_back(std::move(*part));
    }
    if (placement.nodes.empty())
        return std::nullopt;
    return placement;
}

} // namespace jarvis::sched
