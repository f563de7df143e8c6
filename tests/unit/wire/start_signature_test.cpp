#include "wire/start_signature.hpp"

#include "../pki/temporary_pki.hpp"

#include <functional>

using namespace jarvis;
using pki::has, pki::failure;

namespace {

constexpr std::uint64_t epoch = 4;

struct Signed : pki::TemporaryPki {
    pki::Certificate controller = make().at(1).certificate;
    pki::Certificate n1 = node("n1");
    pki::Key key = *pki::Key::read(pki::paths(path, "controller").key);
    wire::StartJob start;

    Signed()
    {
        start.set_cluster_uuid(std::string(16, 'u'));
        start.set_job_id(7);
        start.set_incarnation(1);
        start.set_script("#!/bin/sh\necho hello\n");
        start.mutable_environment()->add_variables("A=1");
        start.mutable_environment()->add_variables("B=2");
        auto& request = *start.mutable_request();
        request.mutable_account()->set_uid(1000);
        request.mutable_account()->set_gid(1000);
        request.mutable_account()->add_groups(100);
        request.mutable_account()->set_user("alice");
        request.add_arguments("x");
        request.set_working_directory("/home/alice");
        BOOST_REQUIRE(wire::sign_start(start, epoch, "n1", key));
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(start_signature, Signed)

BOOST_AUTO_TEST_CASE(what_was_signed_holds_and_comes_over_the_wire)
{
    BOOST_TEST(wire::check_start(start, epoch, "n1", controller).has_value());
    wire::StartJob received;
    BOOST_REQUIRE(received.ParseFromString(start.SerializeAsString()));
    BOOST_TEST(wire::check_start(received, epoch, "n1", controller).has_value());
}

BOOST_AUTO_TEST_CASE(nothing_of_it_can_be_changed)
{
    const std::vector<std::function<void(wire::StartJob&)>> changes{
        [](auto& s) { s.set_cluster_uuid(std::string(16, 'v')); },
        [](auto& s) { s.set_job_id(8); },
        [](auto& s) { s.set_task(0); },
        [](auto& s) { s.set_incarnation(2); },
        [](auto& s) { s.set_script("#!/bin/sh\necho other\n"); },
        [](auto& s) { s.mutable_environment()->set_variables(0, "A=2"); },
        [](auto& s) { s.mutable_environment()->mutable_variables()->RemoveLast(); },
        [](auto& s) { s.mutable_request()->mutable_account()->set_uid(0); },
        [](auto& s) { s.mutable_request()->mutable_account()->set_gid(0); },
        [](auto& s) { s.mutable_request()->mutable_account()->add_groups(0); },
        [](auto& s) { s.mutable_request()->mutable_account()->set_user("bob"); },
        [](auto& s) { s.mutable_request()->set_arguments(0, "y"); },
        [](auto& s) { s.mutable_request()->add_arguments(""); },
        [](auto& s) { s.mutable_request()->set_working_directory("/"); },
        [](auto& s) { s.mutable_request()->set_output("/etc/passwd"); },
        [](auto& s) { s.set_role(wire::StartJob::MEMBER); },
        [](auto& s) { s.set_node_list("n[1-2]"); },
        [](auto& s) { s.set_signature("x"); },
    };
    for (std::size_t i = 0; i < changes.size(); ++i) {
        auto changed = start;
        changes[i](changed);
        BOOST_TEST(!wire::check_start(changed, epoch, "n1", controller), "change " << i);
    }
    BOOST_TEST(!wire::check_start(start, epoch + 1, "n1", controller));
    BOOST_TEST(!wire::check_start(start, epoch, "n2", controller));
    BOOST_TEST(has(failure(wire::check_start(start, epoch, "n1", n1)), "the signature is not that of certificate of node n1"));
    start.clear_signature();
    BOOST_TEST(has(failure(wire::check_start(start, epoch, "n1", controller)), "the start is not signed"));
}

BOOST_AUTO_TEST_CASE(neighbouring_fields_do_not_run_into_each_other)
{
    auto one = start, other = start;
    one.mutable_request()->set_output("ab");
    one.mutable_request()->set_error("c");
    other.mutable_request()->set_output("a");
    other.mutable_request()->set_error("bc");
    BOOST_TEST(wire::signed_content(one, epoch, "n1") != wire::signed_content(other, epoch, "n1"));
}

BOOST_AUTO_TEST_SUITE_END()
