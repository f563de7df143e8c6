/*
 * What jobs in virtual machines do, well-behaved and hostile. One program in C, since an interpreter takes a second to start there.
 *
 *     vm_worker hold MIB PROCESSES THREADS   touches memory in that many processes and threads, says "ready", and ends on SIGUSR1
 *     vm_worker count                        counts what it gets done until it is killed: lines of units and its own CPU time in ns
 *     vm_worker spin                         is busy and does nothing
 *     vm_worker hog MIB                      takes memory
 *     vm_worker forks | threads              makes processes, which do the same, or threads, without end
 *     vm_worker fill FILE                    writes a file until there is no room
 *     vm_worker daemon                       leaves a daemon behind, deaf to signals, and ends
 *     vm_worker deaf                         ignores every signal that can be ignored
 *     vm_worker open FILE...                 tells which of them it could open for writing
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20, PAGE = 4096, MOST_PROCESSES = 64, UNIT_BYTES = 64 << 10, UNITS_PER_LINE = 400 };

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void *touched(size_t size)
{
    unsigned char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        die("mmap");
    for (size_t at = 0; at < size; at += PAGE)
        memory[at] = 1;
    return memory;
}

static void say(const char *text)
{
    puts(text);
    fflush(stdout);
}

static void *wait_forever(void *unused)
{
    for (;;)
        pause();
    return unused;
}

/* Each thread touches memory of its own, so that first touch on every core is seen. */
static void *touch_and_wait(void *size)
{
    touched((size_t)(uintptr_t)size);
    return wait_forever(NULL);
}

static void hold_in_threads(size_t size, int threads)
{
    for (int i = 0; i < threads; ++i) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, touch_and_wait, (void *)(uintptr_t)(size / (size_t)threads)) != 0)
            die("pthread_create");
    }
}

static int hold(size_t size, int processes, int threads)
{
    pid_t children[MOST_PROCESSES];
    sigset_t end;
    sigemptyset(&end);
    sigaddset(&end, SIGUSR1);
    sigprocmask(SIG_BLOCK, &end, NULL);
    if (processes < 1 || processes > MOST_PROCESSES || threads < 1)
        return 2;
    for (int i = 1; i < processes; ++i) {
        children[i] = fork();
        if (children[i] < 0)
            die("fork");
        if (children[i] == 0) {
            hold_in_threads(size / (size_t)processes, threads);
            wait_forever(NULL);
        }
    }
    hold_in_threads(size / (size_t)processes, threads);
    say("ready");
    int got = 0;
    sigwait(&end, &got);
    for (int i = 1; i < processes; ++i)
        kill(children[i], SIGKILL);
    return 0;
}

static void count(void)
{
    unsigned char *memory = touched(UNIT_BYTES);
    for (uint64_t units = 0;;) {
        for (int i = 0; i < UNITS_PER_LINE; ++i, ++units)
            for (size_t at = 0; at < UNIT_BYTES; at += 64)
                memory[at] = (unsigned char)(memory[at] * 5 + units);
        struct timespec used;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
        printf("%llu %lld\n", (unsigned long long)units, used.tv_sec * 1000000000LL + used.tv_nsec);
        fflush(stdout);
    }
}

static void fork_without_end(void)
{
    for (;;)
        (void)!fork();
}

static void threads_without_end(void)
{
    for (;;) {
        pthread_t thread;
        (void)pthread_create(&thread, NULL, wait_forever, NULL);
    }
}

static int fill(const char *path)
{
    static char block[256 << 10];
    memset(block, 1, sizeof block);
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0)
        die(path);
    while (write(file, block, sizeof block) > 0)
        ;
    die(path);
    return 1;
}

static void be_deaf(void)
{
    for (int number = 1; number < SIGRTMAX; ++number)
        signal(number, SIG_IGN);
}

static int leave_a_daemon(void)
{
    if (fork() != 0)
        return 0;
    setsid();
    if (fork() != 0)
        return 0;
    be_deaf();
    say("daemon");
    wait_forever(NULL);
    return 0;
}

static int try_to_open(char **paths)
{
    for (; *paths; ++paths) {
        const int file = open(*paths, O_WRONLY | O_CLOEXEC);
        if (file >= 0)
            printf("open %s\n", *paths);
        close(file);
    }
    say("tried");
    return 0;
}

int main(int count_of_arguments, char **arguments)
{
    const char *what = count_of_arguments > 1 ? arguments[1] : "";
    char **more = arguments + 2;
    const int number = count_of_arguments - 2;
    if (strcmp(what, "hold") == 0 && number == 3)
        return hold((size_t)atoi(more[0]) * MIB, atoi(more[1]), atoi(more[2]));
    if (strcmp(what, "count") == 0)
        count();
    if (strcmp(what, "spin") == 0)
        for (volatile unsigned i = 0;; ++i)
            ;
    if (strcmp(what, "hog") == 0 && number == 1) {
        say("begin");
        touched((size_t)atoi(more[0]) * MIB);
        say("end");
        return 0;
    }
    if (strcmp(what, "forks") == 0)
        fork_without_end();
    if (strcmp(what, "threads") == 0)
        threads_without_end();
    if (strcmp(what, "fill") == 0 && number == 1)
        return fill(more[0]);
    if (strcmp(what, "daemon") == 0)
        return leave_a_daemon();
    if (strcmp(what, "deaf") == 0) {
        be_deaf();
        say("deaf");
        wait_forever(NULL);
    }
    if (strcmp(what, "open") == 0 && number > 0)
        return try_to_open(more);
    fprintf(stderr, "vm_worker: see the first lines of vm_worker.c\n");
    return 2;
}
