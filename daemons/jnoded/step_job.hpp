// The steps of one job whose first node this is: what runs, what has ended and is not yet acknowledged, and their records. Whom
// each belongs to is the server's affair (step_server.hpp).
#pragma once

#include "base/result.hpp"
#include "model/topology.hpp"
#include "node/node_core.hpp"
#include "node/steps.hpp"
#include "shepherd.pb.h"
#include "step_log.hpp"
#include "step_place.hpp"
#include "steps.pb.h"

#include <cstdint>
#include <deque>
#include <map>
#include <span>
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
    StepPlace place_; // on this node
    StepLog log_;
    node::JobSteps steps_;
    std::map<std::uint32_t, Running> running_;
    std::deque<wire::NumberedStep> ended_;
    std::uint64_t last_number_ = 0;
    std::uint64_t acknowledged_ = 0;
    std::uint64_t sent_ = 0; // in this session
    std::uint64_t dropped_ = 0;

    StepJob(const node::JobKey& key, StepPlace place, StepLog log);
    Result<void> take(wire::StepRecord&& record);
    std::uint32_t host_named(const std::string& name) const; // 0, which is this node, for a name that is none of the job's
    void shorten();

public:
    // Finds what an earlier daemon has left of it.
    static Result<StepJob> open(const node::JobKey& key, const wire::LaunchOrder& order, const Topology& topology,
                                const std::string& node_name, const std::string& job_folder);

    const StepPlace& place() const { return place_; }
    std::map<std::uint32_t, Running>& running() { return running_; }

    Result<std::variant<node::GrantedStep, node::WaitingStep>> ask(node::StepTicket ticket, const node::StepWish& wish)
    {
        return steps_.ask(ticket, wish);
    }
    std::vector<node::GrantedStep> leave(node::StepTicket ticket) { return steps_.leave(ticket); }

    // Those of its nodes of which it is not known yet what the job has there.
    std::vector<std::string> unknown_nodes() const;
    std::vector<node::GrantedStep> learn(const std::string& node, std::vector<CoreSet> numa);

    // Makes its groups here and records it; from then on it runs. After a failure the cores are still held: see release().
    Result<wire::StepGrant> begin(const node::GrantedStep& granted, const wire::StepRequest& request, pid_t pid,
                                  std::uint64_t start_time);
    void note_processes(std::uint32_t step, const wire::StepProcesses& processes);
    // Nothing of it lives any more. Its record is kept until it is acknowledged.
    // `elsewhere`: what it used on each of its other nodes.
    void end(std::uint32_t step, const wire::StepOver& over, std::span<const wire::Usage> elsewhere = {});
    // Its cores go to those who wait.
    std::vector<node::GrantedStep> release(std::uint32_t step) { return steps_.end(step); }

    // Ends that were not sent in this session, at most so many at once; they count as sent then.
    wire::StepsEnded unsent();
    void send_again() { sent_ = acknowledged_; }
    bool has_unsent() const { return sent_ < last_number_; }
    bool has_unacknowledged() const { return !ended_.empty(); }
    void acknowledge(std::uint64_t through);
};

// The nodes of a granted step other than this one.
std::vector<std::string> other_nodes(const wire::StepGrant& grant);

} // namespace jarvis::noded
