// The steps of one job whose first node this is: what runs, what has ended and is not yet acknowledged, and their records. Whom
// each belongs to is the server's affair (step_server.hpp).
#pragma once

#include "base/result.hpp"
#include "model/topology.hpp"
#include "node/node_core.hpp"
#include "node/steps.hpp"
#include "shepherd.pb.h"
#include "step_log.hpp"
#include "steps.pb.h"

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include <sys/types.h>

namespace jarvis::noded {

Result<node::StepWish> wish_from(const wire::StepRequest& request);

class StepJob {
public:
    struct Running {
        wire::StepStarted started;
        wire::StepProcesses processes; // level none
        node::StepTicket ticket = 0;   // 0: nobody has come for it since this daemon started
        bool ending = false;           // what it left is being removed
    };

private:
    node::JobKey key_;
    uid_t owner_ = 0;
    std::string cgroup_; // empty: level none
    bool confined_ = false;
    std::vector<std::uint32_t> pus_;        // of the job; empty: bound to none
    std::vector<std::uint32_t> numa_nodes_; // ... its memory's; empty: any
    Topology topology_;                     // by whose indexes it was placed
    StepLog log_;
    node::JobSteps steps_;
    std::map<std::uint32_t, Running> running_;
    std::deque<wire::NumberedStep> ended_;
    std::uint64_t last_number_ = 0;
    std::uint64_t acknowledged_ = 0;
    std::uint64_t sent_ = 0; // in this session
    std::uint64_t dropped_ = 0;

    StepJob(const node::JobKey& key, const wire::LaunchOrder& order, const Topology& topology, StepLog log);
    void take(wire::StepRecord&& record);
    void bind(wire::StepTask& task, const CoreSet& cores, const wire::StepRequest& request) const;
    std::vector<std::uint32_t> near_memory(const std::vector<std::uint32_t>& pus) const;
    void shorten();

public:
    // Finds what an earlier daemon has left of it.
    static Result<StepJob> open(const node::JobKey& key, const wire::LaunchOrder& order, const Topology& topology,
                                const std::string& node_name, const std::string& job_folder);

    uid_t owner() const { return owner_; }
    const std::string& cgroup() const { return cgroup_; }
    std::map<std::uint32_t, Running>& running() { return running_; }

    Result<std::variant<node::GrantedStep, node::WaitingStep>> ask(node::StepTicket ticket, const node::StepWish& wish)
    {
        return steps_.ask(ticket, wish);
    }
    std::vector<node::GrantedStep> leave(node::StepTicket ticket) { return steps_.leave(ticket); }

    // Makes its groups and records it; from then on it runs. After a failure the cores are still held: see release().
    Result<wire::StepGrant> begin(const node::GrantedStep& granted, const wire::StepRequest& request, pid_t pid,
                                  std::uint64_t start_time);
    void note_processes(std::uint32_t step, const wire::StepProcesses& processes);
    // Nothing of it lives any more. Its record is kept until it is acknowledged.
    void end(std::uint32_t step, const wire::StepOver& over);
    // Its cores go to those who wait.
    std::vector<node::GrantedStep> release(std::uint32_t step) { return steps_.end(step); }

    // Ends that were not sent in this session, at most so many at once; they count as sent then.
    wire::StepsEnded unsent();
    void send_again() { sent_ = acknowledged_; }
    bool has_unsent() const { return sent_ < last_number_; }
    bool has_unacknowledged() const { return !ended_.empty(); }
    void acknowledge(std::uint64_t through);
};

} // namespace jarvis::noded
