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
    // Until no task is left.
    asio::awaitable<void> wait();
    // The same with a limit; false when tasks are left.
    asio::awaitable<bool> wait_for(std::chrono::milliseconds limit);

    std::size_t size() const;
    bool cancelled() const;
    // The names of the tasks that still run, for a message: "accept, client uid 1000".
    std::string names() const;
    asio::any_io_executor executor() const;
};

} // namespace jarvis::daemon
