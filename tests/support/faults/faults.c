/* Stands between a program and libc, by LD_PRELOAD: calls on some paths fail or take a while, and the wall
 * clock is shifted, as a small mapped file says, which a test changes while the program runs. Monotonic
 * clocks are left alone: they do not jump on a real machine either. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { WRITE, SYNC, READ, CREATE, CALLS };

/* mod.rs knows the offsets. */
struct control {
    int64_t clock_ms;
    int32_t error[CALLS];
    int32_t sync_delay_ms;
    int32_t unused;
    uint64_t hits[CALLS];
    char path[256];
};

static volatile struct control *control;

__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("FAULTS_CONTROL");
    int fd = name ? (int)syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (mapped != MAP_FAILED)
        control = mapped;
}

/* The next one of a name, which is libc's. */
#define REAL(name)                   \
    static __typeof__(name) *call;   \
    if (!call)                       \
        call = (__typeof__(name) *)dlsym(RTLD_NEXT, #name);

static int is_meant(const char *path) {
    return control->path[0] && strstr(path, (const char *)control->path) != NULL;
}

static int fd_is_meant(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return is_meant(path);
}

/* Says whether this call is to fail, and with what. */
static int fails(int call, int meant) {
    if (!meant)
        return 0;
    __sync_fetch_and_add(&control->hits[call], 1);
    errno = control->error[call];
    return errno;
}

static int fails_on_fd(int call, int fd) {
    return control && control->error[call] && fails(call, fd_is_meant(fd));
}

static int fails_on_path(int call, const char *path) {
    return control && control->error[call] && fails(call, is_meant(path));
}

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(write)
    return fails_on_fd(WRITE, fd) ? -1 : call(fd, bytes, count);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev)
    return fails_on_fd(WRITE, fd) ? -1 : call(fd, parts, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    REAL(pwrite64)
    return fails_on_fd(WRITE, fd) ? -1 : call(fd, bytes, count, at);
}

int ftruncate64(int fd, off64_t length) {
    REAL(ftruncate64)
    return fails_on_fd(WRITE, fd) ? -1 : call(fd, length);
}

ssize_t read(int fd, void *bytes, size_t count) {
    REAL(read)
    return fails_on_fd(READ, fd) ? -1 : call(fd, bytes, count);
}

ssize_t pread64(int fd, void *bytes, size_t count, off64_t at) {
    REAL(pread64)
    return fails_on_fd(READ, fd) ? -1 : call(fd, bytes, count, at);
}

static int sync_fails(int fd) {
    if (!control || !(control->error[SYNC] || control->sync_delay_ms) || !fd_is_meant(fd))
        return 0;
    int ms = control->sync_delay_ms;
    if (ms) {
        struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};
        nanosleep(&pause, NULL);
    }
    return fails(SYNC, 1);
}

int fsync(int fd) {
    REAL(fsync)
    return sync_fails(fd) ? -1 : call(fd);
}

int fdatasync(int fd) {
    REAL(fdatasync)
    return sync_fails(fd) ? -1 : call(fd);
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir)
    return fails_on_path(CREATE, path) ? -1 : call(path, mode);
}

#define OPEN(name)                                                    \
    int name(const char *path, int flags, ...) {                      \
        REAL(name)                                                    \
        va_list rest;                                                 \
        va_start(rest, flags);                                        \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest);                                                 \
        if (flags & O_CREAT && access(path, F_OK) && fails_on_path(CREATE, path)) \
            return -1;                                                \
        return call(path, flags, mode);                               \
    }

OPEN(open)
OPEN(open64)

int clock_gettime(clockid_t clock, struct timespec *at) {
    REAL(clock_gettime)
    int result = call ? call(clock, at) : (int)syscall(SYS_clock_gettime, clock, at);
    int64_t ms = control ? control->clock_ms : 0;
    if (result == 0 && ms && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        at->tv_sec += ms / 1000;
        at->tv_nsec += ms % 1000 * 1000000L;
        if (at->tv_nsec < 0) {
            at->tv_nsec += 1000000000L;
            at->tv_sec -= 1;
        } else if (at->tv_nsec >= 1000000000L) {
            at->tv_nsec -= 1000000000L;
            at->tv_sec += 1;
        }
    }
    return result;
}
