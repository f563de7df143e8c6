/*
 * A SQLite VFS named "failing" that lies over the default one and fails on demand, for tests of what a bad disk does to
 * the controller. It obeys the file named by the environment variable JARVIS_FAILING_VFS, which it reads before each
 * operation. Its first line is
 *
 *     MODE [once] [only=TEXT]
 *
 *     ok, or no file     everything works
 *     eio                reads, writes, syncs and opens fail with an I/O error
 *     readonly           what changes a file fails as on a file system that was mounted read-only
 *     enospc             writes fail as on a full disk
 *     unknown            the next sync of a write-ahead log reaches the disk but reports an I/O error; after that nothing
 *                        more can be written until all files are closed, as if the machine had stopped there. Whoever
 *                        opens them again finds the commit.
 *     once               (of unknown) does it once, until the line is changed
 *     only=TEXT          concerns files with that text in their path alone, such as only=journal.db
 */
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum mode { MODE_OK, MODE_EIO, MODE_READONLY, MODE_ENOSPC, MODE_UNKNOWN };

struct control {
    enum mode mode;
    int once;
    char only[128];
};

struct failing_file {
    sqlite3_file base;
    char path[512];
    int is_log;
    sqlite3_file *real; /* behind this struct */
};

static sqlite3_vfs *real_vfs;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of the next three */
static int open_files;
static int stopped;   /* unknown has struck: nothing more reaches the disk */
static int once_done; /* unknown once has struck */
/* initial-exec: LeakSanitizer of gcc 12 crashes over the dynamic thread-local memory of modules that were loaded later.
 */
static __thread int fake_errno __attribute__((tls_model("initial-exec")));

static struct control read_control(void)
{
    struct control control = {MODE_OK, 0, ""};
    const char *path = getenv("JARVIS_FAILING_VFS");
    FILE *file = path ? fopen(path, "re") : NULL;
    char line[256] = "";
    if (file) {
        if (!fgets(line, sizeof line, file))
            line[0] = '\0';
        fclose(file);
    }
    char *rest = line;
    for (char *word; (word = strtok_r(rest, " \t\r\n", &rest));) {
        if (strcmp(word, "eio") == 0)
            control.mode = MODE_EIO;
        else if (strcmp(word, "readonly") == 0)
            control.mode = MODE_READONLY;
        else if (strcmp(word, "enospc") == 0)
            control.mode = MODE_ENOSPC;
        else if (strcmp(word, "unknown") == 0)
            control.mode = MODE_UNKNOWN;
        else if (strcmp(word, "once") == 0)
            control.once = 1;
        else if (strncmp(word, "only=", 5) == 0)
            snprintf(control.only, sizeof control.only, "%s", word + 5);
    }
    if (!control.once) {
        pthread_mutex_lock(&mutex);
        once_done = 0;
        pthread_mutex_unlock(&mutex);
    }
    return control;
}

/* What holds for this file at this moment. */
static enum mode mode_for(const char *path)
{
    const struct control control = read_control();
    if (control.only[0] && !(path && strstr(path, control.only)))
        return MODE_OK;
    return control.mode;
}

static int is_stopped(void)
{
    pthread_mutex_lock(&mutex);
    const int result = stopped;
    pthread_mutex_unlock(&mutex);
    return result;
}

static int fail_with(int error, int code)
{
    fake_errno = error;
    return code;
}

/* 0: go on. Else the code to return. */
static int check_change(const char *path, int io_code)
{
    fake_errno = 0;
    if (is_stopped())
        return fail_with(EIO, io_code);
    switch (mode_for(path)) {
    case MODE_EIO:
        return fail_with(EIO, io_code);
    case MODE_READONLY:
        return fail_with(EROFS, io_code);
    default:
        return 0;
    }
}

static struct failing_file *self(sqlite3_file *file)
{
    return (struct failing_file *)file;
}

static int f_close(sqlite3_file *file)
{
    struct failing_file *f = self(file);
    const int result = f->real->pMethods->xClose(f->real);
    pthread_mutex_lock(&mutex);
    if (--open_files == 0)
        stopped = 0;
    pthread_mutex_unlock(&mutex);
    return result;
}

static int f_read(sqlite3_file *file, void *data, int size, sqlite3_int64 offset)
{
    struct failing_file *f = self(file);
    fake_errno = 0;
    if (mode_for(f->path) == MODE_EIO)
        return fail_with(EIO, SQLITE_IOERR_READ);
    return f->real->pMethods->xRead(f->real, data, size, offset);
}

static int f_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
    struct failing_file *f = self(file);
    const int failure = check_change(f->path, SQLITE_IOERR_WRITE);
    if (failure)
        return failure;
    if (mode_for(f->path) == MODE_ENOSPC)
        return fail_with(ENOSPC, SQLITE_FULL);
    return f->real->pMethods->xWrite(f->real, data, size, offset);
}

static int f_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct failing_file *f = self(file);
    const int failure = check_change(f->path, SQLITE_IOERR_TRUNCATE);
    return failure ? failure : f->real->pMethods->xTruncate(f->real, size);
}

/* True once for "unknown once", always for "unknown". */
static int strikes(const struct failing_file *f)
{
    const struct control control = read_control();
    if (control.mode != MODE_UNKNOWN || !f->is_log || (control.only[0] && !strstr(f->path, control.only)))
        return 0;
    pthread_mutex_lock(&mutex);
    const int result = !(control.once && once_done);
    if (result)
        once_done = stopped = 1;
    pthread_mutex_unlock(&mutex);
    return result;
}

static int f_sync(sqlite3_file *file, int flags)
{
    struct failing_file *f = self(file);
    const int failure = check_change(f->path, SQLITE_IOERR_FSYNC);
    if (failure)
        return failure;
    const int result = f->real->pMethods->xSync(f->real, flags);
    return strikes(f) ? fail_with(EIO, SQLITE_IOERR_FSYNC) : result;
}

static int f_file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return self(file)->real->pMethods->xFileSize(self(file)->real, size);
}
static int f_lock(sqlite3_file *file, int level)
{
    return self(file)->real->pMethods->xLock(self(file)->real, level);
}
static int f_unlock(sqlite3_file *file, int level)
{
    return self(file)->real->pMethods->xUnlock(self(file)->real, level);
}
static int f_check_reserved_lock(sqlite3_file *file, int *result)
{
    return self(file)->real->pMethods->xCheckReservedLock(self(file)->real, result);
}
static int f_file_control(sqlite3_file *file, int operation, void *argument)
{
    return self(file)->real->pMethods->xFileControl(self(file)->real, operation, argument);
}
static int f_sector_size(sqlite3_file *file)
{
    return self(file)->real->pMethods->xSectorSize(self(file)->real);
}
static int f_device_characteristics(sqlite3_file *file)
{
    return self(file)->real->pMethods->xDeviceCharacteristics(self(file)->real);
}
static int f_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **memory)
{
    return self(file)->real->pMethods->xShmMap(self(file)->real, region, size, extend, memory);
}
static int f_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return self(file)->real->pMethods->xShmLock(self(file)->real, offset, count, flags);
}
static void f_shm_barrier(sqlite3_file *file)
{
    self(file)->real->pMethods->xShmBarrier(self(file)->real);
}
static int f_shm_unmap(sqlite3_file *file, int remove)
{
    return self(file)->real->pMethods->xShmUnmap(self(file)->real, remove);
}

/* Version 2: without memory-mapped reads, which could not fail. */
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = f_close,
    .xRead = f_read,
    .xWrite = f_write,
    .xTruncate = f_truncate,
    .xSync = f_sync,
    .xFileSize = f_file_size,
    .xLock = f_lock,
    .xUnlock = f_unlock,
    .xCheckReservedLock = f_check_reserved_lock,
    .xFileControl = f_file_control,
    .xSectorSize = f_sector_size,
    .xDeviceCharacteristics = f_device_characteristics,
    .xShmMap = f_shm_map,
    .xShmLock = f_shm_lock,
    .xShmBarrier = f_shm_barrier,
    .xShmUnmap = f_shm_unmap,
};

static int v_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags)
{
    (void)vfs;
    struct failing_file *f = self(file);
    memset(f, 0, sizeof *f);
    f->real = (sqlite3_file *)(f + 1);
    fake_errno = 0;
    switch (mode_for(path)) {
    case MODE_EIO:
        return fail_with(EIO, SQLITE_CANTOPEN);
    case MODE_READONLY: /* as the default VFS does on EROFS */
        if (flags & SQLITE_OPEN_READWRITE)
            flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
        break;
    default:
        break;
    }
    const int result = real_vfs->xOpen(real_vfs, path, f->real, flags, out_flags);
    if (result != SQLITE_OK)
        return result;
    snprintf(f->path, sizeof f->path, "%s", path ? path : "");
    f->is_log = (flags & SQLITE_OPEN_WAL) != 0;
    f->base.pMethods = &methods;
    pthread_mutex_lock(&mutex);
    ++open_files;
    pthread_mutex_unlock(&mutex);
    return SQLITE_OK;
}

static int v_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    (void)vfs;
    const int failure = check_change(path, SQLITE_IOERR_DELETE);
    return failure ? failure : real_vfs->xDelete(real_vfs, path, sync_folder);
}
static int v_access(sqlite3_vfs *vfs, const char *path, int flags, int *result)
{
    (void)vfs;
    return real_vfs->xAccess(real_vfs, path, flags, result);
}
static int v_full_pathname(sqlite3_vfs *vfs, const char *path, int size, char *out)
{
    (void)vfs;
    return real_vfs->xFullPathname(real_vfs, path, size, out);
}
static int v_randomness(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    return real_vfs->xRandomness(real_vfs, size, out);
}
static int v_sleep(sqlite3_vfs *vfs, int microseconds)
{
    (void)vfs;
    return real_vfs->xSleep(real_vfs, microseconds);
}
static int v_current_time(sqlite3_vfs *vfs, double *time)
{
    (void)vfs;
    return real_vfs->xCurrentTime(real_vfs, time);
}
static int v_last_error(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    return fake_errno ? fake_errno : real_vfs->xGetLastError(real_vfs, size, out);
}

static sqlite3_vfs failing_vfs = {
    .iVersion = 1,
    .zName = "failing",
    .xOpen = v_open,
    .xDelete = v_delete,
    .xAccess = v_access,
    .xFullPathname = v_full_pathname,
    .xRandomness = v_randomness,
    .xSleep = v_sleep,
    .xCurrentTime = v_current_time,
    .xGetLastError = v_last_error,
};

__attribute__((visibility("default"))) int sqlite3_extension_init(sqlite3 *db, char **error,
                                                                  const sqlite3_api_routines *api)
{
    (void)db;
    (void)error;
    SQLITE_EXTENSION_INIT2(api);
    if (!real_vfs) {
        real_vfs = sqlite3_vfs_find(NULL);
        failing_vfs.szOsFile = (int)sizeof(struct failing_file) + real_vfs->szOsFile;
        failing_vfs.mxPathname = real_vfs->mxPathname;
        const int code = sqlite3_vfs_register(&failing_vfs, 0);
        if (code != SQLITE_OK)
            return code;
    }
    return SQLITE_OK_LOAD_PERMANENTLY; /* the VFS outlives the connection that loads it */
}
