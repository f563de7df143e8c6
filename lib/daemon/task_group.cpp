#include "daemon/task_group.hpp"

#include "daemon/log.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <list>
#include <vector>

namespace jarvis::daemon {

namespace {

struct Task {
    std::string name;
    asio::cancellation_signal cancel;
};

} // namespace

struct TaskGroup::State {
    asio::any_io_executor executor;
    std::string name;
    std::list<std::shared_ptr<Task>> tasks;
    bool cancelled = false;
    asio::steady_timer emptied; // never expires: the end of the last task cancels its waits

    State(asio::any_io_executor on, std::string group_name)
        : executor(on), name(std::move(group_name)), emptied(on, asio::steady_timer::time_point::max())
    {
    }

    // Whatever a task lets out ends here: one task's bad end is not the group's.
    void report(const Task& task, std::exception_ptr error) const
    {
        try {
            if (error)
                std::rethrow_exception(error);
        } catch (const boost::system::system_error& e) {
            if (e.code() != asio::error::operation_aborted)
                log().error("{}: task {} ended by an exception: {}", name, task.name, e.what());
        } catch (const std::exception& e) {
            log().error("{}: task {} ended by an exception: {}", name, task.name, e.what());
        } catch (...) {
            log().error("{}: task {} ended by an exception of an unknown type", name, task.name);
        }
    }
};

TaskGroup::TaskGroup(asio::any_io_executor executor, std::string name)
    : state_(std::make_shared<State>(executor, std::move(name)))
{
}

TaskGroup::~TaskGroup() { cancel(); }

bool TaskGroup::spawn(std::string name, asio::awaitable<void> task)
{
    if (state_->cancelled)
        return false;
    auto entry = std::make_shared<Task>();
    entry->name = std::move(name);
    auto place = state_->tasks.insert(state_->tasks.end(), entry);
    auto ended = [state = state_, place](std::exception_ptr error) {
        auto done = *place;
        state->tasks.erase(place);
        state->report(*done, error);
        if (state->tasks.empty())
            state->emptied.cancel();
    };
    asio::co_spawn(state_->executor, std::move(task), asio::bind_cancellation_slot(entry->cancel.slot(), std::move(ended)));
    return true;
}

void TaskGroup::cancel()
{
    if (state_->cancelled)
        return;
    state_->cancelled = true;
    // A copy: a task may end, and so leave the list, while others are still to be told.
    std::vector<std::shared_ptr<Task>> tasks(state_->tasks.begin(), state_->tasks.end());
    for (const auto& task : tasks)
        task->cancel.emit(asio::cancellation_type::terminal);
}

// Both waits go on when the waiting task is cancelled: the tasks refer to what it owns.
asio::awaitable<void> TaskGroup::wait()
{
    auto state = state_;
    bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    while (!state->tasks.empty())
        co_await state->emptied.async_wait(asio::as_tuple(asio::use_awaitable));
    co_await asio::this_coro::throw_if_cancelled(throws);
}

asio::awaitable<bool> TaskGroup::wait_for(std::chrono::milliseconds limit)
{
    auto state = state_;
    auto expired = std::make_shared<bool>(false); // the timer's handler may run after this frame is gone
    asio::steady_timer deadline(state->executor, limit);
    deadline.async_wait([state, expired](boost::system::error_code error) {
        if (error)
            return;
        *expired = true;
        state->emptied.cancel();
    });
    bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    while (!state->tasks.empty() && !*expired)
        co_await state->emptied.async_wait(asio::as_tuple(asio::use_awaitable));
    co_await asio::this_coro::throw_if_cancelled(throws);
    co_return state->tasks.empty();
}

asio::awaitable<void> TaskGroup::around(asio::awaitable<void> body)
{
    std::exception_ptr error;
    try {
        co_await std::move(body);
    } catch (...) { // whatever it is goes on after the tasks have ended
        error = std::current_exception();
    }
    cancel();
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await wait();
    co_await asio::this_coro::throw_if_cancelled(true);
    if (error)
        std::rethrow_exception(error);
}

std::size_t TaskGroup::size() const { return state_->tasks.size(); }

bool TaskGroup::cancelled() const { return state_->cancelled; }

std::string TaskGroup::names() const
{
    std::string text;
    for (const auto& task : state_->tasks)
        text += (text.empty() ? "" : ", ") + task->name;
    return text;
}

asio::any_io_executor TaskGroup::executor() const { return state_->executor; }

} // namespace jarvis::daemon
