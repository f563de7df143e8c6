/*
 * A storage keeps what the controller must not forget, in four parts:
 *   journal    groups of events, numbered without a gap; blobs (scripts, environments) named by their SHA-256
 *   snapshots  the whole state at one sequence number, so that a start need not replay everything
 *   history    rows about jobs that can be queried (accounting), with parts that are asked for by the job's key
 *   status     ok, reserve or failed, asked before anything is decided
 * The contents of groups, snapshots and records are the controller's affair; a storage stores bytes.
 *
 * Threads. open and close are called while no other call is under way. The calls of one part (see the headings) never
 * overlap each other unless their comment says so; calls of different parts come from different threads at the same
 * time. status may be called by any thread at any time and does not block; all others may block on the disk. No
 * callback calls the storage.
 *
 * Failure. An append tells apart what is certainly not stored from what may be. After an outcome of UNKNOWN, and after
 * any call that ended with JARVIS_UNAVAILABLE, the storage may go on working or say `failed`; closing and opening it
 * again is always allowed, and what can be read after that is durable.
 */
#ifndef JARVIS_STORAGE_H
#define JARVIS_STORAGE_H

#include <jarvis/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define JARVIS_HASH_SIZE 32

enum jarvis_storage_mode {
    JARVIS_STORAGE_READ_WRITE = 0, /* one at a time for a folder: a second is refused with JARVIS_UNAVAILABLE */
    JARVIS_STORAGE_READ_ONLY = 1   /* beside a writer if need be; every call that writes returns JARVIS_DENIED */
};

enum jarvis_storage_condition {
    JARVIS_STORAGE_OK = 0,
    JARVIS_STORAGE_RESERVE = 1, /* space is short: only groups with JARVIS_GROUP_USE_RESERVE are taken */
    JARVIS_STORAGE_FAILED = 2   /* nothing is taken; probe says when it is over */
};

enum jarvis_append_outcome {
    JARVIS_APPEND_STORED = 0,  /* all groups of the call are durable */
    JARVIS_APPEND_REFUSED = 1, /* none is stored, and none will appear later */
    JARVIS_APPEND_UNKNOWN = 2  /* all or none; close, open and read to learn which */
};

/* Flags of a group. */
#define JARVIS_GROUP_USE_RESERVE 1u /* ends of running jobs and the like: may use the space that is kept back */

struct jarvis_blob {
    uint8_t hash[JARVIS_HASH_SIZE];
    const void *data; /* NULL: it is stored already, and this group names it again (refused when it is not there) */
    uint64_t size;
};

struct jarvis_group {
    uint64_t sequence; /* 1 after the last one; in an empty journal any number above 0 */
    const void *data;
    uint64_t size;
    const struct jarvis_blob *blobs; /* named by this group's events */
    uint32_t blob_count;
    uint32_t flags;
};

/* Called for each group in order. Anything but 0 ends the reading, which then returns JARVIS_OK all the same. */
typedef int32_t (*jarvis_each_group)(void *context, uint64_t sequence, const void *data, uint64_t size);
/* Called for each piece of a snapshot or blob in order; as above. */
typedef int32_t (*jarvis_each_piece)(void *context, const void *data, uint64_t size);
typedef int32_t (*jarvis_each_snapshot)(void *context, uint64_t sequence, uint64_t size);

/* array_index of a job that is no element of an array */
#define JARVIS_NO_ARRAY_INDEX 0xffffffffu

/* One incarnation of one job (or array element): (job, array_index, incarnation) is the key of the history. Times are
 * wall clock, 0: not yet. */
struct jarvis_history_row {
    uint64_t sequence; /* of the group that this row comes from */
    uint64_t job;
    uint32_t array_index;
    uint32_t incarnation;
    uint32_t uid;
    uint32_t state;           /* the number of the job's state, 1 to 63 */
    struct jarvis_bytes user; /* its name at the time */
    int64_t submit_us;
    int64_t start_us;
    int64_t end_us;
    struct jarvis_bytes record; /* everything else, as the controller encodes it */
};

struct jarvis_history_key {
    uint64_t job;
    uint32_t array_index;
    uint32_t incarnation;
};

/* What to look for: all conditions together. A zeroed one (but for struct_size) matches every row. */
struct jarvis_history_filter {
    uint32_t struct_size;
    uint32_t limit;                  /* at most so many rows; 0: no limit */
    const uint64_t *jobs;            /* ascending; any of them, with all elements and incarnations */
    uint64_t job_count;              /* 0: every job */
    const uint32_t *uids;            /* any of them */
    uint64_t uid_count;              /* 0: every user */
    uint64_t state_mask;             /* bit n: rows in state n; 0: every state */
    int64_t since_us;                /* rows that had not ended before this instant; 0: any */
    int64_t until_us;                /* rows that were submitted before this instant; 0: any */
    struct jarvis_history_key after; /* go on behind this key, the last one of the page before; all 0: from the start */
};

typedef int32_t (*jarvis_each_row)(void *context, const struct jarvis_history_row *row);

/* Since 0.2. What belongs to an incarnation and is not looked for by itself (its steps), also before there is a row of it. */
struct jarvis_history_part {
    uint64_t sequence; /* of the group that this part comes from */
    uint64_t job;
    uint32_t array_index;
    uint32_t incarnation;
    uint64_t number; /* (job, array_index, incarnation, number) is its key */
    struct jarvis_bytes record;
};

typedef int32_t (*jarvis_each_part)(void *context, const struct jarvis_history_part *part);

struct jarvis_storage {
    struct jarvis_plugin_header header; /* kind "storage" */

    /*
     * Opens what is in the folder (an absolute path; it exists), or begins there. Called on a thread that may block, at
     * most once at a time. A folder that another writer has open, or that lies where locks and fsync cannot be trusted,
     * is refused; so is data of a newer format, naming both versions. READ_ONLY makes nothing: without data it returns
     * JARVIS_NOT_FOUND. When it returns JARVIS_OK, everything that read() will show is durable.
     */
    int32_t (*open)(const struct jarvis_open *args, const char *folder, uint32_t mode, void **state, char *error,
                    uint32_t error_size);
    /* Called once after a successful open, no matter what failed in between. May block. */
    void (*close)(void *state);

    /* Any thread, at any time, also beside other calls; must not block. Writes enum jarvis_storage_condition, and the
     * reason in words for people unless it is OK. */
    void (*status)(void *state, uint32_t *condition, char *text, uint32_t text_size);

    /* Journal. One thread, one call at a time; all of these may block on the disk. */

    /*
     * Stores all groups with their blobs, or none: durable on return when *outcome is STORED (one fsync for all of
     * them). Anything else comes with a code and a message. When status is RESERVE and one group is without
     * JARVIS_GROUP_USE_RESERVE, the call is REFUSED.
     */
    int32_t (*append)(void *state, const struct jarvis_group *groups, uint32_t group_count, uint32_t group_size,
                      uint32_t blob_size, uint32_t *outcome, char *error, uint32_t error_size);
    /* Reads the groups from that sequence number on. JARVIS_NOT_FOUND when it was trimmed, with a message that names the
     * first that is there; JARVIS_CORRUPT for a gap or a bad checksum. Unlike the others of the journal also on any thread
     * that may block, several at once and beside append and trim. */
    int32_t (*read)(void *state, uint64_t from, jarvis_each_group each, void *context, char *error,
                    uint32_t error_size);
    /* The sequence number of the last group that was ever stored, trimmed or not; 0: none. */
    int32_t (*last_sequence)(void *state, uint64_t *sequence, char *error, uint32_t error_size);
    /* Forgets the groups before that number. May overlap append, which it does not keep waiting for long. */
    int32_t (*trim)(void *state, uint64_t before, char *error, uint32_t error_size);
    /*
     * One small durable write, which is no group and has no number. JARVIS_OK: an append can be expected to work, and
     * status was looked at anew. The controller asks once a second while status is not OK.
     */
    int32_t (*probe)(void *state, char *error, uint32_t error_size);

    /* Blobs. Any thread that may block, also several at once and beside append. */

    /* Hands over the blob in one or more pieces; JARVIS_NOT_FOUND when there is none. */
    int32_t (*blob_get)(void *state, const uint8_t hash[JARVIS_HASH_SIZE], jarvis_each_piece each, void *context,
                        char *error, uint32_t error_size);
    /*
     * Removes the blobs whose last naming group has a number not above `through`, and that are not in `referenced`
     * (hashes one after the other, ascending as by memcmp, without repetition). Does not keep append waiting for long.
     * One call at a time.
     */
    int32_t (*sweep)(void *state, const uint8_t *referenced, uint64_t referenced_count, uint64_t through,
                     uint64_t *removed, char *error, uint32_t error_size);

    /* Snapshots. One thread, one writer at a time; may block. */

    /* Begins one; what was half written before a crash does not count and is removed sometime. */
    int32_t (*snapshot_begin)(void *state, uint64_t sequence, void **writer, char *error, uint32_t error_size);
    /* Adds bytes. After a failure only snapshot_abort is called. */
    int32_t (*snapshot_write)(void *state, void *writer, const void *data, uint64_t size, char *error,
                              uint32_t error_size);
    /* Ends it: durable and read back for check when this returns JARVIS_OK, else gone. Frees the writer either way. One
     * of the same number is replaced. */
    int32_t (*snapshot_commit)(void *state, void *writer, char *error, uint32_t error_size);
    void (*snapshot_abort)(void *state, void *writer);
    /* Newest first. */
    int32_t (*snapshot_list)(void *state, jarvis_each_snapshot each, void *context, char *error, uint32_t error_size);
    /* Hands over the pieces. Trust them only when this returns JARVIS_OK: a damaged one is noticed at its end. */
    int32_t (*snapshot_read)(void *state, uint64_t sequence, jarvis_each_piece each, void *context, char *error,
                             uint32_t error_size);
    /* Removes those with a lower number. */
    int32_t (*snapshot_remove)(void *state, uint64_t before, char *error, uint32_t error_size);

    /* History. history_apply: one thread, one call at a time. The other two: any thread that may block, also beside it.
     */

    /*
     * Takes the rows of the groups up to `through`, durably, all or none. A row replaces an earlier one of the same
     * key. Rows of groups that were applied before are skipped, and a `through` that is not above history_last_sequence
     * changes nothing: so applying twice does no harm.
     */
    int32_t (*history_apply)(void *state, uint64_t through, const struct jarvis_history_row *rows, uint64_t row_count,
                             uint32_t row_size, char *error, uint32_t error_size);
    int32_t (*history_last_sequence)(void *state, uint64_t *sequence, char *error, uint32_t error_size);
    /* Ascending by key. Quick for a thousand jobs at once among millions of rows. */
    int32_t (*history_query)(void *state, const struct jarvis_history_filter *filter, jarvis_each_row each,
                             void *context, char *error, uint32_t error_size);

    /* Since 0.2. Both or neither: a storage without them keeps no parts. */

    /* As history_apply, in whose stead it is called, with the parts of the same groups: all or none, and skipped likewise. */
    int32_t (*history_apply_parts)(void *state, uint64_t through, const struct jarvis_history_row *rows, uint64_t row_count,
                                   uint32_t row_size, const struct jarvis_history_part *parts, uint64_t part_count, uint32_t part_size,
                                   char *error, uint32_t error_size);
    /* The parts of one incarnation, ascending by number. Any thread that may block, also beside history_apply_parts. */
    int32_t (*history_parts)(void *state, const struct jarvis_history_key *key, jarvis_each_part each, void *context, char *error,
                             uint32_t error_size);
};

/* Any thread, may not block; the same pointer every time. */
JARVIS_EXPORT const struct jarvis_storage *jarvis_storage_entry(void);

#ifdef __cplusplus
}
#endif

#endif
