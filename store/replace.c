/* A new data file beside the old one, and the one rename between them.
 *
 * Durable before visible: the copy is synced before the rename, the directory after it. So whatever
 * happens in between, the data file is the old one whole or the new one whole. The directory's lock
 * is held all the time: no service starts on a file that is about to be replaced. */
#include "store/replace.h"

#include "store/datafile.h"
#include "store/file.h"
#include "store/internal.h"

#include "base/failpoint.h"
#include "base/log.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define STAGE "replacing" /* the folder in which the copy is made */

struct stage {
    char dir[PATH_MAX], file[PATH_MAX], target[PATH_MAX];
};

static bool join(char out[PATH_MAX], const char *dir, const char *name)
{
    int len = snprintf(out, PATH_MAX, "%s/%s", dir, name);
    return len >= 0 && len < PATH_MAX;
}

/* ---------------------------------------------------------------- the folder of the copy */

/* Throws away what is in the folder, and the folder. */
static enum err stage_clear(const struct stage *st)
{
    char path[PATH_MAX];
    DIR *d = opendir(st->dir);
    if (!d)
        return errno == ENOENT ? ERR_OK : file_failed("open", st->dir);
    for (struct dirent *entry; (entry = readdir(d));)
        if (join(path, st->dir, entry->d_name))
            (void)unlink(path);
    closedir(d);
    return rmdir(st->dir) == 0 ? ERR_OK : file_failed("remove", st->dir);
}

static enum err stage_begin(const char *dir, struct stage *st)
{
    if (!join(st->dir, dir, STAGE) || !join(st->file, st->dir, "data.mdb") ||
        !join(st->target, dir, "data.mdb"))
        return ERR_INVALID;
    enum err e = stage_clear(st);
    if (!e && mkdir(st->dir, 0700) < 0)
        e = file_failed("create", st->dir);
    return e;
}

static enum err stage_copy(const struct stage *st, MDB_env *from, unsigned flags)
{
    int fd = open(st->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return file_failed("create", st->file);
    enum err e = env_err(mdb_env_copyfd2(from, fd, flags), "copy the environment");
    close(fd);
    FAILPOINT("replace-copied");
    return e;
}

static enum err stage_check(const struct stage *st, const struct store_settings *settings,
                            struct replace_report *report)
{
    struct store_settings own = *settings;
    struct store *s;
    own.dir = st->dir;
    enum err e = store_check_file(own.dir, report->say, report->context, &report->check);
    if (!e && report->check.errors)
        e = ERR_CORRUPT;
    if (!e)
        e = store_open(&own, &s);
    if (e)
        return e;
    e = store_check(s, report->say, report->context, &report->check);
    store_close(&s);
    return !e && report->check.errors ? ERR_CORRUPT : e;
}

static enum err stage_finish(const struct stage *st, const char *dir)
{
    enum err e = file_sync(st->file);
    FAILPOINT("replace-synced");
    if (!e && rename(st->file, st->target) < 0)
        e = file_failed("rename", st->file);
    FAILPOINT("replace-renamed");
    if (!e)
        e = env_sync_directory(dir);
    if (!e)
        (void)stage_clear(st); /* an empty folder does no harm */
    return e;
}

/* ---------------------------------------------------------------- restore */

/* Nothing in it but the lock, and what a try before this one left. */
static enum err must_be_empty(const char *dir)
{
    static const char *const ours[] = {".", "..", "lock", STAGE};
    DIR *d = opendir(dir);
    if (!d)
        return file_failed("open", dir);
    const char *other = NULL;
    for (struct dirent *entry; !other && (entry = readdir(d));) {
        bool known = false;
        for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
            known |= strcmp(entry->d_name, ours[i]) == 0;
        if (!known)
            other = entry->d_name;
    }
    if (other)
        log_error("the directory is not empty; nothing is overwritten", LOG_TEXT_FIELD("data", dir),
                  LOG_TEXT_FIELD("found", other), LOG_END);
    closedir(d);
    return other ? ERR_CONFLICT : ERR_OK;
}

/* Without its lock, which a backup that nobody opened does not have, it cannot be in use. */
static enum err lock_backup(const char *from, int *fd)
{
    char path[PATH_MAX];
    bool fits = join(path, from, "lock");
    assert(fits); /* its data file's name, which is longer, did */
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return errno == ENOENT ? ERR_OK : file_failed("open", path);
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return ERR_OK;
    if (errno != EWOULDBLOCK)
        return file_failed("lock", path);
    log_error("a process uses this directory; make a backup of it, and restore that",
              LOG_TEXT_FIELD("backup", from), LOG_END);
    return ERR_LOCKED;
}

/* The backup may stand where nothing can be written, and is not ours to change. */
static enum err copy_backup(const struct stage *st, const char *from, int64_t map_size)
{
    MDB_env *env;
    int lock;
    enum err e = lock_backup(from, &lock);
    if (e)
        goto out;
    e = env_err(mdb_env_create(&env), "open the backup");
    if (e)
        goto out;
    int rc = mdb_env_set_mapsize(env, (size_t)map_size);
    assert(!rc); /* it is not open: the size is only noted */
    rc = mdb_env_open(env, from, MDB_RDONLY | MDB_NOLOCK | MDB_NORDAHEAD, 0);
    e = env_err(rc, "open the backup");
    if (!e)
        e = stage_copy(st, env, 0);
    mdb_env_close(env);
out:
    if (lock >= 0)
        close(lock);
    return e;
}

static enum err restore_into(const char *from, const struct store_settings *settings,
                             struct replace_report *report)
{
    struct stage st;
    enum err e = must_be_empty(settings->dir);
    if (!e && chmod(settings->dir, 0700) < 0)
        e = file_failed("restrict", settings->dir);
    if (!e)
        e = stage_begin(settings->dir, &st);
    if (e)
        return e;
    e = copy_backup(&st, from, settings->map_size);
    if (!e)
        e = stage_check(&st, settings, report);
    if (!e)
        return stage_finish(&st, settings->dir);
    (void)stage_clear(&st);
    return e;
}

enum err store_restore(const char *from, const struct store_settings *settings,
                       struct replace_report *report)
{
    int lock;
    if (!datafile_exists(from))
        return ERR_NOT_FOUND;
    if (mkdir(settings->dir, 0700) < 0 && errno != EEXIST)
        return file_failed("create", settings->dir);
    enum err e = env_lock(settings->dir, &lock);
    if (e)
        return e;
    e = restore_into(from, settings, report);
    close(lock);
    return e;
}

/* ---------------------------------------------------------------- compact */

static uint64_t bytes_on_disk(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

enum err store_compact(const struct store_settings *settings, struct replace_report *report)
{
    struct stage st;
    struct store *s;
    enum err e = store_open(settings, &s);
    if (e)
        return e;
    e = stage_begin(settings->dir, &st);
    if (!e)
        e = stage_copy(&st, s->env.mdb, MDB_CP_COMPACT);
    if (!e)
        e = stage_check(&st, settings, report);
    if (!e) {
        report->before = bytes_on_disk(st.target);
        report->after = bytes_on_disk(st.file);
        e = stage_finish(&st, settings->dir);
    } else {
        (void)stage_clear(&st);
    }
    store_close(&s);
    return e;
}
