// Runs a command COUNT times, AT_ONCE of them at any time, and prints how many seconds that took. posix_spawn, since a fork
// of a large process would be measured too; the command's standard output goes to /dev/null.
//
//   bench_spawn AT_ONCE COUNT COMMAND [ARGUMENT...]
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: bench_spawn AT_ONCE COUNT COMMAND [ARGUMENT...]\n");
        return 2;
    }
    const long at_once = atol(argv[1]), count = atol(argv[2]);
    long running = 0, started = 0, failed = 0;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    const double begin = now();
    while (started < count || running > 0) {
        if (started < count && running < at_once) {
            pid_t child;
            const int error = posix_spawn(&child, argv[3], &actions, NULL, argv + 3, environ);
            if (error != 0) {
                fprintf(stderr, "bench_spawn: cannot start %s: %s\n", argv[3], strerror(error));
                return 1;
            }
            started++;
            running++;
            continue;
        }
        int status;
        if (waitpid(-1, &status, 0) < 0 && errno != EINTR)
            return 1;
        running--;
        failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    printf("%.6f\n", now() - begin);
    if (failed != 0)
        fprintf(stderr, "bench_spawn: %ld of %ld failed\n", failed, count);
    return failed != 0;
}
