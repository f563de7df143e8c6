// Snapshots: a state as pieces and back, however they are cut, and what happens to those that are damaged.
#include "values.hpp"

#include "cluster/apply.hpp"
#include "journal.pb.h"
#include "journal/codec.hpp"
#include "journal/format.hpp"
#include "journal/snapshot_comparer.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::journal::test;

namespace {

std::vector<std::string> pieces_of(const cluster::State& state)
{
    std::vector<std::string> pieces;
    auto written = journal::encode_snapshot(state, [&](std::string_view piece) {
        pieces.emplace_back(piece);
        return Result<void>{};
    });
    BOOST_REQUIRE(written);
    return pieces;
}

std::string bytes_of(const cluster::State& state)
{
    std::string bytes;
    for (const auto& piece : pieces_of(state))
        bytes += piece;
    return bytes;
}

Result<cluster::State> read(std::string_view bytes, std::size_t piece)
{
    journal::SnapshotReader reader;
    for (std::size_t at = 0; at < bytes.size(); at += piece)
        if (auto fed = reader.feed(bytes.substr(at, piece)); !fed)
            return std::unexpected(fed.error());
    return reader.finish();
}

// Whether the comparer takes the bytes for that state.
bool is_snapshot_of(const cluster::State& state, std::string_view bytes, std::size_t piece)
{
    journal::SnapshotComparer comparer(state);
    for (std::size_t at = 0; at < bytes.size(); at += piece)
        if (!comparer.feed(bytes.substr(at, piece)))
            return false;
    return comparer.finish().has_value();
}

std::string snapshot_refusal(std::string_view bytes)
{
    auto state = read(bytes, bytes.size() + 1);
    BOOST_REQUIRE(!state);
    BOOST_TEST((state.error().code == Errc::corrupt));
    return state.error().message;
}

// A snapshot of these records.
std::string records(std::initializer_list<journal::SnapshotRecord> list)
{
    std::string bytes;
    for (const auto& record : list) {
        const auto size = static_cast<std::uint32_t>(record.ByteSizeLong());
        for (int shift = 24; shift >= 0; shift -= 8)
            bytes += static_cast<char>(size >> shift);
        bytes += record.SerializeAsString();
    }
    return bytes;
}

// The records of a state with a job in every condition, by kind.
struct Parts {
    journal::SnapshotRecord header, node, running, ended, waiting, footer;

    Parts()
    {
        const auto bytes = bytes_of(state_of_0_1());
        for (std::size_t at = 0; at < bytes.size();) {
            std::size_t size = 0;
            for (int i = 0; i < 4; ++i)
                size = size << 8 | static_cast<unsigned char>(bytes[at++]);
            journal::SnapshotRecord record;
            BOOST_REQUIRE(record.ParseFromString(bytes.substr(at, size)));
            at += size;
            if (record.has_header())
                header = record;
            else if (record.has_node())
                node = record;
            else if (record.has_footer())
                footer = record;
            else if (record.job().waits_for_begin())
                waiting = record;
            else if (record.job().has_ended())
                ended = record;
            else if (record.job().has_run())
                running = record;
        }
        footer.mutable_footer()->set_nodes(3);
        footer.mutable_footer()->set_jobs(1);
    }
    // A whole snapshot with this job in it.
    std::string with(const journal::SnapshotRecord& job) const { return records({header, node, node, node, job, footer}); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(snapshots)

BOOST_AUTO_TEST_CASE(a_state_with_everything_set_comes_back)
{
    const auto state = full_state();
    auto back = read(bytes_of(state), 1 << 20);
    BOOST_REQUIRE(back);
    BOOST_TEST((*back == state));
    // Not equal by chance: in it is a job in every condition.
    const auto first = state_of_0_1();
    BOOST_TEST(first.jobs.size() == 6u);
    BOOST_TEST(first.index.begins.size() == 1u);
    BOOST_TEST(first.index.ended.size() == 2u);
    BOOST_TEST(first.nodes[1].jobs.size() == 1u);
    BOOST_TEST(!first.nodes[2].declared);
    BOOST_TEST(state.nodes[0].condemned.size() == 1u);
    BOOST_TEST(state.nodes[3].violations.size() == 2u);
    BOOST_TEST(state.nodes[3].node_class == "cloud");
}

BOOST_AUTO_TEST_CASE(an_empty_state_comes_back)
{
    auto back = read(bytes_of({}), 1 << 20);
    BOOST_REQUIRE(back);
    BOOST_TEST((*back == cluster::State{}));
}

BOOST_AUTO_TEST_CASE(odd_pieces)
{
    const auto state = full_state();
    const auto bytes = bytes_of(state);
    for (std::size_t piece : {1, 2, 3, 4, 5, 7, 64, 1021}) {
        auto back = read(bytes, piece);
        BOOST_REQUIRE(back);
        BOOST_TEST((*back == state), "in pieces of " << piece);
    }
}

BOOST_AUTO_TEST_CASE(it_is_the_same_after_a_round)
{
    const auto bytes = bytes_of(full_state());
    auto back = read(bytes, 999);
    BOOST_REQUIRE(back);
    BOOST_TEST(bytes_of(*back) == bytes);
}

BOOST_AUTO_TEST_CASE(large_states_come_in_pieces_of_about_a_mebibyte)
{
    auto state = full_state();
    auto large = plain_request();
    large.arguments = std::vector<std::string>{std::string(100'000, 'x')};
    auto request = std::make_shared<const JobRequest>(large);
    for (std::uint64_t i = 0; i < 50; ++i)
        cluster::apply(state, cluster::JobSubmitted{.job = state.next_job, .request = request, .request_id = {7, {static_cast<std::uint8_t>(i)}}},
                       state.now);
    const auto pieces = pieces_of(state);
    BOOST_TEST(pieces.size() == 5u);
    for (const auto& piece : pieces)
        BOOST_TEST(piece.size() < (1u << 20) + 101'000u);
    auto back = read(bytes_of(state), 1 << 16);
    BOOST_REQUIRE(back);
    BOOST_TEST((*back == state));
}

BOOST_AUTO_TEST_CASE(one_is_compared_with_the_state_that_it_is_of)
{
    const auto state = full_state();
    const auto bytes = bytes_of(state);
    for (const std::size_t piece : {std::size_t{7}, std::size_t{4096}, bytes.size()})
        BOOST_TEST(is_snapshot_of(state, bytes, piece), piece);
    journal::SnapshotComparer comparer(state);
    for (const char byte : bytes) { // cut anywhere, it is none
        BOOST_REQUIRE(!comparer.finish());
        BOOST_REQUIRE(comparer.feed({&byte, 1}));
    }
    BOOST_TEST(comparer.finish().has_value());
    BOOST_TEST(!is_snapshot_of(state, bytes + bytes, bytes.size()));
    BOOST_TEST(!is_snapshot_of(state, bytes + "x", bytes.size()));

    auto other = state;
    other.now += 1us;
    BOOST_TEST(!is_snapshot_of(other, bytes, bytes.size()));
    other = state;
    other.nodes.front().name += "x";
    BOOST_TEST(!is_snapshot_of(other, bytes, bytes.size()));
    other = state;
    other.nodes.pop_back();
    BOOST_TEST(!is_snapshot_of(other, bytes, bytes.size()));
    for (const auto& [id, job] : state.jobs) {
        other = state;
        auto changed = std::make_shared<cluster::Job>(*job);
        ++changed->priority;
        other.jobs[id] = changed;
        BOOST_TEST(!is_snapshot_of(other, bytes, bytes.size()), id.value);
        other = state;
        other.jobs.erase(id);
        BOOST_TEST(!is_snapshot_of(other, bytes, bytes.size()), id.value);
    }
}

// Enough of them for two threads.
BOOST_AUTO_TEST_CASE(many_jobs_come_back_and_the_first_broken_one_is_named)
{
    auto state = full_state();
    const auto first = state.next_job;
    for (std::uint64_t i = 0; i < 1000; ++i) {
        auto request = plain_request();
        request.name = fmt::format("job {}", i);
        cluster::apply(state, cluster::JobSubmitted{.job = state.next_job, .request = std::make_shared<const JobRequest>(request),
                                                    .request_id = {7, {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8)}}},
                       state.now);
    }
    const auto bytes = bytes_of(state);
    auto back = read(bytes, bytes.size());
    BOOST_REQUIRE(back);
    BOOST_TEST((*back == state));
    BOOST_TEST(is_snapshot_of(state, bytes, bytes.size()));

    for (const std::uint64_t broken : {10, 500, 990}) {
        auto damaged = bytes;
        const auto name = fmt::format("job {}", broken);
        for (const auto& text : {name, fmt::format("job {}", broken + 3)}) { // it and a later one
            const auto at = damaged.find(std::string("\x12") + static_cast<char>(text.size()) + text);
            BOOST_REQUIRE(at != std::string::npos);
            damaged[at + 2] = '\0'; // no text holds one
        }
        BOOST_TEST(snapshot_refusal(damaged).starts_with(fmt::format("job {} of the snapshot", first.value + broken)));
    }
}

BOOST_AUTO_TEST_CASE(a_write_that_fails_ends_it)
{
    int writes = 0;
    auto written = journal::encode_snapshot(full_state(), [&](std::string_view) -> Result<void> {
        ++writes;
        return fail(Errc::unavailable, "no space left on device");
    });
    BOOST_TEST(writes == 1);
    BOOST_REQUIRE(!written);
    BOOST_TEST(written.error().message == "no space left on device");
}

BOOST_AUTO_TEST_CASE(a_cut_one_is_refused_wherever_it_is_cut)
{
    const auto bytes = bytes_of(full_state());
    for (std::size_t size = 0; size < bytes.size(); size += JARVIS_DAMAGE_STRIDE)
        BOOST_REQUIRE(snapshot_refusal(bytes.substr(0, size)) == "the snapshot ends in the middle");
}

BOOST_AUTO_TEST_CASE(nothing_may_follow_the_end)
{
    const auto bytes = bytes_of(full_state());
    BOOST_TEST(snapshot_refusal(bytes + "x") == "the snapshot ends in the middle");
    BOOST_TEST(snapshot_refusal(bytes + bytes) == "a snapshot record stands in the wrong place");
}

BOOST_AUTO_TEST_CASE(a_damaged_one_gives_no_broken_state)
{
    const auto bytes = bytes_of(full_state());
    for (std::size_t i = 0; i < bytes.size(); i += JARVIS_DAMAGE_STRIDE)
        for (int flip : {0x01, 0x10, 0x80, 0xff}) {
            auto damaged = bytes;
            damaged[i] = static_cast<char>(damaged[i] ^ flip);
            (void)read(damaged, 1 << 20); // that it comes back is what counts
        }
}

BOOST_AUTO_TEST_CASE(a_newer_format_is_refused_naming_both)
{
    Parts parts;
    parts.header.mutable_header()->set_format(journal::current_format + 4);
    BOOST_TEST(snapshot_refusal(records({parts.header})) ==
               fmt::format("the snapshot has format {}, and this controller understands up to {}: run the newer version again, or "
                           "restore a state folder of this version", journal::current_format + 4, journal::current_format));
    // Also where what follows cannot be read, as a newer format's may not.
    journal::SnapshotRecord unreadable;
    unreadable.mutable_job()->set_job(1);
    BOOST_TEST(snapshot_refusal(records({parts.header, unreadable})).starts_with("the snapshot has format"));
    parts.header.mutable_header()->clear_format();
    BOOST_TEST(snapshot_refusal(records({parts.header})) == "the snapshot: no format number");
}

BOOST_AUTO_TEST_CASE(garbage_is_refused)
{
    BOOST_TEST(snapshot_refusal("") == "the snapshot ends in the middle");
    BOOST_TEST(snapshot_refusal("#!/bin/sh\nexit 0\n") == "a snapshot record says it has 589377378 bytes"); // before that is allocated
    BOOST_TEST(snapshot_refusal(std::string("\0\0\0\3\xff\xff\xff", 7)) == "a snapshot record cannot be read");
    BOOST_TEST(snapshot_refusal(std::string("\0\0\0\0", 4)) == "a snapshot record stands in the wrong place");
}

BOOST_AUTO_TEST_CASE(records_in_the_wrong_place_are_refused)
{
    const Parts parts;
    BOOST_TEST(snapshot_refusal(records({parts.node})) == "a snapshot record stands in the wrong place");
    BOOST_TEST(snapshot_refusal(records({parts.header, parts.header})) == "a snapshot record stands in the wrong place");
    BOOST_TEST(snapshot_refusal(records({parts.header, {}})) == "a snapshot record of an unknown kind");
    BOOST_TEST(snapshot_refusal(records({parts.header, parts.footer})) == "the snapshot counts 1 jobs and holds 0");
    BOOST_TEST(snapshot_refusal(records({parts.header, parts.node, parts.node, parts.node, parts.ended, parts.ended, parts.footer})) ==
               "job 9 of the snapshot is out of order (the next id is 12)");
    auto too_new = parts.ended;
    too_new.mutable_job()->set_job(12); // its id would be given again
    BOOST_TEST(snapshot_refusal(parts.with(too_new)) == "job 12 of the snapshot is out of order (the next id is 12)");
}

BOOST_AUTO_TEST_CASE(jobs_that_make_no_sense_are_refused)
{
    const Parts parts;
    BOOST_TEST(read(parts.with(parts.running), 100).has_value());
    BOOST_TEST(read(parts.with(parts.ended), 100).has_value());
    BOOST_TEST(read(parts.with(parts.waiting), 100).has_value());
    auto spoil = [&](journal::SnapshotRecord record, auto change) {
        change(*record.mutable_job());
        return snapshot_refusal(parts.with(record));
    };
    BOOST_TEST(spoil(parts.running, [](journal::JobRecord& r) { r.clear_run(); }) ==
               "job 7 of the snapshot: it is COMPLETING and has no placement");
    BOOST_TEST(spoil(parts.running, [](journal::JobRecord& r) { r.mutable_run()->mutable_placement()->mutable_nodes(0)->set_node(3); }) ==
               "job 7 of the snapshot: a placement names node number 3 of 3");
    BOOST_TEST(spoil(parts.ended, [](journal::JobRecord& r) { r.clear_ended(); }) ==
               "job 9 of the snapshot: it is OUT_OF_MEMORY, and its end says otherwise");
    BOOST_TEST(spoil(parts.ended, [](journal::JobRecord& r) { r.set_state(1); }) ==
               "job 9 of the snapshot: it is PENDING, and its end says otherwise");
    BOOST_TEST(spoil(parts.waiting, [](journal::JobRecord& r) { r.mutable_request()->clear_begin_us(); }) ==
               "job 5 of the snapshot: it waits for a begin time and has none");
    BOOST_TEST(spoil(parts.ended, [](journal::JobRecord& r) { r.set_digest("x"); }) ==
               "job 9 of the snapshot: a request digest has 1 bytes instead of 16");
    BOOST_TEST(spoil(parts.ended, [](journal::JobRecord& r) { r.set_state(200); }).starts_with("job 9 of the snapshot: "));
    BOOST_TEST(spoil(parts.ended, [](journal::JobRecord& r) { r.clear_request(); }).starts_with("job 9 of the snapshot: "));
}

// What is done with them is reckoned from them: when a job is forgotten, how long it has run.
BOOST_AUTO_TEST_CASE(times_out_of_range_are_refused)
{
    const Parts parts;
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    const auto spoilt = [&](journal::SnapshotRecord record, auto change) {
        change(*record.mutable_job());
        return !read(parts.with(record), 100).has_value();
    };
    BOOST_TEST(spoilt(parts.ended, [](journal::JobRecord& r) { r.mutable_ended()->set_at_us(most); }));
    BOOST_TEST(spoilt(parts.ended, [](journal::JobRecord& r) { r.mutable_ended()->set_wall_us(-most); }));
    BOOST_TEST(spoilt(parts.running, [](journal::JobRecord& r) { r.mutable_run()->set_started_us(-1); }));
    BOOST_TEST(spoilt(parts.running, [](journal::JobRecord& r) { r.mutable_run()->set_started_wall_us(most); }));
    BOOST_TEST(spoilt(parts.waiting, [](journal::JobRecord& r) { r.set_submitted_us(most); }));
    BOOST_TEST(spoilt(parts.waiting, [](journal::JobRecord& r) { r.set_submitted_wall_us(most); }));
    BOOST_TEST(spoilt(parts.waiting, [](journal::JobRecord& r) { r.set_not_before_us(most); }));
}

BOOST_AUTO_TEST_SUITE_END()
