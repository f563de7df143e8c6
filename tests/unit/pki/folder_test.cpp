#include "pki/folder.hpp"

#include "pki/files.hpp"
#include "temporary_pki.hpp"

#include <sys/stat.h>
#include <unistd.h>

using namespace jarvis;
using namespace jarvis::pki;

namespace {

mode_t mode(const std::string& path)
{
    struct stat info {};
    BOOST_REQUIRE(::stat(path.c_str(), &info) == 0);
    return info.st_mode & 07777;
}

std::vector<std::string> names(std::initializer_list<std::string> list) { return list; }

} // namespace

BOOST_FIXTURE_TEST_SUITE(folder, TemporaryPki)

BOOST_AUTO_TEST_CASE(init_makes_an_authority_and_the_controllers_certificate)
{
    const auto made = make();
    BOOST_REQUIRE(made.size() == 2U);
    const auto authority = made[0].certificate.identity();
    const auto controller = made[1].certificate.identity();
    BOOST_REQUIRE((authority && controller));
    BOOST_TEST((authority->role == Role::authority));
    BOOST_TEST(authority->name == "hpc");
    BOOST_TEST((*controller == Identity{Role::controller, "controller", authority->cluster}));
    BOOST_TEST(made[1].certificate.cluster_name() == "hpc");
    BOOST_TEST(made[1].certificate.is_signed_by(made[0].certificate));
    BOOST_TEST(mode(path + "/ca.key") == 0600U);
    BOOST_TEST(mode(path + "/controller.key") == 0600U);
    BOOST_TEST((made[1].certificate.not_after() == noon + days(365)));
    BOOST_TEST((made[0].certificate.not_after() == noon + days(3650)));
}

BOOST_AUTO_TEST_CASE(an_authority_that_is_there_is_left_alone)
{
    make();
    const auto before = read_file(path + "/ca.key");
    BOOST_TEST(has(failure(init(path, "hpc", {}, {.now = noon})), "there is a certificate authority in " + path + " already"));
    BOOST_TEST(*read_file(path + "/ca.key") == *before);
}

BOOST_AUTO_TEST_CASE(a_cluster_that_exists_keeps_its_uuid)
{
    const auto uuid = *parse_uuid("c1f8f7b2-8a4e-4c2d-9f3b-2f7c6d5e4a3b");
    const auto made = init(path, "hpc", uuid, {.now = noon});
    BOOST_REQUIRE(made);
    BOOST_TEST((made->front().certificate.identity()->cluster == uuid));
}

BOOST_AUTO_TEST_CASE(nodes_get_keys_of_their_own)
{
    make();
    const auto made = make_nodes(path, names({"n1", "n2"}), {.now = noon, .days = 10});
    BOOST_REQUIRE(made);
    BOOST_REQUIRE(made->size() == 2U);
    BOOST_TEST(made->at(0).file == path + "/nodes/n1.crt");
    BOOST_TEST(mode(path + "/nodes/n1.key") == 0600U);
    BOOST_TEST(made->at(0).certificate.identity()->name == "n1");
    BOOST_TEST((made->at(0).certificate.not_after() == noon + days(10)));
    const auto key = Key::read(path + "/nodes/n1.key");
    BOOST_REQUIRE(key);
    BOOST_TEST(made->at(0).certificate.belongs_to(*key));
    BOOST_TEST(!made->at(1).certificate.belongs_to(*key));
    BOOST_TEST(made->at(0).certificate.fingerprint() != made->at(1).certificate.fingerprint());
}

BOOST_AUTO_TEST_CASE(nodes_are_made_all_or_none)
{
    make();
    node("n2");
    BOOST_TEST(has(failure(make_nodes(path, names({"n1", "n2", "n3"}), {.now = noon})), "there is a certificate of n2"));
    BOOST_TEST(!*exists(path + "/nodes/n1.crt"));
    BOOST_TEST(has(failure(make_nodes(path, names({"n1", "../x"}), {.now = noon})), "\"../x\" is no name of a node"));
    BOOST_TEST(has(failure(make_nodes(path, names({"controller"}), {.now = noon})), "no node can be named \"controller\""));
    BOOST_TEST(has(failure(make_nodes(path, names({"ca"}), {.now = noon})), "no node can be named \"ca\""));
    BOOST_TEST(!*exists(path + "/nodes/n1.crt"));
}

BOOST_AUTO_TEST_CASE(a_key_that_a_failed_attempt_left_is_used)
{
    make();
    node("n1");
    const auto key = *read_file(path + "/nodes/n1.key");
    BOOST_REQUIRE(::unlink((path + "/nodes/n1.crt").c_str()) == 0);
    const auto again = node("n1");
    BOOST_TEST(*read_file(path + "/nodes/n1.key") == key);
    BOOST_TEST(again.belongs_to(*Key::from_pem(key, "the key")));
}

BOOST_AUTO_TEST_CASE(without_an_authority_nothing_is_made)
{
    BOOST_TEST(has(failure(make_nodes(path, names({"n1"}), {.now = noon})), "there is no certificate authority in " + path));
    BOOST_TEST(has(failure(renew(path, {}, {.now = noon})), "there is no certificate authority in " + path));
    BOOST_TEST(has(failure(list(path)), "there is no certificate in " + path));
}

BOOST_AUTO_TEST_CASE(keys_that_others_can_read_are_refused)
{
    make();
    BOOST_REQUIRE(::chmod((path + "/ca.key").c_str(), 0640) == 0);
    BOOST_TEST(has(failure(make_nodes(path, names({"n1"}), {.now = noon})), "ca.key can be read by others (mode 0640)"));
}

BOOST_AUTO_TEST_CASE(garbage_is_told_by_file)
{
    make();
    node("n1");
    BOOST_REQUIRE(write_file(path + "/nodes/n1.crt", "garbage", 0644));
    BOOST_TEST(has(failure(renew(path, names({"n1"}), {.now = noon})), path + "/nodes/n1.crt holds no certificate"));
    BOOST_REQUIRE(write_file(path + "/ca.key", "garbage", 0600));
    BOOST_TEST(has(failure(renew(path, names({"controller"}), {.now = noon})), path + "/ca.key holds no private key"));
    BOOST_REQUIRE(write_file(path + "/ca.crt", std::string(300'000, 'x'), 0644));
    BOOST_TEST(has(failure(list(path)), "is larger than any"));
}

BOOST_AUTO_TEST_CASE(renewing_keeps_key_and_identity)
{
    const auto controller = make().at(1).certificate;
    const auto n1 = node("n1");
    const auto key = *read_file(path + "/nodes/n1.key");
    const auto renewed = renew(path, {}, {.now = noon + days(300)});
    BOOST_REQUIRE(renewed);
    BOOST_REQUIRE(renewed->size() == 2U);
    BOOST_TEST((renewed->at(0).certificate.identity() == controller.identity()));
    const auto& again = renewed->at(1).certificate;
    BOOST_TEST((again.identity() == n1.identity()));
    BOOST_TEST((again.not_after() == noon + days(665)));
    BOOST_TEST(again.fingerprint() != n1.fingerprint());
    BOOST_TEST(*read_file(path + "/nodes/n1.key") == key);
    BOOST_TEST(Certificate::read(path + "/nodes/n1.crt")->fingerprint() == again.fingerprint());
    BOOST_TEST(has(failure(renew(path, names({"n9"}), {.now = noon})), "cannot renew n9"));
}

BOOST_AUTO_TEST_CASE(nothing_outlives_its_authority)
{
    const auto authority = make().front().certificate;
    BOOST_TEST((node("n1", {.now = noon, .days = 9000}).not_after() == authority.not_after()));
}

BOOST_AUTO_TEST_CASE(an_expired_authority_makes_nothing_until_it_is_renewed)
{
    make();
    const auto n1 = node("n1");
    const auto later = noon + days(4000);
    const auto refused = failure(make_nodes(path, names({"n2"}), {.now = later}));
    BOOST_TEST(has(refused, "certificate of certificate authority of cluster hpc expired on 2036-"));
    BOOST_TEST(has(refused, "jadmin pki renew ca"));
    const auto renewed = renew(path, names({"ca", "n1"}), {.now = later});
    BOOST_REQUIRE(renewed);
    BOOST_TEST((renewed->at(0).certificate.not_after() == later + days(3650)));
    // What it made before is still its.
    BOOST_TEST(n1.is_signed_by(renewed->at(0).certificate));
    BOOST_TEST(renewed->at(1).certificate.is_signed_by(renewed->at(0).certificate));
}

BOOST_AUTO_TEST_CASE(times_that_make_no_sense_are_refused)
{
    make();
    BOOST_TEST(has(failure(make_nodes(path, names({"n1"}), {.now = noon, .not_after = noon - days(1)})), "cannot end"));
    BOOST_TEST(has(failure(make_nodes(path, names({"n1"}), {.now = noon, .days = 0})), "1 to 36500 days"));
    BOOST_TEST(!*exists(path + "/nodes/n1.key"));
}

BOOST_AUTO_TEST_CASE(the_list_has_everything_by_name)
{
    make();
    node("n2");
    node("n1");
    const auto all = list(path);
    BOOST_REQUIRE(all);
    std::vector<std::string> found;
    for (const auto& entry : *all)
        found.push_back(entry.name);
    BOOST_TEST(found == names({"ca", "controller", "n1", "n2"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
