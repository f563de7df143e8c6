// Asks slurmctld for one job after the other at a steady rate, from some processes, until its standard input ends. Each
// question is a connection of its own, as libslurm has it. The processes together take half a core at most: what is due
// beyond it is late.
//
//   slurm_query RATE PROCESSES IDS              asks for the jobs 1..IDS
//
// Prints "ready", and at the end one line of JSON.
#include <poll.h>
#include <slurm/slurm.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { most = 1 << 18 };

struct counts {
    volatile int over;
    unsigned long answered, late, kept;
    float took_ms[most];
};

static double seconds_of(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static int compare(const void* a, const void* b)
{
    const float x = *(const float*)a, y = *(const float*)b;
    return (x > y) - (x < y);
}

static void ask(struct counts* counts, unsigned id)
{
    const double begin = seconds_of(CLOCK_MONOTONIC);
    job_info_msg_t* jobs = NULL;
    if (slurm_load_job(&jobs, id, 0) == 0)
        slurm_free_job_info_msg(jobs);
    const unsigned long place = __atomic_fetch_add(&counts->kept, 1, __ATOMIC_RELAXED);
    counts->took_ms[place % most] = (float)((seconds_of(CLOCK_MONOTONIC) - begin) * 1e3);
    __atomic_fetch_add(&counts->answered, 1, __ATOMIC_RELAXED);
}

static void load(struct counts* counts, double rate, double share, unsigned ids)
{
    const double begin = seconds_of(CLOCK_MONOTONIC);
    unsigned long done = 0;
    while (!counts->over) {
        const double elapsed = seconds_of(CLOCK_MONOTONIC) - begin;
        if ((double)done >= elapsed * rate) {
            usleep(500);
            continue;
        }
        if (seconds_of(CLOCK_PROCESS_CPUTIME_ID) > share * elapsed)
            __atomic_fetch_add(&counts->late, 1, __ATOMIC_RELAXED);
        else
            ask(counts, 1 + (unsigned)(done % ids));
        done++;
    }
}

int main(int argc, char** argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: slurm_query RATE PROCESSES IDS\n");
        return 2;
    }
    const int processes = atoi(argv[2]);
    struct counts* counts = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    slurm_init(NULL);
    for (int i = 0; i < processes; i++) {
        if (fork() == 0) {
            load(counts, atof(argv[1]) / processes, 0.5 / processes, (unsigned)atoi(argv[3]));
            _exit(0);
        }
    }
    printf("ready\n");
    fflush(stdout);
    const double begin = seconds_of(CLOCK_MONOTONIC);
    struct pollfd input = {.fd = 0, .events = POLLIN};
    poll(&input, 1, -1);
    const double seconds = seconds_of(CLOCK_MONOTONIC) - begin;
    counts->over = 1;
    while (wait(NULL) > 0)
        continue;
    const unsigned long kept = counts->kept < most ? counts->kept : most;
    qsort(counts->took_ms, kept, sizeof(float), compare);
    printf("{\"seconds\": %.3f, \"answered\": %lu, \"late\": %lu, \"p50_ms\": %.3f, \"p99_ms\": %.3f}\n", seconds,
           counts->answered, counts->late, counts->took_ms[kept / 2], counts->took_ms[kept * 99 / 100]);
    return 0;
}
