#include "daemon/boot_id.hpp"
#include "daemon/folders.hpp"

#include "temporary_folder.hpp"
#include "wire/clocks.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

using namespace jarvis;

namespace {

mode_t mode_of(const std::string& path)
{
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

std::string refusal(const std::string& path, mode_t mode = 0700)
{
    auto made = daemon::make_private_folder(path, mode);
    return made ? "" : made.error().message;
}

} // namespace

BOOST_AUTO_TEST_SUITE(folders)

BOOST_AUTO_TEST_CASE(made_with_the_mode_whatever_the_umask)
{
    test::TemporaryFolder folder;
    auto before = ::umask(077);
    BOOST_TEST(refusal(folder / "a/b/c", 0755) == "");
    ::umask(0);
    BOOST_TEST(refusal(folder / "d/e/") == "");
    ::umask(before);
    BOOST_TEST(mode_of(folder / "a/b/c") == 0755u);
    BOOST_TEST(mode_of(folder / "d/e") == 0700u);
    BOOST_TEST(mode_of(folder / "d") == 0755u);
    BOOST_TEST(refusal(folder / "d/e") == ""); // again is fine
}

BOOST_AUTO_TEST_CASE(what_others_could_have_changed_is_refused)
{
    test::TemporaryFolder folder;
    ::mkdir((folder / "open").c_str(), 0700);
    ::chmod((folder / "open").c_str(), 0777);
    BOOST_TEST(refusal(folder / "open").find("chmod go-w") != std::string::npos);
    ::mkdir((folder / "readable").c_str(), 0700);
    ::chmod((folder / "readable").c_str(), 0755);
    BOOST_TEST(refusal(folder / "readable") == "");
    BOOST_TEST(mode_of(folder / "readable") == 0700u);
    BOOST_REQUIRE(::symlink("readable", (folder / "link").c_str()) == 0);
    BOOST_TEST(refusal(folder / "link").find("is not a folder") != std::string::npos);
    BOOST_TEST(refusal(folder / "link/").find("is not a folder") != std::string::npos);
    std::ofstream(folder / "file") << "x";
    BOOST_TEST(refusal(folder / "file").find("is not a folder") != std::string::npos);
    BOOST_TEST(refusal(folder / "file/below").find("not a directory") != std::string::npos);
    BOOST_TEST(refusal("") != "");
    if (::geteuid() == 0) {
        ::mkdir((folder / "foreign").c_str(), 0700);
        BOOST_REQUIRE(::chown((folder / "foreign").c_str(), 12345, 12345) == 0);
        BOOST_TEST(refusal(folder / "foreign").find("belongs to uid 12345") != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(kinds_of_file_system)
{
    BOOST_TEST(!daemon::on_tmpfs("/proc"));
    BOOST_TEST(!daemon::on_tmpfs("/nonexistent"));
    BOOST_TEST(!daemon::network_file_system("/proc"));
    std::vector<std::string> none{"", "/proc", "/nonexistent"};
    BOOST_TEST(!daemon::first_writable_tmpfs(none));
    if (daemon::on_tmpfs("/dev/shm") && ::access("/dev/shm", W_OK) == 0) {
        std::vector<std::string> some{"", "/proc", "/dev/shm"};
        BOOST_TEST(daemon::first_writable_tmpfs(some).value() == "/dev/shm");
    }
}

BOOST_AUTO_TEST_CASE(boot_id)
{
    BOOST_TEST(daemon::read_boot_id().value().size() == 36u);
    test::TemporaryFolder folder;
    std::ofstream(folder / "id") << "boot-2\n";
    BOOST_TEST(daemon::read_boot_id(folder / "id").value() == "boot-2");
    for (const std::string& bad : {std::string(), std::string("two words"), std::string(65, 'x'), std::string("a\x1b")}) {
        std::ofstream(folder / "id", std::ios::trunc) << bad;
        BOOST_TEST(!daemon::read_boot_id(folder / "id").has_value());
    }
    BOOST_TEST(!daemon::read_boot_id(folder / "missing").has_value());
}

BOOST_AUTO_TEST_CASE(clocks_go_forward)
{
    auto first = boottime_us();
    auto second = boottime_us();
    BOOST_TEST(first > 0);
    BOOST_TEST(second >= first);
}

BOOST_AUTO_TEST_SUITE_END()
