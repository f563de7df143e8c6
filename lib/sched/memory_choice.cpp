#include "sched/memory_choice.hpp"

#include <algorithm>
#include <tuple>

namespace jarvis::sched {

namespace {

class Memory {
    const NodeLayout& layout_;
    std::vector<std::int64_t> taken_; // by NUMA node
    std::int64_t left_;

public:
    explicit Memory(const NodeLayout& layout) : layout_(layout), taken_(layout.parts().size()), left_(layout.demand().memory.bytes) {}

    void take(std::uint32_t numa, std::int64_t wanted)
    {
        const auto bytes = std::min({wanted, left_, layout_.parts()[numa].memory.bytes - taken_[numa]});
        taken_[numa] += bytes;
        left_ -= bytes;
    }
    void take_all(std::uint32_t numa) { take(numa, left_); }

    // In proportion to the cores, and what one lacks from the others.
    void take_with_cores(const std::vector<CoresOfNuma>& split)
    {
        std::uint32_t cores = 0;
        for (const auto& g : split)
            cores += g.count;
        for (const auto& g : split)
            take(g.numa, proportion(layout_.demand().memory.bytes, g.count, cores));
        for (const auto& g : split)
            take_all(g.numa);
    }

    void take_nearest(NumaSet others, const std::vector<CoresOfNuma>& split)
    {
        const auto distance = [&](std::uint32_t numa) {
            std::uint64_t sum = 0;
            for (const auto& g : split)
                sum += layout_.distance(g.numa, numa);
            return sum;
        };
        std::ranges::sort(others, {}, [&](std::uint32_t numa) { return std::tuple(layout_.parts()[numa].kind, distance(numa), numa); });
        for (auto numa : others)
            take_all(numa);
    }

    void take_equally(const std::vector<CoresOfNuma>& split)
    {
        const auto count = static_cast<std::int64_t>(split.size());
        const auto all = left_;
        for (std::int64_t i = 0; i < count; ++i)
            take(split[static_cast<std::size_t>(i)].numa, all / count + (i < all % count));
    }

    std::optional<std::vector<NumaShare>> result() const
    {
        if (left_ > 0)
            return std::nullopt;
        std::vector<NumaShare> shares;
        for (std::uint32_t numa = 0; numa < taken_.size(); ++numa)
            if (taken_[numa] > 0)
                shares.push_back({numa, {taken_[numa]}});
        return shares;
    }
};

NumaSet all_parts(const NodeLayout& layout)
{
    NumaSet all(layout.parts().size());
    for (std::uint32_t i = 0; i < all.size(); ++i)
        all[i] = i;
    return all;
}

} // namespace

std::optional<std::vector<NumaShare>> choose_memory(const NodeLayout& layout, const NumaSet& set, const std::vector<CoresOfNuma>& split,
                                                    const CoreSet& cores)
{
    Memory memory(layout);
    const auto binding = layout.wishes().memory;
    if (binding == MemoryBinding::none) {
        for (auto numa : all_parts(layout))
            memory.take_all(numa);
        return memory.result();
    }
    if (binding == MemoryBinding::interleave) {
        memory.take_equally(split);
        return memory.result();
    }
    memory.take_with_cores(split);
    auto others = layout.wishes().place == PlacePattern::spread ? all_parts(layout) : set;
    if (binding == MemoryBinding::local)
        std::erase_if(others, [&](std::uint32_t numa) {
            return numa >= layout.topology().numa_nodes.size() || !layout.topology().numa_nodes[numa].cores.intersects(cores);
        });
    memory.take_nearest(std::move(others), split);
    return memory.result();
}

} // namespace jarvis::sched
