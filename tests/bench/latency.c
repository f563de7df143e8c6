// How long it takes until a job's script runs. The script writes to a FIFO what it has come to: 's' at its first line,
// 'e' at its last one.
//
//   bench_latency starts FIFO COUNT PAUSE_MS COMMAND [ARGUMENT...]   from the command's start to 's', one job after the
//   other bench_latency gaps FIFO COUNT                                    from each 'e' to the next 's'
//
// Prints one time in ms a line.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

static void die(const char* what)
{
    fprintf(stderr, "bench_latency: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

// The time at which the next such letter came.
static double wait_for_letter(int fifo, char wanted)
{
    for (;;) {
        struct pollfd ready = {.fd = fifo, .events = POLLIN};
        if (poll(&ready, 1, 60000) == 0) {
            errno = ETIMEDOUT;
            die("no job writes to the FIFO");
        }
        char letter;
        const ssize_t n = read(fifo, &letter, 1);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            die("FIFO");
        if (n == 1 && letter == wanted)
            return now_ms();
    }
}

static void starts(int fifo, long count, long pause_ms, char** command)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    for (long i = 0; i < count; i++) {
        pid_t child;
        int status;
        const double begin = now_ms();
        const int error = posix_spawn(&child, command[0], &actions, NULL, command, environ);
        if (error != 0) {
            errno = error;
            die(command[0]);
        }
        printf("%.3f\n", wait_for_letter(fifo, 's') - begin);
        wait_for_letter(fifo, 'e');
        if (waitpid(child, &status, 0) != child || status != 0)
            die("the command failed");
        usleep((useconds_t)pause_ms * 1000);
    }
}

static void gaps(int fifo, long count)
{
    double end = wait_for_letter(fifo, 'e');
    for (long i = 0; i < count; i++) {
        printf("%.3f\n", wait_for_letter(fifo, 's') - end);
        end = wait_for_letter(fifo, 'e');
    }
}

int main(int argc, char** argv)
{
    const int is_starts = argc > 5 && strcmp(argv[1], "starts") == 0;
    if (!is_starts && (argc != 4 || strcmp(argv[1], "gaps") != 0)) {
        fprintf(stderr, "usage: bench_latency starts FIFO COUNT PAUSE_MS COMMAND [ARGUMENT...]\n       bench_latency "
                        "gaps FIFO COUNT\n");
        return 2;
    }
    // Open for writing too, so that it never ends.
    const int fifo = open(argv[2], O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fifo < 0)
        die(argv[2]);
    setpriority(PRIO_PROCESS, 0,
                -20); // it has to see the letters when they come; without the right to it is as others are
    if (is_starts)
        starts(fifo, atol(argv[3]), atol(argv[4]), argv + 5);
    else
        gaps(fifo, atol(argv[3]));
    return 0;
}
