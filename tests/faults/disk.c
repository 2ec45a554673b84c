/* Preloaded into the service: stands between it and its data file (LMDB's data.mdb).
 *
 *   - records every write, sync and change of size (FAULTS_RECORD names the file; record.h);
 *   - lets the n-th write, sync or allocation fail, once or from then on, and lets the file grow no
 *     further than a quota (control.h).
 *
 * A sync that is made to fail takes back what was written since the last good one, as a kernel may
 * that could not write its dirty pages: whoever syncs again and believes it loses data.
 *
 * System calls are made directly, so that nothing here calls itself. */
#include "tests/faults/control.h"
#include "tests/faults/record.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define DESCRIPTORS 4096
#define DATA_FILE "/data.mdb"
#define NEW_FILE "/data.new" /* it becomes the data file */

static struct control *control;
static int record_fd = -1;

/* The data file's descriptors; a descriptor changes hands only in open and close. */
static struct {
    atomic_bool data;
    atomic_bool durable; /* O_DSYNC */
    atomic_bool directory;
} files[DESCRIPTORS];
static atomic_int readable; /* one of them, opened for reading, too */

/* under lock */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct saved {
    struct saved *next;
    off_t offset;
    size_t length;
    char bytes[];
} * unsynced; /* what stood where the service wrote since the last sync, newest first */

__attribute__((constructor)) static void set_up(void)
{
    const char *path = getenv("FAULTS_RECORD");
    control = control_map();
    if (!path)
        return;
    record_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (record_fd < 0)
        _exit(3);
}

static bool is_data(int fd)
{
    return control && fd >= 0 && fd < DESCRIPTORS && atomic_load(&files[fd].data);
}

/* ---------------------------------------------------------------- recording */

static void put(const void *bytes, size_t len)
{
    if (syscall(SYS_write, record_fd, bytes, len) != (long)len)
        _exit(3);
}

/* Under lock, after the call succeeded. */
static void note(enum record_kind kind, bool durable, off_t offset, const void *bytes, size_t len)
{
    struct record r = {
        .sequence = atomic_load(&control->sequence) + 1,
        .kind = kind,
        .durable = durable,
        .offset = (uint64_t)offset,
        .length = len,
    };
    if (record_fd < 0)
        return;
    put(&r, sizeof r);
    if (bytes)
        put(bytes, len);
    atomic_store(&control->sequence, r.sequence);
}

/* ---------------------------------------------------------------- what a failed sync takes back */

/* Under lock, before a write. The descriptor of the roots cannot be read from. */
static void save(off_t offset, size_t len)
{
    if (atomic_load(&control->fail_kind) != CALL_SYNC)
        return;
    struct saved *s = calloc(1, sizeof *s + len);
    if (!s)
        _exit(3);
    s->next = unsynced;
    s->offset = offset;
    s->length = len;
    if (syscall(SYS_pread64, atomic_load(&readable), s->bytes, len, offset) < 0)
        _exit(3);
    unsynced = s;
}

static void forget_saved(void)
{
    while (unsynced) {
        struct saved *next = unsynced->next;
        free(unsynced);
        unsynced = next;
    }
}

static void take_back(int fd)
{
    for (struct saved *s = unsynced; s; s = s->next)
        if (syscall(SYS_pwrite64, fd, s->bytes, s->length, s->offset) < 0)
            _exit(3);
    forget_saved();
}

/* ---------------------------------------------------------------- calls */

static int refuse(int error)
{
    errno = error;
    return -1;
}

/* Under lock: how many of `len` bytes may be written at `offset`; -1 with errno: none. */
static ssize_t allowed(off_t offset, size_t len)
{
    uint64_t quota = atomic_load(&control->quota), end = (uint64_t)offset + len;
    if (control_fails(control, CALL_WRITE)) {
        int error = (int)atomic_load(&control->error);
        return error ? refuse(error) : (ssize_t)(len / 2);
    }
    if (!quota || end <= quota)
        return (ssize_t)len;
    return (uint64_t)offset < quota ? (ssize_t)(quota - (uint64_t)offset) : refuse(ENOSPC);
}

/* Under lock: the first `n` bytes of the parts. */
static ssize_t write_some(int fd, const struct iovec *parts, size_t n, off_t offset)
{
    bool durable = atomic_load(&files[fd].durable);
    size_t done = 0;
    for (; done < n; parts++) {
        size_t part = parts->iov_len < n - done ? parts->iov_len : n - done;
        off_t at = offset + (off_t)done;
        if (!durable)
            save(at, part);
        if (syscall(SYS_pwrite64, fd, parts->iov_base, part, at) != (long)part)
            return -1;
        note(RECORD_WRITE, durable, at, parts->iov_base, part);
        done += part;
    }
    return (ssize_t)done;
}

static ssize_t write_parts(int fd, const struct iovec *parts, int count, off_t offset)
{
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += parts[i].iov_len;
    pthread_mutex_lock(&lock);
    ssize_t n = allowed(offset, len);
    if (n > 0)
        n = write_some(fd, parts, (size_t)n, offset);
    pthread_mutex_unlock(&lock);
    return n;
}

static ssize_t write_at(int fd, const void *bytes, size_t len, off_t offset)
{
    const struct iovec part = {(void *)(uintptr_t)bytes, len};
    return write_parts(fd, &part, 1, offset);
}

/* Moves the file's position over what was written there. */
static ssize_t advance(int fd, off_t from, ssize_t n)
{
    if (n > 0 && syscall(SYS_lseek, fd, from + n, SEEK_SET) < 0)
        return -1;
    return n;
}

static int sync_directory(int fd, long call)
{
    int rc = (int)syscall(call, fd);
    if (control && !rc && fd < DESCRIPTORS && atomic_load(&files[fd].directory)) {
        pthread_mutex_lock(&lock);
        note(RECORD_DIRECTORY, false, 0, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    return rc;
}

static int sync_file(int fd, long call)
{
    if (!is_data(fd))
        return sync_directory(fd, call);
    pthread_mutex_lock(&lock);
    int rc = 0;
    if (control_fails(control, CALL_SYNC)) {
        int error = (int)atomic_load(&control->error);
        take_back(fd);
        rc = error == FAIL_HIDDEN ? 0 : refuse(error);
    } else {
        rc = (int)syscall(call, fd);
        forget_saved();
    }
    if (!rc)
        note(RECORD_SYNC, false, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return rc;
}

static int change_size(int fd, bool exact, int mode, off_t from, off_t len)
{
    uint64_t quota = atomic_load(&control->quota);
    pthread_mutex_lock(&lock);
    int rc;
    if (!exact && control_fails(control, CALL_ALLOCATE))
        rc = refuse((int)atomic_load(&control->error));
    else if (quota && (uint64_t)(from + len) > quota)
        rc = refuse(ENOSPC);
    else
        rc = exact ? (int)syscall(SYS_ftruncate, fd, len)
                   : (int)syscall(SYS_fallocate, fd, mode, from, len);
    if (!rc)
        note(RECORD_SIZE, exact, from + len, NULL, 0);
    pthread_mutex_unlock(&lock);
    return rc;
}

/* ---------------------------------------------------------------- what replaces libc's */

static bool ends_with(const char *path, const char *name)
{
    size_t len = strlen(path), n = strlen(name);
    return len >= n && strcmp(path + len - n, name) == 0;
}

static bool names_data_file(const char *path)
{
    return ends_with(path, DATA_FILE) || ends_with(path, NEW_FILE);
}

static int open_at(int dir, const char *path, int flags, mode_t mode)
{
    int fd = (int)syscall(SYS_openat, dir, path, flags, mode);
    if (fd < 0 || fd >= DESCRIPTORS)
        return fd;
    if ((flags & O_ACCMODE) == O_RDWR && names_data_file(path))
        atomic_store(&readable, fd);
    atomic_store(&files[fd].directory, (flags & O_DIRECTORY) != 0);
    atomic_store(&files[fd].durable, (flags & O_DSYNC) != 0);
    atomic_store(&files[fd].data, names_data_file(path));
    return fd;
}

static mode_t mode_of(int flags, va_list args)
{
    return flags & O_CREAT ? va_arg(args, mode_t) : 0;
}

EXPORT int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return open_at(AT_FDCWD, path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return open_at(AT_FDCWD, path, flags, mode);
}

EXPORT int rename(const char *from, const char *to)
{
    int rc = (int)syscall(SYS_rename, from, to);
    if (control && !rc && ends_with(to, DATA_FILE)) {
        pthread_mutex_lock(&lock);
        note(RECORD_NAME, false, 0, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    return rc;
}

EXPORT int close(int fd)
{
    if (fd >= 0 && fd < DESCRIPTORS)
        atomic_store(&files[fd].data, false);
    return (int)syscall(SYS_close, fd);
}

EXPORT ssize_t write(int fd, const void *bytes, size_t len)
{
    if (!is_data(fd))
        return syscall(SYS_write, fd, bytes, len);
    off_t at = syscall(SYS_lseek, fd, 0, SEEK_CUR);
    return advance(fd, at, write_at(fd, bytes, len, at));
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    if (!is_data(fd))
        return syscall(SYS_writev, fd, parts, count);
    off_t at = syscall(SYS_lseek, fd, 0, SEEK_CUR);
    return advance(fd, at, write_parts(fd, parts, count, at));
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    if (!is_data(fd))
        return syscall(SYS_pwrite64, fd, bytes, len, offset);
    return write_at(fd, bytes, len, offset);
}

EXPORT ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t offset)
{
    return pwrite(fd, bytes, len, offset);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    if (!is_data(fd))
        return syscall(SYS_pwritev, fd, parts, count, offset, 0);
    return write_parts(fd, parts, count, offset);
}

EXPORT ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset)
{
    return pwritev(fd, parts, count, offset);
}

EXPORT int fsync(int fd)
{
    return sync_file(fd, SYS_fsync);
}

EXPORT int fdatasync(int fd)
{
    return sync_file(fd, SYS_fdatasync);
}

EXPORT int ftruncate(int fd, off_t length)
{
    return is_data(fd) ? change_size(fd, true, 0, 0, length)
                       : (int)syscall(SYS_ftruncate, fd, length);
}

EXPORT int ftruncate64(int fd, off64_t length)
{
    return ftruncate(fd, length);
}

EXPORT int fallocate(int fd, int mode, off_t from, off_t len)
{
    return is_data(fd) ? change_size(fd, false, mode, from, len)
                       : (int)syscall(SYS_fallocate, fd, mode, from, len);
}

EXPORT int fallocate64(int fd, int mode, off64_t from, off64_t len)
{
    return fallocate(fd, mode, from, len);
}
