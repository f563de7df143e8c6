// Loaded before the C library into a daemon under test: a name service that answers for one account only when a file
// has appeared. JARVIS_TEST_SLOW_UID names the account, JARVIS_TEST_GATE the file.
#include <dlfcn.h>
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
