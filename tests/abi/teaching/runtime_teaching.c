/*
 * A teaching plugin: a runtime in plain C that knows just enough to run a program: no cgroup, no affinity, no limits,
 * and the process is the shepherd's own user's. (The plugin "native" does it all.) Built as runtime_teaching.so.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pipe2, close_range */
#endif
#include <jarvis/runtime.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char loaded; /* its address is the state: there is nothing to remember */

static int32_t load(const struct jarvis_open *args, void **state, char *error, uint32_t error_size)
{
    (void)args, (void)error, (void)error_size;
    *state = &loaded;
    return JARVIS_OK;
}

/* Why the program was not executed. Also valid in the parent: the child has a copy of the same memory. */
struct failure {
    int number;       /* as errno has it */
    const char *path; /* what could not be entered, opened or executed */
};

static int take(const char *path, int how, int wanted, struct failure *failure)
{
    failure->path = path ? path : "/dev/null";
    const int opened = open(failure->path, how, 0666);
    return opened < 0 ? -1 : dup2(opened, wanted);
}

/* In the child. Comes back only if the program cannot be executed. */
static void become(const struct jarvis_launch *launch, struct failure *failure)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    umask(launch->umask);
    setsid();
    const int how = O_WRONLY | O_CREAT | (launch->flags & JARVIS_LAUNCH_APPEND ? O_APPEND : O_TRUNC);
    failure->path = launch->working_directory;
    if (chdir(launch->working_directory) == 0 && take(launch->input_path, O_RDONLY, 0, failure) == 0
        && take(launch->output_path, how, 1, failure) == 1
        && (launch->error_path ? take(launch->error_path, how, 2, failure) : dup2(1, 2)) == 2) {
        failure->path = launch->program;
        if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) == 0) /* the pipe too is needed until then */
            execve(launch->program, (char *const *)launch->argv, (char *const *)launch->envp);
    }
    failure->number = errno;
}

static int32_t start(void *state, const struct jarvis_launch *launch, struct jarvis_handle *handle, uint32_t *fault,
                     char *error, uint32_t error_size)
{
    (void)state;
    int report[2]; /* closed by the exec; else the failure comes through it */
    struct failure failure = {0, NULL};
    *fault = JARVIS_FAULT_SYSTEM;
    if (pipe2(report, O_CLOEXEC) != 0 || (handle->pid = fork()) < 0) {
        snprintf(error, error_size, "cannot start a process: %s", strerror(errno));
        return JARVIS_UNAVAILABLE;
    }
    if (handle->pid == 0) {
        become(launch, &failure);
        (void)!write(report[1], &failure, sizeof failure);
        _exit(127);
    }
    close(report[1]);
    const ssize_t got = read(report[0], &failure, sizeof failure);
    close(report[0]);
    if (got == 0)
        return JARVIS_OK;
    waitpid(handle->pid, NULL, 0);
    *fault = JARVIS_FAULT_USER;
    snprintf(error, error_size, "cannot use %s: %s", failure.path, strerror(failure.number));
    return JARVIS_INVALID;
}

static int32_t wait_for_end(void *state, const struct jarvis_handle *handle, int32_t *wait_status, char *error,
                            uint32_t error_size)
{
    (void)state;
    int status = 0;
    for (;;) {
        const pid_t ended = waitpid(-1, &status, 0); /* -1: what the job left behind is ours to reap too */
        if (ended < 0 && errno != EINTR) {
            snprintf(error, error_size, "process %d: %s", (int)handle->pid, strerror(errno));
            return JARVIS_UNAVAILABLE;
        }
        if (ended == handle->pid) {
            *wait_status = status;
            return JARVIS_OK;
        }
    }
}

static void close_plugin(void *state)
{
    (void)state;
}

const struct jarvis_runtime *jarvis_runtime_entry(void)
{
    static const struct jarvis_runtime table = {
        .header = {.abi_major = JARVIS_ABI_MAJOR,
                   .abi_minor = JARVIS_ABI_MINOR,
                   .struct_size = sizeof table,
                   .setting_size = sizeof(struct jarvis_setting),
                   .kind = "runtime",
                   .name = "teaching",
                   .version = "1.0",
                   .text = "just runs the program: for reading, not for use"},
        .load = load,
        .start = start,
        .wait = wait_for_end,
        .close = close_plugin,
    };
    return &table;
}
