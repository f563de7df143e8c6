// The part of NodeDaemon that makes jobs stand still and go on.
#include "node_daemon.hpp"

#include "daemon/deadline.hpp"
#include "daemon/log.hpp"
#include "processes.hpp"

#include <csignal>

namespace jarvis::noded {

using namespace std::chrono_literals;
using daemon::log;

void NodeDaemon::execute(node::RecordSuspensions& record)
{
    log().info({{"job", record.key.job}}, "{}", record.suspensions.since ? "is suspended" : "goes on");
    if (auto written = setup_.folder.write_suspension(record.key, record_from(record.suspensions)); !written)
        log().warn({{"job", record.key.job}}, "a restart of this daemon will not know that it {}: {}",
                   record.suspensions.since ? "is suspended" : "goes on", written.error().message);
}

void NodeDaemon::execute(node::Freeze& freeze)
{
    auto* job = living(freeze.key);
    if (!job || set_frozen(freeze.key, *job, freeze.frozen))
        return;
    if (!std::exchange(job->freezing, true))
        tasks_.spawn("freeze", repeat_freeze(freeze.key));
}

// By its cgroup the kernel stops and continues what is there and what comes; without one, what is there gets a signal. False: its
// shepherd has not come so far yet.
bool NodeDaemon::set_frozen(const node::JobKey& key, const Tracked& job, bool frozen)
{
    if (!job.cgroup.empty())
        return cgroup_freeze(job.cgroup, frozen);
    if (job.member)
        return true; // nothing of it runs here
    const auto shepherd = setup_.folder.living_shepherd(key);
    return shepherd && signal_members([&] { return descendants(shepherd->pid); }, frozen ? SIGSTOP : SIGCONT) > 0;
}

asio::awaitable<void> NodeDaemon::repeat_freeze(node::JobKey key)
{
    for (auto pause = 20ms; living(key); pause = std::min<std::chrono::milliseconds>(pause * 2, 1s)) {
        co_await daemon::sleep_for(pause);
        auto* job = living(key);
        const auto known = core_.jobs.find(key);
        if (!job || known == core_.jobs.end())
            co_return;
        if (set_frozen(key, *job, known->second.suspensions.since.has_value())) {
            job->freezing = false;
            co_return;
        }
    }
}

} // namespace jarvis::noded
