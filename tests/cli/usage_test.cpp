// What jstat and jeff print of given samples and jobs, against the files in golden/.
#include "client/efficiency.hpp"
#include "client/live_usage.hpp"
#include "golden.hpp"
#include "model/job_state.hpp"
#include "sample_replies.hpp"

#include <boost/json.hpp>

using namespace jarvis;
using namespace jarvis::client;

namespace {

constexpr std::int64_t second = 1'000'000;
constexpr std::int64_t mib = std::int64_t{1} << 20;
constexpr std::int64_t gib = std::int64_t{1} << 30;

wire::JobDetail running_job(int nodes)
{
    wire::JobDetail job;
    auto& summary = *job.mutable_summary();
    summary.set_job_id(7);
    summary.set_name("train");
    summary.set_user("alice");
    summary.set_state(static_cast<std::uint32_t>(JobState::running));
    summary.set_cores(8 * static_cast<std::uint32_t>(nodes));
    summary.set_memory(16 * gib * nodes);
    summary.set_node_count(static_cast<std::uint32_t>(nodes));
    summary.set_nodes(nodes > 1 ? "n[1-2]" : "n1");
    summary.set_time_limit_us(7200 * second);
    job.set_elapsed_us(3723 * second);
    for (int i = 1; i <= nodes; ++i) {
        auto& node = *job.add_nodes();
        node.set_name("n" + std::to_string(i));
        node.set_cores("0-3,8-11");
    }
    return job;
}

// A sample of level full, `at` seconds after the boot.
wire::JobSample sample(std::int64_t at)
{
    wire::JobSample sample;
    sample.set_at_us(at * second);
    auto& usage = *sample.mutable_usage();
    usage.set_cpu_user_us(at * 7 * second);
    usage.set_cpu_system_us(at * second / 2);
    usage.set_memory_peak(14 * gib);
    auto& detail = *usage.mutable_detail();
    detail.set_throttled_us(0);
    detail.set_major_faults(10 * at);
    detail.set_read(at * 20 * mib);
    detail.set_written(at * mib);
    sample.set_memory(12 * gib);
    sample.set_memory_limit(16 * gib);
    sample.set_anonymous(9 * gib);
    sample.set_shared(gib);
    sample.set_page_cache(2 * gib - 100 * mib);
    sample.set_kernel(100 * mib);
    sample.set_processes(9);
    sample.set_threads(34);
    sample.set_threads_limit(16384);
    sample.set_cpu_pressure(210);
    sample.set_memory_pressure(0);
    sample.set_io_pressure(1234);
    return sample;
}

// ... and of level none.
wire::JobSample poor_sample(std::int64_t at)
{
    wire::JobSample sample;
    sample.set_at_us(at * second);
    sample.mutable_usage()->set_cpu_user_us(at * second);
    sample.set_memory(512 * mib);
    sample.set_anonymous(500 * mib);
    sample.set_shared(0);
    sample.set_processes(2);
    sample.set_threads(2);
    sample.add_notes("memory is the sum over its processes\x1b[31m");
    return sample;
}

void put(wire::NodeAnswers& answers, const std::string& node, wire::JobSample sample)
{
    auto& item = *answers.add_items();
    item.set_node(node);
    *item.mutable_usage() = std::move(sample);
}

LiveUsage one_node(const wire::JobDetail& job)
{
    wire::NodeAnswers before, now;
    put(before, "n1", sample(100));
    put(now, "n1", sample(102));
    return live_usage(job, before, now);
}

// The second says less, or nothing.
LiveUsage two_nodes(const wire::JobDetail& job, bool silent)
{
    wire::NodeAnswers before, now;
    put(before, "n1", sample(100));
    put(before, "n2", poor_sample(50));
    put(now, "n1", sample(102));
    if (!silent)
        put(now, "n2", poor_sample(54));
    else
        now.add_items()->set_node("n2"), now.mutable_items(1)->mutable_error()->set_message("node n2 did not answer within 5 s");
    return live_usage(job, before, now);
}

wire::JobDetail ended_job(JobState state)
{
    auto job = running_job(1);
    job.set_elapsed_us(0);
    auto& summary = *job.mutable_summary();
    summary.set_state(static_cast<std::uint32_t>(state));
    job.mutable_request()->mutable_resources()->set_tasks(1);
    job.mutable_request()->mutable_resources()->set_cpus_per_task(8);
    auto& usage = *summary.mutable_usage();
    usage.set_elapsed_us(600 * second);
    usage.set_cpu_user_us(580 * second);
    usage.set_cpu_system_us(10 * second);
    usage.set_memory_peak(3 * gib);
    auto& detail = *usage.mutable_detail();
    detail.set_page_cache(gib / 4);
    detail.set_largest_process(2 * gib);
    detail.set_throttled_us(0);
    detail.set_cpu_pressure_us(second);
    detail.set_memory_pressure_us(0);
    detail.set_io_pressure_us(150 * second);
    detail.set_major_faults(3);
    detail.set_read(40 * gib);
    detail.set_written(gib);
    return job;
}

Efficiency of(const wire::JobDetail& job)
{
    const wire::JobDetail* one = &job;
    return efficiency_of({&one, 1}, "7");
}

bool says(const Efficiency& job, std::string_view words)
{
    for (const auto& sentence : advice(job))
        if (sentence.find(words) != std::string::npos)
            return true;
    return false;
}

} // namespace

BOOST_AUTO_TEST_SUITE(live)

BOOST_AUTO_TEST_CASE(on_a_terminal)
{
    const auto one = running_job(1);
    check_golden("stat.txt", live_screen(one, one_node(one), {}));
    const auto two = running_job(2);
    check_golden("stat-nodes.txt", live_screen(two, two_nodes(two, false), {}));
    check_golden("stat-silent.txt", live_screen(two, two_nodes(two, true), {}));
}

BOOST_AUTO_TEST_CASE(in_a_pipe)
{
    const auto two = running_job(2);
    check_golden("stat-lines.txt", live_lines(two, two_nodes(two, false), true));
    const auto json = live_json(two, two_nodes(two, true), sample_now);
    check_golden("stat.json", json);
    BOOST_TEST(boost::json::parse(json).at("nodes").as_array().size() == 2u);
}

BOOST_AUTO_TEST_CASE(rates_are_of_two_samples)
{
    const auto job = running_job(1);
    const auto usage = one_node(job);
    BOOST_TEST(usage.sum.cores == 8u);
    BOOST_TEST(usage.sum.cores_used().value() == 7.5, boost::test_tools::tolerance(1e-9));
    BOOST_TEST(usage.sum.read_rate.value() == 20.0 * mib, boost::test_tools::tolerance(1e-9));
    wire::NodeAnswers none, later, again;
    put(later, "n1", sample(102));
    BOOST_TEST(!live_usage(job, none, later).sum.cores_used().has_value());
    put(again, "n1", sample(50)); // started anew: its counters went back
    BOOST_TEST(!live_usage(job, later, again).sum.cores_used().has_value());
}

BOOST_AUTO_TEST_CASE(nothing_of_nodes_reaches_a_terminal_raw)
{
    const auto two = running_job(2);
    for (unsigned char c : live_screen(two, two_nodes(two, false), {}))
        BOOST_TEST((c == '\n' || c >= 0x20));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(efficiency)

BOOST_AUTO_TEST_CASE(of_one_job)
{
    const auto job = of(ended_job(JobState::completed));
    check_golden("eff.txt", efficiency_text(job, {}));
    check_golden("eff.json", efficiency_json({&job, 1}, {}));
    BOOST_TEST(job.cpu_share() == 590.0 / 4800, boost::test_tools::tolerance(1e-9));
    BOOST_TEST(says(job, "asked 16G, never used more than 3G: --mem=4G would do"));
    BOOST_TEST(says(job, "it seems to run on one at a time; -c 1 would do"));
    BOOST_TEST(says(job, "waited for a disk for 25 %"));
    BOOST_TEST(says(job, "--time=15m"));
}

BOOST_AUTO_TEST_CASE(of_an_array)
{
    const auto good = ended_job(JobState::completed);
    auto bad = ended_job(JobState::out_of_memory);
    bad.mutable_summary()->mutable_usage()->set_memory_peak(16 * gib);
    const wire::JobDetail* both[] = {&good, &bad};
    const auto job = efficiency_of(both, "7");
    check_golden("eff-array.txt", efficiency_text(job, {}));
    BOOST_TEST(job.cpu.count() == 2 * 590 * second);
    BOOST_TEST(job.memory_peak.value() == 16 * gib);
    BOOST_TEST(says(job, "ran out of memory at 16G"));
}

BOOST_AUTO_TEST_CASE(advice_is_given_where_it_is_clear)
{
    auto busy = ended_job(JobState::completed);
    auto& usage = *busy.mutable_summary()->mutable_usage();
    usage.set_elapsed_us(6000 * second);
    usage.set_cpu_user_us(8 * 5900 * second);
    usage.set_memory_peak(15 * gib);
    usage.mutable_detail()->set_io_pressure_us(0);
    BOOST_TEST(advice(of(busy)).empty());
    // Page cache is no reason to ask for so much.
    usage.mutable_detail()->set_page_cache(14 * gib);
    usage.mutable_detail()->set_largest_process(gib / 2);
    BOOST_TEST(says(of(busy), "held about 1G beside the page cache of its files: --mem=2G would do"));
    // By core as it was asked for.
    busy.mutable_request()->mutable_resources()->set_memory_per_cpu(2 * gib);
    BOOST_TEST(says(of(busy), "--mem-per-cpu=256M would do"));
    // A whole node is a whole node, and a job of many tasks is not cut to a number of cores.
    auto whole = ended_job(JobState::completed);
    whole.mutable_request()->mutable_resources()->set_exclusive(true);
    BOOST_TEST(!says(of(whole), "-c "));
    auto tasks = ended_job(JobState::completed);
    tasks.mutable_request()->mutable_resources()->set_tasks(8);
    BOOST_TEST(says(of(tasks), "fewer tasks or cores would do"));
    // What was not counted is not judged.
    auto unknown = ended_job(JobState::completed);
    unknown.mutable_summary()->mutable_usage()->clear_memory_peak();
    unknown.mutable_summary()->mutable_usage()->clear_detail();
    BOOST_TEST(!says(of(unknown), "--mem"));
    check_golden("eff-unknown.txt", efficiency_text(of(unknown), {}));
    // What failed may have been about to use more.
    BOOST_TEST(!says(of(ended_job(JobState::failed)), "would do"));
    BOOST_TEST(says(of(ended_job(JobState::timeout)), "ended at its time limit of 2h"));
}

BOOST_AUTO_TEST_SUITE_END()
