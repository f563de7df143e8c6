#include "daemon/process.hpp"

#include <string>

#include <pthread.h>
#include <sys/resource.h>

namespace jarvis::daemon {

void name_thread(std::string_view name)
{
    constexpr std::size_t longest = 15; // TASK_COMM_LEN of the kernel, without the final NUL
    ::pthread_setname_np(::pthread_self(), std::string(name.substr(0, longest)).c_str());
}

void allow_many_files()
{
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

} // namespace jarvis::daemon
