#include "limits.hpp"

#include "config/config.hpp"

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace jarvis::noded {
namespace {

bool may_raise_limits()
{
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
    return ::syscall(SYS_capget, &header, data) == 0 && (data[0].effective & 1u << CAP_SYS_RESOURCE) != 0;
}

} // namespace

std::vector<ResourceLimit> limit_ceilings()
{
    if (may_raise_limits())
        return {};
    static constexpr std::pair<const char*, int> names[] = {
        {"AS", RLIMIT_AS},         {"CORE", RLIMIT_CORE},     {"CPU", RLIMIT_CPU},       {"DATA", RLIMIT_DATA},
        {"FSIZE", RLIMIT_FSIZE},   {"LOCKS", RLIMIT_LOCKS},   {"MEMLOCK", RLIMIT_MEMLOCK}, {"MSGQUEUE", RLIMIT_MSGQUEUE},
        {"NICE", RLIMIT_NICE},     {"NOFILE", RLIMIT_NOFILE}, {"NPROC", RLIMIT_NPROC},   {"RSS", RLIMIT_RSS},
        {"RTPRIO", RLIMIT_RTPRIO}, {"RTTIME", RLIMIT_RTTIME}, {"SIGPENDING", RLIMIT_SIGPENDING}, {"STACK", RLIMIT_STACK}};
    std::vector<ResourceLimit> limits;
    for (const auto& [name, resource] : names) {
        rlimit own{};
        if (::getrlimit(static_cast<__rlimit_resource_t>(resource), &own) == 0)
            {
            const std::uint64_t hard = own.rlim_max == RLIM_INFINITY ? config::unlimited : own.rlim_max;
            limits.push_back({name, hard, hard});
        }
    }
    return limits;
}

} // namespace jarvis::noded
