/*
 * A teaching plugin: an auth plugin in plain C. Everybody who may connect is the user whose number the settings give,
 * which is all that a demonstration on one's own machine needs. Built as auth_teaching.so, it is configured so:
 *
 *     [controller]
 *     auth = "teaching"
 *     [plugin.auth.teaching]
 *     uid = 1000
 */
#include <jarvis/auth.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* The settings have an order, and open() gets their values in that order. */
enum { SETTING_UID, SETTING_GREETING };
static const struct jarvis_setting settings[] = {
    {"uid", JARVIS_SETTING_INTEGER, 0, "65534", "user id", "The user that everybody is."},
    {"greeting", JARVIS_SETTING_STRING, 0, "hello", "", "Written to the log when the plugin is opened."},
};

struct state {
    uint32_t uid;
};

static int32_t open_plugin(const struct jarvis_open *args, void **state, char *error, uint32_t error_size)
{
    const struct jarvis_value *uid = jarvis_value_at(args, SETTING_UID);
    const struct jarvis_value *greeting = jarvis_value_at(args, SETTING_GREETING);
    if (uid->integer < 0 || uid->integer > UINT32_MAX - 1) {
        snprintf(error, error_size, "uid: %lld is not the number of a user", (long long)uid->integer);
        return JARVIS_INVALID;
    }
    struct state *made = malloc(sizeof *made);
    if (!made) {
        snprintf(error, error_size, "out of memory");
        return JARVIS_UNAVAILABLE;
    }
    made->uid = (uint32_t)uid->integer;
    if (args->host->log)
        args->host->log(args->host->context, JARVIS_LOG_INFO, greeting->text, greeting->text_size);
    *state = made;
    return JARVIS_OK;
}

static void close_plugin(void *state)
{
    free(state);
}

static int32_t from_peer(void *state, int32_t fd, struct jarvis_identity *identity, char *error, uint32_t error_size)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0) {
        snprintf(error, error_size, "descriptor %d: nobody is at the other end", (int)fd);
        return JARVIS_DENIED;
    }
    identity->uid = ((struct state *)state)->uid;
    identity->gid = 65534;
    identity->pid = 0; /* nobody knows */
    return JARVIS_OK;
}

const struct jarvis_auth *jarvis_auth_entry(void)
{
    static const struct jarvis_auth table = {
        .header = {.abi_major = JARVIS_ABI_MAJOR,
                   .abi_minor = JARVIS_ABI_MINOR,
                   .struct_size = sizeof table,
                   .setting_size = sizeof settings[0],
                   .kind = "auth",
                   .name = "teaching",
                   .version = "1.0",
                   .text = "everybody is the same user: for demonstrations",
                   .settings = settings,
                   .setting_count = sizeof settings / sizeof settings[0]},
        .open = open_plugin,
        .close = close_plugin,
        .from_peer = from_peer,
    };
    return &table;
}
