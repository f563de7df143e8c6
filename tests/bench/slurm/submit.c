// Submits batch jobs through libslurm, from some processes at once: what a program pays that starts no command for each
// job.
//
//   slurm_submit held|run COUNT PROCESSES SCRIPT_FILE FOLDER        as configured by SLURM_CONF
//
// Prints one line of JSON: seconds, the largest job id and percentiles of the submits.
#include <errno.h>
#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct shared {
    unsigned last_job;
    float took_ms[];
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static int compare(const void* a, const void* b)
{
    const float x = *(const float*)a, y = *(const float*)b;
    return (x > y) - (x < y);
}

static char* read_file(const char* path)
{
    static char text[65536];
    FILE* file = fopen(path, "r");
    if (file == NULL || fread(text, 1, sizeof text - 1, file) == 0) {
        perror(path);
        exit(1);
    }
    fclose(file);
    return text;
}

static unsigned submit(char* script, char* folder, int held)
{
    char* environment[] = {"PATH=/usr/bin:/bin", NULL};
    job_desc_msg_t job;
    slurm_init_job_desc_msg(&job);
    job.script = script;
    job.name = "bench";
    job.work_dir = folder;
    job.std_out = job.std_err = job.std_in = "/dev/null";
    job.environment = environment;
    job.env_size = 1;
    job.user_id = getuid();
    job.group_id = getgid();
    job.time_limit = 60;
    job.num_tasks = job.min_cpus = job.cpus_per_task = 1;
    if (held)
        job.priority = 0;
    submit_response_msg_t* reply = NULL;
    while (slurm_submit_batch_job(&job, &reply) != 0) {
        if (errno != EAGAIN && errno != ESLURM_ERROR_ON_DESC_TO_RECORD_COPY) {
            slurm_perror("slurm_submit");
            exit(1);
        }
        usleep(10000);
    }
    const unsigned id = reply->job_id;
    slurm_free_submit_response_response_msg(reply);
    return id;
}

static void submit_share(struct shared* shared, int process, int processes, int count, char** argv)
{
    char* script = read_file(argv[4]);
    for (int i = process; i < count; i += processes) {
        const double begin = now();
        const unsigned id = submit(script, argv[5], strcmp(argv[1], "held") == 0);
        shared->took_ms[i] = (float)((now() - begin) * 1e3);
        if (id > shared->last_job)
            shared->last_job = id;
    }
}

int main(int argc, char** argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: slurm_submit held|run COUNT PROCESSES SCRIPT_FILE FOLDER\n");
        return 2;
    }
    const int count = atoi(argv[2]), processes = atoi(argv[3]);
    const size_t size = sizeof(struct shared) + (size_t)count * sizeof(float);
    struct shared* shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    slurm_init(NULL);
    const double begin = now();
    for (int process = 0; process < processes; process++) {
        if (fork() == 0) {
            submit_share(shared, process, processes, count, argv);
            _exit(0);
        }
    }
    int failed = 0, status;
    while (wait(&status) > 0)
        failed |= status != 0;
    const double seconds = now() - begin;
    qsort(shared->took_ms, (size_t)count, sizeof(float), compare);
    printf("{\"seconds\": %.6f, \"last_job\": %u, \"p50_ms\": %.3f, \"p95_ms\": %.3f, \"p99_ms\": %.3f, \"worst_ms\": "
           "%.3f}\n",
           seconds, shared->last_job, shared->took_ms[count / 2], shared->took_ms[count * 95L / 100],
           shared->took_ms[count * 99L / 100], shared->took_ms[count - 1]);
    return failed;
}
