#include "node_metrics.hpp"

#include "base/version.hpp"

namespace jarvis::noded {

namespace {

// By node::Phase.
constexpr std::array<const char*, 4> phase_names{"waiting", "running", "stopping", "ended"};

std::array<daemon::Metric*, 4> phases(daemon::Metrics& registry)
{
    std::array<daemon::Metric*, 4> jobs{};
    for (std::size_t i = 0; i < jobs.size(); ++i)
        jobs.at(i) = &registry.gauge("jarvis_node_jobs", "Jobs on this node, by phase; ended ones until the controller has their end.",
                                     {{"phase", phase_names.at(i)}});
    return jobs;
}

} // namespace

NodeMetrics::NodeMetrics()
    : jobs_(phases(registry_)), starts(registry_.counter("jarvis_node_job_starts", "Jobs that were launched.")),
      ends(registry_.counter("jarvis_node_job_ends", "Jobs that ended, however.")),
      failures(registry_.counter("jarvis_node_launch_failures", "Jobs that could not be launched.")),
      connected(registry_.gauge("jarvis_node_connected", "1 while the node is connected to the controller, else 0.")),
      connections(registry_.counter("jarvis_node_connections", "Connections to the controller; all but the first are reconnects.")),
      from_controller(registry_.counter("jarvis_node_messages", "Messages of and to the controller.", {{"direction", "received"}})),
      to_controller(registry_.counter("jarvis_node_messages", "", {{"direction", "sent"}}))
{
    registry_.gauge("jarvis_build", "Always 1; which version this is.", {{"version", std::string(version)}}).set(1);
}

void NodeMetrics::note(const node::Input& input)
{
    if (const auto* ended = std::get_if<node::JobEnded>(&input)) {
        ends.add();
        failures.add(!ended->facts.launch_error.empty());
    } else if (std::holds_alternative<node::ShepherdDied>(input)) {
        ends.add();
    }
}

void NodeMetrics::count(const node::State& core)
{
    std::array<std::int64_t, 4> counted{};
    for (const auto& [key, job] : core.jobs)
        if (const auto phase = static_cast<std::size_t>(job.phase); phase < counted.size())
            ++counted.at(phase);
    for (std::size_t i = 0; i < counted.size(); ++i)
        jobs_.at(i)->set(counted.at(i));
}

} // namespace jarvis::noded
