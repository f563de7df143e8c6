// What a running job uses, as jstat shows it: from two samples of each of its nodes. Rendering is pure.
#pragma once

#include "base/time.hpp"
#include "client.pb.h"
#include "client/terminal.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace jarvis::client {

// Of one node, or the sum over all that answered. What no node could tell is empty.
struct LiveFigures {
    std::uint32_t cores = 0;            // held
    std::optional<double> user, system; // cores' worth of work since the sample before
    std::optional<double> throttled;    // so many seconds a second, of all its processes
    std::optional<std::int64_t> memory, peak, limit, anonymous, shared, page_cache, kernel;
    std::optional<std::int64_t> faults, read, written;                // since the job's start
    std::optional<double> fault_rate, read_rate, write_rate;          // a second
    std::optional<double> cpu_pressure, memory_pressure, io_pressure; // percent of the last ten seconds; of several nodes the highest
    std::optional<std::uint32_t> processes, threads, threads_limit;

    std::optional<double> cores_used() const { return user && system ? std::optional(*user + *system) : std::nullopt; }
};
struct LiveNode {
    std::string name;
    std::string error; // why there is no answer; empty: there is
    LiveFigures figures;
    std::vector<std::string> notes;
};
struct LiveUsage {
    std::vector<LiveNode> nodes; // in the order of the job
    LiveFigures sum;
};
// Of a job whose nodes were asked twice. A node that was silent once has no rates.
LiveUsage live_usage(const wire::JobDetail& job, const wire::NodeAnswers& before, const wire::NodeAnswers& now);

// For a terminal: bars and some lines of words, and a table of the nodes where there are several.
std::string live_screen(const wire::JobDetail& job, const LiveUsage& usage, const Style& style);
// For a file or pipe: a line for each node, and for their sum where there are several.
std::string live_lines(const wire::JobDetail& job, const LiveUsage& usage, bool titles);
// jarvis.usage/1, one line
std::string live_json(const wire::JobDetail& job, const LiveUsage& usage, WallTime now);

// The time until its limit; nothing: it has none.
std::optional<Duration> time_left(const wire::JobDetail& job);

} // namespace jarvis::client
