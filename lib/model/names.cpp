// The words for states, classes and sets that the model's headers declare.
#include "model/job_state.hpp"
#include "model/topology.hpp"

#include "base/nearest.hpp"

#include <cctype>

namespace jarvis {

namespace {

struct StateName {
    JobState state;
    std::string_view name;
    std::string_view short_name;
};

constexpr std::array state_names{
    StateName{JobState::pending, "PENDING", "PD"},
    StateName{JobState::running, "RUNNING", "R"},
    StateName{JobState::suspended, "SUSPENDED", "S"},
    StateName{JobState::completing, "COMPLETING", "CG"},
    StateName{JobState::completed, "COMPLETED", "CD"},
    StateName{JobState::failed, "FAILED", "F"},
    StateName{JobState::cancelled, "CANCELLED", "CA"},
    StateName{JobState::timeout, "TIMEOUT", "TO"},
    StateName{JobState::out_of_memory, "OUT_OF_MEMORY", "OOM"},
    StateName{JobState::node_fail, "NODE_FAIL", "NF"},
    StateName{JobState::preempted, "PREEMPTED", "PR"},
};

constexpr std::array capability_names{
    std::pair{Capability::cpuset, std::string_view("cpuset")}, std::pair{Capability::memory, std::string_view("memory")},
    std::pair{Capability::pids, std::string_view("pids")},     std::pair{Capability::io, std::string_view("io")},
    std::pair{Capability::freeze, std::string_view("freeze")}, std::pair{Capability::kill, std::string_view("kill")},
    std::pair{Capability::devices, std::string_view("devices")},
    std::pair{Capability::hugetlb, std::string_view("hugetlb")},
    std::pair{Capability::isolation, std::string_view("isolation")},
    std::pair{Capability::pages_64k, std::string_view("pages_64K")}, std::pair{Capability::pages_1m, std::string_view("pages_1M")},
    std::pair{Capability::pages_2m, std::string_view("pages_2M")},   std::pair{Capability::pages_16m, std::string_view("pages_16M")},
    std::pair{Capability::pages_32m, std::string_view("pages_32M")}, std::pair{Capability::pages_512m, std::string_view("pages_512M")},
    std::pair{Capability::pages_1g, std::string_view("pages_1G")},   std::pair{Capability::pages_16g, std::string_view("pages_16G")},
};

constexpr std::array confinement_names{std::pair{Confinement::none, std::string_view("none")},
                                       std::pair{Confinement::track, std::string_view("track")},
                                       std::pair{Confinement::full, std::string_view("full")}};

const StateName& entry(JobState state) { return state_names[static_cast<std::size_t>(state) - 1]; }

} // namespace

std::string_view name(JobState state) { return entry(state).name; }

std::string_view short_name(JobState state) { return entry(state).short_name; }

Result<JobState> parse_job_state(std::string_view text)
{
    std::string upper;
    for (unsigned char c : text)
        upper += static_cast<char>(std::toupper(c));
    std::vector<std::string_view> names;
    for (const auto& known : state_names) {
        if (upper == known.name || upper == known.short_name)
            return known.state;
        names.push_back(known.name);
    }
    return fail(Errc::invalid, "unknown job state \"{}\"{}", text, did_you_mean(upper, names));
}

std::string_view name(EndClass end_class)
{
    constexpr std::array<std::string_view, 5> names{"none", "user", "resources", "node", "system"};
    return names[static_cast<std::size_t>(end_class)];
}

Capabilities required_capabilities(Confinement level)
{
    Capabilities set;
    if (level == Confinement::none)
        return set;
    set.add(Capability::freeze);
    set.add(Capability::kill);
    if (level == Confinement::full)
        for (auto c : {Capability::cpuset, Capability::memory, Capability::pids, Capability::io, Capability::devices})
            set.add(c);
    return set;
}

Confinement confinement_of(Capabilities capabilities)
{
    for (auto level : {Confinement::full, Confinement::track})
        if (capabilities.includes(required_capabilities(level)))
            return level;
    return Confinement::none;
}

std::string_view name(MemoryKind kind)
{
    constexpr std::array<std::string_view, 3> names{"dram", "hbm", "slow"};
    return names[static_cast<std::size_t>(kind)];
}

std::string_view name(Confinement level) { return confinement_names[static_cast<std::size_t>(level)].second; }

Result<Confinement> parse_confinement(std::string_view text)
{
    for (const auto& [level, level_name] : confinement_names)
        if (text == level_name)
            return level;
    return fail(Errc::invalid, "unknown confinement \"{}\"; it is one of none, track, full", text);
}

std::string format_capabilities(Capabilities capabilities)
{
    std::string text;
    for (const auto& [capability, capability_name] : capability_names)
        if (capabilities.has(capability))
            text += (text.empty() ? "" : ",") + std::string(capability_name);
    return text.empty() ? "none" : text;
}

std::string format_list(const CoreSet& set)
{
    std::string text;
    std::int64_t first = -1, last = -2;
    auto flush = [&] {
        if (first >= 0)
            text += fmt::format("{}{}", text.empty() ? "" : ",",
                                first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last));
    };
    set.for_each([&](std::uint32_t core) {
        if (core != last + 1) {
            flush();
            first = core;
        }
        last = core;
    });
    flush();
    return text;
}

} // namespace jarvis
