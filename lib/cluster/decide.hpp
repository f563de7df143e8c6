// decide(): what a command comes to. It reads, and changes nothing; it opens nothing, waits for nothing, asks no clock.
#pragma once

#include "cluster/commands.hpp"
#include "cluster/outcome.hpp"
#include "cluster/state.hpp"

namespace jarvis::cluster {

[[nodiscard]] Outcome decide(const State& state, const Command& command, Instant now);

// One function for each command, by subject: decide.cpp, decide_jobs.cpp, decide_requeue.cpp, decide_nodes.cpp,
// decide_pass.cpp, decide_relations.cpp.
Outcome decide(const State& state, const CreateCluster& command, Instant now);
Outcome decide(const State& state, const StartController& command, Instant now);
Outcome decide(const State& state, const WallClock& command, Instant now);
Outcome decide(const State& state, const Configure& command, Instant now);
Outcome decide(const State& state, const TimePassed& command, Instant now);
Outcome decide(const State& state, const SubmitJob& command, Instant now);
Outcome decide(const State& state, const CancelJobs& command, Instant now);
Outcome decide(const State& state, const SignalJobs& command, Instant now);
Outcome decide(const State& state, const SuspendJobs& command, Instant now);
Outcome decide(const State& state, const ResumeJobs& command, Instant now);
Outcome decide(const State& state, const HoldJobs& command, Instant now);
Outcome decide(const State& state, const ReleaseJobs& command, Instant now);
Outcome decide(const State& state, const DrainNodes& command, Instant now);
Outcome decide(const State& state, const ResumeNodes& command, Instant now);
Outcome decide(const State& state, const RegisterNode& command, Instant now);
Outcome decide(const State& state, const NodeReported& command, Instant now);
Outcome decide(const State& state, const StepsReported& command, Instant now);
Outcome decide(const State& state, const NodeDisconnected& command, Instant now);
Outcome decide(const State& state, const ContinuePass& command, Instant now);
Outcome decide(const State& state, const DownNodes& command, Instant now);

// Nodes that have been silent for too long (decide_silence.cpp); a part of TimePassed.
void decide_silence(const State& state, Instant now, Outcome& outcome);
std::optional<Instant> next_silence(const State& state);
Outcome decide(const State& state, const RequeueJobs& command, Instant now);
Outcome decide(const State& state, const SettleJob& command, Instant now);

// When the clock itself will next change something (a begin time, a job to be forgotten); empty when it will not.
std::optional<Instant> next_wake(const State& state);

} // namespace jarvis::cluster
