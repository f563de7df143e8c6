// The complete environment of a job's script: the submitter's, as --export left it, and what Jarvis says.
#pragma once

#include "node/node_core.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace jarvis::node {

// What a node knows besides the order.
struct NodeFacts {
    std::string node_name;
    std::string configuration;             // file, for JARVIS_CONF
    std::vector<std::string> own_folders;  // where our commands are: never in front of others on a job's PATH
    std::string step_socket{};             // for JARVIS_STEP_SOCKET, by which jrun finds the node daemon
};

// "NAME=VALUE" each, sorted by name, each name once. JSUB_* and JARVIS_* of the submitter are dropped; HOME, USER, LOGNAME
// and SHELL are the account's; PATH has a default. JARVIS_TMPDIR is `temporary_folder`; TMPDIR stays the submitter's.
std::vector<std::string> job_environment(const StartOrder& order, const NodeFacts& facts, const std::vector<std::uint32_t>& pus,
                                         std::string_view temporary_folder);

// PATH with our folders behind all others, so that no command of ours hides one that a script has always called by that
// name. The system's folders stay where they are, also if we are installed there.
std::string path_with_ours_last(std::string_view path, const std::vector<std::string>& own_folders);

// How many tasks each node has, as "2(x3),1".
std::string format_tasks_per_node(const std::vector<std::uint32_t>& tasks);

// The kernel's list format: "0-3,8".
std::string format_pus(std::vector<std::uint32_t> pus);

} // namespace jarvis::node
