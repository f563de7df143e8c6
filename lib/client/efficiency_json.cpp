#include "client/efficiency.hpp"

#include "base/escape.hpp"

#include <boost/json.hpp>

namespace jarvis::client {

namespace {

namespace json = boost::json;

json::string text(std::string_view bytes)
{
    return json::string(escape_invalid_utf8(bytes));
}

json::value milliseconds(const std::optional<Duration>& duration)
{
    return duration ? json::value(duration->count() / 1000) : json::value(nullptr);
}

json::value number(const std::optional<std::int64_t>& value)
{
    return value ? json::value(*value) : json::value(nullptr);
}

json::object job_object(const Efficiency& job)
{
    json::object states;
    for (const auto& [state, count] : job.states)
        states[state] = count;
    json::array sentences;
    for (const auto& sentence : advice(job))
        sentences.push_back(text(sentence));
    return {{"id", text(job.id)},
            {"name", text(job.name)},
            {"user", text(job.user)},
            {"states", std::move(states)},
            {"running", job.running},
            {"cores", job.cores},
            {"node_count", job.node_count},
            {"cores_used", job.cpu_share() * job.cores},
            {"core_efficiency", job.cpu_share()},
            {"cpu_ms", job.cpu.count() / 1000},
            {"core_time_held_ms", job.held.count() / 1000},
            {"elapsed_ms", job.elapsed.count() / 1000},
            {"time_limit_ms", milliseconds(job.limit)},
            {"memory_asked_bytes", number(job.memory_asked)},
            {"memory_peak_bytes", number(job.memory_peak)},
            {"memory_held_bytes", number(job.memory_held)},
            {"throttled_ms", milliseconds(job.throttled)},
            {"cpu_pressure_ms", milliseconds(job.cpu_pressure)},
            {"memory_pressure_ms", milliseconds(job.memory_pressure)},
            {"io_pressure_ms", milliseconds(job.io_pressure)},
            {"major_faults", number(job.faults)},
            {"read_bytes", number(job.read)},
            {"written_bytes", number(job.written)},
            {"advice", std::move(sentences)}};
}

} // namespace

std::string efficiency_json(std::span<const Efficiency> jobs, std::span<const std::string> unknown)
{
    json::array list, missing;
    for (const auto& job : jobs)
        list.push_back(job_object(job));
    for (const auto& id : unknown)
        missing.push_back(text(id));
    return json::serialize(json::object{{"schema", "jarvis.efficiency/1"}, {"jobs", std::move(list)}, {"unknown", std::move(missing)}}) +
           "\n";
}

} // namespace jarvis::client
