// Tasks whose standard descriptors are pipes, and what comes and goes on these in frames over a link: the side that has the tasks.
// The other side is StepRemote.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "client/frame_link.hpp"
#include "peer.pb.h"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <poll.h>
#include <sys/types.h>

namespace jarvis::client {

constexpr int standard_streams = 3;

struct TaskPipes {
    std::array<Fd, standard_streams> ours; // never block; no [0] where there is no input
    std::array<Fd, standard_streams> theirs;
};
// Without input a task has /dev/null.
Result<TaskPipes> make_task_pipes(bool input);

class StepFrames {
    struct Task {
        pid_t pid = 0;
        std::optional<int> status; // as waitpid gives it
        bool told = false;
        std::array<Fd, standard_streams> pipes; // our ends
        std::string input;                      // to be written
        bool input_ends = false;
    };
    struct Wait {
        std::uint32_t rank;
        int stream;
    };

    FrameLink link_;
    std::map<std::uint32_t, Task> tasks_; // by rank
    std::size_t untaken_ = 0;             // bytes of output that were sent, and that the other side has not got rid of

    bool may_read() const;
    bool take(const std::string& frame, const std::function<bool(wire::ToAgent&&)>& other);
    void take_input(const wire::AgentBytes& bytes);
    void write_input(std::uint32_t rank, Task& task);
    void read_output(std::uint32_t rank, Task& task, int stream);
    void handle_pipes(const std::vector<Wait>& pipes, const pollfd* waits);
    bool take_frames(const std::function<bool(wire::ToAgent&&)>& other);
    bool drain(std::uint32_t rank, Task& task);
    void say_ends();

public:
    explicit StepFrames(FrameLink link) : link_(std::move(link)) {}

    void add(std::uint32_t rank, pid_t pid, std::array<Fd, standard_streams> ours);
    void send(const wire::FromAgent& message) { link_.send(message); }
    void refuse(const Error& error);
    void signal_all(int signal) const; // to their process groups
    void ended(pid_t pid, int status);

    // Until the link ends, or `other`, which takes what is not about input and output, says false. Whenever `signals` can be read
    // `read_signals` is called.
    void serve(int signals, const std::function<void()>& read_signals, const std::function<bool(wire::ToAgent&&)>& other);
    // Nothing comes or goes any more; whoever writes is told by SIGPIPE.
    void close();
    // What is queued still leaves, if somebody takes it.
    void flush();
};

} // namespace jarvis::client
