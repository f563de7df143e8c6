// A failing seed with as little in it as still fails: most jobs and faults of a day have nothing to do with what went wrong.
#pragma once

#include "simulation.hpp"

#include <optional>
#include <string>

namespace jarvis::sim {

// What breaks in this run; nothing: all invariants hold.
std::optional<std::string> failure(std::uint64_t seed, const Options& options);

// Options with which the seed still fails, and with which it would not with any one job or fault less, unless the time is up first.
// (What is left out changes what happens by chance to the rest, so the failure may become another one.)
Options shrink(std::uint64_t seed, Options options, Duration time);

// "--seeds 7 --jobs 140 --faults 24 --without-jobs 0-3,9": what main() takes.
std::string command_line(std::uint64_t seed, const Options& options);

} // namespace jarvis::sim
