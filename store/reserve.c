/* Two reserves for two troubles: allocated blocks against a full disk, written ones against the
 * cost of growing. Blocks that are only allocated must be recorded as written at their first write,
 * in a journal of the file system that the commit's sync then waits for.
 *
 * Writing ahead while commits run gains nothing, since both want the disk; so it is done when
 * nothing else is to do, for the burst that comes. */
#include "store/reserve.h"

#include "base/failpoint.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MIB (UINT64_C(1024) * 1024)

#define BLOCKS_BYTES (16 * MIB)
#define BLOCKS_MAP_SHARE 16 /* at most this part of the map */
#define BLOCKS_STEPS 4      /* they are moved on by so many parts at a time */

#define WRITTEN_SHARE 4 /* this part of the file, */
#define WRITTEN_MAX (1024 * MIB)
#define WRITTEN_PIECE (MIB / 4)
#define FREE_SHARE 8 /* and at most this part of what the disk has left */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---------------------------------------------------------------- against a full disk */

static int allocate(int fd, uint64_t from, uint64_t to)
{
    int rc;
    do
        rc = fallocate(fd, 0, (off_t)from, (off_t)(to - from));
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? errno : 0;
}

enum err reserve_blocks(struct env *env)
{
    uint64_t end = env_end(env);
    uint64_t reserve = least(BLOCKS_BYTES, env->map_size / BLOCKS_MAP_SHARE);
    uint64_t wanted = least(end + reserve, env->map_size);
    if (wanted <= env->reserved)
        return ERR_OK;
    uint64_t from = env->reserved > end ? env->reserved : end;
    uint64_t to = least(wanted + reserve / BLOCKS_STEPS, env->map_size);
    FAILPOINT("reserve");
    int rc = allocate(env_file(env), from, to);
    FAILPOINT("reserved");
    switch (rc) {
    case 0:
        env->reserved = to;
        return ERR_OK;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_FULL;
    case EOPNOTSUPP:
    case ENOSYS:
        log_warn("this file system cannot keep a reserve for a full disk", LOG_END);
        env->reserved = UINT64_MAX;
        return ERR_OK;
    default:
        return env_err(rc, "reserve disk");
    }
}

/* ---------------------------------------------------------------- against the cost of growing */

/* Where the zeros should end; the end itself: a small file needs none. */
static uint64_t written_until(const struct env *env, uint64_t end)
{
    uint64_t ahead = least(end / WRITTEN_SHARE, WRITTEN_MAX);
    return ahead > BLOCKS_BYTES ? least(end + ahead, env->map_size) : end;
}

/* The first byte from `at` on that was never written; `at` where the file system does not tell. */
static uint64_t first_hole(int fd, uint64_t at)
{
    off_t hole = lseek(fd, (off_t)at, SEEK_HOLE);
    return hole < 0 ? at : (uint64_t)hole;
}

static bool disk_can_spare(int fd, uint64_t bytes)
{
    struct statvfs disk;
    return fstatvfs(fd, &disk) == 0 &&
           bytes <= (uint64_t)disk.f_bavail * disk.f_frsize / FREE_SHARE;
}

static int write_zeros(int fd, uint64_t at, uint64_t len)
{
    static const uint8_t zeros[WRITTEN_PIECE];
    for (uint64_t done = 0; done < len;) {
        ssize_t n = pwrite(fd, zeros, (size_t)(len - done), (off_t)(at + done));
        if (n < 0 && errno != EINTR)
            return errno;
        done += n > 0 ? (uint64_t)n : 0;
    }
    return fdatasync(fd) == 0 ? 0 : errno;
}

enum err reserve_write(struct env *env, bool *more)
{
    int fd = env_file(env);
    uint64_t end = env_end(env);
    *more = false;
    uint64_t until = written_until(env, end);
    uint64_t at = first_hole(fd, env->written > end ? env->written : end);
    if (at >= until || !disk_can_spare(fd, until - at)) {
        env->written = at >= until ? at : UINT64_MAX;
        return ERR_OK;
    }
    uint64_t len = least(WRITTEN_PIECE, until - at);
    int rc = write_zeros(fd, at, len);
    if (rc && rc != ENOSPC && rc != EDQUOT && rc != EFBIG)
        return env_err(rc, "write ahead");
    env->written = rc ? UINT64_MAX : at + len;
    *more = !rc && at + len < until;
    return ERR_OK;
}

bool reserve_wants(const struct env *env)
{
    uint64_t end = env_end(env);
    uint64_t until = written_until(env, end);
    return until > end && env->written < end + (until - end) / 2;
}
