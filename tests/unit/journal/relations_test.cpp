// Arrays, dependencies and retries in the journal and in snapshots. The golden file is as those of golden_test.cpp: what it
// holds must stay readable for ever. To write it anew: JARVIS_WRITE_GOLDEN=1 test_unit_journal -t relations
#include "values.hpp"

#include "cluster/apply.hpp"
#include "journal.pb.h"
#include "journal/codec.hpp"
#include "journal/snapshot_comparer.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <fstream>

using namespace jarvis;
using namespace jarvis::cluster;
using namespace jarvis::journal::test;

namespace {

std::vector<EventGroup> relation_groups()
{
    auto events = history();
    auto more = relations();
    std::move(more.begin(), more.end(), std::back_inserter(events));
    return groups_of(events);
}

State state_with_relations()
{
    State state;
    for (const auto& group : relation_groups())
        apply(state, group);
    return state;
}

std::string event_refusal(const Event& event)
{
    static const State state = state_with_relations();
    auto checked = journal::check_event(state, event);
    return checked ? "fits" : checked.error().message;
}

Result<State> through_snapshot(const State& state)
{
    journal::SnapshotReader reader;
    journal::SnapshotComparer comparer(state);
    auto written = journal::encode_snapshot(state, [&](std::string_view piece) {
        auto fed = comparer.feed(piece);
        return fed ? reader.feed(piece) : fed;
    });
    if (written)
        written = comparer.finish();
    if (!written)
        return std::unexpected(written.error());
    return reader.finish();
}

} // namespace

BOOST_AUTO_TEST_SUITE(relations_in_the_journal)

BOOST_AUTO_TEST_CASE(every_event_comes_back)
{
    State live, replayed;
    for (const auto& group : relation_groups()) {
        auto back = journal::decode_group(journal::encode_group(group));
        BOOST_REQUIRE(back);
        auto fits = journal::check_event(replayed, back->events.at(0));
        BOOST_REQUIRE_MESSAGE(fits, fits.error().message);
        apply(live, group);
        apply(replayed, *back);
        BOOST_REQUIRE_MESSAGE(replayed == live, "after group " << group.sequence.value);
        BOOST_TEST(journal::encode_group(*back) == journal::encode_group(group));
    }
}

BOOST_AUTO_TEST_CASE(a_snapshot_keeps_all_of_it)
{
    const auto state = state_with_relations();
    BOOST_TEST(state.arrays.at(20).unstarted.size() == 1u);
    BOOST_TEST(state.find({22})->waits->due.size() == 1u);
    BOOST_TEST((state.find({24})->waits->never == 0u));
    auto back = through_snapshot(state);
    BOOST_REQUIRE_MESSAGE(back, back.error().message);
    BOOST_TEST((*back == state));
    BOOST_TEST((back->find({20, 1})->request == back->find({20})->request)); // one request for all tasks
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused)
{
    BOOST_TEST(event_refusal(TasksSplit{{20}, {3}}) == "fits");
    BOOST_TEST(event_refusal(TasksSplit{{20}, {0}}) == "a split names tasks of array 20 that do not wait");
    BOOST_TEST(event_refusal(TasksSplit{{20}, {}}) == "a split names tasks of array 20 that do not wait");
    BOOST_TEST(event_refusal(TasksSplit{{22}, {3}}) == "a split names array 22, which does not exist");
    BOOST_TEST(event_refusal(TasksEnded{{20}, {3}, {.state = JobState::running}}) == "an end of tasks of array 20 says RUNNING");
    BOOST_TEST(event_refusal(TasksEnded{{20}, {4}, {.state = JobState::cancelled}}) == "an end of tasks names tasks of array 20 that do not wait");
    BOOST_TEST(event_refusal(DependencyResolved{{22}, 3, DependencyOutcome::satisfied, {}}) == "a dependency of job 22 has number 3 of 3");
    BOOST_TEST(event_refusal(DependencyResolved{{9}, 0, DependencyOutcome::satisfied, {}}) == "a dependency of job 9, which does not wait");
    BOOST_TEST(event_refusal(TasksReleased{{21}, 0, {1}, {}}) == "fits");
    BOOST_TEST(event_refusal(TasksReleased{{21}, 0, {4}, {}}) == "a dependency of tasks does not fit array 21");
    BOOST_TEST(event_refusal(TasksReleased{{20}, 0, {1}, {}}) == "a dependency of tasks does not fit array 20");
    BOOST_TEST(event_refusal(JobStarted{{20}, Incarnation{1}, placement_on(1)}) == "a start names array 20 instead of a task");
    BOOST_TEST(event_refusal(JobEnded{{20}, Incarnation{1}, {.state = JobState::completed}, {}}) == "an end of array 20 comes before those of its tasks");
    BOOST_TEST(event_refusal(JobSubmitted{.job = {30, 1}, .request = std::make_shared<const JobRequest>(plain_request())}) == "a submit gives the id 30_1 again (the next is 25)");
    BOOST_TEST(event_refusal(RetryDue{{20, 1}}) == "a retry does not fit job 20_1, which is COMPLETING");
}

BOOST_AUTO_TEST_CASE(a_task_without_its_array_is_refused)
{
    auto state = state_with_relations();
    std::string bytes;
    BOOST_REQUIRE(journal::encode_snapshot(state, [&](std::string_view piece) {
        bytes += piece;
        return Result<void>{};
    }));
    journal::SnapshotReader reader;
    std::string without;
    for (std::size_t at = 0; at < bytes.size();) {
        std::size_t size = 0;
        for (std::size_t i = 0; i < 4; ++i)
            size = size << 8 | static_cast<unsigned char>(bytes[at + i]);
        journal::SnapshotRecord record;
        BOOST_REQUIRE(record.ParseFromString(bytes.substr(at + 4, size)));
        if (!record.has_job() || record.job().job() != 20 || record.job().has_task())
            without += bytes.substr(at, size + 4);
        at += size + 4;
    }
    auto fed = reader.feed(without);
    BOOST_REQUIRE(!fed);
    BOOST_TEST(fed.error().message == "job 20_0 of the snapshot: it is a task of no array");
}

BOOST_AUTO_TEST_CASE(events_are_encoded_as_ever)
{
    const auto path = std::string(JARVIS_GOLDEN_DIR "/relations.hex");
    const auto events = relations();
    const auto groups = groups_of(events); // numbered by themselves, whatever stands before them
    if (std::getenv("JARVIS_WRITE_GOLDEN")) {
        std::ofstream out(path);
        for (std::size_t i = 0; i < events.size(); ++i)
            out << events[i].name << ' ' << hex(journal::encode_group(groups[i])) << '\n';
    }
    std::ifstream in(path);
    BOOST_REQUIRE_MESSAGE(in, path << " cannot be read");
    std::size_t i = 0;
    for (std::string name, text; in >> name >> text; ++i) {
        BOOST_REQUIRE(i < events.size());
        BOOST_TEST(name == events[i].name);
        BOOST_TEST(text == hex(journal::encode_group(groups[i])), name << " is encoded differently");
    }
    BOOST_TEST(i == events.size());
}

BOOST_AUTO_TEST_SUITE_END()
