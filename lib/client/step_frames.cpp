#include "client/step_frames.hpp"

#include "wire/convert.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace jarvis::client {
namespace {

constexpr std::size_t read_at_once = std::size_t{32} << 10;
// Over this the tasks' output is not read: they wait for whoever reads it in the end.
constexpr std::size_t most_queued = std::size_t{256} << 10;
// The same for what is on its way. It is less than a node daemon queues for one connection, so that a reader who stands still holds
// up no connection between machines: the kernel gives up on one that takes nothing (TCP_USER_TIMEOUT).
constexpr std::size_t output_window = std::size_t{1} << 20;
constexpr int flush_limit_ms = 5000;

} // namespace

Result<TaskPipes> make_task_pipes(bool input)
{
    TaskPipes pipes;
    for (int stream = 0; stream < standard_streams; ++stream) {
        if (stream == 0 && !input) {
            pipes.theirs[0] = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
            continue;
        }
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0)
            return std::unexpected(system_error(errno, "cannot make a pipe"));
        const auto at = static_cast<std::size_t>(stream);
        pipes.ours[at] = Fd(ends[stream == 0 ? 1 : 0]);
        pipes.theirs[at] = Fd(ends[stream == 0 ? 0 : 1]);
        ::fcntl(pipes.ours[at].get(), F_SETFL, O_NONBLOCK);
    }
    return pipes;
}

void StepFrames::add(std::uint32_t rank, pid_t pid, std::array<Fd, standard_streams> ours)
{
    auto& task = tasks_[rank];
    task.pid = pid;
    task.pipes = std::move(ours);
}

void StepFrames::refuse(const Error& error)
{
    wire::FromAgent message;
    *message.mutable_refused() = wire::to_message(error);
    link_.send(message);
}

void StepFrames::signal_all(int signal) const
{
    for (const auto& [rank, task] : tasks_)
        if (task.pid > 0 && !task.status)
            ::kill(-task.pid, signal);
}

void StepFrames::ended(pid_t pid, int status)
{
    for (auto& [rank, task] : tasks_)
        if (task.pid == pid)
            task.status = status;
}

bool StepFrames::may_read() const { return link_.queued() < most_queued && untaken_ < output_window; }

// ---- What comes

// False: this is the end.
bool StepFrames::take(const std::string& frame, const std::function<bool(wire::ToAgent&&)>& other)
{
    auto message = wire::parse<wire::ToAgent>(frame);
    if (!message)
        return false;
    if (message->body_case() == wire::ToAgent::kTaken) {
        untaken_ -= std::min<std::size_t>(untaken_, message->taken());
    } else if (message->has_input()) {
        take_input(message->input());
    } else if (message->has_shut()) {
        const auto stream = message->shut().stream();
        if (const auto task = tasks_.find(message->shut().rank()); task != tasks_.end() && (stream == 1 || stream == 2))
            task->second.pipes[stream] = Fd();
    } else {
        return other(std::move(*message));
    }
    return true;
}

void StepFrames::take_input(const wire::AgentBytes& bytes)
{
    const auto task = tasks_.find(bytes.rank());
    if (task == tasks_.end())
        return;
    task->second.input += bytes.data();
    task->second.input_ends |= bytes.data().empty();
    write_input(task->first, task->second);
}

void StepFrames::write_input(std::uint32_t rank, Task& task)
{
    std::size_t written = 0;
    while (task.pipes[0] && written < task.input.size()) {
        const auto size = ::write(task.pipes[0].get(), task.input.data() + written, task.input.size() - written);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EAGAIN)
            break;
        if (size < 0)
            task.pipes[0] = Fd();
        else
            written += static_cast<std::size_t>(size);
    }
    if (!task.pipes[0])
        written = task.input.size(); // nobody will read it
    task.input.erase(0, written);
    if (task.input_ends && task.input.empty())
        task.pipes[0] = Fd();
    if (written == 0)
        return;
    wire::FromAgent message;
    message.mutable_taken()->set_rank(rank);
    message.mutable_taken()->set_bytes(static_cast<std::uint32_t>(written));
    link_.send(message);
}

// All that have come.
bool StepFrames::take_frames(const std::function<bool(wire::ToAgent&&)>& other)
{
    while (true) {
        auto frame = link_.next();
        if (!frame || (*frame && !take(**frame, other)))
            return false;
        if (!*frame)
            return true;
    }
}

// ---- What goes

void StepFrames::read_output(std::uint32_t rank, Task& task, int stream)
{
    char part[read_at_once];
    auto& pipe = task.pipes[static_cast<std::size_t>(stream)];
    const auto size = ::read(pipe.get(), part, sizeof part);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        pipe = Fd();
        return;
    }
    untaken_ += static_cast<std::size_t>(size);
    wire::FromAgent message;
    auto& output = *message.mutable_output();
    output.set_rank(rank);
    output.set_stream(static_cast<std::uint32_t>(stream));
    output.set_data(part, static_cast<std::size_t>(size));
    link_.send(message);
}

// What is in its pipes now: a process that it left behind may hold them open for ever. False: there is more than may be sent.
bool StepFrames::drain(std::uint32_t rank, Task& task)
{
    bool drained = true;
    for (int stream = 1; stream < standard_streams; ++stream) {
        auto& pipe = task.pipes[static_cast<std::size_t>(stream)];
        pollfd ready{pipe.get(), POLLIN, 0};
        while (pipe && may_read() && ::poll(&ready, 1, 0) > 0)
            read_output(rank, task, stream);
        drained = drained && (!pipe || ::poll(&ready, 1, 0) <= 0);
    }
    return drained;
}

void StepFrames::say_ends()
{
    for (auto& [rank, task] : tasks_) {
        if (!task.status || task.told || !drain(rank, task))
            continue;
        task.told = true;
        for (auto& pipe : task.pipes)
            pipe = Fd();
        wire::FromAgent message;
        message.mutable_ended()->set_rank(rank);
        message.mutable_ended()->set_status(*task.status);
        link_.send(message);
    }
}

void StepFrames::handle_pipes(const std::vector<Wait>& pipes, const pollfd* waits)
{
    for (std::size_t i = 0; i < pipes.size(); ++i) {
        if (waits[i].revents == 0)
            continue;
        auto& task = tasks_[pipes[i].rank];
        if (pipes[i].stream == 0)
            write_input(pipes[i].rank, task);
        else if (task.pipes[static_cast<std::size_t>(pipes[i].stream)] && may_read())
            read_output(pipes[i].rank, task, pipes[i].stream);
    }
}

void StepFrames::serve(int signals, const std::function<void()>& read_signals, const std::function<bool(wire::ToAgent&&)>& other)
{
    std::vector<pollfd> waits;
    std::vector<Wait> pipes;
    bool goes_on = take_frames(other); // some may have come with what was read before
    while (goes_on) {
        waits.assign({{signals, POLLIN, 0}, {link_.fd(), static_cast<short>(POLLIN | (link_.wants_to_write() ? POLLOUT : 0)), 0}});
        pipes.clear();
        for (const auto& [rank, task] : tasks_)
            for (int stream = 0; stream < standard_streams; ++stream) {
                const auto& pipe = task.pipes[static_cast<std::size_t>(stream)];
                if (!pipe || (stream == 0 ? task.input.empty() : !may_read()))
                    continue;
                waits.push_back({pipe.get(), static_cast<short>(stream == 0 ? POLLOUT : POLLIN), 0});
                pipes.push_back({rank, stream});
            }
        ::poll(waits.data(), waits.size(), -1);
        if ((waits[1].revents & POLLOUT) != 0)
            link_.flush();
        handle_pipes(pipes, waits.data() + 2);
        if ((waits[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
            goes_on = link_.receive() && take_frames(other);
        if (waits[0].revents != 0)
            read_signals();
        say_ends();
    }
}

void StepFrames::close()
{
    link_.close();
    for (auto& [rank, task] : tasks_)
        for (auto& pipe : task.pipes)
            pipe = Fd();
}

void StepFrames::flush()
{
    while (link_.wants_to_write()) {
        pollfd ready{link_.fd(), POLLOUT, 0};
        if (::poll(&ready, 1, flush_limit_ms) <= 0 || (ready.revents & POLLHUP) != 0)
            break;
        link_.flush();
    }
}

} // namespace jarvis::client
