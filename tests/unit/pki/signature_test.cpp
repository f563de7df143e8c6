#include "pki/signature.hpp"

#include "temporary_pki.hpp"

using namespace jarvis;
using namespace jarvis::pki;

BOOST_FIXTURE_TEST_SUITE(signature, TemporaryPki)

BOOST_AUTO_TEST_CASE(only_the_key_of_the_certificate_signs_and_only_what_was_signed_holds)
{
    const auto controller = make().at(1).certificate;
    const auto n1 = node("n1");
    const auto key = Key::read(paths(path, controller_name).key);
    BOOST_REQUIRE(key);
    const auto made = sign(*key, "job 7 on n1");
    BOOST_REQUIRE(made);
    BOOST_TEST(check_signature(controller, "job 7 on n1", *made).has_value());
    BOOST_TEST(has(failure(check_signature(controller, "job 8 on n1", *made)), "the signature is not that of certificate of controller"));
    BOOST_TEST(!check_signature(n1, "job 7 on n1", *made));
    BOOST_TEST(!check_signature(controller, "job 7 on n1", ""));
    BOOST_TEST(!check_signature(controller, "job 7 on n1", "garbage"));
    auto changed = *made;
    changed.back() = static_cast<char>(changed.back() ^ 1);
    BOOST_TEST(!check_signature(controller, "job 7 on n1", changed));
}

BOOST_AUTO_TEST_CASE(a_renewed_certificate_still_holds_what_was_signed)
{
    make();
    const auto key = Key::read(paths(path, controller_name).key);
    const auto made = sign(*key, "job 7 on n1");
    const auto renewed = renew(path, {}, {.now = noon + days(100)});
    BOOST_REQUIRE(renewed);
    BOOST_TEST(check_signature(renewed->front().certificate, "job 7 on n1", *made).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
