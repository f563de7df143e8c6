// What a job's cgroup costs: made, limited, read back, kept from devices and removed as a shepherd does it, against the bare calls
// that it cannot do without: mkdir, write, rmdir.
//
//   bench_job_cgroup GROUP COUNT ROUNDS
//
// GROUP: a cgroup2 folder of one's own whose controllers have been handed on. Prints {"shepherd_us": ..., "bare_us": ..., "devices":
// true, "values": 9}; the two take turns, and each figure is the best round.
#include "cgroup/file.hpp"
#include "cgroup_limits.hpp"
#include "devices/device_access.hpp"
#include "job_cgroup.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using namespace jarvis;

[[noreturn]] void die(const std::string& what)
{
    std::fprintf(stderr, "bench_job_cgroup: %s\n", what.c_str());
    std::exit(1);
}

std::string first_line(const std::string& group, const char* file)
{
    return std::string(cgroup::first_line(cgroup::read_file(group, file).value_or("")));
}

// What a job at level full is told, as far as this group has the files.
wire::LaunchOrder order_for(const std::string& group)
{
    wire::LaunchOrder order;
    const auto add = [&](const char* file, const std::string& value) {
        if (value.empty() || ::mkdir((group + "/look").c_str(), 0755) != 0)
            return;
        if (::access((group + "/look/" + file).c_str(), W_OK) == 0) {
            auto& limit = *order.add_cgroup_values();
            limit.set_file(file);
            limit.set_value(value);
        }
        ::rmdir((group + "/look").c_str());
    };
    add("cpuset.cpus", first_line(group, "cpuset.cpus.effective"));
    add("cpuset.mems", first_line(group, "cpuset.mems.effective"));
    add("memory.max", "104857600");
    add("memory.high", "101580800");
    add("memory.swap.max", "0");
    add("memory.oom.group", "1");
    add("pids.max", "16384");
    add("cpu.weight", "20");
    return order;
}

void as_a_shepherd(const std::string& path, const wire::LaunchOrder& order, const devices::Program* program)
{
    auto group = shepherd::JobCgroup::make(path);
    if (!group)
        die(group.error().message);
    if (auto limited = shepherd::set_limits(path, order); !limited)
        die(limited.error().message);
    if (program)
        if (auto attached = program->attach(path); !attached)
            die(attached.error().message);
    group->empty();
    if (auto removed = group->remove(); !removed)
        die(removed.error().message);
}

void bare(const std::string& path, const wire::LaunchOrder& order)
{
    const auto leaf = path + "/tasks.0";
    if (::mkdir(path.c_str(), 0755) != 0 || ::mkdir(leaf.c_str(), 0755) != 0)
        die("mkdir");
    for (const auto& value : order.cgroup_values()) {
        const Fd file(::open((path + '/' + value.file()).c_str(), O_WRONLY | O_CLOEXEC));
        if (!file || ::write(file.get(), value.value().data(), value.value().size()) < 0)
            die("write " + value.file());
    }
    if (::rmdir(leaf.c_str()) != 0 || ::rmdir(path.c_str()) != 0)
        die("rmdir");
}

template <class Work>
double microseconds_each(int count, const Work& work)
{
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < count; ++i)
        work();
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count() / count;
}

} // namespace

int main(int argc, char** argv)
{
    if (argc != 4)
        die("GROUP COUNT ROUNDS");
    const std::string group = argv[1];
    const int count = std::atoi(argv[2]);
    const auto order = order_for(group);
    const auto program = devices::Program::load(devices::policy_of({.given = {}, .withheld = {"/dev/full"}, .strict = false}));
    const auto* const loaded = program ? &*program : nullptr;
    // As jnoded does it with the group of all jobs: the kernel turns its checks on with the first program and off with the last.
    if (loaded)
        if (auto kept = loaded->attach(group); !kept)
            die(kept.error().message);
    const auto path = group + "/job_1";
    double shepherd_us = 0, bare_us = 0;
    for (int round = 0; round < std::atoi(argv[3]); ++round) {
        const auto one = microseconds_each(count, [&] { as_a_shepherd(path, order, loaded); });
        const auto other = microseconds_each(count, [&] { bare(path, order); });
        shepherd_us = round == 0 ? one : std::min(shepherd_us, one);
        bare_us = round == 0 ? other : std::min(bare_us, other);
    }
    std::printf("{\"shepherd_us\": %.2f, \"bare_us\": %.2f, \"devices\": %s, \"values\": %d}\n", shepherd_us, bare_us, loaded ? "true" : "false",
                order.cgroup_values_size());
}
