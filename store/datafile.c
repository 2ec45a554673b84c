/* LMDB writes the first pages of a new file without a sync, and refuses the file, or aborts, when a
 * power cut left only a part of them. So the file is made under another name, synced, and renamed:
 * there is no data file, or there is a whole one.
 *
 * A file of the other name is what such a cut left behind. Nothing was ever acknowledged from it:
 * it is thrown away. */
#include "store/datafile.h"

#include "base/failpoint.h"
#include "store/file.h"
#include "store/tree.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#define MODE 0600

/* An empty environment, synced. No lock file: nobody else knows the name. */
static enum err make_empty(const char *path)
{
    MDB_env *env;
    int rc = mdb_env_create(&env);
    if (rc)
        return env_err(rc, "make the data file");
    rc = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK, MODE);
    if (!rc)
        rc = mdb_env_sync(env, 1);
    mdb_env_close(env);
    return env_err(rc, "make the data file");
}

bool datafile_exists(const char *dir)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/data.mdb", dir);
    return len >= 0 && (size_t)len < sizeof path && access(path, F_OK) == 0;
}

enum err datafile_make(const char *dir)
{
    char path[PATH_MAX], fresh[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/data.mdb", dir);
    int fresh_len = snprintf(fresh, sizeof fresh, "%s/data.new", dir);
    if (len < 0 || fresh_len < 0 || (size_t)len >= sizeof path || (size_t)fresh_len >= sizeof fresh)
        return ERR_INVALID;
    if (access(path, F_OK) == 0)
        return ERR_OK;
    if (errno != ENOENT)
        return file_failed("look for", path);
    if (unlink(fresh) < 0 && errno != ENOENT)
        return file_failed("remove", fresh);
    enum err e = make_empty(fresh);
    if (e)
        return e;
    FAILPOINT("datafile-made");
    return rename(fresh, path) == 0 ? ERR_OK : file_failed("rename", fresh);
}
