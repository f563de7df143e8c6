// The jrun inside a job, as the one outside that made it sees it over the node daemons of both machines.
#pragma once

#include "client/step_output.hpp"
#include "client/step_remote.hpp"
#include "client/submit.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <poll.h>

namespace jarvis::client {

class StepFar {
    using Clock = std::chrono::steady_clock;

    std::uint64_t job_;
    std::string token_;
    bool input_; // ours is for one of the tasks
    Talk say_;
    Sink output_, error_;
    std::string node_;
    std::optional<StepRemote> remote_;
    bool met_ = false;
    std::string lost_;
    std::string hopeless_;
    std::optional<Clock::time_point> next_, give_up_;
    std::chrono::milliseconds pause_{};

    Result<void> call();
    void failed(const Error& why, std::chrono::seconds limit);
    void end_of_call();

public:
    StepFar(std::uint64_t job, std::string token, bool input, Talk say);

    // Calls it until they have met; the job's script runs on that node (empty: on none).
    void look_for(const std::string& node);
    void drop() { remote_.reset(); } // it will not come any more, or has come on another way
    void signal(int signal);

    bool has_met() const { return met_; }
    // Nothing more comes from it, and what came is written.
    bool is_over() const { return !remote_ && !output_.wants_to_write() && !error_.wants_to_write(); }
    const std::string& lost() const { return lost_; }         // why the connection ended before the tasks; empty: it did not
    const std::string& hopeless() const { return hopeless_; } // why they will not meet; empty: they may

    // What to wait for, for how long (-1: for ever), and what has come of it.
    void add_to(std::vector<pollfd>& waits);
    int wait_time() const;
    void handle(const pollfd* waits);
};

} // namespace jarvis::client
