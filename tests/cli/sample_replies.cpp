#include "sample_replies.hpp"

#include "client/job_table.hpp"
#include "model/job_state.hpp"
#include "wire/convert.hpp"

namespace jarvis::client {

namespace {

constexpr std::int64_t second = 1'000'000;
constexpr std::int64_t gib = std::int64_t{1} << 30;

std::int64_t before_now(std::int64_t seconds) { return sample_now.time_since_epoch().count() - seconds * second; }

wire::JobSummary job(std::uint64_t id, std::string_view name, JobState state)
{
    wire::JobSummary summary;
    summary.set_job_id(id);
    summary.set_uid(1000);
    summary.set_user("alice");
    summary.set_name(std::string(name));
    summary.set_partition("batch");
    summary.set_state(static_cast<std::uint32_t>(state));
    summary.set_submitted_us(before_now(7200));
    summary.set_time_limit_us(3600 * second);
    summary.set_cores(4);
    summary.set_memory(8 * gib);
    summary.set_node_count(1);
    return summary;
}

wire::JobSummary running(std::uint64_t id, std::string_view name, JobState state)
{
    auto summary = job(id, name, state);
    summary.set_started_us(before_now(754));
    summary.set_nodes("n1");
    summary.set_incarnation(1);
    return summary;
}

wire::JobSummary pending(std::uint64_t id, std::string_view name, std::string_view code, std::string_view text)
{
    auto summary = job(id, name, JobState::pending);
    summary.mutable_reason()->set_code(std::string(code));
    summary.mutable_reason()->set_text(std::string(text));
    return summary;
}

wire::JobSummary ended(std::uint64_t id, std::string_view name, JobState state, EndClass end_class, std::string_view cause)
{
    auto summary = running(id, name, state);
    summary.set_started_us(before_now(4000));
    summary.set_ended_us(before_now(1000));
    auto& end = *summary.mutable_end();
    end.set_state(static_cast<std::uint32_t>(state));
    end.set_end_class(static_cast<std::uint32_t>(end_class));
    end.set_cause(std::string(cause));
    auto& usage = *summary.mutable_usage();
    usage.set_elapsed_us(3000 * second);
    usage.set_cpu_user_us(2900 * second + 123'456);
    usage.set_cpu_system_us(40 * second);
    usage.set_memory_peak(3 * gib / 2);
    auto& detail = *usage.mutable_detail();
    detail.set_page_cache(gib / 4);
    detail.set_largest_process(gib);
    detail.set_cpu_pressure_us(1'500'000);
    detail.set_memory_pressure_us(0);
    detail.set_major_faults(12);
    detail.set_read(gib);
    return summary;
}

wire::JobRequest request()
{
    wire::JobRequest request;
    auto& resources = *request.mutable_resources();
    resources.set_tasks(2);
    resources.set_cpus_per_task(2);
    resources.set_memory_per_node(8 * gib);
    request.set_requeue(true);
    request.add_arguments("--input");
    request.add_arguments("a file\nwith a line break");
    request.set_working_directory("/home/alice/run \xe9");
    request.set_output("jarvis-%j.out");
    request.set_submit_host("login1");
    request.set_submit_directory("/home/alice");
    request.set_comment("see the notes");
    auto& warning = *request.mutable_warning();
    warning.set_signal(10);
    warning.set_before_us(120 * second);
    warning.set_batch_only(true);
    return request;
}

// Each option that a job's listing has a line for.
void ask_for_much(wire::JobRequest& request)
{
    auto& resources = *request.mutable_resources();
    resources.set_nodes_min(2);
    resources.set_nodes_max(4);
    resources.set_tasks_per_node(1);
    resources.set_contiguous(true);
    *resources.mutable_wishes() = wire::to_message(PlacementWishes{.place = PlacePattern::spread,
                                                                   .memory = MemoryBinding::local,
                                                                   .alone_on = AloneOn::numa,
                                                                   .tasks_per_numa = 2,
                                                                   .devices = {{"gpu", "a100", 2}}});
    request.set_constraint("ib&(rack1|rack2)");
    for (auto name : {"n1", "n2", "n3"})
        request.add_node_list(name);
    request.add_exclude("n9");
    *request.mutable_array() = wire::to_message(parse_array_spec("0-99%10").value());
    *request.mutable_dependencies() = wire::to_message(parse_dependencies("afterok:7,afterany:6").value());
    request.set_kill_on_invalid_dependency(true);
    *request.mutable_retry() = wire::to_message(parse_retry("3,on=node_fail|exit:3-5").value());
}

void place(wire::JobDetail& detail)
{
    auto& node = *detail.add_nodes();
    node.set_name("n1");
    node.set_cores("0-3");
    for (std::uint32_t numa : {0, 1}) {
        auto& share = *node.add_memory();
        share.set_numa(numa);
        share.set_memory(4 * gib);
    }
    node.set_confinement("track");
    node.set_enforced("freeze,kill");
    node.set_pus("0-3,8-11");
    auto& device = *node.add_devices();
    device.set_resource("gpu");
    device.set_type("a100");
    device.set_address("0000:41:00.0");
}

} // namespace

Jobs sample_queue()
{
    Jobs jobs;
    jobs.sequence = 4711;
    jobs.summaries.push_back(running(7, "simulation", JobState::running));
    jobs.summaries.push_back(running(12, "a-job-with-a-rather-long-name-that-someone-typed", JobState::suspended));
    jobs.summaries.push_back(running(13, "ending", JobState::completing));
    jobs.summaries.push_back(pending(90, "waits", "Resources", "waits for 4 cores: 2 of 8 are free on n1"));
    jobs.summaries.push_back(pending(1042, "evil\x1b[2J\nname\xe9", "Held", ""));
    jobs.summaries.back().set_user("bob");
    jobs.summaries.back().clear_time_limit_us();
    jobs.summaries.push_back(pending(1043, "array", "Resources", "waits for 4 cores: 2 of 8 are free on n1"));
    for (auto [first, last] : {std::pair(5, 7), std::pair(20, 999999)}) {
        jobs.summaries.back().mutable_pending_tasks()->add_first(first);
        jobs.summaries.back().mutable_pending_tasks()->add_last(last);
    }
    jobs.summaries.back().set_throttle(10);
    jobs.summaries.push_back(running(1043, "array", JobState::running));
    jobs.summaries.back().set_task(4);
    jobs.summaries.push_back(pending(1044, "holes", "Held", ""));
    for (std::uint32_t i = 1; i < 200; i += 1 + i % 7) {
        jobs.summaries.back().mutable_pending_tasks()->add_first(i);
        jobs.summaries.back().mutable_pending_tasks()->add_last(i);
    }
    jobs.unknown_ids.push_back(99);
    auto& unknown = jobs.unknown_selections.emplace_back();
    unknown.set_job_id(1043);
    unknown.mutable_tasks()->add_first(3);
    unknown.mutable_tasks()->add_last(4);
    return jobs;
}

Jobs sample_details()
{
    Jobs jobs;
    jobs.sequence = 4712;
    auto& first = jobs.details.emplace_back();
    *first.mutable_summary() = running(7, "simulation", JobState::running);
    *first.mutable_request() = request();
    first.set_elapsed_us(754 * second);
    first.set_output_path("/home/alice/run \xe9/jarvis-7.out");
    place(first);
    auto& second_job = jobs.details.emplace_back();
    *second_job.mutable_summary() = pending(8, "waits", "Held", "held by its owner");
    *second_job.mutable_request() = request();
    second_job.set_held(true);
    second_job.set_held_by("alice");
    auto& third = jobs.details.emplace_back();
    *third.mutable_summary() = ended(9, "failed", JobState::failed, EndClass::user, "exit code 3");
    third.mutable_summary()->mutable_end()->set_exit_code(3);
    *third.mutable_request() = request();
    place(third);
    third.mutable_nodes(0)->set_confinement("full");
    third.mutable_nodes(0)->set_enforced("cpuset,memory,pids,io,freeze,kill,devices");
    auto& fourth = jobs.details.emplace_back();
    *fourth.mutable_summary() = ended(10, "slow", JobState::timeout, EndClass::resources, "time limit of 1h reached");
    fourth.mutable_summary()->mutable_end()->set_signal(15);
    auto& array = jobs.details.emplace_back();
    *array.mutable_summary() = pending(11, "array", "Dependency", "waits for the end of job 7");
    array.mutable_summary()->mutable_pending_tasks()->add_first(0);
    array.mutable_summary()->mutable_pending_tasks()->add_last(99);
    array.mutable_summary()->set_throttle(10);
    *array.mutable_request() = request();
    ask_for_much(*array.mutable_request());
    array.set_dependency("afterok:7");
    array.set_retries_used(1);
    auto& task = jobs.details.emplace_back();
    *task.mutable_summary() = ended(12, "array", JobState::completed, EndClass::none, "");
    task.mutable_summary()->set_task(3);
    task.mutable_summary()->mutable_end()->set_exit_code(0);
    return jobs;
}

wire::NodeList sample_nodes()
{
    wire::NodeList list;
    auto& node = *list.add_nodes();
    node.set_name("n1");
    node.set_state("mixed");
    node.add_partitions("batch");
    node.add_partitions("debug");
    node.set_cores(8);
    node.set_cores_used(4);
    node.set_memory(16 * gib);
    node.set_memory_used(8 * gib);
    node.set_confinement("track");
    node.set_capabilities("freeze,kill");
    node.add_notes("memory is counted, not enforced");
    node.set_version("0.1.0");
    node.set_boot_id("0b9a");
    node.add_jobs(7);
    node.add_jobs(11);
    for (auto name : {"7", "11_3"})
        node.add_job_names(name);
    node.add_features("ib");
    node.add_features("rack1");
    node.set_node_class("compute");
    node.add_violations("2026-11-21T08:00:00Z: ran job 5, which had ended; it was killed");
    for (std::uint64_t words : {0x0f, 0xf0}) {
        auto& numa = *node.mutable_topology()->add_numa_nodes();
        numa.set_memory(8 * gib);
        numa.add_core_words(words);
    }
    auto& used = *node.add_numa_used();
    used.set_numa(0);
    used.set_memory(8 * gib);
    node.set_last_heard_us(before_now(3));
    auto& drained = *list.add_nodes();
    drained.set_name("n2");
    drained.set_state("drained");
    drained.add_partitions("batch");
    drained.set_cores(8);
    drained.set_memory(16 * gib);
    drained.set_reason("new \x1b[31mmemory");
    drained.set_reason_by("root");
    drained.set_reason_us(before_now(86400));
    list.add_unknown_names("n9");
    return list;
}

wire::ChangeReply sample_changes()
{
    wire::ChangeReply reply;
    reply.add_items()->set_job_id(7);
    auto& refused = *reply.add_items();
    refused.set_job_id(8);
    refused.mutable_error()->set_code(2);
    refused.mutable_error()->set_message("job 8: not yours");
    reply.add_items()->set_node("n1");
    auto& tasks = *reply.add_items();
    tasks.set_job_id(9);
    tasks.mutable_tasks()->add_first(1);
    tasks.mutable_tasks()->add_last(4);
    return reply;
}

} // namespace jarvis::client
