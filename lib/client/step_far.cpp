#include "client/step_far.hpp"

#include "base/units.hpp"
#include "client/find_socket.hpp"
#include "steps.pb.h"
#include "wire/clocks.hpp"
#include "wire/hello.hpp"

#include <algorithm>

#include <unistd.h>

namespace jarvis::client {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds first_pause = 100ms, longest_pause = 2s;
// From the first failure on. A node daemon here that is started anew is back soon; the network, or one there, may take longer.
constexpr auto daemon_limit = 10s, node_limit = 60s;

} // namespace

StepFar::StepFar(std::uint64_t job, std::string token, bool input, Talk say)
    : job_(job), token_(std::move(token)), input_(input), say_(std::move(say)), output_(STDOUT_FILENO), error_(STDERR_FILENO)
{
}

// What is started is that jrun itself. Its input follows when they have met: what is read here is read.
Result<void> StepFar::call()
{
    const auto path = find_step_socket();
    if (!path)
        return std::unexpected(path.error());
    auto link = FrameLink::connect(*path);
    if (!link)
        return fail(link.error(), "no answer from this machine's node daemon");
    remote_.emplace(node_, std::move(*link));
    wire::FromRun message;
    auto& caller = *message.mutable_caller();
    *caller.mutable_hello() = wire::make_hello(wire::Hello::CLIENT, "jrun", wall_now());
    caller.set_job_id(job_);
    caller.set_token(token_);
    caller.set_node(node_);
    remote_->introduce(message);
    remote_->add_task(0);
    remote_->add_output(0, STDOUT_FILENO, std::nullopt, output_);
    remote_->add_output(0, STDERR_FILENO, std::nullopt, error_);
    wire::AgentStart start;
    start.add_tasks()->set_input(input_);
    remote_->start(start);
    return {};
}

void StepFar::look_for(const std::string& node)
{
    if (met_ || !hopeless_.empty())
        return;
    if (node != node_) {
        node_ = node;
        remote_.reset();
        next_.reset();
        give_up_.reset();
        pause_ = first_pause;
    }
    if (node_.empty() || remote_ || (next_ && Clock::now() < *next_))
        return;
    if (auto called = call(); !called)
        failed(called.error(), daemon_limit);
}

void StepFar::failed(const Error& why, std::chrono::seconds limit)
{
    const auto now = Clock::now();
    const auto text = fmt::format("cannot reach job {} on node {}: {}", job_, node_, why.message);
    const bool may_change = why.code == Errc::unavailable || why.code == Errc::not_found;
    if (may_change && !give_up_) {
        give_up_ = now + limit;
        say_(fmt::format("{}; trying again for {}", text, format_duration_exact(limit)));
    } else if (!may_change || now >= *give_up_) {
        hopeless_ = text;
    }
    next_ = now + pause_;
    pause_ = std::min(pause_ * 2, longest_pause);
}

void StepFar::signal(int signal)
{
    if (remote_ && met_)
        remote_->signal(signal);
}

void StepFar::add_to(std::vector<pollfd>& waits)
{
    for (const auto* sink : {&output_, &error_})
        waits.push_back({sink->wants_to_write() ? sink->fd() : -1, POLLOUT, 0});
    if (remote_)
        remote_->add_to(waits);
}

int StepFar::wait_time() const
{
    if (met_ || remote_ || !next_ || !hopeless_.empty() || node_.empty())
        return -1;
    return static_cast<int>(std::max<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(*next_ - Clock::now()).count(), 0));
}

void StepFar::handle(const pollfd* waits)
{
    if (waits[0].revents != 0)
        output_.write_some();
    if (waits[1].revents != 0)
        error_.write_some();
    if (!remote_)
        return;
    remote_->handle(waits + 2, [](std::uint32_t, int) {}); // how it ended is the job's end
    if (!met_ && remote_->has_started()) {
        met_ = true;
        if (input_)
            remote_->add_input(0, STDIN_FILENO);
    }
    if (!remote_->trouble().empty() || remote_->left().empty())
        end_of_call();
}

void StepFar::end_of_call()
{
    const auto trouble = remote_->trouble();
    const auto code = remote_->refused().value_or(Errc::unavailable);
    remote_.reset();
    if (met_)
        lost_ = trouble;
    else
        failed({code, trouble}, node_limit);
}

} // namespace jarvis::client
