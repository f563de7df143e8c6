// What any launcher has to do for a trivial job, and nothing else: make a temporary folder, an output file and a cgroup,
// fork and exec the script into it, wait, remove. The rate of this is the bound of jobs per second on a node.
//
//   bench_bound AT_ONCE COUNT SCRIPT FOLDER [CGROUP]       prints the seconds; CGROUP: an own cgroup2 folder, may be absent
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct job {
    pid_t pid;
    char cgroup[4096], leaf[4200], temporary[4096];
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

// The same two levels that a job of Jarvis has: the job's group, and a leaf with its processes.
static int make_cgroup(struct job *job, const char *parent, long number)
{
    snprintf(job->cgroup, sizeof job->cgroup, "%s/job_%ld", parent, number);
    snprintf(job->leaf, sizeof job->leaf, "%s/task_0", job->cgroup);
    if (mkdir(job->cgroup, 0755) != 0 || mkdir(job->leaf, 0755) != 0)
        die(job->leaf);
    const int folder = open(job->leaf, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        die(job->leaf);
    return folder;
}

static void run_script(const char *script, const char *output)
{
    const int out = open(output, O_CREAT | O_TRUNC | O_WRONLY, 0644), in = open("/dev/null", O_RDONLY);
    if (out < 0 || in < 0)
        _exit(126);
    setsid();
    dup2(in, 0);
    dup2(out, 1);
    dup2(out, 2);
    execl(script, script, (char *)NULL);
    _exit(127);
}

static void start(struct job *job, long number, const char *script, const char *folder, const char *cgroup)
{
    char output[4200];
    snprintf(job->temporary, sizeof job->temporary, "%s/tmp_%ld", folder, number);
    snprintf(output, sizeof output, "%s/out_%ld", folder, number);
    if (mkdir(job->temporary, 0700) != 0)
        die(job->temporary);
    struct clone_args arguments;
    memset(&arguments, 0, sizeof arguments);
    arguments.exit_signal = SIGCHLD;
    int group = -1;
    if (cgroup != NULL) {
        group = make_cgroup(job, cgroup, number);
        arguments.flags = CLONE_INTO_CGROUP;
        arguments.cgroup = (unsigned)group;
    }
    job->pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    if (job->pid < 0)
        die("clone3");
    if (job->pid == 0)
        run_script(script, output);
    if (group >= 0)
        close(group);
}

static void finish(const struct job *job, const char *cgroup)
{
    if (rmdir(job->temporary) != 0)
        die(job->temporary);
    if (cgroup != NULL && (rmdir(job->leaf) != 0 || rmdir(job->cgroup) != 0))
        die(job->cgroup);
}

int main(int argc, char **argv)
{
    if (argc != 5 && argc != 6) {
        fprintf(stderr, "usage: bench_bound AT_ONCE COUNT SCRIPT FOLDER [CGROUP]\n");
        return 2;
    }
    const long at_once = atol(argv[1]), count = atol(argv[2]);
    const char *cgroup = argc == 6 ? argv[5] : NULL;
    struct job *jobs = calloc((size_t)at_once, sizeof *jobs);
    if (jobs == NULL)
        die("calloc");
    long started = 0, ended = 0;
    const double begin = now();
    while (ended < count) {
        for (long i = 0; i < at_once && started < count; i++)
            if (jobs[i].pid == 0)
                start(&jobs[i], started++, argv[3], argv[4], cgroup);
        int status;
        const pid_t pid = waitpid(-1, &status, 0);
        if (pid < 0)
            die("waitpid");
        if (status != 0) {
            fprintf(stderr, "bench_bound: the script ended with status %d\n", status);
            return 1;
        }
        for (long i = 0; i < at_once; i++) {
            if (jobs[i].pid == pid) {
                finish(&jobs[i], cgroup);
                jobs[i].pid = 0;
                ended++;
            }
        }
    }
    printf("%.6f\n", now() - begin);
    free(jobs);
    return 0;
}
