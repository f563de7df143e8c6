#include "sched/core_choice.hpp"

#include <algorithm>
#include <map>

namespace jarvis::sched {

namespace {

// --- How many of each NUMA node

class Split {
    const NodeLayout& layout_;
    std::vector<CoresOfNuma> given_;
    std::map<std::uint32_t, std::uint32_t> left_in_package_; // with a limit
    std::uint32_t left_;

public:
    Split(const NodeLayout& layout, const NumaSet& set) : layout_(layout), left_(layout.cores_needed())
    {
        for (auto numa : set) {
            if (part(numa).most == 0)
                continue;
            given_.push_back({numa, 0});
            if (layout.wishes().tasks_per_package > 0)
                for (auto package : part(numa).packages)
                    left_in_package_[package] = layout.cores_of(layout.wishes().tasks_per_package);
        }
    }

    // A part of them: the ones with the most cores.
    void keep_largest(std::size_t count)
    {
        std::ranges::stable_sort(given_, std::ranges::greater{}, [this](const auto& g) { return part(g.numa).most; });
        given_.resize(std::min(count, given_.size()));
        std::ranges::sort(given_, {}, &CoresOfNuma::numa);
    }

    bool give_each_a_step()
    {
        for (auto& g : given_) {
            if (std::min(room(g), left_) < layout_.step())
                return false;
            give(g, layout_.step());
        }
        return true;
    }

    void fill_closely()
    {
        while (left_ > 0) {
            CoresOfNuma* best = nullptr;
            for (auto& g : given_)
                if (room(g) > 0 && (!best || fills_before(g, *best)))
                    best = &g;
            if (!best)
                return;
            give(*best, std::min(left_, room(*best)));
        }
    }

    // Step by step to the one that has the fewest; of equals the one with the most left, then the lowest.
    void fill_evenly()
    {
        while (left_ > 0) {
            CoresOfNuma* best = nullptr;
            for (auto& g : given_) {
                if (room(g) < layout_.step())
                    continue;
                if (!best || g.count < best->count || (g.count == best->count && room(g) > room(*best)))
                    best = &g;
            }
            if (!best || left_ < layout_.step())
                return;
            give(*best, layout_.step());
        }
    }

    std::optional<std::vector<CoresOfNuma>> result()
    {
        if (left_ > 0)
            return std::nullopt;
        std::erase_if(given_, [](const auto& g) { return g.count == 0; });
        return std::move(given_);
    }

private:
    const NumaPart& part(std::uint32_t numa) const { return layout_.parts()[numa]; }

    std::uint32_t room(const CoresOfNuma& g) const
    {
        auto room = part(g.numa).most - g.count;
        if (left_in_package_.empty())
            return room;
        std::uint64_t left = 0;
        for (auto package : part(g.numa).packages)
            left += left_in_package_.at(package);
        return static_cast<std::uint32_t>(std::min<std::uint64_t>(room, left / layout_.step() * layout_.step()));
    }

    void give(CoresOfNuma& g, std::uint32_t count)
    {
        g.count += count;
        left_ -= count;
        if (left_in_package_.empty())
            return;
        for (auto package : part(g.numa).packages) {
            auto& left = left_in_package_.at(package);
            const auto here = std::min(left, count);
            left -= here;
            count -= here;
        }
    }

    // One that holds all that is left comes first: near devices, with the memory, with the tightest hole. Else the one with the most room.
    bool fills_before(const CoresOfNuma& a, const CoresOfNuma& b) const
    {
        const auto room_a = room(a), room_b = room(b);
        const bool holds_a = room_a >= left_, holds_b = room_b >= left_;
        if (holds_a != holds_b)
            return holds_a;
        if (!holds_a)
            return room_a > room_b;
        const auto& pa = part(a.numa);
        const auto& pb = part(b.numa);
        if (pa.devices_near != pb.devices_near)
            return pa.devices_near > pb.devices_near;
        const auto wanted = layout_.demand().memory;
        if (const auto ma = std::min(pa.memory, wanted), mb = std::min(pb.memory, wanted); ma != mb)
            return ma > mb;
        return room_a < room_b;
    }
};

// --- Which ones there

using Cores = std::vector<std::uint32_t>; // ascending

struct Group {
    std::uint64_t key = 0;
    Cores cores;
    std::uint32_t most = 0;  // of these cores may be given
    std::uint32_t count = 0; // are
};

class Picker {
    const NodeLayout& layout_;
    std::map<std::uint64_t, std::uint32_t> used_l3_, used_package_; // cores, where there are limits
    CoreSet picked_;

public:
    explicit Picker(const NodeLayout& layout) : layout_(layout) {}
    const CoreSet& picked() const { return picked_; }

    bool pick(const CoreSet& from, std::uint32_t count)
    {
        Cores cores;
        from.for_each([&](std::uint32_t core) { cores.push_back(core); });
        return pick_fast(std::move(cores), count);
    }

private:
    const Core& core(std::uint32_t index) const { return layout_.topology().cores[index]; }

    bool limited() const { return layout_.whole_in_l3() || layout_.wishes().tasks_per_package > 0; }

    // Of the fastest kind that has enough; else of several, the fastest first.
    bool pick_fast(Cores cores, std::uint32_t count)
    {
        const auto same = [&](std::uint32_t c) { return core(c).efficiency == core(cores.front()).efficiency; };
        if (count == 0 || std::ranges::all_of(cores, same))
            return pick_near(cores, count, Level::package);
        std::map<std::uint32_t, Cores, std::greater<>> kinds;
        for (auto c : cores)
            kinds[core(c).efficiency].push_back(c);
        for (const auto& [efficiency, kind] : kinds)
            if (kind.size() >= count && (!layout_.whole_in_l3() || room_in(kind) >= count))
                return pick_near(kind, count, Level::package);
        if (limited())
            return pick_near(cores, count, Level::package); // tasks have to be whole: kinds come second
        for (const auto& [efficiency, kind] : kinds) {
            const auto here = std::min(count, static_cast<std::uint32_t>(kind.size()));
            if (here > 0 && !pick_near(kind, here, Level::package))
                return false;
            count -= here;
        }
        return count == 0;
    }

    std::uint32_t room_in(const Cores& cores) const
    {
        std::uint32_t room = 0;
        for (const auto& group : groups_of(cores, Level::l3))
            room += group.most;
        return room;
    }

    bool pick_near(const Cores& cores, std::uint32_t count, Level level)
    {
        if (count > cores.size())
            return false;
        if (!limited() && count == cores.size()) {
            for (auto c : cores)
                picked_.insert(c);
            return true;
        }
        if (is_one(cores, level) && !limited())
            return pick_inside(cores, count, level);
        auto groups = groups_of(cores, level);
        const bool even = layout_.wishes().place == PlacePattern::spread && level == Level::l3;
        if (!(even ? share_evenly(groups, count) : share_closely(groups, count)))
            return false;
        for (auto& group : groups) {
            if (group.count == 0)
                continue;
            if (level == Level::l3)
                used_l3_[group.key] += group.count;
            if (level == Level::package)
                used_package_[group.key] += group.count;
            if (!pick_inside(group.cores, group.count, level))
                return false;
        }
        return true;
    }

    bool pick_inside(const Cores& cores, std::uint32_t count, Level level)
    {
        if (level != Level::l2)
            return pick_near(cores, count, level == Level::package ? Level::l3 : Level::l2);
        for (std::uint32_t i = 0; i < count; ++i)
            picked_.insert(cores[i]);
        return true;
    }

    bool is_one(const Cores& cores, Level level) const
    {
        return std::ranges::all_of(cores, [&, first = layout_.key(level, cores.front())](auto c) { return layout_.key(level, c) == first; });
    }

    // In the order of their lowest cores.
    std::vector<Group> groups_of(const Cores& cores, Level level) const
    {
        std::vector<Group> groups;
        for (auto c : cores) {
            const auto key = layout_.key(level, c);
            if (groups.empty() || groups.back().key != key) {
                const auto known = std::ranges::find(groups, key, &Group::key);
                if (known != groups.end()) {
                    known->cores.push_back(c);
                    continue;
                }
                groups.push_back({.key = key, .cores = {}});
            }
            groups.back().cores.push_back(c);
        }
        for (auto& group : groups)
            group.most = most_of(group, level);
        return groups;
    }

    std::uint32_t most_of(const Group& group, Level level) const
    {
        auto most = static_cast<std::uint32_t>(group.cores.size());
        const auto left = [](const auto& used, std::uint64_t key, std::uint32_t limit) {
            const auto found = used.find(key);
            return found == used.end() ? limit : limit - std::min(limit, found->second);
        };
        if (level == Level::package && layout_.wishes().tasks_per_package > 0)
            most = std::min(most, left(used_package_, group.key, layout_.cores_of(layout_.wishes().tasks_per_package)));
        if (level != Level::l2 && layout_.whole_in_l3())
            most = most / layout_.step() * layout_.step();
        if (level == Level::l3 && layout_.whole_in_l3())
            most = std::min(most, left(used_l3_, group.key, layout_.cores_of(layout_.wishes().tasks_per_l3)));
        return most;
    }

    // Groups come out one of three ways: one that holds what is left, the tightest; two that do, the tightest pair; else the largest,
    // and again. That is as few groups as possible.
    static bool share_closely(std::vector<Group>& groups, std::uint32_t count)
    {
        const auto room = [](const Group& g) { return g.most - g.count; };
        while (count > 0) {
            Group* one = nullptr;
            for (auto& g : groups)
                if (room(g) >= count && (!one || room(g) < room(*one)))
                    one = &g;
            if (one) {
                one->count += count;
                return true;
            }
            Group* largest = &*std::ranges::max_element(groups, {}, room);
            if (room(*largest) == 0)
                return false;
            std::pair<Group*, Group*> pair{};
            for (std::size_t i = 0; i < groups.size(); ++i)
                for (std::size_t j = i + 1; room(groups[i]) + room(*largest) >= count && j < groups.size(); ++j) {
                    const auto sum = room(groups[i]) + room(groups[j]);
                    if (sum >= count && (!pair.first || sum < room(*pair.first) + room(*pair.second)))
                        pair = {&groups[i], &groups[j]};
                }
            // The larger one of the two goes as a whole.
            if (pair.first && room(*pair.second) > room(*pair.first))
                std::swap(pair.first, pair.second);
            auto& whole = pair.first ? *pair.first : *largest;
            count -= room(whole);
            whole.count = whole.most;
            if (pair.second) {
                pair.second->count += count;
                return true;
            }
        }
        return true;
    }

    bool share_evenly(std::vector<Group>& groups, std::uint32_t count) const
    {
        const auto step = layout_.whole_in_l3() ? layout_.step() : 1;
        while (count >= step && count > 0) {
            Group* best = nullptr;
            for (auto& g : groups)
                if (g.most - g.count >= step && (!best || g.count < best->count))
                    best = &g;
            if (!best)
                return false;
            best->count += step;
            count -= step;
        }
        return count == 0;
    }
};

} // namespace

std::optional<std::vector<CoresOfNuma>> split_cores(const NodeLayout& layout, const NumaSet& set)
{
    const auto& wishes = layout.wishes();
    Split split(layout, set);
    const bool each = wishes.numa_nodes > 0 || wishes.memory == MemoryBinding::local || wishes.memory == MemoryBinding::interleave;
    if (wishes.numa_nodes > 0)
        split.keep_largest(wishes.numa_nodes);
    if (wishes.place != PlacePattern::spread && each && !split.give_each_a_step())
        return std::nullopt;
    if (wishes.numa_nodes > 0 || wishes.place == PlacePattern::spread)
        split.fill_evenly();
    else
        split.fill_closely();
    auto result = split.result();
    if (result && wishes.numa_nodes > 0 && result->size() != wishes.numa_nodes)
        return std::nullopt;
    return result;
}

std::optional<CoreSet> pick_cores(const NodeLayout& layout, const std::vector<CoresOfNuma>& split)
{
    Picker picker(layout);
    for (const auto& [numa, count] : split)
        if (!picker.pick(layout.parts()[numa].cores, count))
            return std::nullopt;
    return picker.picked();
}

} // namespace jarvis::sched
