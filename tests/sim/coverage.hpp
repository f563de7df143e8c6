// What the runs of many seeds did, and what of all that they should do was too rare: a kind of command, event or fault that never
// occurs is one that nothing here is proof of.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <fmt/format.h>

namespace jarvis::sim {

// "JobStarted" of jarvis::cluster::JobStarted.
template <class T>
constexpr std::string_view type_name()
{
    const std::string_view function = __PRETTY_FUNCTION__; // "... [with T = jarvis::cluster::JobStarted; ..."
    const auto begin = function.find("T = ") + 4;
    const auto name = function.substr(begin, function.find_first_of(";]", begin) - begin);
    const auto last = name.rfind("::");
    return last == std::string_view::npos ? name : name.substr(last + 2);
}

// That of what a variant holds.
template <class... Ts>
std::string_view name_of(const std::variant<Ts...>& value)
{
    return std::visit([]<class T>(const T&) { return type_name<T>(); }, value);
}

using Counts = std::map<std::string, std::uint64_t>;

// Counts the values of a variant by what they hold, as "KIND: NAME". Most of them are alike, and a name is made and found once.
template <class Variant>
class CountByType {
    Counts& counts_;
    std::string kind_;
    std::array<std::uint64_t*, std::variant_size_v<Variant>> known_{};

public:
    CountByType(Counts& counts, std::string kind) : counts_(counts), kind_(std::move(kind)) {}

    void add(const Variant& value)
    {
        auto*& count = known_[value.index()];
        if (!count)
            count = &counts_[fmt::format("{}: {}", kind_, name_of(value))];
        ++*count;
    }
};

class Coverage {
    std::uint64_t seeds_ = 0;
    Counts total_, in_seeds_;

public:
    // The share of seeds in which everything must occur, and from how many seeds on that is asked.
    static constexpr double share = 0.01;
    static constexpr std::uint64_t enough_seeds = 200;

    void add(const Counts& of_one_seed);
    // Every command and event that there is, every fault and change of state that the simulation has.
    static std::vector<std::string> required();
    // Those that occurred in too few of the seeds. Empty for a few seeds.
    std::vector<std::string> rare() const;
    // A line for each: how often, in how many seeds, what.
    std::string table() const;
};

} // namespace jarvis::sim
