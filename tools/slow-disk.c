/* Makes each fsync take longer, by SLOW_DISK_US microseconds, whatever program it is loaded into by
 * LD_PRELOAD: for measuring on a disk that is like those which are rented. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

static void wait_longer(void) {
    const char *text = getenv("SLOW_DISK_US");
    long us = text ? atol(text) : 0;
    struct timespec left = {us / 1000000, us % 1000000 * 1000};
    int kept = errno;
    while (us > 0 && nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
    errno = kept;
}

int fsync(int file) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fsync");
    int result = real(file);
    wait_longer();
    return result;
}

int fdatasync(int file) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
    int result = real(file);
    wait_longer();
    return result;
}
