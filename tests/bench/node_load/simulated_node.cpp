#include "simulated_node.hpp"

#include "daemon/log.hpp"
#include "wire/clocks.hpp"

#include <csignal>

namespace jarvis::bench {

namespace {

Instant now() { return Instant(Duration(boottime_us())); }

std::uint64_t monotonic_us()
{
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

// From half to one and a half times the usual time, the same for every run of a job.
Duration run_time_of(const node::JobKey& key, Duration usual)
{
    const auto spread = (key.job.value * 0x9e3779b97f4a7c15u) >> 54; // 0..1023
    return usual / 2 + usual * spread / 1024;
}

} // namespace

SimulatedNode::SimulatedNode(asio::io_context& io, noded::ControllerLinkOptions link, noded::Registration registration,
                             Counts& counts, const RunTime& run_time)
    : io_(io), counts_(counts), run_time_(run_time), registration_(std::move(registration)), wake_(io),
      controller_(std::move(link), controller_events()), tasks_(io.get_executor(), registration_.name)
{
    core_.rules.allow_root_jobs = true; // nothing of a job is run
}

void SimulatedNode::start()
{
    tasks_.spawn("controller", controller_.run());
}

void SimulatedNode::stop()
{
    tasks_.cancel();
    wake_.cancel();
    processes_.clear();
}

// An effect may make an input at once: it waits until the step is done.
void SimulatedNode::feed(node::Input input)
{
    inputs_.push_back(std::move(input));
    if (stepping_)
        return;
    stepping_ = true;
    while (!inputs_.empty()) {
        auto next = std::move(inputs_.front());
        inputs_.pop_front();
        auto outcome = node::step(core_, std::move(next), now());
        for (auto& effect : outcome.effects)
            std::visit([this](auto& e) { execute(e); }, effect);
    }
    stepping_ = false;
    set_welcomed(core_.link == node::Link::welcomed);
    arm_wake();
}

void SimulatedNode::set_welcomed(bool welcomed)
{
    if (std::exchange(welcomed_, welcomed) == welcomed)
        return;
    if (welcomed) {
        counts_.add(counts_.welcomed);
        counts_.last_welcome_us.store(monotonic_us(), std::memory_order_relaxed);
    } else {
        counts_.welcomed.fetch_sub(1, std::memory_order_relaxed);
    }
}

// A timer that fires too early does no harm, so it is set again only when it would fire too late.
void SimulatedNode::arm_wake()
{
    const auto wake = node::next_wake(core_);
    if (!wake || (armed_ && *armed_ <= *wake))
        return;
    armed_ = wake;
    wake_.expires_after(std::max(*wake - now(), Duration::zero()));
    wake_.async_wait([this](const boost::system::error_code& error) {
        if (error)
            return;
        armed_.reset();
        feed(node::TimePassed{});
    });
}

// ---- Effects

void SimulatedNode::execute(node::Launch& launch)
{
    const auto key = launch.order.key;
    if (launch.order.role == node::Role::member) { // it has no process: it is ready at once
        asio::post(io_, [this, key] { feed(node::MemberPrepared{key}); });
        return;
    }
    counts_.add(counts_.launched);
    if (!launched_.insert(key).second)
        counts_.add(counts_.launched_twice);
    const auto lasts = run_time_of(key, Duration(run_time_.load(std::memory_order_relaxed)));
    auto [place, is_new] = processes_.try_emplace(key, asio::steady_timer(io_, lasts), now());
    place->second.timer.async_wait([this, key](const boost::system::error_code& error) {
        if (!error)
            end_process(key, 0);
    });
}

void SimulatedNode::execute(node::SignalJob& signal)
{
    if ((signal.signal != SIGTERM && signal.signal != SIGKILL) || !processes_.contains(signal.key))
        return;
    counts_.add(counts_.signalled);
    asio::post(io_, [this, key = signal.key, number = signal.signal] {
        if (processes_.contains(key)) // and was not over meanwhile
            end_process(key, number);
    });
}

void SimulatedNode::execute(node::FinishMember& finish)
{
    asio::post(io_, [this, key = finish.key] { feed(node::JobEnded{key, {}}); });
}

void SimulatedNode::end_process(const node::JobKey& key, std::int32_t wait_status)
{
    node::ExitFacts facts;
    facts.wait_status = wait_status;
    facts.usage.elapsed = now() - processes_.at(key).started;
    processes_.erase(key);
    counts_.add(counts_.ended);
    feed(node::JobEnded{key, std::move(facts)});
}

void SimulatedNode::execute(node::RemoveRecord&)
{
    counts_.add(counts_.forgotten);
}

void SimulatedNode::execute(node::Send& send)
{
    counts_.add(counts_.from_nodes);
    if (std::holds_alternative<node::Register>(send.message))
        counts_.add(counts_.registrations);
    else if (std::holds_alternative<node::Report>(send.message))
        counts_.add(counts_.reports);
    controller_.send(noded::message_from(send, registration_));
}

void SimulatedNode::execute(node::CloseConnection& close)
{
    counts_.add(counts_.refused);
    controller_.refuse(close.reason);
}

// ---- The connection

noded::ControllerEvents SimulatedNode::controller_events()
{
    return {.greeted = [this](node::Greeted greeted) { feed(std::move(greeted)); },
            .message =
                [this](const wire::ToNode& message) {
                    counts_.add(counts_.to_nodes);
                    auto input = noded::input_from(message);
                    if (!input)
                        return daemon::log().error("node {}: {}", registration_.name, input.error().message);
                    if (message.has_start())
                        if (auto good = controller_.check_start(message.start(), Epoch{message.epoch()}); !good)
                            return daemon::log().error("node {}: {}", registration_.name, good.error().message);
                    feed(std::move(*input));
                },
            .disconnected = [this] { feed(node::Disconnected{}); }};
}

} // namespace jarvis::bench
