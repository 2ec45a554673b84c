/* Short reads are the most frequent thing the store does besides commits, so a snapshot is taken
 * from a small pool: renewing a read transaction is a few atomic writes, beginning one takes LMDB's
 * reader mutex and memory.
 *
 * Invariant: a snapshot in the pool is reset: it pins no page. */
#include "store/snapshot.h"

#include "base/log.h"

#include <pthread.h>

/* As many as threads read at once in a busy server; more are freed when they end. */
#define IDLE_MAX 32
#define KEY_SHOWN_MAX 64 /* bytes of a key in the log: all but names */

struct snapshots {
    pthread_mutex_t lock;
    struct store_read *idle; /* under lock */
    unsigned count;          /* under lock */
};

struct snapshots *snapshots_new(void)
{
    struct snapshots *pool = calloc(1, sizeof *pool);
    if (pool)
        pthread_mutex_init(&pool->lock, NULL);
    return pool;
}

static void destroy(struct store_read *r)
{
    if (r->txn)
        mdb_txn_abort(r->txn);
    free(r);
}

void snapshots_free(struct snapshots **pool)
{
    if (!*pool)
        return;
    while ((*pool)->idle) {
        struct store_read *r = (*pool)->idle;
        (*pool)->idle = r->next;
        destroy(r);
    }
    pthread_mutex_destroy(&(*pool)->lock);
    free(*pool);
    *pool = NULL;
}

static struct store_read *take_idle(struct snapshots *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct store_read *r = pool->idle;
    if (r) {
        pool->idle = r->next;
        pool->count--;
    }
    pthread_mutex_unlock(&pool->lock);
    return r;
}

static bool keep_idle(struct snapshots *pool, struct store_read *r)
{
    pthread_mutex_lock(&pool->lock);
    bool room = pool->count < IDLE_MAX;
    if (room) {
        r->next = pool->idle;
        pool->idle = r;
        pool->count++;
    }
    pthread_mutex_unlock(&pool->lock);
    return room;
}

enum err store_read_begin(struct store *s, struct store_read **out)
{
    *out = NULL;
    struct store_read *r = take_idle(s->snapshots);
    if (!r)
        r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NO_MEMORY;
    r->store = s;
    r->view = index_view_open(s->index);
    if (!r->view) {
        destroy(r);
        return ERR_NO_MEMORY;
    }
    int rc = r->txn ? mdb_txn_renew(r->txn) : mdb_txn_begin(s->env.mdb, NULL, MDB_RDONLY, &r->txn);
    enum err e = env_err(rc, "begin a read");
    if (e) {
        index_view_close(&r->view);
        destroy(r);
        return e;
    }
    *out = r;
    return ERR_OK;
}

void store_read_end(struct store_read **read)
{
    struct store_read *r = *read;
    *read = NULL;
    if (!r)
        return;
    mdb_txn_reset(r->txn);
    index_view_close(&r->view);
    if (!keep_idle(r->store->snapshots, r))
        destroy(r);
}

uint64_t store_read_txn(const struct store_read *r)
{
    return mdb_txn_id(r->txn);
}

enum err snapshot_get(struct store_read *r, enum tree tree, const struct treekey *key,
                      struct span *value)
{
    return tree_get(&r->store->env, r->txn, tree, key_span(key), value);
}

enum err snapshot_corrupt(struct store_read *r, const char *what, struct span key)
{
    static const char digits[] = "0123456789abcdef";
    char hex[2 * KEY_SHOWN_MAX];
    size_t n = key.len < KEY_SHOWN_MAX ? key.len : KEY_SHOWN_MAX;
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)key.ptr[i];
        hex[2 * i] = digits[byte >> 4];
        hex[2 * i + 1] = digits[byte & 15];
    }
    counter_add(&r->store->stats.corrupt, 1);
    log_error("corrupt record", LOG_TEXT_FIELD("what", what), LOG_SPAN("key", span_of(hex, 2 * n)),
              LOG_END);
    return ERR_CORRUPT;
}

enum err snapshot_decoded(struct store_read *r, const char *what, const struct treekey *key,
                          enum err e)
{
    return e == ERR_CORRUPT ? snapshot_corrupt(r, what, key_span(key)) : e;
}
