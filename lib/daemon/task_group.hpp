// Tasks that belong together: they can be cancelled together and waited for. Every coroutine that a daemon starts belongs
// to a group; nothing else uses `detached`.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace jarvis::daemon {

namespace asio = boost::asio;

// All calls are made on the group's executor (a strand, or a loop with one thread), where the tasks run too.
// Cancelling ends what a task waits for with operation_aborted, and its next co_await throws: a task just unwinds.
// A task that ends by any other exception is logged as an error, by name, and the group goes on.
//
// A task that has a group of its own runs its body by `around`: cancelled from outside, it would otherwise unwind at its
// next co_await, even at that of wait(), and leave its tasks alone with what they refer to.
class TaskGroup {
    struct State;
    std::shared_ptr<State> state_;

public:
    TaskGroup(asio::any_io_executor executor, std::string name);
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;
    // Cancels. What the tasks refer to must outlive them, so the owner waits before it lets go.
    ~TaskGroup();

    // Starts a task. After cancel() the task is dropped without having run, and the answer is false.
    bool spawn(std::string name, asio::awaitable<void> task);
    void cancel();
    // Until no task is left, also when whoever waits is cancelled meanwhile.
    asio::awaitable<void> wait();
    // The same with a limit; false when tasks are left.
    asio::awaitable<bool> wait_for(std::chrono::milliseconds limit);

    // Runs the body; when it ends, by whatever, cancels the tasks and waits for them.
    asio::awaitable<void> around(asio::awaitable<void> body);

    std::size_t size() const;
    bool cancelled() const;
    // The names of the tasks that still run, for a message: "accept, client uid 1000".
    std::string names() const;
    asio::any_io_executor executor() const;
};

} // namespace jarvis::daemon
