#include "event_view.hpp"

#include "base/hostlist.hpp"
#include "base/index_set.hpp"
#include "model/job_state.hpp"

namespace jarvis::jctld {

namespace {

// Longer text, such as a list of very many tasks, is cut.
constexpr std::size_t longest_text = 4096;

// An event is called as its type is: "JobStarted".
template <class Event>
std::string_view event_name()
{
    std::string_view text = __PRETTY_FUNCTION__; // "... [with Event = jarvis::cluster::JobStarted; std::string_view = ...]"
    text.remove_prefix(text.find("Event = ") + std::string_view("Event = ").size());
    text = text.substr(0, text.find_first_of(";]"));
    return text.substr(text.rfind(':') + 1);
}

class Writer {
    wire::EventView& view_;
    const std::vector<NodeBrief>& nodes_;

    wire::EventField& field(std::string_view name)
    {
        auto& field = *view_.add_fields();
        field.set_name(std::string(name));
        return field;
    }
    void text(std::string_view name, std::string_view value)
    {
        if (!value.empty())
            field(name).set_text(std::string(value.substr(0, longest_text)));
    }
    void number(std::string_view name, std::int64_t value) { field(name).set_number(value); }

    std::string node_name(NodeId node) const { return node.value < nodes_.size() ? nodes_[node.value].name : fmt::format("node {}", node); }

    void put(const Placement& placement)
    {
        std::vector<std::string> names;
        std::int64_t cores = 0;
        for (const auto& part : placement.nodes) {
            names.push_back(node_name(part.node));
            cores += part.cores.count();
        }
        text("nodes", compress_hostlist(names));
        number("cores", cores);
    }
    void put(const JobRequest& request)
    {
        text("user", request.account->user);
        text("name", request.name);
        text("partition", *request.partition);
        number("tasks", request.resources.tasks);
    }
    void put(const JobEnd& end)
    {
        text("state", name(end.state));
        text("class", name(end.end_class));
        if (end.exit_code)
            number("exit_code", *end.exit_code);
        if (end.signal != 0)
            number("signal", end.signal);
        text("end_cause", end.cause);
    }
    void put(const Usage& usage)
    {
        number("elapsed_ms", usage.elapsed.count() / 1000);
        number("cpu_ms", (usage.cpu_user + usage.cpu_system).count() / 1000);
        if (usage.memory_peak)
            number("memory_peak_bytes", usage.memory_peak->bytes);
    }
    void put(const cluster::Registration& registration)
    {
        text("version", registration.version);
        text("boot_id", registration.boot_id);
        number("cores", static_cast<std::int64_t>(registration.topology.cores.size()));
        number("memory_bytes", registration.topology.memory().bytes);
    }

public:
    Writer(wire::EventView& view, const std::vector<NodeBrief>& nodes) : view_(view), nodes_(nodes) {}

    // Whatever members an event has, by their names, so that an event that is added is in the feed too.
    template <class Event>
    void operator()(const Event& e)
    {
        view_.set_name(std::string(event_name<Event>()));
        if constexpr (requires { { e.job } -> std::convertible_to<JobId>; })
            view_.set_job(fmt::format("{}", JobId(e.job)));
        else if constexpr (requires { { e.job.job } -> std::convertible_to<JobId>; })
            view_.set_job(fmt::format("{}", e.job.job));
        else if constexpr (requires { { e.array } -> std::convertible_to<JobId>; })
            view_.set_job(fmt::format("{}", JobId(e.array)));
        if constexpr (requires { { e.node } -> std::convertible_to<NodeId>; })
            view_.set_node(node_name(e.node));
        if constexpr (requires { e.incarnation.value; })
            number("incarnation", e.incarnation.value);
        if constexpr (requires { e.request->account; })
            put(*e.request);
        if constexpr (requires { format_index_set(e.tasks); })
            text("tasks", format_index_set(e.tasks));
        if constexpr (requires { { e.placement } -> std::convertible_to<Placement>; })
            put(e.placement);
        if constexpr (requires { { e.priority } -> std::convertible_to<std::int64_t>; })
            number("priority", e.priority);
        if constexpr (requires { e.hold.by; })
            text("by", e.hold.by);
        if constexpr (requires { { e.by } -> std::convertible_to<std::string>; })
            text("by", e.by);
        if constexpr (requires { e.stop.cause; })
            text("stop_cause", e.stop.cause);
        if constexpr (requires { { e.end } -> std::convertible_to<JobEnd>; })
            put(e.end);
        else if constexpr (requires { e.end->exit_code; })
            if (e.end)
                put(*e.end);
        if constexpr (requires { e.ending.end; })
            put(e.ending.end);
        if constexpr (requires { { e.usage } -> std::convertible_to<Usage>; })
            put(e.usage);
        if constexpr (requires { { e.cause } -> std::convertible_to<std::string>; })
            text("text", e.cause);
        if constexpr (requires { { e.text } -> std::convertible_to<std::string>; })
            text("text", e.text);
        if constexpr (requires { { e.dependency } -> std::convertible_to<std::int64_t>; })
            number("dependency", e.dependency);
        if constexpr (requires { e.drain.reason; })
            text("reason", e.drain.reason);
        if constexpr (requires { e.down.reason; })
            text("reason", e.down.reason);
        if constexpr (requires { e.registration.topology; })
            put(e.registration);
        if constexpr (requires { e.steps.front().exit_code; })
            number("steps", static_cast<std::int64_t>(e.steps.size()));
        if constexpr (requires { e.epoch.value; })
            number("epoch", static_cast<std::int64_t>(e.epoch.value));
        if constexpr (requires { { e.name } -> std::convertible_to<std::string>; })
            text("name", e.name);
    }
};

} // namespace

wire::EventGroupView event_group_view(const cluster::EventGroup& group, Duration wall_offset, const std::vector<NodeBrief>& nodes)
{
    wire::EventGroupView result;
    result.set_sequence(group.sequence.value);
    result.set_at_us(group.at.time_since_epoch().count());
    result.set_wall_us((group.at.time_since_epoch() + wall_offset).count());
    auto span = group.causes.begin();
    std::uint32_t left = span == group.causes.end() ? 0 : span->events;
    for (const auto& event : group.events) {
        auto& view = *result.add_events();
        std::visit(Writer(view, nodes), event);
        while (left == 0 && span != group.causes.end() && ++span != group.causes.end())
            left = span->events;
        if (span == group.causes.end())
            continue; // of a journal from before there were causes
        --left;
        view.set_command(span->cause.command);
        view.set_by(span->cause.by);
        view.set_from(span->cause.from);
    }
    return result;
}

} // namespace jarvis::jctld
