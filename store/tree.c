/* The environment: one LMDB file, one process, a fixed set of trees, and the only code that
 * builds or takes apart a key.
 *
 * Commits are synchronous (no NOSYNC, no NOMETASYNC, no WRITEMAP): a 202 rests on that.
 * Snapshots are not bound to threads (NOTLS), and reading ahead is off because the file is read
 * at random.
 *
 * The data lock is a file of its own: LMDB by itself lets a second process in, which would keep
 * its own tables and hand the same delivery out twice. */
#include "store/tree.h"

#include "base/log.h"
#include "store/datafile.h"
#include "store/format.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TREE_NAME(name, text) text,
const char *const tree_names[TREES] = {TREE_LIST(TREE_NAME)};
#undef TREE_NAME

/* Snapshots at once: HTTP threads, dispatchers, backup and check, with room to spare. */
#define READERS_MAX 510
/* The index keeps some trees of its own beside those of TREE_LIST. */
#define TREES_MAX (TREES + 64)

enum err env_err(int rc, const char *what)
{
    switch (rc) {
    case MDB_SUCCESS:
        return ERR_OK;
    case MDB_NOTFOUND:
        return ERR_NOT_FOUND;
    case MDB_KEYEXIST:
        return ERR_CONFLICT;
    default:
        break;
    }
    log_error("store", LOG_TEXT_FIELD("what", what), LOG_TEXT_FIELD("error", mdb_strerror(rc)),
              LOG_END);
    switch (rc) {
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case ENOSPC:
    case EDQUOT:
        return ERR_FULL;
    case ENOMEM:
        return ERR_NO_MEMORY;
    case MDB_READERS_FULL:
        return ERR_BUSY;
    case MDB_VERSION_MISMATCH:
        return ERR_VERSION;
    default:
        return ERR_IO;
    }
}

/* ---------------------------------------------------------------- open and close */

static enum err system_failed(const char *what, const char *path)
{
    log_error("store", LOG_TEXT_FIELD("what", what), LOG_TEXT_FIELD("path", path),
              LOG_TEXT_FIELD("error", strerror(errno)), LOG_END);
    return ERR_IO;
}

enum err env_lock(const char *dir, int *fd)
{
    char path[4096];
    int len = snprintf(path, sizeof path, "%s/lock", dir);
    *fd = -1;
    if (len < 0 || (size_t)len >= sizeof path)
        return ERR_INVALID;
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0)
        return system_failed("open", path);
    enum err e = ERR_OK;
    if (flock(lock, LOCK_EX | LOCK_NB) < 0)
        e = errno == EWOULDBLOCK ? ERR_LOCKED : system_failed("lock", path);
    if (e == ERR_LOCKED)
        log_error("another process uses this data directory; stop it, or name another one",
                  LOG_TEXT_FIELD("data", dir), LOG_END);
    if (e)
        close(lock);
    else
        *fd = lock;
    return e;
}

enum err env_sync_directory(const char *dir)
{
    char above[4096];
    int len = snprintf(above, sizeof above, "%s/..", dir);
    if (len < 0 || (size_t)len >= sizeof above)
        return ERR_INVALID;
    const char *const paths[] = {dir, above};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        int fd = open(paths[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
            return system_failed("open", paths[i]);
        int rc = fsync(fd);
        int error = errno;
        close(fd);
        errno = error;
        if (rc < 0)
            return system_failed("sync", paths[i]);
    }
    return ERR_OK;
}

static enum err open_environment(struct env *env, const char *dir, int64_t map_size)
{
    int rc = mdb_env_create(&env->mdb);
    if (!rc)
        rc = mdb_env_set_mapsize(env->mdb, (size_t)map_size);
    if (!rc)
        rc = mdb_env_set_maxdbs(env->mdb, TREES_MAX);
    if (!rc)
        rc = mdb_env_set_maxreaders(env->mdb, READERS_MAX);
    if (!rc)
        rc = mdb_env_open(env->mdb, dir, MDB_NOTLS | MDB_NORDAHEAD, 0600);
    return env_err(rc, "open the environment");
}

enum err env_open(struct env *env, const char *dir, int64_t map_size, bool as_is)
{
    *env = (struct env){.lock_fd = -1, .map_size = (uint64_t)map_size};
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return system_failed("create", dir);
    enum err e = env_lock(dir, &env->lock_fd);
    if (!e)
        e = datafile_make(dir);
    if (!e)
        e = open_environment(env, dir, map_size);
    if (!e)
        e = format_open(env, as_is);
    if (!e)
        e = env_sync_directory(dir);
    if (e)
        env_close(env);
    return e;
}

void env_close(struct env *env)
{
    if (env->mdb)
        mdb_env_close(env->mdb);
    if (env->lock_fd >= 0)
        close(env->lock_fd);
    *env = (struct env){.lock_fd = -1};
}

/* ---------------------------------------------------------------- rows */

static MDB_val val_of(struct span s)
{
    return (MDB_val){s.len, (void *)s.ptr};
}

enum err tree_get(const struct env *env, MDB_txn *txn, enum tree t, struct span key,
                  struct span *value)
{
    MDB_val k = val_of(key), v;
    int rc = mdb_get(txn, env->tree[t], &k, &v);
    if (rc)
        return env_err(rc, "read");
    *value = span_of(v.mv_data, v.mv_size);
    return ERR_OK;
}

enum err tree_put(const struct env *env, MDB_txn *txn, enum tree t, struct span key,
                  struct span value, unsigned flags)
{
    MDB_val k = val_of(key), v = val_of(value);
    return env_err(mdb_put(txn, env->tree[t], &k, &v, flags), "write");
}

enum err tree_del(const struct env *env, MDB_txn *txn, enum tree t, struct span key)
{
    MDB_val k = val_of(key);
    return env_err(mdb_del(txn, env->tree[t], &k, NULL), "delete");
}

enum err tree_cursor(const struct env *env, MDB_txn *txn, enum tree t, MDB_cursor **out)
{
    return env_err(mdb_cursor_open(txn, env->tree[t], out), "cursor");
}

enum err tree_walk(MDB_cursor *c, MDB_cursor_op op, struct span *key, struct span *value)
{
    MDB_val k = val_of(*key), v = {0};
    int rc = mdb_cursor_get(c, &k, &v, op);
    if (rc)
        return env_err(rc, "walk");
    *key = span_of(k.mv_data, k.mv_size);
    *value = span_of(v.mv_data, v.mv_size);
    return ERR_OK;
}

enum err tree_del_at(MDB_cursor *c)
{
    return env_err(mdb_cursor_del(c, 0), "delete");
}

/* ---------------------------------------------------------------- space */

/* The pages that LMDB has put aside for use: each value of tree 0 begins with their number. */
static int count_free_pages(MDB_txn *txn, uint64_t *pages)
{
    MDB_cursor *c;
    MDB_val key, value;
    *pages = 0;
    int rc = mdb_cursor_open(txn, 0, &c);
    if (rc)
        return rc;
    while ((rc = mdb_cursor_get(c, &key, &value, MDB_NEXT)) == 0) {
        size_t n = 0;
        if (value.mv_size >= sizeof n)
            memcpy(&n, value.mv_data, sizeof n);
        *pages += n;
    }
    mdb_cursor_close(c);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* What LMDB says of an open environment: an error would mean that there is none. */
static uint64_t page_size(const struct env *env)
{
    MDB_stat stat;
    int rc = mdb_env_stat(env->mdb, &stat);
    assert(!rc);
    return stat.ms_psize;
}

int env_file(const struct env *env)
{
    int fd, rc = mdb_env_get_fd(env->mdb, &fd);
    assert(!rc);
    return fd;
}

uint64_t env_end(const struct env *env)
{
    MDB_envinfo info;
    int rc = mdb_env_info(env->mdb, &info);
    assert(!rc);
    return (info.me_last_pgno + UINT64_C(1)) * page_size(env);
}

enum err env_used(const struct env *env, uint64_t look, uint64_t *used)
{
    MDB_txn *txn;
    uint64_t end = env_end(env), spare = 0;
    *used = end;
    if (*used <= look)
        return ERR_OK;
    int rc = mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &txn);
    if (rc)
        return env_err(rc, "measure");
    rc = count_free_pages(txn, &spare);
    mdb_txn_abort(txn);
    spare *= page_size(env);
    *used = end - (spare < end ? spare : end);
    return env_err(rc, "measure");
}

/* ---------------------------------------------------------------- keys */

static void add_bytes(struct treekey *k, const void *ptr, size_t len)
{
    assert(k->len + len <= TREE_KEY_MAX);
    if (len)
        memcpy(k->b + k->len, ptr, len);
    k->len += len;
}

static void add_number(struct treekey *k, uint64_t v, size_t bytes)
{
    assert(k->len + bytes <= TREE_KEY_MAX);
    for (size_t i = bytes; i > 0; i--)
        k->b[k->len++] = (uint8_t)(v >> (8 * (i - 1)));
}

enum err key_copy(struct span key, struct treekey *out)
{
    out->len = 0;
    if (key.len >= TREE_KEY_MAX)
        return ERR_CORRUPT;
    add_bytes(out, key.ptr, key.len);
    return ERR_OK;
}

struct treekey key_id(const struct id *id)
{
    struct treekey k;
    k.len = 0;
    add_bytes(&k, id->b, ID_BYTES);
    return k;
}

struct treekey key_number(uint32_t number)
{
    struct treekey k;
    k.len = 0;
    add_number(&k, number, 4);
    return k;
}

struct treekey key_id_id(const struct id *a, const struct id *b)
{
    struct treekey k = key_id(a);
    add_bytes(&k, b->b, ID_BYTES);
    return k;
}

struct treekey key_id_text(const struct id *a, struct span text)
{
    struct treekey k = key_id(a);
    add_bytes(&k, text.ptr, text.len);
    return k;
}

struct treekey key_number_text(uint32_t a, struct span text)
{
    struct treekey k = key_number(a);
    add_bytes(&k, text.ptr, text.len);
    return k;
}

struct treekey key_number_id(uint32_t a, const struct id *b)
{
    struct treekey k = key_number(a);
    add_bytes(&k, b->b, ID_BYTES);
    return k;
}

struct treekey key_id_number(const struct id *a, uint32_t b)
{
    struct treekey k = key_id(a);
    add_number(&k, b, 4);
    return k;
}

struct treekey key_body(const struct id *message, uint16_t chunk)
{
    struct treekey k = key_id(message);
    add_number(&k, chunk, 2);
    return k;
}

struct treekey key_due(uint32_t endpoint, struct wall due, const struct id *message,
                       enum attempt_trigger trigger)
{
    assert(due.us >= 0);
    struct treekey k = key_number(endpoint);
    add_number(&k, (uint64_t)due.us, 8);
    add_bytes(&k, message->b, ID_BYTES);
    add_number(&k, trigger, 1);
    return k;
}

static struct id read_id(struct reader *r)
{
    struct id id = {{0}};
    struct span bytes = read_span(r, ID_BYTES);
    if (bytes.len == ID_BYTES)
        memcpy(id.b, bytes.ptr, ID_BYTES);
    return id;
}

/* A moment in a key: never negative, so that its bytes order as numbers do. */
static struct wall read_moment(struct reader *r)
{
    uint64_t us = read_u64(r);
    if (us > INT64_MAX)
        r->failed = true;
    return (struct wall){r->failed ? 0 : (int64_t)us};
}

enum err key_due_parse(struct span key, uint32_t *endpoint, struct wall *due, struct id *message,
                       enum attempt_trigger *trigger)
{
    struct reader r = reader_of(key);
    *endpoint = read_u32(&r);
    *due = read_moment(&r);
    *message = read_id(&r);
    uint8_t how = read_u8(&r);
    *trigger = how == TRIGGER_MANUAL ? TRIGGER_MANUAL : TRIGGER_SCHEDULED;
    return r.failed || r.at != r.end || how > TRIGGER_MANUAL ? ERR_CORRUPT : ERR_OK;
}

struct treekey key_line_begin(uint32_t endpoint, const uint8_t line[LINE_BYTES])
{
    struct treekey k = key_number(endpoint);
    add_bytes(&k, line, LINE_BYTES);
    return k;
}

struct treekey key_line(uint32_t endpoint, const struct line_place *at)
{
    struct treekey k = key_line_begin(endpoint, at->line);
    add_bytes(&k, at->ticket.b, ID_BYTES);
    add_bytes(&k, at->message.b, ID_BYTES);
    return k;
}

enum err key_line_parse(struct span key, uint32_t *endpoint, struct line_place *at)
{
    struct reader r = reader_of(key);
    *endpoint = read_u32(&r);
    struct span line = read_span(&r, LINE_BYTES);
    if (line.len == LINE_BYTES)
        memcpy(at->line, line.ptr, LINE_BYTES);
    at->ticket = read_id(&r);
    at->message = read_id(&r);
    return r.failed || r.at != r.end ? ERR_CORRUPT : ERR_OK;
}

struct treekey key_portal(const struct id *app, const uint8_t hash[32])
{
    struct treekey k = key_id(app);
    add_bytes(&k, (const char *)hash, 32);
    return k;
}

struct treekey key_consumer(const struct id *app, const uint8_t name[CONSUMER_NAME])
{
    struct treekey k = key_id(app);
    add_bytes(&k, (const char *)name, CONSUMER_NAME);
    return k;
}

struct treekey key_expiry(struct wall when, enum expiry_kind kind, struct span what)
{
    assert(when.us >= 0);
    struct treekey k;
    k.len = 0;
    add_number(&k, (uint64_t)when.us, 8);
    add_number(&k, kind, 1);
    add_bytes(&k, what.ptr, what.len);
    return k;
}

enum err key_expiry_parse(struct span key, struct wall *when, enum expiry_kind *kind,
                          struct span *what)
{
    struct reader r = reader_of(key);
    *when = read_moment(&r);
    uint8_t k = read_u8(&r);
    static const size_t lengths[] = {
        [EXPIRY_MESSAGE] = ID_BYTES,     [EXPIRY_ANSWER] = sizeof((struct idempotency){0}.key),
        [EXPIRY_TASK] = ID_BYTES,        [EXPIRY_STAT] = 4,
        [EXPIRY_PORTAL] = ID_BYTES + 32, [EXPIRY_CONSUMER] = ID_BYTES + CONSUMER_NAME,
    };
    *kind = k < EXPIRY_KINDS ? (enum expiry_kind)k : EXPIRY_MESSAGE;
    *what = read_rest(&r);
    return r.failed || k >= EXPIRY_KINDS || what->len != lengths[k] ? ERR_CORRUPT : ERR_OK;
}
