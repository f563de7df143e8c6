// jrun outside a job, once it has made one: it meets the jrun inside, passes signals on, and waits for the job's end.
#pragma once

#include "client/command_line.hpp"
#include "client/job_watch.hpp"
#include "client/step_far.hpp"
#include "client/step_meeting.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace jarvis::client {

// The signals that a caller reads are blocked from here on.
Fd block_caller_signals();

class Caller {
    using Clock = std::chrono::steady_clock;

    const Program& program_;
    Meeting& meeting_; // closed when they have met
    JobWatch& watch_;
    StepFar far_;
    std::uint64_t job_;
    Fd signals_;
    Fd near_; // to the one inside, on this machine
    std::optional<Clock::time_point> drain_; // the job has ended: what still comes has so long
    bool cancelled_ = false;
    bool given_up_ = false;

    void say(std::string_view text) const { report(program_, text, Exit::done); }
    void cancel();
    int read_signals();
    void meet();
    void give_up();
    bool is_over();
    int wait_time(std::optional<Clock::time_point> quiet) const;

public:
    // `input`: what we read is for one of the tasks.
    Caller(const Program& program, Meeting& meeting, JobWatch& watch, std::uint64_t job, bool input, Fd signals);

    bool has_met() const { return near_ || far_.has_met(); }
    bool has_given_up() const { return given_up_; } // they cannot meet, and the job was cancelled
    const std::string& lost() const { return far_.lost(); }

    // Until the job has ended (0), or a second signal says that it is not to be waited for.
    int serve();
};

} // namespace jarvis::client
