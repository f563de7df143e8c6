#include "client/live_usage.hpp"

#include "base/escape.hpp"
#include "base/units.hpp"
#include "client/job_text.hpp"
#include "client/state_text.hpp"

#include <boost/json.hpp>

namespace jarvis::client {

namespace {

namespace json = boost::json;

template <class T>
json::value or_null(const std::optional<T>& value)
{
    return value ? json::value(*value) : json::value(nullptr);
}

json::string text(std::string_view bytes)
{
    return json::string(escape_invalid_utf8(bytes));
}

json::object figures_object(const LiveFigures& f)
{
    return {{"cores", f.cores},
            {"cores_used", or_null(f.cores_used())},
            {"cores_user", or_null(f.user)},
            {"cores_system", or_null(f.system)},
            {"throttled", or_null(f.throttled)},
            {"memory_bytes", or_null(f.memory)},
            {"memory_peak_bytes", or_null(f.peak)},
            {"memory_limit_bytes", or_null(f.limit)},
            {"anonymous_bytes", or_null(f.anonymous)},
            {"shared_bytes", or_null(f.shared)},
            {"page_cache_bytes", or_null(f.page_cache)},
            {"kernel_bytes", or_null(f.kernel)},
            {"major_faults", or_null(f.faults)},
            {"major_faults_per_second", or_null(f.fault_rate)},
            {"read_bytes", or_null(f.read)},
            {"read_bytes_per_second", or_null(f.read_rate)},
            {"written_bytes", or_null(f.written)},
            {"written_bytes_per_second", or_null(f.write_rate)},
            {"cpu_pressure_percent", or_null(f.cpu_pressure)},
            {"memory_pressure_percent", or_null(f.memory_pressure)},
            {"io_pressure_percent", or_null(f.io_pressure)},
            {"processes", or_null(f.processes)},
            {"threads", or_null(f.threads)},
            {"threads_limit", or_null(f.threads_limit)}};
}

} // namespace

std::string live_json(const wire::JobDetail& job, const LiveUsage& usage, WallTime now)
{
    json::array nodes;
    for (const auto& node : usage.nodes) {
        auto object = figures_object(node.figures);
        object["node"] = text(node.name);
        object["error"] = node.error.empty() ? json::value(nullptr) : json::value(text(node.error));
        json::array notes;
        for (const auto& note : node.notes)
            notes.push_back(text(note));
        object["notes"] = std::move(notes);
        nodes.push_back(std::move(object));
    }
    const auto left = time_left(job);
    const json::object object{{"schema", "jarvis.usage/1"},
                              {"time", format_rfc3339(now)},
                              {"id", job_id_text(job.summary())},
                              {"state", state_name(job.summary().state())},
                              {"elapsed_ms", job.elapsed_us() / 1000},
                              {"left_ms", left ? json::value(left->count() / 1000) : json::value(nullptr)},
                              {"sum", figures_object(usage.sum)},
                              {"nodes", std::move(nodes)}};
    return json::serialize(object) + "\n";
}

} // namespace jarvis::client
