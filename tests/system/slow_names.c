// Loaded before the C library into a daemon under test: a name service that answers for one account only when a file
// has appeared. JARVIS_TEST_SLOW_UID names the account, JARVIS_TEST_GATE the file. Host names: until then there is no answer for
// later.test, and hanging.test keeps whoever asks waiting; then both are this machine.
#include <dlfcn.h>
#include <netdb.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void wait_at_the_gate(void)
{
    const char *gate = getenv("JARVIS_TEST_GATE");
    for (int tenths = 0; gate != NULL && access(gate, F_OK) != 0 && tenths < 600; tenths++)
        usleep(100000);
}

static int is_slow_uid(uid_t uid)
{
    const char *slow = getenv("JARVIS_TEST_SLOW_UID");
    return slow != NULL && uid == (uid_t)strtoul(slow, NULL, 10);
}

int getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size, struct passwd **result)
{
    int (*real)(uid_t, struct passwd *, char *, size_t, struct passwd **) = dlsym(RTLD_NEXT, "getpwuid_r");
    if (is_slow_uid(uid))
        wait_at_the_gate();
    return real(uid, entry, buffer, size, result);
}

struct passwd *getpwuid(uid_t uid)
{
    struct passwd *(*real)(uid_t) = dlsym(RTLD_NEXT, "getpwuid");
    if (is_slow_uid(uid))
        wait_at_the_gate();
    return real(uid);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
    const int numeric = hints != NULL && (hints->ai_flags & AI_NUMERICHOST) != 0;
    const char *gate = getenv("JARVIS_TEST_GATE");
    if (node == NULL || numeric || gate == NULL)
        return real(node, service, hints, found);
    const int hanging = strcmp(node, "hanging.test") == 0;
    if (!hanging && strcmp(node, "later.test") != 0)
        return real(node, service, hints, found);
    if (hanging)
        wait_at_the_gate();
    if (access(gate, F_OK) != 0)
        return EAI_AGAIN;
    return real("localhost", service, hints, found);
}
