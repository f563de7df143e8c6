#include "model/job_state.hpp"
#include "model/topology.hpp"

#include <set>

#include <boost/test/unit_test.hpp>

using namespace jarvis;

BOOST_AUTO_TEST_SUITE(names_of_values)

BOOST_AUTO_TEST_CASE(every_state_is_read_back_by_both_names_in_either_case)
{
    std::set<std::string_view> names;
    for (auto state : all_job_states) {
        BOOST_TEST((parse_job_state(name(state)).value() == state));
        BOOST_TEST((parse_job_state(short_name(state)).value() == state));
        std::string lower;
        for (char c : name(state))
            lower += static_cast<char>(std::tolower(c));
        BOOST_TEST((parse_job_state(lower).value() == state));
        names.insert(name(state));
        names.insert(short_name(state));
    }
    BOOST_TEST(names.size() == 2 * all_job_states.size());
    BOOST_TEST(short_name(JobState::out_of_memory) == "OOM");
}

BOOST_AUTO_TEST_CASE(unknown_states)
{
    for (auto text : {"", "RUNING", "X", "PENDING "})
        BOOST_TEST(!parse_job_state(text).has_value(), text);
    BOOST_TEST(parse_job_state("runing").error().message.find("did you mean \"RUNNING\"?") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_is_final_and_what_holds_resources)
{
    for (auto state : all_job_states)
        BOOST_TEST(!(is_final(state) && holds_resources(state)));
    BOOST_TEST(!is_final(JobState::completing));
    BOOST_TEST(is_final(JobState::completed));
    BOOST_TEST(holds_resources(JobState::suspended));
    BOOST_TEST(!holds_resources(JobState::pending));
}

BOOST_AUTO_TEST_CASE(confinement_levels_are_sets_of_capabilities)
{
    for (auto level : {Confinement::none, Confinement::track, Confinement::full}) {
        BOOST_TEST((parse_confinement(name(level)).value() == level));
        BOOST_TEST((confinement_of(required_capabilities(level)) == level));
    }
    BOOST_TEST(!parse_confinement("Full").has_value());
    auto track = required_capabilities(Confinement::track);
    BOOST_TEST(format_capabilities(track) == "freeze,kill");
    BOOST_TEST(format_capabilities({}) == "none");
    track.add(Capability::memory);
    BOOST_TEST((confinement_of(track) == Confinement::track));
    BOOST_TEST(format_capabilities(required_capabilities(Confinement::full)) == "cpuset,memory,pids,io,freeze,kill,devices");
    BOOST_TEST(required_capabilities(Confinement::full).includes(required_capabilities(Confinement::track)));
}

BOOST_AUTO_TEST_SUITE_END()
