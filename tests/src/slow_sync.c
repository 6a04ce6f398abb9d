/* Put before the C library by LD_PRELOAD: every sync to disk waits SLOW_SYNC_MS first. The first
 * one makes the file SLOW_SYNC_MARK, so that a test knows that it was asked at all. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void wait_first(void) {
    static int marked;
    const char *ms = getenv("SLOW_SYNC_MS");
    const char *mark = getenv("SLOW_SYNC_MARK");
    if (mark && !__sync_lock_test_and_set(&marked, 1)) {
        int file = open(mark, O_CREAT | O_WRONLY, 0644);
        if (file >= 0) close(file);
    }
    long wait = ms ? atol(ms) : 0;
    struct timespec time = {wait / 1000, (wait % 1000) * 1000000};
    nanosleep(&time, NULL);
}

int fsync(int file) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    wait_first();
    return real(file);
}

int fdatasync(int file) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    wait_first();
    return real(file);
}
