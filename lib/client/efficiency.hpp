// How well a job used what it held, as jeff shows it: figures, what held it back, and advice where that is clear.
#pragma once

#include "base/time.hpp"
#include "client.pb.h"
#include "client/terminal.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace jarvis::client {

// Of one job, or of the tasks of an array together: times add up, of memory the most that one of them had counts.
struct Efficiency {
    std::string id, name, user, nodes;
    std::map<std::string, std::uint32_t> states; // how many of each
    std::uint32_t jobs = 0;
    std::uint32_t cores = 0;                  // held, of one job
    std::uint32_t node_count = 0;             // of one job
    Duration elapsed{};                       // of the longest
    Duration held{};                          // cores times time, of all
    Duration cpu{};                           // of all
    std::optional<Duration> limit;            // of one job
    std::optional<std::int64_t> memory_asked; // on one node
    std::optional<std::int64_t> memory_peak;  // on one node, with page cache
    std::optional<std::int64_t> memory_held;  // of that without the page cache that was left at the end: a near guess
    bool memory_by_core = false;              // it was asked for by core
    bool exclusive = false;
    std::uint32_t tasks = 1, cores_per_task = 1;
    std::optional<Duration> throttled, cpu_pressure, memory_pressure, io_pressure;
    Duration elapsed_sum{}; // of all: what the pressures are shares of
    std::optional<std::int64_t> faults, read, written;
    bool running = false; // so far

    double cpu_share() const; // 0 to 1, of the cores held
};
Efficiency efficiency_of(std::span<const wire::JobDetail* const> jobs, const std::string& id);

// One sentence each, the most valuable first; empty: nothing that is clear.
std::vector<std::string> advice(const Efficiency& job);

std::string efficiency_text(const Efficiency& job, const Style& style);
// jarvis.efficiency/1
std::string efficiency_json(std::span<const Efficiency> jobs, std::span<const std::string> unknown);

} // namespace jarvis::client
