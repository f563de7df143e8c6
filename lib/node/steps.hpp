// The steps of one job: which of its cores each has, and who waits for some. Pure: the shell launches, records and reports.
#pragma once

#include "base/result.hpp"
#include "model/core_set.hpp"
#include "model/placement_wishes.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace jarvis::node {

// What the job has on one of its nodes.
struct StepHost {
    std::string name;
    std::vector<CoreSet> numa; // its cores there, by NUMA node, in order; those that are near none of them last
};

struct StepWish {
    std::uint32_t tasks = 1;
    std::uint32_t cores_per_task = 1;
    std::uint32_t nodes_min = 0; // 0: as many as the tasks take
    std::uint32_t nodes_max = 0;
    std::uint32_t tasks_per_node = 0; // at most; 0: no limit
    std::vector<std::string> nodes;   // on these alone; empty: on any
    Distribution over_nodes = Distribution::block;
    Distribution inside = Distribution::block;
    std::uint32_t plane = 1;
    bool immediate = false; // refused rather than made to wait
    bool overlap = false;   // on cores that others may have, more tasks than cores included; it never waits
};

struct PlacedTask {
    std::uint32_t host = 0;  // index into the job's nodes
    std::uint32_t local = 0; // number on that node
    CoreSet cores;
    friend bool operator==(const PlacedTask&, const PlacedTask&) = default;
};
using PlacedTasks = std::vector<PlacedTask>; // by rank

// Who asks: the shell's name for a connection.
using StepTicket = std::uint64_t;

struct GrantedStep {
    StepTicket ticket = 0;
    std::uint32_t step = 0; // its number in the job
    PlacedTasks tasks;
};
struct WaitingStep {
    std::string reason; // "for 2 cores, while ..."
};

// Steps that wait are served in the order in which they came, and none overtakes: a wide one would wait for ever else.
class JobSteps {
    struct Waiter {
        StepTicket ticket;
        StepWish wish;
    };

    std::vector<StepHost> hosts_;
    std::map<std::uint32_t, std::vector<CoreSet>> held_; // by step: cores of each node; none by those that overlap
    std::deque<Waiter> waiters_;
    std::uint32_t next_ = 0;

    std::vector<StepHost> free_hosts() const;
    GrantedStep grant(StepTicket ticket, const StepWish& wish, PlacedTasks tasks);
    std::vector<CoreSet> cores_by_host(const PlacedTasks& tasks) const;

public:
    // The job's first node first.
    explicit JobSteps(std::vector<StepHost> hosts = {}, std::uint32_t next = 0) : hosts_(std::move(hosts)), next_(next) {}

    const std::vector<StepHost>& hosts() const { return hosts_; }
    std::uint32_t next() const { return next_; }
    // What a node has, which was not known before: steps that wait may get some of it.
    std::vector<GrantedStep> learn(std::size_t host, std::vector<CoreSet> numa);

    // Granted at once, or in a later answer of end() or leave(). Fails when the job could never give it, and when it was to be
    // immediate and has to wait (unavailable).
    Result<std::variant<GrantedStep, WaitingStep>> ask(StepTicket ticket, const StepWish& wish);
    // What an earlier daemon granted, and runs.
    void restore(std::uint32_t step, const PlacedTasks& tasks, bool overlap);
    // The step's processes are gone, or who waited has given up. Answers with those whose turn has come.
    std::vector<GrantedStep> end(std::uint32_t step);
    std::vector<GrantedStep> leave(StepTicket ticket);

private:
    std::vector<GrantedStep> serve();
};

// Where tasks go on what is free. Fails when it does not suffice; says what is missing.
Result<PlacedTasks> place_tasks(const std::vector<StepHost>& free, const StepWish& wish);

} // namespace jarvis::node
