// Jobs as plain processes of the node.
#include "message.hpp"
#include "spawn.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <sys/wait.h>

namespace {

std::int32_t load(const jarvis_open*, void** state, char*, std::uint32_t)
{
    *state = nullptr;
    return JARVIS_OK;
}

std::int32_t start(void*, const jarvis_launch* launch, jarvis_handle* handle, std::uint32_t* fault, char* error,
                   std::uint32_t error_size)
{
    native::Failure failure;
    const pid_t pid = native::spawn(*launch, failure);
    if (pid < 0) {
        *fault = native::explain(*launch, failure, error, error_size);
        return *fault == JARVIS_FAULT_USER ? JARVIS_INVALID : JARVIS_UNAVAILABLE;
    }
    handle->pid = pid;
    handle->id[0] = '\0';
    return JARVIS_OK;
}

std::int32_t wait(void*, const jarvis_handle* handle, std::int32_t* wait_status, char* error, std::uint32_t error_size)
{
    for (;;) {
        int status = 0;
        const pid_t ended = waitpid(-1, &status, 0);
        if (ended == handle->pid) {
            *wait_status = status;
            return JARVIS_OK;
        }
        if (ended < 0 && errno != EINTR) {
            std::snprintf(error, error_size, "cannot wait for process %d: %s", handle->pid, std::strerror(errno));
            return JARVIS_UNAVAILABLE;
        }
    }
}

std::int32_t send_signal(void*, const jarvis_handle* handle, std::int32_t number, char* error, std::uint32_t error_size)
{
    if (kill(handle->pid, number) == 0)
        return JARVIS_OK;
    std::snprintf(error, error_size, "cannot send signal %d to process %d: %s", number, handle->pid,
                  std::strerror(errno));
    return errno == ESRCH ? JARVIS_NOT_FOUND : JARVIS_UNAVAILABLE;
}

void close_nothing(void*) {}

constexpr jarvis_runtime table{
    .header = {.abi_major = JARVIS_ABI_MAJOR,
               .abi_minor = JARVIS_ABI_MINOR,
               .struct_size = sizeof(jarvis_runtime),
               .setting_size = sizeof(jarvis_setting),
               .kind = "runtime",
               .name = "native",
               .version = JARVIS_VERSION,
               .text = "jobs as plain processes of the node",
               .settings = nullptr,
               .setting_count = 0,
               .reserved = 0},
    .load = load,
    .attach = nullptr,
    .start = start,
    .wait = wait,
    .signal = send_signal,
    .recover = nullptr, // a process cannot be given another parent to wait for it
    .close = close_nothing,
};

} // namespace

const jarvis_runtime* jarvis_runtime_entry(void)
{
    return &table;
}
