#include "node/steps.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include <fmt/format.h>

namespace jarvis::node {
namespace {

std::uint32_t cores_of(const StepHost& host)
{
    std::uint32_t sum = 0;
    for (const auto& numa : host.numa)
        sum += numa.count();
    return sum;
}

std::string counted(std::uint64_t count, std::string_view what) { return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s"); }

// ---- How many tasks each node gets

// So many tasks could be on each node; 0 where the step may not be.
std::vector<std::uint32_t> capacities(const std::vector<StepHost>& free, const StepWish& wish)
{
    std::vector<std::uint32_t> most;
    for (const auto& host : free) {
        std::uint32_t capacity = cores_of(host) / wish.cores_per_task;
        if (wish.overlap && cores_of(host) >= wish.cores_per_task)
            capacity = wish.tasks; // they share cores among each other too
        if (wish.tasks_per_node > 0)
            capacity = std::min(capacity, wish.tasks_per_node);
        const bool allowed = wish.nodes.empty() || std::ranges::find(wish.nodes, host.name) != wish.nodes.end();
        most.push_back(allowed ? capacity : 0);
    }
    return most;
}

std::uint64_t sum_of(const std::vector<std::uint32_t>& most, const std::vector<std::uint32_t>& chosen)
{
    std::uint64_t sum = 0;
    for (const auto host : chosen)
        sum += most[host];
    return sum;
}

// The nodes that get tasks, in the job's order. Where a number of nodes is asked for: the first ones, or those with the most
// room if the first have too little.
std::vector<std::uint32_t> choose_hosts(const std::vector<std::uint32_t>& most, const StepWish& wish)
{
    std::vector<std::uint32_t> usable;
    for (std::uint32_t host = 0; host < most.size(); ++host)
        if (most[host] > 0)
            usable.push_back(host);
    const auto limit = std::min<std::size_t>({usable.size(), wish.tasks, wish.nodes_max > 0 ? wish.nodes_max : usable.size()});
    const auto first = [&](std::size_t count) { return std::vector(usable.begin(), usable.begin() + static_cast<std::ptrdiff_t>(count)); };
    if (wish.nodes_min == 0 && wish.over_nodes != Distribution::block)
        return usable; // over all that there are
    for (std::size_t count = std::min<std::size_t>(std::max<std::size_t>(wish.nodes_min, 1), limit); count <= limit; ++count)
        if (auto chosen = first(count); sum_of(most, chosen) >= wish.tasks)
            return chosen;
    std::ranges::stable_sort(usable, [&](auto a, auto b) { return most[a] > most[b]; });
    auto chosen = first(limit);
    std::ranges::sort(chosen);
    return chosen;
}

// Where each rank goes. `most` is above 0 for each of the chosen, and in sum enough.
std::vector<std::uint32_t> ranks_to_hosts(const std::vector<std::uint32_t>& most, const std::vector<std::uint32_t>& chosen,
                                          const StepWish& wish)
{
    std::vector<std::uint32_t> left = most, order;
    if (wish.over_nodes != Distribution::block) {
        const auto piece = wish.over_nodes == Distribution::plane ? std::max(wish.plane, 1u) : 1u;
        while (order.size() < wish.tasks)
            for (const auto host : chosen)
                for (std::uint32_t i = 0; i < piece && left[host] > 0 && order.size() < wish.tasks; ++i, --left[host])
                    order.push_back(host);
        return order;
    }
    // Evenly where a number of nodes was asked for, else each as full as it gets.
    std::vector<std::uint32_t> count(most.size());
    std::uint32_t open = wish.tasks;
    const bool evenly = wish.nodes_min > 0;
    for (const auto host : chosen)
        if (open > 0 && !evenly)
            open -= count[host] = std::min(left[host], open);
    while (open > 0)
        for (const auto host : chosen)
            if (open > 0 && count[host] < left[host]) {
                ++count[host];
                --open;
            }
    for (const auto host : chosen)
        order.insert(order.end(), count[host], host);
    return order;
}

// ---- Which cores each task gets on its node

CoreSet take(CoreSet& from, std::uint32_t count)
{
    CoreSet taken;
    from.for_each([&](std::uint32_t core) {
        if (taken.count() < count)
            taken.insert(core);
    });
    from -= taken;
    return taken;
}

// Hands out the cores of one node, task by task.
class CoreGiver {
    const std::vector<CoreSet>& all_;
    std::vector<CoreSet> free_;
    const StepWish& wish_;
    std::size_t at_ = 0;

    std::optional<CoreSet> inside_one(std::size_t first)
    {
        for (std::size_t i = 0; i < free_.size(); ++i) {
            auto& numa = free_[(first + i) % free_.size()];
            if (numa.count() < wish_.cores_per_task)
                continue;
            at_ = (first + i) % free_.size();
            return take(numa, wish_.cores_per_task);
        }
        return std::nullopt;
    }
    CoreSet over_several()
    {
        CoreSet cores;
        for (auto& numa : free_)
            if (cores.count() < wish_.cores_per_task)
                cores |= take(numa, wish_.cores_per_task - cores.count());
        return cores;
    }

public:
    // It begins with the NUMA node that the whole step fills best, so that wide holes stay whole.
    CoreGiver(const std::vector<CoreSet>& free, const StepWish& wish, std::uint32_t tasks) : all_(free), free_(free), wish_(wish)
    {
        const auto wanted = std::uint64_t{tasks} * wish.cores_per_task;
        std::uint32_t best = std::numeric_limits<std::uint32_t>::max();
        for (std::size_t i = 0; i < free_.size(); ++i)
            if (free_[i].count() >= wanted && free_[i].count() < best) {
                best = free_[i].count();
                at_ = i;
            }
        if (wish.inside == Distribution::cyclic)
            at_ = free_.size() - 1; // the next is the first
    }

    CoreSet next()
    {
        const auto first = wish_.inside == Distribution::cyclic ? (at_ + 1) % free_.size() : at_;
        if (auto cores = inside_one(first))
            return *cores;
        auto cores = over_several();
        if (cores.count() == wish_.cores_per_task || !wish_.overlap)
            return cores;
        free_ = all_; // more tasks than cores: another round
        return next();
    }
};

Result<void> check(const std::vector<std::uint32_t>& most, const std::vector<std::uint32_t>& chosen, const StepWish& wish)
{
    if (wish.nodes_min > wish.tasks)
        return fail(Errc::invalid, "{} cannot run on {}", counted(wish.tasks, "task"), counted(wish.nodes_min, "node"));
    if (chosen.size() < std::max(wish.nodes_min, 1u))
        return fail(Errc::unavailable, "{} with {} for a task", counted(std::max(wish.nodes_min, 1u), "node"),
                    counted(wish.cores_per_task, "core"));
    if (sum_of(most, chosen) < wish.tasks)
        return fail(Errc::unavailable, "{} for {}", counted(std::uint64_t{wish.tasks} * wish.cores_per_task, "core"),
                    counted(wish.tasks, "task"));
    return {};
}

} // namespace

Result<PlacedTasks> place_tasks(const std::vector<StepHost>& free, const StepWish& wish)
{
    const auto most = capacities(free, wish);
    const auto chosen = choose_hosts(most, wish);
    if (auto good = check(most, chosen, wish); !good)
        return std::unexpected(good.error());
    const auto hosts = ranks_to_hosts(most, chosen, wish);
    std::vector<std::uint32_t> counts(free.size());
    for (const auto host : hosts)
        ++counts[host];
    std::vector<std::optional<CoreGiver>> givers(free.size());
    for (const auto host : chosen)
        givers[host].emplace(free[host].numa, wish, counts[host]);
    std::ranges::fill(counts, 0);
    PlacedTasks tasks;
    for (const auto host : hosts)
        tasks.push_back({host, counts[host]++, givers[host]->next()});
    return tasks;
}

std::vector<CoreSet> JobSteps::cores_by_host(const PlacedTasks& tasks) const
{
    std::vector<CoreSet> cores(hosts_.size());
    for (const auto& task : tasks)
        if (task.host < cores.size())
            cores[task.host] |= task.cores;
    return cores;
}

std::vector<StepHost> JobSteps::free_hosts() const
{
    auto free = hosts_;
    for (const auto& [step, cores] : held_)
        for (std::size_t host = 0; host < free.size(); ++host)
            for (auto& numa : free[host].numa)
                numa -= cores[host];
    return free;
}

GrantedStep JobSteps::grant(StepTicket ticket, const StepWish& wish, PlacedTasks tasks)
{
    const auto step = next_++;
    held_[step] = wish.overlap ? std::vector<CoreSet>(hosts_.size()) : cores_by_host(tasks);
    return {ticket, step, std::move(tasks)};
}

Result<std::variant<GrantedStep, WaitingStep>> JobSteps::ask(StepTicket ticket, const StepWish& wish)
{
    for (const auto& node : wish.nodes)
        if (std::ranges::find(hosts_, node, &StepHost::name) == hosts_.end())
            return fail(Errc::not_found, "node {} is none of the job's", node);
    auto placed = place_tasks(hosts_, wish);
    if (!placed && placed.error().code == Errc::invalid)
        return std::unexpected(placed.error());
    if (!placed) {
        std::uint64_t all = 0;
        for (const auto& host : hosts_)
            all += cores_of(host);
        return fail(Errc::invalid, "the step needs {}, and the job has {} on {}{}", placed.error().message, counted(all, "core"),
                    counted(hosts_.size(), "node"), wish.overlap ? "" : " (with --overlap tasks share cores)");
    }
    if (wish.overlap)
        return grant(ticket, wish, std::move(*placed));
    if (waiters_.empty())
        if (auto now = place_tasks(free_hosts(), wish))
            return grant(ticket, wish, std::move(*now));
    const auto holding = std::ranges::count_if(held_, [](const auto& step) {
        return std::ranges::any_of(step.second, [](const CoreSet& cores) { return !cores.empty(); });
    });
    auto reason = fmt::format("{}, while {}", counted(std::uint64_t{wish.tasks} * wish.cores_per_task, "core"),
                              waiters_.empty() ? fmt::format("other steps of the job have theirs ({})", holding)
                                               : fmt::format("{} before it", counted(waiters_.size(), "step")));
    if (wish.immediate)
        return fail(Errc::unavailable, "there are no {}", reason);
    waiters_.push_back({ticket, wish});
    return WaitingStep{"for " + reason};
}

void JobSteps::restore(std::uint32_t step, const PlacedTasks& tasks, bool overlap)
{
    held_[step] = overlap ? std::vector<CoreSet>(hosts_.size()) : cores_by_host(tasks);
    next_ = std::max(next_, step + 1);
}

std::vector<GrantedStep> JobSteps::serve()
{
    std::vector<GrantedStep> granted;
    while (!waiters_.empty()) {
        auto tasks = place_tasks(free_hosts(), waiters_.front().wish);
        if (!tasks)
            break;
        const auto waiter = std::move(waiters_.front());
        waiters_.pop_front();
        granted.push_back(grant(waiter.ticket, waiter.wish, std::move(*tasks)));
    }
    return granted;
}

std::vector<GrantedStep> JobSteps::learn(std::size_t host, std::vector<CoreSet> numa)
{
    if (host >= hosts_.size())
        return {};
    // Another node says so: a core that is named twice is one core all the same.
    CoreSet named;
    for (auto& cores : numa) {
        cores -= named;
        named |= cores;
    }
    hosts_[host].numa = std::move(numa);
    return serve();
}

std::vector<GrantedStep> JobSteps::end(std::uint32_t step)
{
    return held_.erase(step) > 0 ? serve() : std::vector<GrantedStep>();
}

std::vector<GrantedStep> JobSteps::leave(StepTicket ticket)
{
    const auto left = std::erase_if(waiters_, [&](const Waiter& waiter) { return waiter.ticket == ticket; });
    return left > 0 ? serve() : std::vector<GrantedStep>();
}

} // namespace jarvis::node
