// jrun inside a job: asks its node daemon for a step, runs the tasks, passes signals and output on, and says how it ended.
#pragma once

#include "client/step_channel.hpp"
#include "client/step_options.hpp"
#include "client/step_output.hpp"
#include "client/step_remote.hpp"
#include "client/step_task.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jarvis::client {

struct StepCommand {
    std::string path;                   // of the program, found
    std::vector<std::string> arguments; // with the program's name first
    std::vector<std::string> environment;
    std::string job;                    // "7", "7_3"
};

using Say = std::function<void(std::string_view)>;

class StepRun {
    using Clock = std::chrono::steady_clock;

    static constexpr auto reconnect_pause = std::chrono::milliseconds(200);
    static constexpr auto reconnect_limit = std::chrono::seconds(60); // after the tasks' end nobody else is kept waiting by it

    struct Stream {
        Fd pipe; // none: not through us
        LineLabels labels;
        Sink* sink;
    };
    struct Task {
        pid_t pid = 0;
        std::optional<int> status; // as waitpid gives it
        std::vector<Stream> streams;
    };

    const StepOptions& options_;
    const StepCommand& command_;
    Say say_;
    StepChannel channel_;
    OwnState own_;
    Fd signals_;
    Fd caller_; // of a job that was made for us: a byte is a signal, its end the end of whoever waits
    wire::StepGrant grant_;
    std::vector<std::string> nodes_;
    std::vector<Task> tasks_;
    std::map<pid_t, std::uint32_t> ranks_; // of those that live here
    std::map<std::uint32_t, StepRemote> remotes_; // by place in the step's node list
    std::vector<Fd> files_;
    std::map<std::string, int> shared_;
    std::vector<Fd> ends_; // of pipes, until all tasks have them
    std::map<int, Sink> sinks_; // by descriptor
    std::string cause_;          // why it does not end by itself
    bool limit_reached_ = false;
    bool daemon_lost_ = false;
    std::optional<Clock::time_point> limit_, kill_, reconnect_;
    Clock::time_point last_interrupt_{};

    // Until there is a step.
    void take_signals();
    Result<std::optional<int>> await_grant();

    // step_start.cpp
    Result<void> start_tasks();
    bool is_here(std::uint32_t rank) const;
    Result<void> start_here(std::uint32_t count);
    Result<void> start_elsewhere();
    Result<void> open_streams(std::uint32_t rank, TaskStart& start);
    Result<void> open_streams_elsewhere(std::uint32_t rank, StepRemote& remote, wire::AgentTaskStart& start);
    Result<void> open_outputs(std::uint32_t rank, int& output, int& error);
    bool is_labelled(std::uint32_t stream) const;
    std::vector<std::pair<std::string, std::string>> own_variables(std::uint32_t rank) const;
    Result<int> open_file(const std::string& pattern, std::uint32_t rank, bool for_input);
    Result<int> input_of(std::uint32_t rank);
    std::vector<std::string> environment_of(std::uint32_t rank) const;
    TaskPlace place_of(std::uint32_t rank) const;
    void report_binding(std::uint32_t rank, const wire::StepTask& task) const;

    // While they run.
    void run_tasks();
    int wait_time() const;
    void read_signal();
    void read_caller();
    void reap();
    bool any_left() const;
    void lose_nodes();
    void on_end(std::uint32_t rank, int status);
    void read_stream(Stream& stream);
    void drain();
    void signal_all(int signal);
    void end_all(std::string cause);
    void check_deadlines();
    void check_connection();
    bool come_back();

    // step_end.cpp
    Result<void> say_over(bool started);
    void say_ends() const;
    int exit_code() const;

public:
    StepRun(const StepOptions& options, const StepCommand& command, std::string socket, wire::StepRequest request, Say say,
            Fd caller);

    // The exit code of jrun. A failure says that there was no step.
    Result<int> run();
};

} // namespace jarvis::client
