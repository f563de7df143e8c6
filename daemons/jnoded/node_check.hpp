// `jadmin node check` and `jnoded --check`: what this node can enforce, and in words what it takes to enforce the rest. It reads, and
// changes nothing.
#pragma once

#include "ask.pb.h"
#include "config/config.hpp"
#include "kernel_groups.hpp"
#include "model/topology.hpp"

#include <optional>
#include <string>
#include <vector>

namespace jarvis::noded {

// What the one who asks knows already.
struct CheckSituation {
    std::string node;
    std::string setting;                  // jnoded.cgroup
    bool root = false;                    // the daemon runs as root
    std::string tree;                     // of the daemon that asks itself; empty: it has none, or none was asked
    std::optional<Capabilities> in_force; // as a running daemon has tried them; nothing: by what is read
};
CheckSituation situation_of(const config::Config& config, const std::string& node);

// What is read of the machine.
struct CheckFacts {
    std::string kernel; // "6.1.0-18-amd64"
    std::string mount;  // the cgroup2 file system that is used; empty: none is mounted
    bool writable = false;
    bool version1 = false;                                          // other hierarchies are mounted as well
    KernelGroups groups;                                            // libcgroup's view
    std::string parent;                                             // below which the tree is, or would be
    std::string tree;                                               // empty: there is none
    std::string top_controllers, parent_controllers, parent_handed; // cgroup.controllers and cgroup.subtree_control
    std::string missing_in; // by way from the top to the parent the first group that does not hand all of its controllers on
    bool parent_is_top = false;
    bool parent_occupied = false;   // processes are in it, so that it hands nothing on (the top may)
    std::string jobs_controllers;   // of the groups of jobs
    bool pressure = false;          // the kernel counts PSI
    std::string device_problem;     // why the kernel takes no device program from this process; empty: it does
    std::vector<std::string> files; // interface files of the group that was looked at: the tree's jobs, else the parent
};
CheckFacts read_facts(const CheckSituation& situation);

// One line of the answer.
struct CheckedCapability {
    Capability capability;
    std::string name;
    std::string what; // that it is for
    bool works = false;
    std::string why;    // not
    std::string remedy; // what to do; empty: nothing that is known
};
std::vector<CheckedCapability> judge(const CheckSituation& situation, const CheckFacts& facts);

wire::NodeCheck render_check(const CheckSituation& situation, const CheckFacts& facts, const std::vector<CheckedCapability>& checked);

// All of it. It may wait for the kernel.
wire::NodeCheck check_node(const CheckSituation& situation);

} // namespace jarvis::noded
