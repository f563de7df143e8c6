#include "coverage.hpp"

#include "cluster/commands.hpp"
#include "cluster/events.hpp"

#include <array>

#include <fmt/format.h>

namespace jarvis::sim {

namespace {

constexpr std::array faults{
    "fault: append with unknown outcome", "fault: client dies",         "fault: connection cut",    "fault: connection cut in one direction",
    "fault: connection gone for the node alone",
    "fault: controller killed",           "fault: message doubled",     "fault: message lost",      "fault: node clock jumped",
    "fault: node daemon killed",          "fault: node rebooted",       "fault: node set down",     "fault: node silent for too long",
    "fault: shepherd died",               "fault: storage is full",     "fault: wall clock jumped",
};

// Of a job, in the journal.
constexpr std::array changes{
    "state: new -> PENDING",         "state: PENDING -> RUNNING",     "state: PENDING -> CANCELLED",   "state: RUNNING -> COMPLETING",
    "state: RUNNING -> COMPLETED",   "state: RUNNING -> FAILED",      "state: RUNNING -> TIMEOUT",     "state: RUNNING -> NODE_FAIL",
    "state: RUNNING -> PENDING",     "state: COMPLETING -> CANCELLED", "state: COMPLETING -> COMPLETED", "state: COMPLETING -> FAILED",
    "state: COMPLETING -> PENDING",  "state: COMPLETING -> NODE_FAIL", "state: FAILED -> PENDING",      "state: COMPLETED -> PENDING",
    "state: RUNNING -> SUSPENDED",   "state: SUSPENDED -> RUNNING",   "state: SUSPENDED -> COMPLETING",
};

// What jobs that started had wished of their place.
constexpr std::array wishes_of_placed{
    "placed: memory local",   "placed: memory interleave", "placed: memory none",      "placed: spread",
    "placed: numa",           "placed: alone on l3",       "placed: alone on numa",    "placed: alone on package",
    "placed: with devices",   "placed: near its devices",  "placed: tasks are limited", "placed: on so many NUMA nodes",
    "reason: LocalMemory",    "reason: Devices",           "reason: NearDevices",      "reason: Placement",
};

// One name for each type of a variant.
template <class... Ts>
void add_names(std::vector<std::string>& names, std::string_view kind, const std::variant<Ts...>*)
{
    (names.push_back(fmt::format("{}: {}", kind, type_name<Ts>())), ...);
}

} // namespace

void Coverage::add(const Counts& of_one_seed)
{
    ++seeds_;
    for (const auto& [what, n] : of_one_seed) {
        total_[what] += n;
        in_seeds_[what] += n > 0;
    }
}

std::vector<std::string> Coverage::required()
{
    std::vector<std::string> names;
    add_names(names, "command", static_cast<cluster::Command*>(nullptr));
    std::erase_if(names, [](const std::string& name) { return name == "command: ContinuePass" || name == "command: SettleJob"; }); // the owner's own
    add_names(names, "event", static_cast<cluster::Event*>(nullptr));
    names.insert(names.end(), faults.begin(), faults.end());
    names.insert(names.end(), changes.begin(), changes.end());
    names.insert(names.end(), wishes_of_placed.begin(), wishes_of_placed.end());
    return names;
}

std::vector<std::string> Coverage::rare() const
{
    std::vector<std::string> found;
    if (seeds_ < enough_seeds)
        return found;
    for (const auto& name : required()) {
        const auto seen = in_seeds_.find(name);
        if (seen == in_seeds_.end() || static_cast<double>(seen->second) < share * static_cast<double>(seeds_))
            found.push_back(fmt::format("{} (in {} of {} seeds)", name, seen == in_seeds_.end() ? 0 : seen->second, seeds_));
    }
    return found;
}

std::string Coverage::table() const
{
    std::string text = fmt::format("{:>12} {:>9}  {}\n", "times", "of seeds", "what");
    for (const auto& [what, n] : total_)
        text += fmt::format("{:>12} {:>8.1f}%  {}\n", n, 100.0 * static_cast<double>(in_seeds_.at(what)) / static_cast<double>(seeds_), what);
    return text;
}

} // namespace jarvis::sim
