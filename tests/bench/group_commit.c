// The storage's own rate: what SQLite commits durably with the journal's settings and rows of its size, and nothing
// else.
//
//   bench_group_commit FOLDER RECORD_BYTES RECORDS_PER_COMMIT SECONDS      prints records per second
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static sqlite3* database;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void check(int code)
{
    if (code == SQLITE_OK || code == SQLITE_DONE)
        return;
    fprintf(stderr, "bench_group_commit: %s\n", sqlite3_errmsg(database));
    exit(1);
}

static void run(const char* text)
{
    check(sqlite3_exec(database, text, NULL, NULL, NULL));
}

static void open_database(const char* path)
{
    check(sqlite3_open(path, &database));
    run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000; PRAGMA cache_size = "
        "-16384;"
        "CREATE TABLE groups (sequence INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, data BLOB NOT NULL) STRICT");
}

// One row holds what is committed together, as in the journal.
static void commit(sqlite3_stmt* insert, const char* record, int size)
{
    check(sqlite3_bind_blob(insert, 1, record, size, SQLITE_STATIC));
    check(sqlite3_step(insert));
    check(sqlite3_reset(insert));
}

static void remove_files(const char* path)
{
    static const char* ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char name[4200];
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

int main(int argc, char** argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: bench_group_commit FOLDER RECORD_BYTES RECORDS_PER_COMMIT SECONDS\n");
        return 2;
    }
    char path[4096];
    snprintf(path, sizeof path, "%s/bench-group-commit", argv[1]);
    const int records = atoi(argv[3]), size = atoi(argv[2]) * records;
    char* group = malloc((size_t)size);
    if (group == NULL)
        return 1;
    memset(group, 'x', (size_t)size);
    remove_files(path);
    open_database(path);
    sqlite3_stmt* insert;
    check(sqlite3_prepare_v2(database, "INSERT INTO groups (checksum, data) VALUES (1, ?)", -1, &insert, NULL));
    const double begin = now(), end = begin + atof(argv[4]);
    double count = 0;
    for (; now() < end; count += records)
        commit(insert, group, size);
    printf("%.1f\n", count / (now() - begin));
    sqlite3_finalize(insert);
    sqlite3_close(database);
    remove_files(path);
    free(group);
    return 0;
}
