// Groups of events as bytes and back, and what happens to bytes that are not what was written.
#include "values.hpp"

#include "cluster/apply.hpp"
#include "journal.pb.h"
#include "journal/codec.hpp"
#include "journal/format.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;
using namespace jarvis::journal::test;
using jarvis::journal::check_event;
using jarvis::journal::decode_group;
using jarvis::journal::encode_group;

namespace {

cluster::EventGroup whole_history()
{
    cluster::EventGroup group{.sequence = SequenceNumber{1}, .at = Instant(7s), .events = {}};
    for (auto& named : history())
        group.events.push_back(std::move(named.event));
    return group;
}

std::string group_refusal(std::string_view bytes)
{
    auto group = decode_group(bytes);
    BOOST_REQUIRE(!group);
    BOOST_TEST((group.error().code == Errc::corrupt));
    return group.error().message;
}

// As replay does: decode, check, apply. Returns how far it came; that it comes back at all is what counts.
std::size_t replay(cluster::State& state, std::string_view bytes)
{
    auto group = decode_group(bytes);
    if (!group)
        return 0;
    std::size_t applied = 0;
    for (const auto& event : group->events) {
        if (!check_event(state, event))
            return applied;
        cluster::apply(state, event, group->at);
        ++applied;
    }
    return applied;
}

} // namespace

BOOST_AUTO_TEST_SUITE(groups)

BOOST_AUTO_TEST_CASE(the_history_has_every_kind_of_event)
{
    std::set<std::size_t> kinds;
    for (const auto& events : {history(), relations()})
        for (const auto& named : events)
            kinds.insert(named.event.index());
    BOOST_TEST(kinds.size() == std::variant_size_v<cluster::Event>);
}

BOOST_AUTO_TEST_CASE(every_event_comes_back)
{
    cluster::State live, replayed;
    for (const auto& group : groups_of(history())) {
        auto back = decode_group(encode_group(group));
        BOOST_REQUIRE(back);
        BOOST_TEST((back->sequence == group.sequence));
        BOOST_TEST((back->at == group.at));
        BOOST_REQUIRE(back->events.size() == 1u);
        BOOST_TEST(back->events[0].index() == group.events[0].index());
        auto fits = check_event(replayed, back->events[0]);
        BOOST_TEST(fits.has_value(), (fits ? "" : fits.error().message));
        apply(live, group);
        apply(replayed, *back);
        BOOST_TEST((replayed == live), "after group " << group.sequence.value);
        BOOST_TEST(encode_group(*back) == encode_group(group));
    }
}

BOOST_AUTO_TEST_CASE(what_no_state_keeps_comes_back_too)
{
    const cluster::EventGroup group{.sequence = SequenceNumber{1}, .at = {}, .events = {cluster::JobRequeued{JobId{7}, Incarnation{2}, "caus\xe9"}}};
    auto back = decode_group(encode_group(group));
    BOOST_REQUIRE(back);
    const auto& event = std::get<cluster::JobRequeued>(back->events.at(0));
    BOOST_TEST(event.cause == "caus\xe9");
    BOOST_TEST(event.incarnation.value == 2u);
}

BOOST_AUTO_TEST_CASE(what_is_expected_of_nodes_comes_back)
{
    cluster::Configured configured;
    configured.settings.nodes = {"n1"};
    configured.settings.traits["n1"].expect = {.packages = 2, .numa_nodes = 8, .cores = 64, .threads_per_core = 3, .memory = MemorySize{1LL << 38},
                                               .devices = {{"gpu", 4}, {"nic:rdma", 1}}};
    const auto back = decode_group(encode_group({.sequence = SequenceNumber{1}, .at = {}, .events = {configured}}));
    BOOST_REQUIRE(back);
    BOOST_TEST((std::get<cluster::Configured>(back->events.at(0)).settings == configured.settings));
}

BOOST_AUTO_TEST_CASE(a_group_keeps_the_order_of_its_events)
{
    const auto group = whole_history();
    auto back = decode_group(encode_group(group));
    BOOST_REQUIRE(back);
    BOOST_REQUIRE(back->events.size() == group.events.size());
    for (std::size_t i = 0; i < group.events.size(); ++i)
        BOOST_TEST(back->events[i].index() == group.events[i].index());
}

BOOST_AUTO_TEST_CASE(a_newer_format_is_refused_naming_both)
{
    journal::Group message;
    BOOST_REQUIRE(message.ParseFromString(encode_group(whole_history())));
    message.set_format(journal::current_format + 1);
    BOOST_TEST(group_refusal(message.SerializeAsString()) ==
               fmt::format("the journal has format {}, and this controller understands up to {}: run the newer version again, or "
                           "restore a state folder of this version", journal::current_format + 1, journal::current_format));
    message.set_format(0);
    BOOST_TEST(group_refusal(message.SerializeAsString()) == "the journal: no format number");
}

BOOST_AUTO_TEST_CASE(garbage_is_refused)
{
    BOOST_TEST(group_refusal("") == "the journal: no format number");
    BOOST_TEST(group_refusal("\xff\xff\xff\xff") == "a journal group cannot be read");
    BOOST_TEST(group_refusal("#!/bin/sh\nexit 0\n") == "a journal group cannot be read");
}

BOOST_AUTO_TEST_CASE(an_event_of_an_unknown_kind_is_refused)
{
    journal::Group message;
    message.set_format(journal::current_format);
    message.set_sequence(12);
    message.add_events();
    BOOST_TEST(group_refusal(message.SerializeAsString()) == "journal group 12: an event of an unknown kind");
}

BOOST_AUTO_TEST_CASE(a_time_out_of_range_is_refused)
{
    journal::Group message;
    message.set_format(journal::current_format);
    message.set_sequence(3);
    message.set_at_us(-1);
    BOOST_TEST(group_refusal(message.SerializeAsString()) == "journal group 3: an elapsed time of -1 microseconds is out of range");
}

BOOST_AUTO_TEST_CASE(values_out_of_range_are_refused)
{
    const auto refused = [](auto spoil) {
        journal::Group message;
        message.set_format(journal::current_format);
        message.set_sequence(3);
        spoil(*message.add_events());
        return group_refusal(message.SerializeAsString());
    };
    BOOST_TEST(refused([](journal::Event& e) { e.mutable_cluster_created()->set_uuid("short"); }) ==
               "journal group 3: the cluster's UUID has 5 bytes instead of 16");
    BOOST_TEST(refused([](journal::Event& e) { e.mutable_configured()->set_queue_mode(9); }) == "journal group 3: unknown queue mode 9");
    BOOST_TEST(refused([](journal::Event& e) {
                   auto& partition = *e.mutable_configured()->add_partitions();
                   partition.set_name("batch");
                   partition.set_confinement(77);
               }) == "journal group 3: partition batch: unknown confinement 77");
    BOOST_TEST(refused([](journal::Event& e) { e.mutable_configured()->set_keep_ended_us(-1); }) ==
               "journal group 3: keep_ended: -1 microseconds is out of range");
    BOOST_TEST(refused([](journal::Event& e) { e.mutable_wall_clock_set()->set_offset_us(std::numeric_limits<std::int64_t>::min()); }) ==
               "journal group 3: a wall clock -9223372036854775808 microseconds from elapsed time is out of range");
    BOOST_TEST(refused([](journal::Event& e) { e.mutable_job_submitted()->set_job(1); }).starts_with("journal group 3: request: "));
    BOOST_TEST(refused([](journal::Event& e) { e.mutable_job_ended()->mutable_end()->set_state(99); }).starts_with("journal group 3: "));
}

// The storage finds damage by its checksums; what it cannot find must at least harm nothing.
BOOST_AUTO_TEST_CASE(a_cut_group_gives_no_event_that_was_not_there)
{
    const auto group = whole_history();
    const auto bytes = encode_group(group);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        auto cut = decode_group(std::string_view(bytes).substr(0, size));
        if (!cut)
            continue;
        BOOST_TEST(cut->events.size() < group.events.size());
        for (std::size_t i = 0; i < cut->events.size(); ++i)
            BOOST_TEST(cut->events[i].index() == group.events[i].index());
    }
}

BOOST_AUTO_TEST_CASE(a_damaged_group_crashes_nobody)
{
    const auto bytes = encode_group(whole_history());
    std::size_t whole = 0;
    // Every fifth byte, since a history is replayed for each. The fuzzers see the others.
    for (std::size_t i = 0; i < bytes.size(); i += std::size_t{5} * JARVIS_DAMAGE_STRIDE)
        for (int flip : {0x01, 0x10, 0x80, 0xff}) {
            auto damaged = bytes;
            damaged[i] = static_cast<char>(damaged[i] ^ flip);
            cluster::State state;
            whole += replay(state, damaged) == history().size();
            rebuild_derived(state);
        }
    BOOST_TEST(whole > 0u); // damage inside a text is seen by nobody
}

BOOST_AUTO_TEST_SUITE_END()
