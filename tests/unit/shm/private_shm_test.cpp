#include "shm/private_shm.hpp"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

using namespace jarvis;

namespace {

// Namespaces cannot be left again. The answer is the number with which `work` returns.
int in_child(const std::function<int()>& work)
{
    const pid_t child = ::fork();
    if (child == 0)
        ::_exit(work());
    int status = -1;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

bool permitted()
{
    if (shm::try_private())
        return true;
    BOOST_TEST_MESSAGE("not permitted here: " << shm::try_private().error().message);
    return false;
}

std::string text_of(const char* path)
{
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

bool write_file(const std::string& path, std::size_t size)
{
    const int file = ::open(path.c_str(), O_CREAT | O_WRONLY, 0600);
    const std::string bytes(size, 'x');
    const bool written = file >= 0 && ::write(file, bytes.data(), size) == static_cast<ssize_t>(size);
    ::close(file);
    return written;
}

std::string own_file()
{
    return "/dev/shm/jarvis-unit-" + std::to_string(::getpid());
}

} // namespace

BOOST_AUTO_TEST_CASE(files_are_not_the_machines_and_bounded)
{
    if (!permitted())
        return;
    const auto file = own_file();
    BOOST_REQUIRE(write_file(file, 1));
    const int found = in_child([&] {
        if (!shm::make_private(1 << 20))
            return 1;
        if (::access(file.c_str(), F_OK) == 0)
            return 2;
        if (!write_file("/dev/shm/mine", 1000 << 10))
            return 3;
        return write_file("/dev/shm/more", 100 << 10) ? 4 : 0;
    });
    BOOST_TEST(found == 0);
    BOOST_TEST(::access("/dev/shm/mine", F_OK) != 0);
    BOOST_TEST(::access(file.c_str(), F_OK) == 0);
    ::unlink(file.c_str());
}

BOOST_AUTO_TEST_CASE(everybody_may_write_there_and_no_device_counts)
{
    if (!permitted())
        return;
    BOOST_TEST(in_child([] {
        struct statvfs is {};
        if (!shm::make_private(0) || ::statvfs("/dev/shm", &is) != 0 || (is.f_flag & (ST_NOSUID | ST_NODEV)) != (ST_NOSUID | ST_NODEV))
            return 1;
        if (is.f_blocks == 0)
            return 2;
        return ::setuid(65534) == 0 && write_file("/dev/shm/mine", 1) ? 0 : 3;
    }) == 0);
}

BOOST_AUTO_TEST_CASE(other_files_are_the_machines)
{
    if (!permitted())
        return;
    char folder[] = "/tmp/jarvis-shm-XXXXXX";
    BOOST_REQUIRE(::mkdtemp(folder));
    const auto file = std::string(folder) + "/file";
    BOOST_TEST(in_child([&] { return shm::make_private(0) && write_file(file, 3) ? 0 : 1; }) == 0);
    BOOST_TEST(text_of(file.c_str()) == "xxx");
    ::unlink(file.c_str());
    ::rmdir(folder);
}

BOOST_AUTO_TEST_CASE(segments_are_not_the_machines_and_are_removed)
{
    if (!permitted())
        return;
    const int outside = ::shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
    BOOST_REQUIRE_GE(outside, 0);
    BOOST_TEST(in_child([&] {
        shmid_ds segment{};
        if (!shm::make_private(0) || ::shmctl(outside, IPC_STAT, &segment) == 0)
            return 1;
        const int first = ::shmget(4711, 4096, IPC_CREAT | 0600);
        const int second = ::shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
        if (first < 0 || second < 0)
            return 2;
        ::shmctl(first, IPC_RMID, nullptr); // a hole in the table
        shm::remove_segments();
        if (::shmctl(second, IPC_STAT, &segment) == 0)
            return 3;
        shm::remove_segments(); // there is none
        return 0;
    }) == 0);
    shmid_ds segment{};
    BOOST_TEST(::shmctl(outside, IPC_STAT, &segment) == 0);
    ::shmctl(outside, IPC_RMID, nullptr);
}

BOOST_AUTO_TEST_CASE(the_machines_limits_hold)
{
    if (!permitted())
        return;
    // A machine's own values are not ours to change: those of a namespace are, and one of a job is made below it.
    constexpr std::pair<const char*, const char*> changed[] = {
        {"/proc/sys/kernel/msgmni", "777\n"},          {"/proc/sys/kernel/msgmnb", "20000\n"},     {"/proc/sys/kernel/msgmax", "9000\n"},
        {"/proc/sys/kernel/shmmax", "123456789012\n"}, {"/proc/sys/kernel/shmall", "7654321\n"},   {"/proc/sys/kernel/shmmni", "555\n"},
        {"/proc/sys/kernel/sem", "200\t30000\t90\t111\n"}, {"/proc/sys/fs/mqueue/msg_max", "33\n"}, {"/proc/sys/kernel/shm_rmid_forced", "1\n"},
    };
    const int found = in_child([&] {
        if (!shm::make_private(0))
            return 100;
        for (const auto& [file, value] : changed)
            std::ofstream(file) << value << std::flush;
        if (!shm::make_private(0))
            return 101;
        int number = 0;
        for (const auto& [file, value] : changed) {
            ++number;
            if (text_of(file) != value)
                return number;
        }
        return 0;
    });
    BOOST_TEST(found == 0);
    BOOST_TEST(text_of("/proc/sys/kernel/msgmni") != "777\n");
}

BOOST_AUTO_TEST_CASE(without_the_right_to_it_the_answer_says_so)
{
    if (::geteuid() != 0)
        return;
    BOOST_TEST(in_child([] {
        if (::setuid(65534) != 0)
            return 1;
        const auto tried = shm::try_private();
        return !tried && tried.error().message.find("cannot make namespaces for mounts and IPC: ") == 0 ? 0 : 2;
    }) == 0);
}
