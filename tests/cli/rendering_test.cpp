// What commands print of given replies, against the files in golden/. JARVIS_UPDATE_GOLDEN=1 writes them anew; a change
// of one is a change of behaviour, and is reviewed as such.
#include "golden.hpp"
#include "client/job_table.hpp"
#include "client/json.hpp"
#include "client/listing.hpp"
#include "client/node_table.hpp"
#include "sample_replies.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>

using namespace jarvis;
using namespace jarvis::client;

namespace {

constexpr std::string_view queue_columns = "id,name,user,partition,st,time,cores,memory,where";
constexpr std::string_view history_columns = "id,name,user,state,exit,started,time,cores,cpu_time,memory_peak,nodes,cause";

// Times are printed in the local zone; one half an hour off the hour shows when somebody forgets it.
struct Zone {
    Zone()
    {
        ::setenv("TZ", "XXX-05:30", 1);
        ::tzset();
    }
};
BOOST_TEST_GLOBAL_FIXTURE(Zone);

Style terminal(std::size_t width, bool colour = false) { return {.width = width, .height = 0, .colour = colour, .terminal = true}; }

std::string queue(const Jobs& jobs, std::string_view format, const Style& style)
{
    return render(job_table(rows_of(jobs), parse_format(format).value(), sample_now), style);
}

} // namespace

BOOST_AUTO_TEST_SUITE(rendering)

BOOST_AUTO_TEST_CASE(queue_table)
{
    check_golden("queue.txt", queue(sample_queue(), queue_columns, {}));
    check_golden("queue-80.txt", queue(sample_queue(), queue_columns, terminal(80)));
    check_golden("queue-colour.txt", queue(sample_queue(), queue_columns, terminal(120, true)));
    check_golden("queue-format.txt", queue(sample_queue(), "id,name:12,state,left,limit,submitted,priority,restarts", {}));
    check_golden("queue-ended.txt", queue(sample_details(), queue_columns, {}));
    check_golden("queue-empty.txt", queue({}, queue_columns, {}));
}

BOOST_AUTO_TEST_CASE(nothing_of_others_reaches_a_terminal_raw)
{
    for (const auto& text : {queue(sample_queue(), queue_columns, {}), node_listing(sample_nodes().nodes(1), {}),
                             job_listing(sample_details().details[0], sample_now, {})})
        for (unsigned char c : text)
            BOOST_TEST((c == '\n' || c >= 0x20));
}

BOOST_AUTO_TEST_CASE(lines_fit_the_terminal)
{
    std::istringstream lines(queue(sample_queue(), queue_columns, terminal(80)));
    for (std::string line; std::getline(lines, line);)
        BOOST_TEST(line.size() <= 80u, line);
}

BOOST_AUTO_TEST_CASE(long_listing)
{
    std::string text;
    for (const auto& job : sample_details().details)
        text += job_listing(job, sample_now, {}) + "\n";
    check_golden("queue-long.txt", text);
}

BOOST_AUTO_TEST_CASE(history)
{
    check_golden("history.txt", queue(sample_details(), history_columns, {}));
}

BOOST_AUTO_TEST_CASE(durations_of_ended_jobs_are_rounded)
{
    wire::JobSummary job;
    job.mutable_usage()->set_elapsed_us(7'997'000);
    job.mutable_usage()->set_cpu_user_us(1'400'000);
    job.mutable_usage()->set_cpu_system_us(100'000);
    const Jobs running{.summaries = {job}};
    job.set_ended_us(1);
    const Jobs ended{.summaries = {job}};
    BOOST_TEST(queue(running, "time,cpu_time", {}) == "    TIME  CPU TIME\n00:00:07  00:00:01\n");
    BOOST_TEST(queue(ended, "time,cpu_time", {}) == "    TIME  CPU TIME\n00:00:08  00:00:02\n");
}

BOOST_AUTO_TEST_CASE(nodes)
{
    check_golden("nodes.txt", render(node_table(sample_nodes()), {}));
    check_golden("nodes-long.txt", node_listing(sample_nodes().nodes(0), {}) + "\n" + node_listing(sample_nodes().nodes(1), {}));
}

BOOST_AUTO_TEST_CASE(json)
{
    check_golden("queue.json", jobs_json(sample_queue(), sample_now));
    check_golden("details.json", jobs_json(sample_details(), sample_now));
    check_golden("nodes.json", nodes_json(sample_nodes(), 5));
    check_golden("changes.json", change_json(sample_changes()));
    check_golden("end.json", end_json(sample_details().details[2], sample_now));
    wire::SubmitReply submitted;
    submitted.set_job_id(7);
    submitted.add_warnings("the time limit was cut to 1h");
    wire::SubmitReply tested;
    tested.set_would_start_now(true);
    tested.set_text("it would start now on n1");
    *tested.add_nodes() = sample_details().details[0].nodes(0);
    wire::AdminReply admin;
    admin.set_text("jctld 0.1.0 of cluster jarvis");
    admin.set_json("{\"cluster\":\"jarvis\"}");
    check_golden("submit.json", submit_json(submitted, std::string(16, '\x5a')) + submit_json(tested, std::string(16, '\x5a')));
    check_golden("submit-test.txt", test_text(tested));
    check_golden("admin.json", admin_json("ping", admin));
}

BOOST_AUTO_TEST_CASE(json_is_json_of_a_schema)
{
    for (const auto& text : {jobs_json(sample_queue(), sample_now), nodes_json(sample_nodes(), 5), change_json(sample_changes())}) {
        const auto value = boost::json::parse(text);
        BOOST_TEST(std::string(value.as_object().at("schema").as_string()).starts_with("jarvis."));
    }
}

BOOST_AUTO_TEST_SUITE_END()
