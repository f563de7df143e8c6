/*
 * A policy plugin says what a site wants: which built-in way of ordering the queue is used, whether a submit is taken
 * as it is, changed or refused, and how urgent each job is. It never holds a half-made plan: its answers go into
 * commands, the core checks them and stores them in events, and a replay never asks it again.
 */
#ifndef JARVIS_POLICY_H
#define JARVIS_POLICY_H

#include <jarvis/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How the queue is worked off. */
enum jarvis_queue_order {
    JARVIS_ORDER_STRICT_FIFO = 0 /* by priority, then by age; nothing overtakes the first job that waits */
};

enum jarvis_verdict { JARVIS_ACCEPT = 0, JARVIS_CHANGE = 1, JARVIS_REFUSE = 2 };

/*
 * What can be read of a job. Those marked * can be changed by a submit verdict. A field that the host does not know, or
 * that the job has not set, is JARVIS_NOT_FOUND.
 */
enum jarvis_job_field {
    /* integers */
    JARVIS_JOB_ID = 1, /* of jobs that are stored; not of a submit */
    JARVIS_JOB_UID = 2,
    JARVIS_JOB_GID = 3,
    JARVIS_JOB_TASKS = 4,           /* * */
    JARVIS_JOB_CPUS_PER_TASK = 5,   /* * cores */
    JARVIS_JOB_MEMORY_PER_NODE = 6, /* * bytes */
    JARVIS_JOB_MEMORY_PER_CPU = 7,  /* * bytes */
    JARVIS_JOB_EXCLUSIVE = 8,       /* * 0 or 1 */
    JARVIS_JOB_TIME_LIMIT_US = 9,   /* * */
    JARVIS_JOB_NICE = 10,           /* * */
    JARVIS_JOB_HOLD = 11,           /* * 0 or 1 */
    JARVIS_JOB_REQUEUE = 12,        /* * 0 or 1 */
    JARVIS_JOB_SCRIPT_SIZE = 13,    /* bytes */
    JARVIS_JOB_WAITING_US = 14,     /* since the submit; not of a submit */
    JARVIS_JOB_PRIORITY = 15,       /* the present one; not of a submit */
    /* text */
    JARVIS_JOB_USER = 101,
    JARVIS_JOB_GROUP = 102,
    JARVIS_JOB_NAME = 103,      /* * */
    JARVIS_JOB_PARTITION = 104, /* * */
    JARVIS_JOB_COMMENT = 105,   /* * */
    JARVIS_JOB_SUBMIT_HOST = 106,
    JARVIS_JOB_WORKING_DIRECTORY = 107
};

/* Jobs as the host shows them: read with the getters, for as long as the call lasts. */
struct jarvis_jobs {
    uint32_t struct_size;
    uint32_t count;
    void *context;
    int32_t (*integer)(void *context, uint32_t index, uint32_t field, int64_t *value);
    /* The bytes are valid until the call ends or the field is changed. */
    int32_t (*text)(void *context, uint32_t index, uint32_t field, struct jarvis_bytes *value);
    /* Of a submit verdict alone, else NULL. JARVIS_DENIED: the field cannot be changed; JARVIS_INVALID: not to that. */
    int32_t (*set_integer)(void *context, uint32_t index, uint32_t field, int64_t value);
    int32_t (*set_text)(void *context, uint32_t index, uint32_t field, const void *data, uint64_t size);
};

struct jarvis_policy {
    struct jarvis_plugin_header header; /* kind "policy" */

    /* Before the controller listens, and again for a reload (the old one is closed after the new one is there); may
     * block. */
    int32_t (*open)(const struct jarvis_open *args, void **state, char *error, uint32_t error_size);
    /* After the last call; may block. */
    void (*close)(void *state);

    /* Which order: enum jarvis_queue_order. Called once after open; must not block. Optional: absent means
     * JARVIS_ORDER_STRICT_FIFO. */
    uint32_t (*queue_order)(void *state);

    /*
     * The verdict on one submit (jobs->count is 1). REFUSE puts the reason into text, for the submitter; CHANGE means
     * that the setters were used, and a text there is told to the submitter too. Anything but JARVIS_OK refuses the
     * submit as "cannot answer now". Threads of a pool, several at once; may block, but an answer later than the
     * deadline (5 s) counts as none. Optional: absent means ACCEPT.
     */
    int32_t (*submit)(void *state, const struct jarvis_jobs *jobs, uint32_t *verdict, char *text, uint32_t text_size);

    /*
     * Higher runs sooner; among equals the older job. Fills out[0 .. jobs->count-1]. A thread of the pool, one call at
     * a time; may block. Optional: absent means 0 for all.
     */
    int32_t (*priority)(void *state, const struct jarvis_jobs *jobs, int64_t *out, char *error, uint32_t error_size);
};

/* Any thread, may not block; the same pointer every time. */
JARVIS_EXPORT const struct jarvis_policy *jarvis_policy_entry(void);

#ifdef __cplusplus
}
#endif

#endif
