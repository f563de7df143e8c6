// How often a folder's disk makes an append durable: 512 bytes and fdatasync, one after the other, for some seconds.
//
//   bench_fsync FOLDER SECONDS      prints the rate per second
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: bench_fsync FOLDER SECONDS\n");
        return 2;
    }
    const int folder = open(argv[1], O_PATH | O_DIRECTORY);
    const int file = folder < 0 ? -1 : openat(folder, "bench-fsync", O_CREAT | O_TRUNC | O_WRONLY | O_APPEND, 0600);
    if (file < 0) {
        perror(argv[1]);
        return 1;
    }
    char block[512];
    memset(block, 'x', sizeof block);
    const double begin = now(), end = begin + atof(argv[2]);
    long count = 0;
    for (; now() < end; count++) {
        if (write(file, block, sizeof block) != (ssize_t)sizeof block || fdatasync(file) != 0) {
            perror("append");
            return 1;
        }
    }
    printf("%.1f\n", count / (now() - begin));
    unlinkat(folder, "bench-fsync", 0);
    return 0;
}
