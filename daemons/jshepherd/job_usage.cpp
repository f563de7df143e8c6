#include "job_usage.hpp"

#include "cgroup/usage.hpp"

#include <sys/resource.h>

namespace jarvis::shepherd {
namespace {

std::int64_t microseconds(const timeval& time)
{
    return time.tv_sec * std::int64_t{1'000'000} + time.tv_usec;
}

void add_children(wire::Usage& usage)
{
    rusage children{};
    ::getrusage(RUSAGE_CHILDREN, &children);
    usage.set_cpu_user_us(microseconds(children.ru_utime));
    usage.set_cpu_system_us(microseconds(children.ru_stime));
    usage.mutable_detail()->set_major_faults(cgroup::bounded(children.ru_majflt));
    usage.mutable_detail()->set_largest_process(cgroup::bounded(children.ru_maxrss * std::int64_t{1024}));
}

} // namespace

void add_usage(const std::string& group, wire::Usage& usage)
{
    add_children(usage);
    if (!group.empty())
        cgroup::add_usage(group, usage);
}

} // namespace jarvis::shepherd
