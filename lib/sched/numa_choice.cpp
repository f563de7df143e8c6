#include "sched/numa_choice.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace jarvis::sched {

namespace {

std::uint32_t kind_rank(MemoryKind kind) { return static_cast<std::uint32_t>(kind); }

std::uint32_t devices_far(const NodeLayout& layout, const NumaSet& set)
{
    if (layout.devices().empty())
        return 0;
    std::vector<std::uint32_t> near(layout.wishes().devices.size());
    for (const auto& device : layout.devices())
        near[device.request] += device.everywhere || std::ranges::any_of(device.numa, [&](auto numa) { return std::ranges::binary_search(set, numa); });
    std::uint32_t far = 0;
    for (std::size_t i = 0; i < near.size(); ++i)
        far += layout.wishes().devices[i].count - std::min(layout.wishes().devices[i].count, near[i]);
    return far;
}

// Candidates that sets are made of, with bounds: what so many of those from an index on have at most.
struct Pool {
    NumaSet candidates;
    std::vector<std::vector<std::uint64_t>> most_cores; // [from][how many]
    std::vector<std::vector<std::int64_t>> most_memory;
    std::vector<bool> like_previous; // it and the one before it can stand for each other
};

template <class T>
void sum_largest(std::vector<T>& values)
{
    std::ranges::sort(values, std::ranges::greater{});
    for (std::size_t i = 1; i < values.size(); ++i)
        values[i] += values[i - 1];
}

class Search {
    const NodeLayout& layout_;
    const std::function<bool(const NumaSet&)>& accept_;
    const std::uint32_t needed_;
    const std::int64_t memory_needed_;    // from the set itself
    bool only_givers_ = false;            // each NUMA node of the set gives cores
    NumaSet candidates_;
    std::size_t examined_ = 0;
    bool verify_ = false;

    // The set that is looked at.
    NumaSet set_;
    std::vector<std::uint32_t> package_uses_;
    std::uint32_t packages_ = 0, givers_ = 0, kinds_ = 0, free_cores_ = 0;
    std::uint64_t cores_ = 0, distance_ = 0;
    std::int64_t memory_ = 0;
    std::optional<NumaQuality> best_;

public:
    Search(const NodeLayout& layout, const std::function<bool(const NumaSet&)>& accept)
        : layout_(layout), accept_(accept), needed_(layout.cores_needed()),
          memory_needed_(layout.wishes().memory == MemoryBinding::none ? 0 : layout.demand().memory.bytes), package_uses_(layout.package_count())
    {
        const auto binding = layout.wishes().memory;
        only_givers_ = binding == MemoryBinding::none || binding == MemoryBinding::interleave;
        for (std::uint32_t i = 0; i < layout.parts().size(); ++i)
            if (part(i).most > 0 || (!only_givers_ && part(i).memory.bytes > 0))
                candidates_.push_back(i);
    }

    std::optional<NumaQuality> run()
    {
        // Mostly what the counts allow is possible, and `accept` is asked once.
        if (!search() || accept_(best_->set))
            return std::move(best_);
        verify_ = true;
        search();
        return std::move(best_);
    }

private:
    const NumaPart& part(std::uint32_t numa) const { return layout_.parts()[numa]; }
    bool is_bounded() const { return candidates_.size() > exact_numa_nodes; }
    bool is_over() const { return is_bounded() && examined_ >= most_examined; }

    bool search()
    {
        best_.reset();
        examined_ = 0;
        look_at_single_ones();
        for (std::uint32_t p = 1; !best_ && !is_over() && p <= std::max<std::size_t>(1, package_uses_.size()); ++p)
            look_at_sets(p);
        if (!best_ && is_bounded())
            grow();
        return best_.has_value();
    }

    // Of one package or none: better than any other set, and what most demands get.
    void look_at_single_ones()
    {
        if (layout_.wishes().numa_nodes > 1)
            return;
        for (auto numa : candidates_) {
            if (part(numa).packages.size() > 1)
                continue;
            add(numa);
            consider();
            remove(numa);
        }
    }

    // All sets of so many packages; the smallest ones first.
    void look_at_sets(std::uint32_t packages)
    {
        std::vector<Pool> pools;
        if (is_bounded()) {
            pools.push_back(pool_of([](std::uint32_t) { return true; }));
        } else {
            std::vector<bool> chosen(package_uses_.size());
            add_pools(pools, chosen, 0, packages);
        }
        const std::size_t least = std::max(1u, layout_.wishes().numa_nodes);
        // Those of which each gives cores are not more than there are steps of cores.
        const auto most = only_givers_ ? std::min<std::size_t>(candidates_.size(), std::max(1u, needed_ / layout_.step())) : candidates_.size();
        for (auto k = least; !best_ && k <= most && !is_over(); ++k)
            for (const auto& pool : pools)
                if (k <= pool.candidates.size())
                    look_at(pool, 0, k, packages);
    }

    // One for each choice of packages that together have what is needed.
    void add_pools(std::vector<Pool>& pools, std::vector<bool>& chosen, std::size_t first, std::size_t missing)
    {
        if (missing > 0) {
            for (auto i = first; i + missing <= chosen.size(); ++i) {
                chosen[i] = true;
                add_pools(pools, chosen, i + 1, missing - 1);
                chosen[i] = false;
            }
            if (!chosen.empty())
                return;
        }
        const auto inside = [&](std::uint32_t numa) { return std::ranges::all_of(part(numa).packages, [&](auto package) { return chosen[package]; }); };
        std::uint64_t cores = 0;
        std::int64_t memory = 0;
        for (auto numa : candidates_)
            if (inside(numa)) {
                cores += part(numa).most;
                memory += part(numa).memory.bytes;
            }
        if (cores < needed_ || memory < memory_needed_)
            return;
        auto pool = pool_of(inside);
        if (const std::size_t exactly = layout_.wishes().numa_nodes; exactly > 0) // these alone give cores
            if (exactly > pool.candidates.size() || pool.most_cores[0][exactly - 1] < needed_)
                return;
        pools.push_back(std::move(pool));
    }

    template <class Inside>
    Pool pool_of(Inside inside) const
    {
        Pool pool;
        std::ranges::copy_if(candidates_, std::back_inserter(pool.candidates), inside);
        const auto count = pool.candidates.size();
        // Of many NUMA nodes the bounds are those of all of them: tables of each would be large.
        const auto rows = is_bounded() ? 1 : count;
        for (std::size_t from = 0; from < rows; ++from) {
            std::vector<std::uint64_t> cores;
            std::vector<std::int64_t> memory;
            for (auto i = from; i < count; ++i) {
                cores.push_back(part(pool.candidates[i]).most);
                memory.push_back(part(pool.candidates[i]).memory.bytes);
            }
            sum_largest(cores);
            sum_largest(memory);
            pool.most_cores.push_back(std::move(cores));
            pool.most_memory.push_back(std::move(memory));
        }
        for (std::size_t i = 0; i < count; ++i)
            pool.like_previous.push_back(i > 0 && !is_bounded() && are_alike(pool, pool.candidates[i - 1], pool.candidates[i]));
        return pool;
    }

    bool are_alike(const Pool& pool, std::uint32_t a, std::uint32_t b) const
    {
        const auto& x = part(a);
        const auto& y = part(b);
        // Where devices or shared cores are looked at, each stands for itself.
        if (!layout_.devices().empty() || layout_.wishes().memory == MemoryBinding::local || x.most != y.most || x.core_count != y.core_count ||
            x.memory != y.memory || x.kind != y.kind || x.packages != y.packages)
            return false;
        return std::ranges::all_of(pool.candidates, [&](auto other) {
            return other == a || other == b ||
                   (layout_.distance(a, other) == layout_.distance(b, other) && layout_.distance(other, a) == layout_.distance(other, b));
        });
    }

    // All sets of `missing` more candidates from `first` on, with at most that many packages.
    void look_at(const Pool& pool, std::size_t first, std::size_t missing, std::uint32_t packages)
    {
        if (missing == 0)
            return consider();
        for (auto i = first; i + missing <= pool.candidates.size() && !is_over(); ++i) {
            const auto row = is_bounded() ? 0 : i;
            if (cores_ + pool.most_cores[row][missing - 1] < needed_ || memory_ + pool.most_memory[row][missing - 1] < memory_needed_)
                return;
            ++examined_;
            const auto numa = pool.candidates[i];
            // The one that it is like comes first: with that the set is lower.
            if (!verify_ && pool.like_previous[i] && (set_.empty() || set_.back() != pool.candidates[i - 1]))
                continue;
            if (!can_be_among(numa, set_.size() + missing))
                continue;
            const auto distance_before = distance_;
            add(numa);
            if (packages_ <= packages && !(best_ && distance_ > best_->distance))
                look_at(pool, i + 1, missing - 1, packages);
            remove(numa);
            distance_ = distance_before;
        }
    }

    // Of a set of that size.
    bool can_be_among(std::uint32_t numa, std::size_t size) const
    {
        const auto binding = layout_.wishes().memory;
        if (binding == MemoryBinding::interleave)
            return part(numa).memory.bytes >= memory_needed_ / static_cast<std::int64_t>(size);
        return binding != MemoryBinding::local || part(numa).most == 0 || givers_ < needed_ / layout_.step();
    }

    void add(std::uint32_t numa)
    {
        const auto& p = part(numa);
        for (auto other : set_)
            distance_ += std::uint64_t{layout_.distance(numa, other)} + layout_.distance(other, numa);
        set_.push_back(numa);
        cores_ += p.most;
        memory_ += p.memory.bytes;
        givers_ += p.most > 0;
        kinds_ += kind_rank(p.kind);
        free_cores_ += p.core_count;
        for (auto package : p.packages)
            packages_ += package_uses_[package]++ == 0;
    }

    // The last one. Distances are the caller's.
    void remove(std::uint32_t numa)
    {
        const auto& p = part(numa);
        set_.pop_back();
        cores_ -= p.most;
        memory_ -= p.memory.bytes;
        givers_ -= p.most > 0;
        kinds_ -= kind_rank(p.kind);
        free_cores_ -= p.core_count;
        for (auto package : p.packages)
            packages_ -= --package_uses_[package] == 0;
    }

    void consider()
    {
        if (!holds() || (best_ && !is_better()))
            return;
        if (verify_ && !accept_(set_))
            return;
        best_ = quality_of(layout_, set_);
    }

    bool is_better() const
    {
        const auto mine = std::tuple(packages_, set_.size(), distance_, kinds_), its = std::tuple(best_->packages, std::size_t{best_->numa_nodes}, best_->distance, best_->kinds);
        if (mine != its)
            return mine < its;
        const auto far = devices_far(layout_, set_);
        return std::tie(far, free_cores_, memory_, set_) < std::tie(best_->devices_far, best_->free_cores, best_->free_memory, best_->set);
    }

    // By counts alone.
    bool holds() const
    {
        if (cores_ < needed_ || memory_ < memory_needed_)
            return false;
        const auto& wishes = layout_.wishes();
        const auto steps = needed_ / layout_.step();
        if (wishes.numa_nodes > 0 && !largest_hold(wishes.numa_nodes, steps))
            return false;
        if (wishes.memory == MemoryBinding::local)
            return (wishes.numa_nodes > 0 ? givers_ == wishes.numa_nodes : givers_ <= steps) && all_are_local();
        if (wishes.memory == MemoryBinding::interleave) {
            const auto part = memory_needed_ / static_cast<std::int64_t>(set_.size()), larger = memory_needed_ % static_cast<std::int64_t>(set_.size());
            for (std::size_t i = 0; i < set_.size(); ++i)
                if (layout_.parts()[set_[i]].memory.bytes < part + (static_cast<std::int64_t>(i) < larger))
                    return false;
            return givers_ <= steps;
        }
        return true;
    }

    bool largest_hold(std::uint32_t count, std::uint32_t steps) const
    {
        if (givers_ < count || steps < count || (only_givers_ && givers_ != count))
            return false;
        std::vector<std::uint64_t> cores;
        for (auto numa : set_)
            cores.push_back(layout_.parts()[numa].most);
        sum_largest(cores);
        return cores[count - 1] >= needed_;
    }

    // Memory that no cores are at home at is local to those that it shares them with.
    bool all_are_local() const
    {
        const auto& numas = layout_.topology().numa_nodes;
        return std::ranges::all_of(set_, [&](std::uint32_t numa) {
            return layout_.parts()[numa].most > 0 || (numa < numas.size() && std::ranges::any_of(set_, [&](std::uint32_t giver) {
                       return layout_.parts()[giver].most > 0 && layout_.parts()[giver].cores.intersects(numas[numa].cores);
                   }));
        });
    }

    // From some candidates on, always the nearest other one that helps, until the set holds the demand: what many NUMA nodes get when
    // the search came to its bound.
    void grow()
    {
        verify_ = true;
        const auto count = candidates_.size();
        const auto seeds = std::clamp<std::size_t>(most_examined / count, 1, exact_numa_nodes);
        for (std::size_t seed = 0; seed < seeds; ++seed) {
            while (!set_.empty())
                remove(set_.back());
            distance_ = 0;
            const auto before = best_;
            auto left = candidates_;
            const auto first = left[seed * count / seeds];
            for (auto next = first;;) {
                std::erase(left, next);
                add(next);
                std::ranges::sort(set_);
                consider();
                if (left.empty() || best_ != before)
                    break;
                next = *std::ranges::min_element(left, {}, [&](std::uint32_t numa) {
                    const bool helps = cores_ < needed_ ? layout_.parts()[numa].most > 0 : layout_.parts()[numa].memory.bytes > 0;
                    return std::tuple(!helps, layout_.distance(first, numa), numa);
                });
            }
        }
    }
};

} // namespace

NumaQuality quality_of(const NodeLayout& layout, NumaSet set)
{
    NumaQuality quality{.numa_nodes = static_cast<std::uint32_t>(set.size()), .devices_far = devices_far(layout, set)};
    std::vector<std::uint32_t> packages;
    for (std::size_t i = 0; i < set.size(); ++i) {
        const auto& part = layout.parts()[set[i]];
        for (auto package : part.packages)
            if (std::ranges::find(packages, package) == packages.end())
                packages.push_back(package);
        for (std::size_t j = 0; j < i; ++j)
            quality.distance += std::uint64_t{layout.distance(set[i], set[j])} + layout.distance(set[j], set[i]);
        quality.kinds += kind_rank(part.kind);
        quality.free_cores += part.core_count;
        quality.free_memory += part.memory.bytes;
    }
    quality.packages = static_cast<std::uint32_t>(packages.size());
    quality.set = std::move(set);
    return quality;
}

std::optional<NumaQuality> choose_numa_nodes(const NodeLayout& layout, const std::function<bool(const NumaSet&)>& accept)
{
    if (layout.wishes().numa_nodes > layout.cores_needed() / layout.step())
        return std::nullopt; // none of them gives nothing
    return Search(layout, accept).run();
}

} // namespace jarvis::sched
