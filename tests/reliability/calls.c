/* Counts what a process does to files, and ends it or fills its disk at the n-th such call. Where
 * ARMILLARY_SOCKETS names a file, sockets of a network are refused, and who wanted one stands there.
 *
 * Loaded by LD_PRELOAD. It sees C libraries (HDF5) and Python alike, since it stands before libc.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OFF, BEFORE, AFTER, TORN, FULL };

static atomic_int mode;
static atomic_long at, seen;

/* Begins to count from 0; what happens at call `when` says `how`; 0 never comes. */
void calls_arm(int how, long when) {
    atomic_store(&seen, 0);
    atomic_store(&at, when);
    atomic_store(&mode, how + 16);
}

long calls_seen(void) { return atomic_load(&seen); }

static void end(void) { kill(getpid(), SIGKILL); for (;;) pause(); }

/* The kind of trouble that this call has, if any. */
static int step(void) {
    int armed = atomic_load(&mode);
    if (!armed) return OFF;
    long n = atomic_fetch_add(&seen, 1) + 1, when = atomic_load(&at);
    int how = armed - 16;
    if (!when || n < when || (n > when && how != FULL)) return OFF;
    if (how == BEFORE) end();
    if (how == FULL && n > when) return FULL + 1;
    return how;
}

static int regular(int fd) {
    struct stat found;
    return fd > 2 && fstat(fd, &found) == 0 && S_ISREG(found.st_mode);
}

/* Whether a write needs no room: the disk has given it to the file before. */
static int has_room(int fd, off_t offset, size_t size) {
    struct stat found;
    if (fstat(fd, &found) != 0) return 0;
    off_t given = (off_t)found.st_blocks * 512;
    return offset + (off_t)size <= found.st_size && found.st_size <= given;
}

#define NEXT(name) \
    static __typeof__(&name) next; \
    if (!next) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define DONE(result) do { \
    __typeof__(result) value = (result); \
    if (trouble == AFTER || trouble == TORN) end(); \
    return value; \
} while (0)
#define NO_SPACE do { errno = ENOSPC; return -1; } while (0)

/* Writing: half of it arrives at the call in question, nothing after it. */
#define WRITE(name, more, passed, place) \
    ssize_t name(int fd, const void *data, size_t size more) { \
        NEXT(name); \
        if (!regular(fd)) return next(fd, data, size passed); \
        int trouble = step(); \
        if (trouble >= FULL && has_room(fd, place, size)) trouble = OFF; \
        if (trouble > FULL || (trouble == FULL && size < 2)) NO_SPACE; \
        if (trouble == FULL || trouble == TORN) size /= 2; \
        DONE(next(fd, data, size passed)); \
    }
#define COMMA ,
WRITE(write, , , lseek(fd, 0, SEEK_CUR))
WRITE(pwrite, COMMA off_t offset, COMMA offset, offset)
WRITE(pwrite64, COMMA off64_t offset, COMMA offset, offset)

/* It returns the error instead of setting errno. */
#define FALLOCATE(name, type) \
    int name(int fd, type offset, type size) { \
        NEXT(name); \
        int trouble = step(); \
        if (trouble >= FULL && !has_room(fd, offset, size)) return ENOSPC; \
        DONE(next(fd, offset, size)); \
    }
FALLOCATE(posix_fallocate, off_t)
FALLOCATE(posix_fallocate64, off64_t)

ssize_t writev(int fd, const struct iovec *parts, int count) {
    NEXT(writev);
    if (!regular(fd)) return next(fd, parts, count);
    int trouble = step();
    if (trouble >= FULL) NO_SPACE;
    DONE(next(fd, parts, trouble == TORN ? 1 : count));
}

static int opens(const char *path, int flags) {
    if (!(flags & (O_WRONLY | O_RDWR | O_CREAT)) || !path) return 0;
    return strncmp(path, "/dev/", 5) && strncmp(path, "/proc/", 6);
}

#define MODE \
    mode_t permissions = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        permissions = va_arg(rest, mode_t); \
        va_end(rest); \
    }
#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        NEXT(name); \
        MODE \
        if (!opens(path, flags)) return next(path, flags, permissions); \
        int trouble = step(); \
        if (trouble >= FULL && (flags & O_CREAT) && access(path, F_OK) != 0) NO_SPACE; \
        DONE(next(path, flags, permissions)); \
    }
#define OPENAT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        NEXT(name); \
        MODE \
        if (!opens(path, flags)) return next(folder, path, flags, permissions); \
        int trouble = step(); \
        if (trouble >= FULL && (flags & O_CREAT) && faccessat(folder, path, F_OK, 0) != 0) NO_SPACE; \
        DONE(next(folder, path, flags, permissions)); \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

/* What needs room only where `full` says so. */
#define CALL(name, parameters, arguments, full) \
    int name parameters { \
        NEXT(name); \
        int trouble = step(); \
        if (full && trouble >= FULL) NO_SPACE; \
        DONE(next arguments); \
    }
CALL(mkdir, (const char *path, mode_t permissions), (path, permissions), 1)
CALL(mkdirat, (int folder, const char *path, mode_t permissions), (folder, path, permissions), 1)
CALL(ftruncate, (int fd, off_t size), (fd, size), 0)
CALL(ftruncate64, (int fd, off64_t size), (fd, size), 0)
CALL(truncate, (const char *path, off_t size), (path, size), 0)
CALL(fsync, (int fd), (fd), 0)
CALL(fdatasync, (int fd), (fd), 0)
CALL(rename, (const char *from, const char *to), (from, to), 0)
CALL(renameat, (int a, const char *from, int b, const char *to), (a, from, b, to), 0)
CALL(renameat2, (int a, const char *from, int b, const char *to, unsigned f), (a, from, b, to, f), 0)
CALL(link, (const char *from, const char *to), (from, to), 1)
CALL(symlink, (const char *from, const char *to), (from, to), 1)
CALL(unlink, (const char *path), (path), 0)
CALL(unlinkat, (int folder, const char *path, int flags), (folder, path, flags), 0)
CALL(rmdir, (const char *path), (path), 0)
CALL(chmod, (const char *path, mode_t permissions), (path, permissions), 0)
CALL(fchmod, (int fd, mode_t permissions), (fd, permissions), 0)

int socket(int family, int kind, int protocol) {
    NEXT(socket);
    const char *told = getenv("ARMILLARY_SOCKETS");
    if (!told || family == AF_UNIX) return next(family, kind, protocol);
    long file = syscall(SYS_openat, AT_FDCWD, told, O_WRONLY | O_CREAT | O_APPEND, 0666);
    dprintf((int)file, "socket of family %d in process %d\n", family, getpid());
    syscall(SYS_close, file);
    errno = EACCES;
    return -1;
}
