/* A copy while serving: LMDB copies the pages of one committed state, so the copy is what a restart
 * at that moment would have found, and `serve` opens it as it is.
 *
 * Durable before reported: the copy, its directory and that directory's entry are synced before
 * ERR_OK. The long read transaction pins free pages: the file grows while a backup runs. */
#include "store/file.h"
#include "store/internal.h"

#include "base/failpoint.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

/* ERR_CONFLICT unless `dir` is a directory without entries. */
static enum err must_be_empty(const char *dir)
{
    DIR *d = opendir(dir);
    if (!d)
        return file_failed("open", dir);
    bool empty = true;
    for (struct dirent *entry; empty && (entry = readdir(d));)
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    closedir(d);
    if (empty)
        return ERR_OK;
    log_error("backup", LOG_TEXT_FIELD("what", "the directory is not empty"),
              LOG_TEXT_FIELD("path", dir), LOG_END);
    return ERR_CONFLICT;
}

static enum err prepare(const char *dir)
{
    if (mkdir(dir, 0700) == 0)
        return ERR_OK;
    if (errno != EEXIST)
        return file_failed("create", dir);
    enum err e = must_be_empty(dir);
    if (e)
        return e;
    return chmod(dir, 0700) == 0 ? ERR_OK : file_failed("restrict", dir);
}

enum err store_backup(struct store *s, const char *dir)
{
    char file[PATH_MAX];
    int len = snprintf(file, sizeof file, "%s/data.mdb", dir);
    if (len < 0 || (size_t)len >= sizeof file)
        return ERR_INVALID;
    enum err e = prepare(dir);
    if (e)
        return e;
    e = env_err(mdb_env_copy2(s->env.mdb, dir, 0), "copy the environment");
    FAILPOINT("backup-copied");
    if (!e)
        e = file_sync(file);
    FAILPOINT("backup-synced");
    if (!e)
        e = env_sync_directory(dir);
    if (e)
        (void)unlink(file);
    return e;
}
