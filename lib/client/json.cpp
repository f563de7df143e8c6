#include "client/json.hpp"

#include "base/escape.hpp"
#include "base/hostlist.hpp"
#include "base/units.hpp"
#include "client/job_table.hpp"
#include "client/job_text.hpp"
#include "client/placement_text.hpp"
#include "client/state_text.hpp"
#include "client/step_rows.hpp"
#include "client/submit.hpp"
#include "model/core_set.hpp"
#include "wire/convert.hpp"

#include <boost/json.hpp>

namespace jarvis::client {

namespace {

namespace json = boost::json;

json::string text(std::string_view bytes) { return json::string(escape_invalid_utf8(bytes)); }
json::string id(std::uint64_t number) { return json::string(std::to_string(number)); }
json::string time(std::int64_t us) { return json::string(format_rfc3339(wall_time(us))); }
std::int64_t milliseconds(std::int64_t us) { return us / 1000; }

// What is unknown or not said is null, so that a reader need not ask for a member first.
template <class F>
json::value if_there(bool there, F value)
{
    return there ? json::value(value()) : json::value(nullptr);
}

template <class List>
json::array texts(const List& list)
{
    json::array array;
    for (const auto& one : list)
        array.push_back(text(one));
    return array;
}

std::string hosts(const google::protobuf::RepeatedPtrField<std::string>& names)
{
    return compress_hostlist(std::vector<std::string>(names.begin(), names.end()));
}

// What an option had, as it would be typed.
template <class Message, class Format>
json::value written(bool there, const Message& message, Format format)
{
    const auto value = wire::from_message(message);
    return if_there(there && value, [&] { return text(format(*value)); });
}

std::string document(const json::object& object) { return json::serialize(object) + "\n"; }

json::object end_object(const wire::JobEnd& end)
{
    json::object object;
    object["state"] = state_name(end.state());
    object["class"] = end.end_class() <= static_cast<std::uint32_t>(EndClass::system) ? name(static_cast<EndClass>(end.end_class()))
                                                                                      : std::string_view("unknown");
    object["exit_code"] = if_there(end.has_exit_code(), [&] { return end.exit_code(); });
    object["signal"] = if_there(end.signal() > 0, [&] { return json::string(signal_name(end.signal())); });
    object["cause"] = text(end.cause());
    return object;
}

json::object usage_object(const wire::Usage& usage)
{
    json::object object;
    object["elapsed_ms"] = milliseconds(usage.elapsed_us());
    object["cpu_user_ms"] = milliseconds(usage.cpu_user_us());
    object["cpu_system_ms"] = milliseconds(usage.cpu_system_us());
    object["memory_peak_bytes"] = if_there(usage.has_memory_peak(), [&] { return usage.memory_peak(); });
    const auto& detail = usage.detail(); // of one that is absent nothing is there
    object["page_cache_bytes"] = if_there(detail.has_page_cache(), [&] { return detail.page_cache(); });
    object["largest_process_bytes"] = if_there(detail.has_largest_process(), [&] { return detail.largest_process(); });
    object["major_faults"] = if_there(detail.has_major_faults(), [&] { return detail.major_faults(); });
    object["read_bytes"] = if_there(detail.has_read(), [&] { return detail.read(); });
    object["written_bytes"] = if_there(detail.has_written(), [&] { return detail.written(); });
    object["throttled_ms"] = if_there(detail.has_throttled_us(), [&] { return milliseconds(detail.throttled_us()); });
    object["cpu_pressure_ms"] = if_there(detail.has_cpu_pressure_us(), [&] { return milliseconds(detail.cpu_pressure_us()); });
    object["memory_pressure_ms"] = if_there(detail.has_memory_pressure_us(), [&] { return milliseconds(detail.memory_pressure_us()); });
    object["io_pressure_ms"] = if_there(detail.has_io_pressure_us(), [&] { return milliseconds(detail.io_pressure_us()); });
    return object;
}

json::object wishes_object(const wire::PlacementWishes& wishes)
{
    const auto count = [](std::uint32_t number) { return if_there(number > 0, [&] { return number; }); };
    json::array devices;
    for (const auto& device : wishes.devices())
        devices.push_back(json::object{{"resource", text(device.resource())},
                                       {"type", if_there(!device.type().empty(), [&] { return text(device.type()); })},
                                       {"count", device.count()}});
    json::object object;
    object["place"] = place_word(wishes.place());
    object["memory"] = memory_binding_word(wishes.memory());
    object["alone_on"] = alone_on_word(wishes.alone_on());
    object["numa_nodes"] = count(wishes.numa_nodes());
    object["tasks_per_package"] = count(wishes.tasks_per_package());
    object["tasks_per_numa"] = count(wishes.tasks_per_numa());
    object["tasks_per_l3"] = count(wishes.tasks_per_l3());
    object["threads_per_core"] = count(wishes.threads_per_core());
    object["over_nodes"] = distribution_word(wishes.over_nodes());
    object["inside"] = distribution_word(wishes.inside());
    object["plane"] = count(wishes.plane());
    object["devices"] = std::move(devices);
    object["near_devices"] = wishes.near_devices();
    json::array pages;
    for (const auto& size : wishes.huge_pages())
        pages.push_back(json::object{{"size_bytes", size.size()}, {"count", size.count()}});
    object["huge_pages"] = std::move(pages);
    object["isolated"] = wishes.isolated();
    return object;
}

json::object request_object(const wire::JobRequest& request)
{
    json::object object;
    const auto& resources = request.resources();
    object["tasks"] = resources.tasks();
    object["cpus_per_task"] = resources.cpus_per_task();
    object["memory_per_node_bytes"] = if_there(resources.has_memory_per_node(), [&] { return resources.memory_per_node(); });
    object["memory_per_cpu_bytes"] = if_there(resources.has_memory_per_cpu(), [&] { return resources.memory_per_cpu(); });
    object["exclusive"] = resources.exclusive();
    object["nodes_min"] = if_there(resources.nodes_min() > 0, [&] { return resources.nodes_min(); });
    object["nodes_max"] = if_there(resources.nodes_max() > 0, [&] { return resources.nodes_max(); });
    object["tasks_per_node"] = if_there(resources.tasks_per_node() > 0, [&] { return resources.tasks_per_node(); });
    object["contiguous"] = resources.contiguous();
    object["wishes"] = if_there(resources.has_wishes(), [&] { return wishes_object(resources.wishes()); });
    object["constraint"] = if_there(!request.constraint().empty(), [&] { return text(request.constraint()); });
    object["node_list"] = text(hosts(request.node_list()));
    object["exclude"] = text(hosts(request.exclude()));
    object["array"] = written(request.has_array(), request.array(), format_array_spec);
    object["dependency"] = written(request.has_dependencies(), request.dependencies(), format_dependencies);
    object["kill_on_invalid_dependency"] = request.kill_on_invalid_dependency();
    object["retry"] = written(request.retry().times() > 0, request.retry(), format_retry);
    object["begin"] = if_there(request.has_begin_us(), [&] { return time(request.begin_us()); });
    object["nice"] = request.nice();
    object["requeue"] = if_there(request.has_requeue(), [&] { return request.requeue(); });
    object["arguments"] = texts(request.arguments());
    object["folder"] = text(request.working_directory());
    object["output"] = text(request.output());
    object["error"] = text(request.error());
    object["input"] = text(request.input());
    object["comment"] = text(request.comment());
    object["mail_type"] = text(request.mail_type());
    object["mail_user"] = text(request.mail_user());
    object["submit_host"] = text(request.submit_host());
    object["submit_folder"] = text(request.submit_directory());
    return object;
}

json::object place_object(const wire::JobNode& node)
{
    json::object object;
    object["node"] = text(node.name());
    object["cores"] = text(node.cores());
    json::array memory;
    for (const auto& share : node.memory())
        memory.push_back(json::object{{"numa", share.numa()}, {"memory_bytes", share.memory()}});
    object["memory"] = std::move(memory);
    object["confinement"] = text(node.confinement());
    object["enforced"] = text(node.enforced());
    object["pus"] = if_there(!node.pus().empty(), [&] { return text(node.pus()); });
    json::array devices;
    for (const auto& device : node.devices())
        devices.push_back(json::object{{"resource", text(device.resource())},
                                       {"type", if_there(!device.type().empty(), [&] { return text(device.type()); })},
                                       {"address", text(device.address())}});
    object["devices"] = std::move(devices);
    return object;
}

void add_detail(json::object& object, const wire::JobDetail& detail)
{
    object["suspended_by"] = if_there(!detail.suspended_by().empty(), [&] { return text(detail.suspended_by()); });
    object["suspended_us"] = detail.suspended_us();
    object["steps_ended"] = detail.steps();
    object["steps_failed"] = detail.steps_failed();
    object["held"] = detail.held();
    object["held_by"] = if_there(!detail.held_by().empty(), [&] { return text(detail.held_by()); });
    object["dependency"] = if_there(!detail.dependency().empty(), [&] { return text(detail.dependency()); });
    object["retries_used"] = detail.retries_used();
    object["cancelled_by"] = if_there(!detail.cancelled_by().empty(), [&] { return text(detail.cancelled_by()); });
    object["output_path"] = if_there(!detail.output_path().empty(), [&] { return text(detail.output_path()); });
    object["error_path"] = if_there(!detail.error_path().empty(), [&] { return text(detail.error_path()); });
    object["input_path"] = if_there(!detail.input_path().empty(), [&] { return text(detail.input_path()); });
    object["request"] = if_there(detail.has_request(), [&] { return request_object(detail.request()); });
    json::array places;
    for (const auto& node : detail.nodes())
        places.push_back(place_object(node));
    object["placement"] = std::move(places);
}

// An array's own record, which stands for the tasks that have not started.
bool row_is_array(const JobRow& row)
{
    return row.summary->pending_tasks().first_size() > 0 || (row.detail && row.detail->request().has_array());
}

json::object step_object(const wire::StepEnd& step)
{
    json::object object;
    object["step"] = step.step();
    object["name"] = text(step.name());
    object["state"] = name(state_of(step));
    object["nodes"] = text(step.node_list());
    object["node_count"] = step.node_count();
    object["tasks"] = step.tasks();
    object["cores"] = step.cores();
    object["started"] = time(step.started_us());
    object["ended"] = time(step.ended_us());
    object["exit_code"] = step.exit_code();
    object["signal"] = if_there(step.signal() != 0, [&] { return step.signal(); });
    object["cause"] = if_there(!step.cause().empty(), [&] { return text(step.cause()); });
    object["usage"] = usage_object(step.usage());
    return object;
}

json::object job_object(const JobRow& row, WallTime now)
{
    const auto& job = *row.summary;
    json::object object;
    const bool array = job.has_task() || row_is_array(row);
    object["id"] = text(job_id_text(job));
    object["array"] = if_there(array, [&] { return text(array_text(job)); });
    object["task"] = if_there(job.has_task(), [&] { return job.task(); });
    object["tasks_not_started"] = if_there(job.pending_tasks().first_size() > 0, [&] { return text(tasks_text(job.pending_tasks())); });
    object["throttle"] = if_there(job.throttle() > 0, [&] { return job.throttle(); });
    object["name"] = text(job.name());
    object["user"] = text(job.user());
    object["uid"] = job.uid();
    object["partition"] = text(job.partition());
    object["state"] = state_name(job.state());
    object["reason"] = if_there(job.has_reason(), [&] {
        return json::object{{"code", text(job.reason().code())}, {"text", text(job.reason().text())}};
    });
    object["submitted"] = time(job.submitted_us());
    object["started"] = if_there(job.has_started_us(), [&] { return time(job.started_us()); });
    object["ended"] = if_there(job.has_ended_us(), [&] { return time(job.ended_us()); });
    const auto elapsed = elapsed_time(row, now);
    object["elapsed_ms"] = if_there(elapsed.has_value(), [&] { return milliseconds(elapsed->count()); });
    const bool limited = job.has_time_limit_us() && Duration(job.time_limit_us()) < max_duration;
    object["time_limit_ms"] = if_there(limited, [&] { return milliseconds(job.time_limit_us()); });
    object["cores"] = job.cores();
    object["memory_bytes"] = job.memory();
    object["nodes"] = text(job.nodes());
    object["node_count"] = job.node_count();
    object["restarts"] = job.incarnation() > 0 ? job.incarnation() - 1 : 0;
    object["priority"] = job.priority();
    object["end"] = if_there(job.has_end(), [&] { return end_object(job.end()); });
    object["usage"] = if_there(job.has_usage(), [&] { return usage_object(job.usage()); });
    if (row.detail)
        add_detail(object, *row.detail);
    if (!row.steps.empty()) {
        json::array steps;
        for (const auto& step : row.steps)
            steps.push_back(step_object(step));
        object["steps"] = std::move(steps);
    }
    return object;
}

json::object error_object(const wire::Error& error)
{
    constexpr std::string_view codes[] = {"invalid", "not_found", "denied", "unavailable", "corrupt"};
    return {{"code", error.code() < std::size(codes) ? codes[error.code()] : std::string_view("unknown")},
            {"message", text(error.message())}};
}

json::object node_object(const wire::NodeView& node)
{
    json::object object;
    object["name"] = text(node.name());
    object["state"] = text(node.state());
    object["partitions"] = texts(node.partitions());
    object["cores"] = node.cores();
    object["cores_used"] = node.cores_used();
    object["memory_bytes"] = node.memory();
    object["memory_used_bytes"] = node.memory_used();
    object["reason"] = if_there(!node.reason().empty(), [&] { return text(node.reason()); });
    object["reason_by"] = if_there(!node.reason_by().empty(), [&] { return text(node.reason_by()); });
    object["reason_time"] = if_there(node.reason_us() > 0, [&] { return time(node.reason_us()); });
    object["confinement"] = text(node.confinement());
    object["capabilities"] = text(node.capabilities());
    object["notes"] = texts(node.notes());
    object["version"] = text(node.version());
    object["boot_id"] = text(node.boot_id());
    object["last_heard"] = if_there(node.last_heard_us() > 0, [&] { return time(node.last_heard_us()); });
    json::array jobs, numa_nodes;
    for (auto job : node.jobs())
        jobs.push_back(id(job));
    if (node.job_names_size() > 0)
        jobs = texts(node.job_names());
    object["features"] = texts(node.features());
    object["class"] = if_there(!node.node_class().empty(), [&] { return text(node.node_class()); });
    object["violations"] = texts(node.violations());
    object["jobs"] = std::move(jobs);
    for (int i = 0; i < node.topology().numa_nodes_size(); ++i) {
        const auto& numa = node.topology().numa_nodes(i);
        std::int64_t used = 0;
        for (const auto& share : node.numa_used())
            used += share.numa() == static_cast<std::uint32_t>(i) ? share.memory() : 0;
        const auto cores = CoreSet::from_words({numa.core_words().begin(), numa.core_words().end()});
        numa_nodes.push_back(json::object{{"numa", i}, {"cores", format_list(cores)}, {"memory_bytes", numa.memory()},
                                          {"memory_used_bytes", used}});
    }
    object["numa_nodes"] = std::move(numa_nodes);
    return object;
}

} // namespace

std::string jobs_json(const Jobs& jobs, WallTime now)
{
    json::array list, unknown;
    for (const auto& row : rows_of(jobs))
        list.push_back(job_object(row, now));
    for (auto job : jobs.unknown_ids)
        unknown.push_back(id(job));
    for (const auto& selection : jobs.unknown_selections)
        unknown.push_back(text(selection_text(selection)));
    json::object object{
        {"schema", "jarvis.jobs/1"}, {"sequence", id(jobs.sequence)}, {"jobs", std::move(list)}, {"unknown", std::move(unknown)}};
    if (!jobs.history_missing.empty())
        object["history_missing"] = text(jobs.history_missing);
    return document(object);
}

std::string events_json(const wire::EventGroupView& group)
{
    std::string lines;
    for (int i = 0; i < group.events_size(); ++i) {
        const auto& event = group.events(i);
        const auto or_null = [](const std::string& bytes) { return if_there(!bytes.empty(), [&] { return text(bytes); }); };
        json::object data;
        for (const auto& field : event.fields())
            data[escape_invalid_utf8(field.name())] =
                field.value_case() == wire::EventField::kNumber ? json::value(field.number()) : json::value(text(field.text()));
        lines += document({{"schema", "jarvis.events/1"},
                           {"sequence", id(group.sequence())},
                           {"index", i},
                           {"time", time(group.wall_us())},
                           {"event", text(event.name())},
                           {"job", or_null(event.job())},
                           {"node", or_null(event.node())},
                           {"cause", json::object{{"command", or_null(event.command())}, {"by", or_null(event.by())}, {"from", or_null(event.from())}}},
                           {"data", std::move(data)}});
    }
    return lines;
}

std::string submit_json(const wire::SubmitReply& reply, std::string_view request_id)
{
    json::object object{{"schema", "jarvis.submit/1"}};
    object["id"] = if_there(reply.job_id() > 0, [&] { return id(reply.job_id()); });
    object["request"] = json::string(request_id_text(request_id));
    object["would_start_now"] = if_there(reply.job_id() == 0, [&] { return reply.would_start_now(); });
    object["text"] = if_there(!reply.text().empty(), [&] { return text(reply.text()); });
    object["warnings"] = texts(reply.warnings());
    json::array places;
    for (const auto& node : reply.nodes())
        places.push_back(place_object(node));
    object["placement"] = std::move(places);
    return document(object);
}

std::string end_json(const wire::JobDetail& job, WallTime now)
{
    return document({{"schema", "jarvis.end/1"}, {"job", job_object({&job.summary(), &job}, now)}});
}

std::string change_json(const wire::ChangeReply& reply)
{
    json::array items;
    for (const auto& item : reply.items()) {
        json::object object;
        if (!item.node().empty())
            object["node"] = text(item.node());
        else
            object["id"] = text(changed_text(item));
        object["error"] = if_there(item.has_error(), [&] { return error_object(item.error()); });
        items.push_back(std::move(object));
    }
    return document({{"schema", "jarvis.change/1"}, {"items", std::move(items)}});
}

std::string nodes_json(const wire::NodeList& nodes, std::uint64_t sequence)
{
    json::array list;
    for (const auto& node : nodes.nodes())
        list.push_back(node_object(node));
    return document({{"schema", "jarvis.nodes/1"}, {"sequence", id(sequence)}, {"nodes", std::move(list)}, {"unknown", texts(nodes.unknown_names())}});
}

std::string node_check_json(const wire::NodeAnswers& answers)
{
    json::array nodes;
    for (const auto& item : answers.items()) {
        boost::system::error_code problem;
        auto node = json::parse(item.check().json(), problem);
        if (problem || !node.is_object())
            node = json::object{{"node", text(item.node())}};
        node.as_object()["error"] = if_there(item.has_error(), [&] { return error_object(item.error()); });
        nodes.push_back(std::move(node));
    }
    return document({{"schema", "jarvis.node_check/1"}, {"nodes", std::move(nodes)}, {"unknown", texts(answers.unknown_names())}});
}

std::string admin_json(std::string_view action, const wire::AdminReply& reply)
{
    json::object object{{"schema", "jarvis.admin/1"}, {"action", action}, {"text", text(reply.text())}};
    boost::system::error_code problem;
    auto result = json::parse(reply.json(), problem);
    object["result"] = problem ? json::value(nullptr) : std::move(result);
    return document(object);
}

} // namespace jarvis::client
