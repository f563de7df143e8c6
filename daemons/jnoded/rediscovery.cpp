// The node's machine changes while it runs: it looks again and registers anew.
#include "node_daemon.hpp"

#include "daemon/deadline.hpp"
#include "daemon/log.hpp"
#include "daemon/off_loop.hpp"
#include "node_offer.hpp"
#include "topology_change.hpp"
#include "wire/job_id.hpp"

#include <algorithm>
#include <fstream>

namespace jarvis::noded {
namespace {

using daemon::log;

// A registration has room for 64 notes, and some are taken.
constexpr std::size_t most_lost_notes = 16;

// CPU 0 of most machines has no such file: it cannot go offline.
bool is_offline(std::uint32_t pu)
{
    std::ifstream file(fmt::format("/sys/devices/system/cpu/cpu{}/online", pu));
    char online = '1';
    return file.get(online) && online == '0';
}

bool has_pu(const Core& core, std::uint32_t pu) { return std::ranges::find(core.pus, pu) != core.pus.end(); }

bool has_all_of(const Topology& topology, const Topology& known)
{
    return topology.cores.size() >= known.cores.size() && topology.numa_nodes.size() >= known.numa_nodes.size() &&
           topology.devices.size() >= known.devices.size();
}

} // namespace

// Where a job has a PU that is not there any more: the kernel runs it on what is left to it.
std::vector<std::string> NodeDaemon::lost_under_jobs(const Topology& fresh) const
{
    std::vector<std::string> notes;
    if (!setup_.bound)
        return notes;
    for (const auto& [key, job] : core_.jobs) {
        if (job.phase == node::Phase::ended)
            continue;
        const auto order = setup_.folder.read_order(key);
        if (!order || !*order)
            continue;
        for (const auto pu : (*order)->pus()) {
            if (notes.size() == most_lost_notes)
                return notes;
            if (std::ranges::any_of(fresh.cores, [&](const Core& core) { return has_pu(core, pu); }))
                continue;
            const auto core = std::ranges::find_if(known_.cores, [&](const Core& c) { return has_pu(c, pu); });
            if (core != known_.cores.end())
                notes.push_back(fmt::format("core {} (PU {}) {} while job {} has it", core - known_.cores.begin(), pu,
                                            is_offline(pu) ? "went offline" : "is no longer given", key.job));
        }
    }
    return notes;
}

// While jobs are here indexes keep their meaning, so that none gets a core that another one has.
void NodeDaemon::adopt(Offer offer)
{
    auto notes = std::move(offer.notes);
    for (auto& lost : lost_under_jobs(offer.topology))
        notes.push_back(std::move(lost));
    Kept kept{.topology = std::move(offer.topology)};
    if (!core_.jobs.empty())
        kept = keep_indexes(known_, std::move(kept.topology));
    held_back_ = !core_.jobs.empty() && !has_all_of(kept.topology, known_);
    if (kept.more > 0)
        notes.push_back(fmt::format("{} cores are not given before the jobs here have ended: this machine has changed", kept.more));
    if (!held_back_)
        known_ = kept.topology;
    if (kept.topology == setup_.topology && notes == setup_.notes)
        return;
    log().warn("this machine has changed: {} cores and {} NUMA nodes are given to jobs now; registering anew", kept.topology.cores.size(),
               kept.topology.numa_nodes.size());
    for (const auto& note : notes)
        log().warn("{}", note);
    auto& all = registration_.notes;
    std::erase_if(all, [&](const std::string& note) { return std::ranges::find(setup_.notes, note) != setup_.notes.end(); });
    all.insert(all.begin(), notes.begin(), notes.end());
    setup_.notes = std::move(notes);
    setup_.topology = std::move(kept.topology);
    setup_.bound = launch_settings_.bound = offer.bound;
    registration_.topology = setup_.topology;
    controller_.dial_again("this node's machine has changed");
}

// What is cheap to look at says when it is worth to ask hwloc.
asio::awaitable<void> NodeDaemon::watch_machine()
{
    auto seen = setup_.signature;
    while (co_await daemon::sleep_for(setup_.config.jnoded.recheck)) {
        auto signature = co_await daemon::off_loop(pool_, [] { return machine_signature(); });
        const bool may_give_back = held_back_ && core_.jobs.empty();
        if (signature == seen && !may_give_back)
            continue;
        const auto& daemon_settings = setup_.config.jnoded;
        auto found = co_await daemon::off_loop(pool_, [&] { return find_offer(setup_.node, daemon_settings); });
        if (!found) {
            log().error("this machine has changed, and what it has cannot be found out: {}", found.error().message);
            continue;
        }
        seen = std::move(signature);
        adopt(std::move(*found));
    }
}

} // namespace jarvis::noded
