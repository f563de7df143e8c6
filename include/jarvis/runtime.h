/*
 * A runtime plugin starts the processes of a job on a node and waits for their end: as plain processes (native), or in a container.
 *
 * Processes and threads. The launcher (jshepherd) starts one small template process for each runtime; it calls load() there once.
 * For every job the template forks a shepherd, which has one thread and calls attach(), start(), wait() and close() in
 * this order, each of them once. load() must leave no thread and no connection behind, since neither survives a fork; attach() is the place for them.
 * All calls of one process come from its one thread. A call may block, since it holds up its own job only; load() holds up all.
 *
 * In the shepherd all signals are blocked and have their default actions, and it is a child subreaper: what a job's processes leave behind
 * becomes its child. When wait() has returned, the shepherd itself kills and reaps what is left and removes the cgroup.
 */
#ifndef JARVIS_RUNTIME_H
#define JARVIS_RUNTIME_H

#include <jarvis/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A resource limit. The number is the platform's RLIMIT_ constant; UINT64_MAX is "unlimited". */
struct jarvis_rlimit {
    int32_t resource;
    uint32_t reserved; /* 0 */
    uint64_t soft;
    uint64_t hard;
};

/* Flags of a launch. */
#define JARVIS_LAUNCH_APPEND 1u   /* keep what output and error files hold; else they are emptied */
#define JARVIS_LAUNCH_CONFINED 2u /* since 0.2. The process may run on exactly `pus` and have memory of exactly `numa_nodes`: that is checked in it
                                     before it executes the program, and if it is not so start() fails with JARVIS_FAULT_NODE */

/* Where the kernel puts the process's memory, as set_mempolicy(2) has it: of policy_nodes. */
enum jarvis_memory_policy {
    JARVIS_MEMORY_DEFAULT = 0,    /* the kernel's; policy_nodes counts for nothing */
    JARVIS_MEMORY_PREFER = 1,     /* of these as long as they have some. A kernel that knows no such policy may leave it at its default */
    JARVIS_MEMORY_BIND = 2,       /* of these alone */
    JARVIS_MEMORY_INTERLEAVE = 3  /* page by page from one after the other */
};

/*
 * Everything about the process to start. Valid during start() only. Paths are opened after the process has the job's user and groups, and by
 * nobody else: what the user may not open is not opened, and a file system that hangs holds up this job alone.
 */
struct jarvis_launch {
    uint32_t struct_size; /* set by the host */
    uint32_t flags;
    uint64_t job_id;
    uint32_t incarnation;
    uint32_t umask;
    uint32_t uid;
    uint32_t gid;
    const uint32_t *groups; /* supplementary */
    uint32_t group_count;
    uint32_t pu_count;
    const uint32_t *pus;            /* operating system's numbers of the hardware threads to run on; pu_count 0: any */
    const char *program;            /* absolute path of what is executed: the job's own copy of its script */
    const char *const *argv;        /* closed by NULL */
    const char *const *envp;        /* complete, closed by NULL */
    const char *working_directory;  /* absolute */
    const char *input_path;         /* relative ones, here and below, are relative to the working directory; NULL: /dev/null */
    const char *output_path;        /* NULL: /dev/null */
    const char *error_path;         /* NULL: joined with the output */
    const char *temporary_folder;   /* absolute, made already; NULL: none */
    const char *job_folder;         /* absolute: run-time folder of this incarnation, where a runtime may keep files of its own */
    const struct jarvis_rlimit *limits; /* what is not named stays as the daemon has it */
    uint32_t limit_count;
    uint32_t limit_size;            /* of one element of limits */
    const char *cgroup;             /* absolute path of the cgroup2 directory that the process starts in; NULL: none */
    int32_t cgroup_fd;              /* that directory, opened; -1: none. The host's: not to be closed */
    uint32_t reserved;              /* 0 */
    const uint32_t *numa_nodes;     /* since 0.2: the kernel's numbers of the NUMA nodes that its memory may come from */
    uint32_t numa_node_count;       /* since 0.2; 0: any */
    uint32_t memory_policy;         /* since 0.2: jarvis_memory_policy, set before the program is executed */
    const uint32_t *policy_nodes;   /* since 0.2: the kernel's numbers of its NUMA nodes */
    uint32_t policy_node_count;     /* since 0.2 */
    uint32_t reserved2;             /* 0 */
};

/* Whose fault it is that a job could not be started. */
enum jarvis_fault {
    JARVIS_FAULT_USER = 1,  /* a path, script or argument of the job's own */
    JARVIS_FAULT_SYSTEM = 2, /* anything else: starting it on another node may work */
    JARVIS_FAULT_NODE = 3    /* since 0.2: this node does not give the process what it was promised. The job is started on another one, and this
                                one is drained */
};

/* What start() made. */
struct jarvis_handle {
    uint32_t struct_size; /* set by the host */
    int32_t pid;          /* of the script's process as the host sees it; 0: there is none here */
    char id[112];         /* the runtime's own name of it (a container's id), closed by a NUL; empty: it needs none */
};

struct jarvis_runtime {
    struct jarvis_plugin_header header; /* kind "runtime" */

    /* In the template, once. */
    int32_t (*load)(const struct jarvis_open *args, void **state, char *error, uint32_t error_size);

    /* In the shepherd, before start(). A failure ends the job as FAILED, class system. Optional: absent means there is nothing to do. */
    int32_t (*attach)(void *state, char *error, uint32_t error_size);

    /*
     * Starts the job's process: in the cgroup from its first instruction, in a session of its own, with no descriptor but 0, 1 and 2, with
     * default signal actions and none blocked, as the user with exactly these groups. It has executed the program (or its container's
     * equivalent) when this returns JARVIS_OK. Otherwise nothing of it is left, *fault says whose fault it was, and the message
     * is for the job's owner: "cannot open output file /x/y: permission denied".
     */
    int32_t (*start)(void *state, const struct jarvis_launch *launch, struct jarvis_handle *handle, uint32_t *fault,
                     char *error, uint32_t error_size);

    /*
     * Returns when the script's process has ended, with its status as waitpid() gives it; other children of the shepherd that end meanwhile are
     * reaped. Any other code than JARVIS_OK: the status cannot be learned, and the job ends as FAILED, class system.
     */
    int32_t (*wait)(void *state, const struct jarvis_handle *handle, int32_t *wait_status, char *error,
                    uint32_t error_size);

    /*
     * Sends a signal to the script's process alone. The node daemon signals a whole job through its cgroup and needs no runtime for that.
     * Never after wait() has returned. Optional: absent means kill(handle->pid).
     */
    int32_t (*signal)(void *state, const struct jarvis_handle *handle, int32_t signal, char *error, uint32_t error_size);

    /*
     * Instead of start(), in a new shepherd, after the first one has died while the job went on running: takes it over, so that wait() can
     * follow. JARVIS_NOT_FOUND: it is gone. Optional: absent means that such a job is killed and ends as FAILED, class system. The
     * launcher of this version does not call it and kills such jobs always.
     */
    int32_t (*recover)(void *state, struct jarvis_handle *handle, char *error, uint32_t error_size);

    /* In the shepherd, after wait() or a failed start(): frees what attach() and start() made (removes the container). */
    void (*close)(void *state);
};

/* Any thread, may not block; the same pointer every time. */
JARVIS_EXPORT const struct jarvis_runtime *jarvis_runtime_entry(void);

#ifdef __cplusplus
}
#endif

#endif
