#include "client/step_task.hpp"

#include "base/fd.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace jarvis;
using namespace jarvis::client;

namespace {

std::string read_all(int fd)
{
    std::string text;
    char part[256];
    for (ssize_t size; (size = ::read(fd, part, sizeof part)) > 0;)
        text.append(part, static_cast<std::size_t>(size));
    return text;
}

OwnState own_state()
{
    OwnState own;
    ::sigprocmask(SIG_SETMASK, nullptr, &own.signals);
    ::getrlimit(RLIMIT_NOFILE, &own.files);
    return own;
}

} // namespace

BOOST_AUTO_TEST_SUITE(step_task)

BOOST_AUTO_TEST_CASE(a_task_has_its_own_group_variables_processors_and_output)
{
    int ends[2];
    BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const Fd reader(ends[0]);
    Fd writer(ends[1]);
    cpu_set_t allowed;
    BOOST_REQUIRE(::sched_getaffinity(0, sizeof allowed, &allowed) == 0);
    std::uint32_t cpu = 0;
    while (!CPU_ISSET(cpu, &allowed))
        ++cpu;
    std::string words[] = {"sh", "-c", "echo $A; grep Cpus_allowed_list /proc/self/status; ps -o pgid= -p $$ | tr -d ' '; exit 7"};
    char* const arguments[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
    TaskStart start{.program = "/bin/sh", .arguments = arguments};
    start.environment = {"A=b", "PATH=/usr/bin:/bin"};
    start.pus = {cpu};
    start.output = writer.get();
    const auto pid = start_task(start, own_state());
    BOOST_REQUIRE(pid.has_value());
    writer = Fd();
    BOOST_TEST(read_all(reader.get()) == fmt::format("b\nCpus_allowed_list:\t{}\n{}\n", cpu, *pid));
    int status = 0;
    BOOST_REQUIRE(::waitpid(*pid, &status, 0) == *pid);
    BOOST_TEST(WEXITSTATUS(status) == 7);
}

BOOST_AUTO_TEST_CASE(a_task_waits_for_its_barrier_and_ends_with_it)
{
    for (const bool go : {true, false}) {
        int ends[2];
        BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        std::string word = "true";
        char* const arguments[] = {word.data(), nullptr};
        TaskStart start{.program = "/bin/true", .arguments = arguments};
        start.barrier[0] = ends[0];
        start.barrier[1] = ends[1];
        const auto pid = start_task(start, own_state());
        BOOST_REQUIRE(pid.has_value());
        int status = 0;
        BOOST_TEST(::waitpid(*pid, &status, WNOHANG) == 0);
        BOOST_TEST(start_time_of(*pid) > 0u);
        if (go)
            BOOST_REQUIRE(::write(ends[1], "", 1) == 1);
        ::close(ends[1]);
        ::close(ends[0]);
        BOOST_REQUIRE(::waitpid(*pid, &status, 0) == *pid);
        BOOST_TEST(WEXITSTATUS(status) == (go ? 0 : 126));
    }
}

BOOST_AUTO_TEST_CASE(programs_are_found_as_a_shell_finds_them)
{
    BOOST_TEST(find_program("sh", "/nowhere:/bin").value() == "/bin/sh");
    BOOST_TEST(find_program("/bin/sh", nullptr).value() == "/bin/sh");
    BOOST_TEST((find_program("no-such-program", "/usr/bin:/bin").error().code == Errc::not_found));
    BOOST_TEST((find_program("/etc/passwd", nullptr).error().code == Errc::denied));
    BOOST_TEST((find_program("/etc", nullptr).error().code == Errc::denied));
    BOOST_TEST((find_program("passwd", "/etc").error().code == Errc::denied));
    BOOST_TEST((find_program("", "/bin").error().code == Errc::not_found));
}

BOOST_AUTO_TEST_SUITE_END()
