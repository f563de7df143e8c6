// The node daemon's core as it lives, with what its shell does beside it: messages of the controller are read, launches are planned and
// recorded, records are found again after a restart.
#pragma once

#include "draw.hpp"
#include "node/launch_plan.hpp"
#include "node/node_core.hpp"
#include "shepherd.pb.h"

#include <map>
#include <set>

namespace jarvis::fuzz {

class LiveNode {
    // What the run-time folder has of a job.
    struct Record {
        wire::LaunchOrder order;
        std::optional<wire::StopRecord> stop;
        std::optional<wire::SuspensionRecord> suspension;
        std::optional<wire::ExitRecord> exit;
        bool lost = false; // its shepherd left no exit record
    };
    std::map<node::JobKey, Record> folder_;
    std::set<node::JobKey> launched_; // and not forgotten
    node::State state_;
    Instant now_{};

    void feed(node::Input input);
    void carry_out(const node::Launch& launch);
    void carry_out(const node::RecordStop& stop);
    void carry_out(const node::RecordSuspensions& record);
    void carry_out(const node::Freeze& freeze);
    void carry_out(const node::SignalJob& signal);
    void carry_out(const node::FinishMember& member);
    void carry_out(const node::RemoveRecord& removal);
    void carry_out(const node::Send& send);
    void carry_out(const node::CloseConnection& close);
    void forget(node::JobKey key);
    void end_job(Draw& draw);
    void restart(Draw& draw);
    void check() const;

public:
    explicit LiveNode(Draw& draw);
    // One message, end, restart or a step of the clock.
    void step(Draw& draw);
};

} // namespace jarvis::fuzz
