#include "client/listing.hpp"

#include "base/escape.hpp"
#include "base/units.hpp"
#include "client/job_table.hpp"
#include "client/job_text.hpp"
#include "client/placement_text.hpp"
#include "client/state_text.hpp"
#include "base/hostlist.hpp"
#include "model/core_set.hpp"
#include "wire/convert.hpp"

#include <vector>

namespace jarvis::client {

namespace {

class Listing {
    std::string text_;

public:
    explicit Listing(std::string title) : text_(std::move(title) + "\n") {}

    void add(std::string_view label, const std::string& value)
    {
        if (!value.empty())
            text_ += fmt::format("    {:<14}{}\n", label, value);
    }
    void add_bytes(std::string_view label, std::string_view value) { add(label, escape_for_terminal(value)); }
    const std::string& text() const { return text_; }
};

std::string size_text(std::int64_t bytes) { return format_memory_size(MemorySize{bytes}); }

std::string resources_text(const wire::ResourceRequest& asked)
{
    auto count = [](auto n, std::string_view word) { return fmt::format("{} {}{}", n, word, n == 1 ? "" : "s"); };
    auto text = fmt::format("{}, {} each", count(asked.tasks(), "task"), count(asked.cpus_per_task(), "core"));
    if (asked.has_memory_per_node())
        text += fmt::format(", {} on each node", size_text(asked.memory_per_node()));
    if (asked.has_memory_per_cpu())
        text += fmt::format(", {} for each core", size_text(asked.memory_per_cpu()));
    if (asked.nodes_min() > 0)
        text += asked.nodes_max() == asked.nodes_min() ? ", on " + count(asked.nodes_min(), "node")
                : asked.nodes_max() > 0 ? fmt::format(", on {} to {} nodes", asked.nodes_min(), asked.nodes_max())
                                        : ", on at least " + count(asked.nodes_min(), "node");
    if (asked.tasks_per_node() > 0)
        text += fmt::format(", at most {} on one node", count(asked.tasks_per_node(), "task"));
    if (asked.contiguous())
        text += ", nodes that follow each other";
    return text + (asked.exclusive() ? ", whole nodes" : "");
}

std::string state_line(const wire::JobDetail& job, WallTime now)
{
    const auto& summary = job.summary();
    std::string text(state_name(summary.state()));
    if (const auto elapsed = elapsed_time({&summary, &job}, now))
        text += fmt::format(", {} of {}", duration_text(summary, *elapsed), limit_text(summary));
    else
        text += fmt::format(", time limit {}", limit_text(summary));
    return text;
}

std::string reason_line(const wire::JobSummary& summary)
{
    if (!summary.has_reason())
        return {};
    const auto code = escape_for_terminal(summary.reason().code());
    const auto text = escape_for_terminal(summary.reason().text());
    return text.empty() || text == code ? code : fmt::format("{}: {}", code, text);
}

std::string end_line(const wire::JobSummary& summary)
{
    if (!summary.has_end())
        return {};
    const auto& end = summary.end();
    std::string text;
    if (end.has_exit_code())
        text = fmt::format("exit code {}", end.exit_code());
    else if (end.signal() > 0)
        text = fmt::format("signal {}", signal_name(end.signal()));
    if (!end.cause().empty() && end.cause() != text)
        text += (text.empty() ? "" : "; ") + escape_for_terminal(end.cause());
    if (end.end_class() > 0 && end.end_class() <= static_cast<std::uint32_t>(EndClass::system))
        text += fmt::format(" (class {})", name(static_cast<EndClass>(end.end_class())));
    return text;
}

std::string usage_line(const wire::JobSummary& summary)
{
    if (!summary.has_usage())
        return {};
    const auto& usage = summary.usage();
    auto text = fmt::format("processor time {} user, {} system", duration_text(summary, Duration(usage.cpu_user_us())),
                            duration_text(summary, Duration(usage.cpu_system_us())));
    if (usage.has_memory_peak())
        text += fmt::format("; memory peak {}", size_text(usage.memory_peak()));
    const auto& detail = usage.detail();
    if (detail.has_page_cache() && detail.page_cache() > 0)
        text += fmt::format(" ({} of it page cache at the end)", size_text(detail.page_cache()));
    if (detail.has_largest_process())
        text += fmt::format("; largest process {}", size_text(detail.largest_process()));
    return text;
}

// What slowed it down, and what it moved; only what was counted and is not 0.
std::string pressure_line(const wire::JobSummary& summary)
{
    const auto& detail = summary.usage().detail();
    std::string text;
    const auto add = [&](std::string_view what, const std::string& value) {
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", what, value);
    };
    const auto time = [&](std::string_view what, std::int64_t us) {
        if (us > 0)
            add(what, duration_text(summary, Duration(us)));
    };
    time("waited for processors", detail.cpu_pressure_us());
    time("for memory", detail.memory_pressure_us());
    time("for disks", detail.io_pressure_us());
    time("throttled", detail.throttled_us());
    if (detail.major_faults() > 0)
        add("major faults", fmt::format("{}", detail.major_faults()));
    if (detail.read() > 0)
        add("read", size_text(detail.read()));
    if (detail.written() > 0)
        add("written", size_text(detail.written()));
    return text;
}

std::string warning_line(const wire::JobRequest& request)
{
    if (!request.has_warning())
        return {};
    return fmt::format("{} {} before the time limit{}", signal_name(request.warning().signal()),
                       format_duration_exact(Duration(request.warning().before_us())),
                       request.warning().batch_only() ? ", to the script's own process alone" : "");
}

std::string joined(const google::protobuf::RepeatedPtrField<std::string>& parts, std::string_view between)
{
    std::string text;
    for (const auto& part : parts)
        text += (text.empty() ? "" : std::string(between)) + escape_for_terminal(part);
    return text;
}

std::string hosts_text(const google::protobuf::RepeatedPtrField<std::string>& names)
{
    return escape_for_terminal(compress_hostlist(std::vector<std::string>(names.begin(), names.end())));
}

// The array as it was asked for: "0-98:2,200%10".
std::string array_request_text(const wire::JobRequest& request)
{
    if (!request.has_array())
        return {};
    const auto array = wire::from_message(request.array());
    return array ? format_array_spec(*array) : "?";
}

std::string retry_text(const wire::JobDetail& job)
{
    if (job.request().retry().times() == 0)
        return {};
    const auto rule = wire::from_message(job.request().retry());
    return fmt::format("{} of {}{}", job.retries_used(), job.request().retry().times(),
                       rule ? " done: " + format_retry(*rule) : std::string(" done"));
}

std::string dependency_request_text(const wire::JobRequest& request)
{
    const auto asked = wire::from_message(request.dependencies());
    if (!asked || asked->empty())
        return {};
    return format_dependencies(*asked) + (request.kill_on_invalid_dependency() ? "; cancelled if it can never be met" : "");
}

void add_order(Listing& listing, const wire::JobDetail& job)
{
    const auto& request = job.request();
    listing.add("array", array_request_text(request));
    if (job.summary().pending_tasks().first_size() > 0)
        listing.add("not started", tasks_text(job.summary().pending_tasks()));
    listing.add("dependency", dependency_request_text(request));
    listing.add_bytes("waits for", job.dependency());
    listing.add("retries", retry_text(job));
}

void add_request(Listing& listing, const wire::JobDetail& job)
{
    const auto& request = job.request();
    listing.add("request", resources_text(request.resources()));
    if (request.resources().has_wishes())
        listing.add("placement", wishes_text(request.resources().wishes()));
    listing.add_bytes("constraint", request.constraint());
    listing.add("node list", hosts_text(request.node_list()));
    listing.add("excluded", hosts_text(request.exclude()));
    add_order(listing, job);
    if (request.has_begin_us())
        listing.add("begin", "not before " + format_wall_time(wall_time(request.begin_us())));
    if (request.nice() != 0)
        listing.add("nice", fmt::format("{}", request.nice()));
    listing.add("warning", warning_line(request));
    if (request.has_requeue())
        listing.add("requeue", request.requeue() ? "yes, when a node fails" : "no");
    listing.add("arguments", joined(request.arguments(), " "));
    listing.add_bytes("folder", request.working_directory());
    listing.add_bytes("output", job.output_path().empty() ? request.output() : job.output_path());
    listing.add_bytes("error", job.error_path().empty() ? request.error() : job.error_path());
    listing.add_bytes("input", job.input_path().empty() ? request.input() : job.input_path());
    listing.add_bytes("comment", request.comment());
    if (!request.mail_type().empty() && request.mail_type() != "NONE")
        listing.add_bytes("mail", request.mail_type() + " " + request.mail_user());
    listing.add_bytes("from", request.submit_host().empty() ? "" : request.submit_host() + ":" + request.submit_directory());
}

void add_places(Listing& listing, const wire::JobDetail& job)
{
    std::string_view label = "nodes";
    std::vector<std::string> confinements;
    for (const auto& node : job.nodes()) {
        listing.add(label, fmt::format("{}: {}", escape_for_terminal(node.name()), placement_text(node)));
        label = "";
        const auto text = confinement_text(node);
        if (confinements.empty() || confinements.back() != text)
            confinements.push_back(text);
    }
    for (const auto& text : confinements)
        listing.add("confinement", text);
}

// Whether a list such as "freeze,kill" has a word.
bool lists(std::string_view list, std::string_view word)
{
    return fmt::format(",{},", list).find(fmt::format(",{},", word)) != std::string::npos;
}

CoreSet cores_of(const google::protobuf::RepeatedField<std::uint64_t>& words)
{
    return CoreSet::from_words({words.begin(), words.end()});
}

// A controller that knows no arrays gives numbers alone.
std::string jobs_text(const wire::NodeView& node)
{
    if (node.job_names_size() > 0)
        return joined(node.job_names(), ",");
    return fmt::format("{}", fmt::join(node.jobs(), ","));
}

void add_topology(Listing& listing, const wire::NodeView& node)
{
    for (int i = 0; i < node.topology().numa_nodes_size(); ++i) {
        const auto& numa = node.topology().numa_nodes(i);
        std::int64_t used = 0;
        for (const auto& share : node.numa_used())
            used += share.numa() == static_cast<std::uint32_t>(i) ? share.memory() : 0;
        const auto cores = format_list(cores_of(numa.core_words()));
        listing.add(fmt::format("NUMA node {}", i), fmt::format("cores {}; memory {} used of {}", cores.empty() ? "none" : cores,
                                                                size_text(used), size_text(numa.memory())));
    }
}

} // namespace

std::string confinement_text(const wire::JobNode& node)
{
    const auto level = escape_for_terminal(node.confinement());
    if (node.enforced().empty() || node.enforced() == "none")
        return fmt::format("memory is counted, not enforced yet ({})", level);
    const auto enforced = escape_for_terminal(node.enforced());
    if (lists(node.enforced(), "memory"))
        return fmt::format("enforced: {} ({})", enforced, level);
    return fmt::format("memory is counted, not enforced yet ({}: {})", level, enforced);
}

std::string test_text(const wire::SubmitReply& reply)
{
    auto text = escape_for_terminal(reply.text()) + "\n";
    for (const auto& node : reply.nodes())
        text += fmt::format("    {}: {}\n", escape_for_terminal(node.name()), placement_text(node));
    return text;
}

std::string job_listing(const wire::JobDetail& job, WallTime now, const Style& style)
{
    const auto& summary = job.summary();
    Listing listing(fmt::format("Job {}  {}", job_id_text(summary), escape_for_terminal(summary.name())));
    listing.add("user", fmt::format("{} ({})", escape_for_terminal(summary.user()), summary.uid()));
    listing.add_bytes("partition", summary.partition());
    listing.add("state", paint(state_line(job, now), state_colour(summary.state()), style));
    listing.add("reason", reason_line(summary));
    if (!job.suspended_by().empty())
        listing.add("suspended", "by " + escape_for_terminal(job.suspended_by()));
    if (job.suspended_us() > 0)
        listing.add("stood still", format_duration(Duration(job.suspended_us())));
    if (job.steps() > 0)
        listing.add("steps", fmt::format("{} ended{}", job.steps(), job.steps_failed() > 0 ? fmt::format(", {} failed", job.steps_failed()) : ""));
    if (job.held())
        listing.add("held", job.held_by().empty() ? "yes" : "by " + escape_for_terminal(job.held_by()));
    if (!job.cancelled_by().empty())
        listing.add("cancelled", "by " + escape_for_terminal(job.cancelled_by()));
    listing.add("end", end_line(summary));
    listing.add("submitted", format_wall_time(wall_time(summary.submitted_us())));
    if (summary.has_started_us())
        listing.add("started", format_wall_time(wall_time(summary.started_us())));
    if (summary.has_ended_us())
        listing.add("ended", format_wall_time(wall_time(summary.ended_us())));
    if (summary.incarnation() > 1)
        listing.add("restarts", fmt::format("{}", summary.incarnation() - 1));
    add_places(listing, job);
    listing.add("usage", usage_line(summary));
    listing.add("pressure", pressure_line(summary));
    add_request(listing, job);
    return listing.text();
}

std::string node_listing(const wire::NodeView& node, const Style&)
{
    Listing listing("Node " + escape_for_terminal(node.name()));
    listing.add_bytes("state", node.state());
    if (!node.reason().empty())
        listing.add("reason", fmt::format("{} (by {}, {})", escape_for_terminal(node.reason()),
                                          node.reason_by().empty() ? "Jarvis" : escape_for_terminal(node.reason_by()),
                                          format_wall_time(wall_time(node.reason_us()))));
    listing.add("partitions", joined(node.partitions(), ","));
    listing.add("cores", fmt::format("{} used of {}", node.cores_used(), node.cores()));
    listing.add("memory", fmt::format("{} used of {}", size_text(node.memory_used()), size_text(node.memory())));
    add_topology(listing, node);
    listing.add("jobs", jobs_text(node));
    listing.add("features", joined(node.features(), ","));
    listing.add_bytes("class", node.node_class());
    for (const auto& violation : node.violations())
        listing.add("violation", escape_for_terminal(violation));
    if (!node.confinement().empty())
        listing.add("confinement", fmt::format("{} ({})", escape_for_terminal(node.confinement()),
                                               escape_for_terminal(node.capabilities())));
    for (const auto& note : node.notes())
        listing.add("note", escape_for_terminal(note));
    listing.add_bytes("version", node.version());
    listing.add_bytes("boot id", node.boot_id());
    if (node.last_heard_us() > 0)
        listing.add("last heard", format_wall_time(wall_time(node.last_heard_us())));
    return listing.text();
}

} // namespace jarvis::client
