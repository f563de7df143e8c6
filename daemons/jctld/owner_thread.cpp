#include "owner_thread.hpp"

#include "daemon/process.hpp"
#include "wire/clocks.hpp"

#include <algorithm>

namespace jarvis::jctld {

namespace {

constexpr std::size_t mailbox_bound = 65536;
constexpr std::size_t commands_per_batch = 512;
constexpr auto wall_interval = std::chrono::seconds(1);

cluster::Token token_of(const cluster::Command& command)
{
    return std::visit(
        [](const auto& c) -> cluster::Token {
            if constexpr (requires { c.token; })
                return c.token;
            return 0;
        },
        command);
}

// What is still decided while the storage keeps its last space for ends of running jobs.
bool allowed_in_reserve(const cluster::Command& command)
{
    return !std::holds_alternative<cluster::SubmitJob>(command) && !std::holds_alternative<cluster::HoldJobs>(command) &&
           !std::holds_alternative<cluster::DrainNodes>(command);
}

} // namespace

cluster::BootClock ElapsedTime::resume(const cluster::State& state, const std::string& boot_id)
{
    const Duration boottime{boottime_us()};
    if (state.clock.boot_id == boot_id && Instant(boottime - state.clock.offset) >= state.now)
        return state.clock;
    const auto away = state.epoch.value == 0 ? Duration{} : std::max(Duration{}, wall_now() - state.wall(state.now));
    return {boot_id, boottime - (state.now.time_since_epoch() + away)};
}

Instant ElapsedTime::now() const { return Instant(Duration(boottime_us()) - offset_); }

OwnerThread::OwnerThread(Store& store, JournalThread& journal, cluster::State state, ElapsedTime clock,
                         std::function<void(cluster::Token, const Error&)> reject)
    : store_(store), journal_(journal), reject_(std::move(reject)), owner_(std::move(state)), clock_(clock), mailbox_(mailbox_bound)
{
}

OwnerThread::~OwnerThread()
{
    stop();
}

void OwnerThread::start()
{
    thread_ = std::jthread([this] {
        daemon::name_thread("owner");
        run();
    });
}

void OwnerThread::stop()
{
    mailbox_.close();
    if (thread_.joinable())
        thread_.join();
}

void OwnerThread::fail(Error error)
{
    std::lock_guard lock(mutex_);
    failure_ = std::move(error);
    restart_.reset();
}

void OwnerThread::restart(cluster::State state, Generation generation)
{
    std::lock_guard lock(mutex_);
    failure_.reset();
    restart_.emplace(std::move(state), generation);
}

// The failure that everything is to be answered with, if there is one now.
std::optional<Error> OwnerThread::look_for_restart()
{
    std::lock_guard lock(mutex_);
    if (failure_)
        owner_.reset();
    if (restart_) {
        owner_.emplace(std::move(restart_->first));
        generation_ = restart_->second;
        restart_.reset();
    }
    return failure_;
}

std::chrono::milliseconds OwnerThread::patience() const
{
    if (!owner_)
        return std::chrono::milliseconds(100);
    if (owner_->unfinished() && store_.status().condition == plugin::StorageCondition::ok)
        return std::chrono::milliseconds(0);
    std::chrono::milliseconds limit = wall_interval;
    if (const auto wake = cluster::next_wake(owner_->state()))
        limit = std::clamp(std::chrono::ceil<std::chrono::milliseconds>(*wake - clock_.now()), std::chrono::milliseconds(1), limit);
    return limit;
}

void OwnerThread::run()
{
    for (;;) {
        auto commands = mailbox_.wait_for(commands_per_batch, patience());
        if (commands.empty() && mailbox_.closed())
            return;
        if (auto failure = look_for_restart()) {
            reject(commands, *failure);
            continue;
        }
        const auto status = store_.status();
        if (status.condition == plugin::StorageCondition::failed) {
            reject(commands, {Errc::unavailable, "the controller's storage has failed: " + status.text});
            continue;
        }
        if (status.condition == plugin::StorageCondition::reserve) {
            std::vector<cluster::Command> refused;
            std::erase_if(commands, [&](cluster::Command& command) {
                const bool refuse = !allowed_in_reserve(command);
                if (refuse)
                    refused.push_back(std::move(command));
                return refuse;
            });
            reject(refused, {Errc::unavailable, "the controller's storage is nearly full, and takes nothing new: " + status.text});
        }
        add_clock_commands(commands);
        decide(std::move(commands), status.condition);
    }
}

void OwnerThread::add_clock_commands(std::vector<cluster::Command>& commands)
{
    // Time goes on in the new epoch: before it began nobody is late.
    begun_ = begun_ || std::ranges::any_of(commands, [](const auto& c) { return std::holds_alternative<cluster::StartController>(c); });
    if (!begun_)
        return;
    const auto now = std::chrono::steady_clock::now();
    if (now - wall_checked_ >= wall_interval) {
        wall_checked_ = now;
        commands.push_back(cluster::WallClock{wall_now()});
    }
    if (const auto wake = cluster::next_wake(owner_->state()); wake && *wake <= clock_.now())
        commands.push_back(cluster::TimePassed{});
}

void OwnerThread::decide(std::vector<cluster::Command> commands, plugin::StorageCondition condition)
{
    const bool in_reserve = condition == plugin::StorageCondition::reserve;
    auto batch = owner_->run(commands, clock_.now(), !in_reserve);
    if (batch.group.events.empty() && batch.effects.empty() && batch.advice.empty())
        return;
    journal_.push({.generation = generation_, .batch = std::move(batch), .use_reserve = in_reserve});
}

void OwnerThread::reject(const std::vector<cluster::Command>& commands, const Error& error)
{
    for (const auto& command : commands)
        if (const auto token = token_of(command); token != 0)
            reject_(token, error);
}

} // namespace jarvis::jctld
