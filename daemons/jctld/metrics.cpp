#include "metrics.hpp"

#include "base/version.hpp"
#include "model/job_state.hpp"

namespace jarvis::jctld {

namespace {

using Maker = daemon::Metric& (daemon::Metrics::*)(std::string_view, std::string_view, const daemon::MetricLabels&);

// One value of a family for each name.
template <class Names>
ControllerMetrics::ByName by_name(daemon::Metrics& registry, Maker make, std::string_view family, std::string_view help, const char* label,
                                  const Names& names)
{
    ControllerMetrics::ByName values;
    for (const auto& name : names)
        values.emplace(name, &(registry.*make)(family, help, {{label, std::string(name)}}));
    return values;
}

std::vector<std::string_view> job_states(bool (*wanted)(JobState))
{
    std::vector<std::string_view> names;
    for (const JobState state : all_job_states)
        if (wanted(state))
            names.push_back(name(state));
    return names;
}

std::string_view request_name(wire::Request::BodyCase kind)
{
    switch (kind) {
    case wire::Request::kSubmit: return "submit";
    case wire::Request::kChangeJobs: return "change_jobs";
    case wire::Request::kChangeNodes: return "change_nodes";
    case wire::Request::kQueryJobs: return "query_jobs";
    case wire::Request::kQueryNodes: return "query_nodes";
    case wire::Request::kQueryHistory: return "query_history";
    case wire::Request::kWaitJob: return "wait_job";
    case wire::Request::kAdmin: return "admin";
    case wire::Request::kReadEvents: return "read_events";
    case wire::Request::kAskNodes: return "ask_nodes";
    default: return "other";
    }
}

constexpr std::array<std::string_view, 11> request_names{"submit",   "change_jobs", "change_nodes", "query_jobs", "query_nodes", "query_history",
                                                         "wait_job", "admin",       "read_events",  "ask_nodes",  "other"};
// By Errc.
constexpr std::array<std::string_view, 5> error_names{"invalid", "not_found", "denied", "unavailable", "corrupt"};
constexpr std::array<std::string_view, 7> node_states{"idle", "mixed", "allocated", "draining", "drained", "unreachable", "down"};

} // namespace

ControllerMetrics::ControllerMetrics()
    : jobs(by_name(registry_, &daemon::Metrics::gauge, "jarvis_jobs", "Jobs that the controller knows, by state.", "state",
                   job_states([](JobState) { return true; }))),
      job_ends(by_name(registry_, &daemon::Metrics::counter, "jarvis_job_ends", "Jobs that ended, by state.", "state",
                       job_states(is_final))),
      submits(registry_.counter("jarvis_job_submits", "Jobs that were taken.")),
      starts(registry_.counter("jarvis_job_starts", "Starts of jobs; a job that was requeued has several.")),
      requeues(registry_.counter("jarvis_job_requeues", "Jobs that were put back into the queue.")),
      nodes(by_name(registry_, &daemon::Metrics::gauge, "jarvis_nodes", "Declared nodes, by state.", "state", node_states)),
      events(registry_.counter("jarvis_events", "Events that became durable.")),
      groups(registry_.counter("jarvis_event_groups", "Groups of events that became durable.")),
      sequence(registry_.gauge("jarvis_sequence", "The number of the last group of events.")),
      appends(registry_.counter("jarvis_journal_appends", "Appends to the journal, each with one sync to the disk.")),
      failed_appends(registry_.counter("jarvis_journal_failed_appends", "Appends that failed or whose outcome is unknown.")),
      append_time(registry_.seconds("jarvis_journal_append_seconds", "Time that appends took, mostly the disk's sync.")),
      clients(registry_.gauge("jarvis_connections", "Open connections, by who is at the other end.", {{"peer", "client"}})),
      node_connections(registry_.gauge("jarvis_connections", "", {{"peer", "node"}})),
      opened(registry_.counter("jarvis_connections_opened", "Connections that were accepted.")),
      from_nodes(registry_.counter("jarvis_node_messages", "Messages of and to nodes.", {{"direction", "received"}})),
      to_nodes(registry_.counter("jarvis_node_messages", "", {{"direction", "sent"}})),
      requests_(by_name(registry_, &daemon::Metrics::counter, "jarvis_requests", "Requests of clients, by kind.", "kind", request_names)),
      refused_(by_name(registry_, &daemon::Metrics::counter, "jarvis_refused_requests",
                       "Requests that were answered with an error, by the kind of error.", "code", error_names))
{
    registry_.gauge("jarvis_build", "Always 1; which version this is.", {{"version", std::string(version)}}).set(1);
}

daemon::Metric& ControllerMetrics::request(wire::Request::BodyCase kind) { return *requests_.find(request_name(kind))->second; }

daemon::Metric& ControllerMetrics::refused(Errc code)
{
    return *refused_.find(error_names.at(static_cast<std::size_t>(code)))->second;
}

} // namespace jarvis::jctld
