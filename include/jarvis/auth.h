/*
 * An auth plugin says who is at the other end of a connection.
 */
#ifndef JARVIS_AUTH_H
#define JARVIS_AUTH_H

#include <jarvis/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

struct jarvis_identity {
    uint32_t struct_size; /* set by the host */
    uint32_t uid;
    uint32_t gid;
    int32_t pid; /* on this machine; 0 when there is none or nobody knows */
};

struct jarvis_auth {
    struct jarvis_plugin_header header; /* kind "auth" */

    /* Before the daemon listens; may block. */
    int32_t (*open)(const struct jarvis_open *args, void **state, char *error, uint32_t error_size);
    /* After the last call; may block. */
    void (*close)(void *state);

    /*
     * Who is the peer of this connected socket? JARVIS_DENIED: this plugin cannot tell, and the connection is refused
     * with the message. The daemon's network thread, once for each connection; must not block. The descriptor stays the
     * host's.
     */
    int32_t (*from_peer)(void *state, int32_t fd, struct jarvis_identity *identity, char *error, uint32_t error_size);
};

/* Any thread, may not block; the same pointer every time. */
JARVIS_EXPORT const struct jarvis_auth *jarvis_auth_entry(void);

#ifdef __cplusplus
}
#endif

#endif
