/*
 * What every plugin of Jarvis has in common: the header of its table, its settings, its error codes.
 *
 * A plugin is a shared object with one exported function, jarvis_<kind>_entry(), that returns a table in static
 * storage. The table begins with struct jarvis_plugin_header; its function pointers are described in <kind>.h, each
 * with the thread that calls it and whether it may block. <kind>.hpp makes the table from a C++ class.
 *
 * Rules that hold for every kind
 * - Integers have fixed widths, sizes are in bytes, durations in microseconds. No C++ type crosses.
 * - A table, and every struct that begins with struct_size, grows at its end only. The reader looks at no member that
 *   lies beyond the struct_size which the writer put there; what is absent has the default that its comment states.
 *   Arrays of structs come with the size of one element: step by that, not by sizeof.
 * - Who allocates frees. Text and bytes that are handed over are valid during the call only, unless the comment says
 *   more.
 * - No exception, longjmp or signal handler crosses. A plugin does not change the process: no chdir, umask, setuid,
 *   signal mask.
 * - Text is bytes; names of settings and kinds are ASCII.
 */
#ifndef JARVIS_PLUGIN_H
#define JARVIS_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Major: a plugin of another major version could misbehave and is refused. It is 0 while we learn: until it is 1, a
 * release of Jarvis may raise the minor version incompatibly and then says so in its change log; the host refuses
 * plugins whose minor is below JARVIS_ABI_MINOR_OLDEST. Minor: members were added at the end; a plugin newer than the
 * host is welcome, since the host reads only what it knows.
 */
#define JARVIS_ABI_MAJOR 0
#define JARVIS_ABI_MINOR 2
#define JARVIS_ABI_MINOR_OLDEST 1

#define JARVIS_EXPORT __attribute__((visibility("default")))

/* What a call returns. The message for people goes to the error buffer. */
enum jarvis_code {
    JARVIS_OK = 0,
    JARVIS_INVALID = 1,     /* what was asked makes no sense: do not repeat it unchanged */
    JARVIS_NOT_FOUND = 2,   /* no such thing */
    JARVIS_DENIED = 3,      /* the caller may not do this */
    JARVIS_UNAVAILABLE = 4, /* not now, or the outcome is unknown: the same may be asked again */
    JARVIS_CORRUPT = 5      /* stored or received data is not what it should be */
};

/*
 * The error buffer: `char *error, uint32_t error_size` at the end of a call that can fail. error_size is at least 256.
 * A call that returns something other than JARVIS_OK writes a message there, cut to fit and closed with a NUL; it names
 * the object, the action and the cause, without capital or full stop: "journal.db: cannot append: no space left on
 * device".
 */

/* Bytes that belong to somebody else. */
struct jarvis_bytes {
    const void *data;
    uint64_t size;
};

enum jarvis_setting_type {
    JARVIS_SETTING_STRING = 1,
    JARVIS_SETTING_INTEGER = 2,
    JARVIS_SETTING_BOOLEAN = 3,
    JARVIS_SETTING_DURATION = 4, /* "30s", "1h"; handed over in microseconds */
    JARVIS_SETTING_SIZE = 5      /* "16M"; handed over in bytes */
};

/* One setting that the plugin understands. It is read from [plugin.<kind>.<name>] of the configuration, where every
 * other key is an error. */
struct jarvis_setting {
    const char *name;         /* lower case, a-z 0-9 and _ */
    uint32_t type;            /* enum jarvis_setting_type */
    uint32_t reserved;        /* 0 */
    const char *default_text; /* as it would be typed, without quotes: "16M", "true", ""; NULL: it must be given */
    const char *unit;         /* for people, of integers: "jobs"; NULL or "" where the type says it */
    const char *text;         /* one or two sentences for people */
};

/* The first block of every table. It never grows: what is new goes to the end of the kind's own table. */
struct jarvis_plugin_header {
    uint32_t abi_major;    /* JARVIS_ABI_MAJOR as compiled in the plugin */
    uint32_t abi_minor;    /* JARVIS_ABI_MINOR likewise */
    uint32_t struct_size;  /* of the whole table, as compiled in the plugin: the host reads no further */
    uint32_t setting_size; /* sizeof(struct jarvis_setting) as compiled in the plugin */
    const char *kind;      /* "storage", "auth", "policy", "runtime" */
    const char *name;      /* "sqlite"; the file is called <kind>_<name>.so */
    const char *version;   /* of the plugin itself, for people */
    const char *text;      /* one line for people: what it is */
    const struct jarvis_setting *settings;
    uint32_t setting_count;
    uint32_t reserved; /* 0 */
};

/* The value of one setting. */
struct jarvis_value {
    const char *name;
    uint32_t type;      /* enum jarvis_setting_type */
    uint32_t reserved;  /* 0 */
    const char *text;   /* of a string; "" for the others */
    uint64_t text_size; /* without the closing NUL, which is always there */
    int64_t integer;    /* integer; boolean as 0 or 1; duration in microseconds; size in bytes; 0 for a string */
};

enum jarvis_log_level { JARVIS_LOG_DEBUG = 1, JARVIS_LOG_INFO = 2, JARVIS_LOG_WARNING = 3, JARVIS_LOG_ERROR = 4 };

/* What the host offers to a plugin. Valid from open() to the end of close(). */
struct jarvis_host {
    uint32_t struct_size;
    uint32_t reserved;
    void *context;
    /* Writes one line to the daemon's log. May be called from any thread; never blocks for long. NULL: nobody listens.
     */
    void (*log)(void *context, uint32_t level, const char *text, uint64_t size);
};

/*
 * What open() gets. Each setting that the plugin declares has exactly one value here, in the order of the declaration,
 * checked against its type; a host that is older than the plugin hands over no others either.
 */
struct jarvis_open {
    uint32_t struct_size;
    uint32_t value_size; /* of one element of values */
    uint32_t value_count;
    uint32_t reserved;
    const struct jarvis_value *values;
    const struct jarvis_host *host; /* never NULL */
};

/* The value of the setting number index, or NULL. */
static inline const struct jarvis_value *jarvis_value_at(const struct jarvis_open *args, uint32_t index)
{
    return index < args->value_count
               ? (const struct jarvis_value *)((const char *)args->values + (size_t)index * args->value_size)
               : NULL;
}

/* True when a struct (or table) that says it has struct_size bytes holds the member. */
#define JARVIS_HAS(object_size, type, member) ((object_size) >= offsetof(type, member) + sizeof(((type *)0)->member))

#ifdef __cplusplus
}
#endif

#endif
