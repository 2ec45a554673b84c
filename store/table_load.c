/* Filling the writer's tables at open, in time proportional to applications, endpoints and keys. A
 * record that does not decode is reported and left out: one bad row must not stop the service. */
#include "store/table.h"

#include "store/record.h"

#include "base/log.h"

struct loading {
    struct table *t;
    const struct vault *vault;
};

static enum err load_app(struct loading *l, struct span key, struct span value)
{
    (void)key;
    struct app *a;
    enum err e = record_app_decode(value, &a);
    if (e)
        return e;
    struct table_app *fresh;
    e = table_app_new(a, &fresh);
    if (!e)
        e = table_app_put(l->t, fresh);
    app_free(&a);
    return e;
}

static enum err load_endpoint(struct loading *l, struct span key, struct span value)
{
    (void)key;
    struct endpoint *ep;
    enum err e = record_endpoint_decode(value, l->vault, &ep);
    if (e)
        return e;
    struct table_endpoint *fresh;
    e = table_endpoint_new(ep, &fresh);
    if (!e)
        e = table_endpoint_put(l->t, fresh, ep->app_number);
    endpoint_free(&ep);
    return e;
}

/* A counter without an endpoint belongs to a deleted one whose task has not ended. */
static enum err load_count(struct loading *l, struct span key, struct span value)
{
    struct reader r = reader_of(key);
    uint32_t number = read_u32(&r);
    struct endpoint_counts counts;
    enum err e = record_count_decode(value, &counts);
    if (e)
        return e;
    struct table_endpoint *ep = table_endpoint(l->t, number);
    if (!ep) {
        const struct endpoint gone = {.number = number};
        e = table_endpoint_new(&gone, &ep);
        if (!e)
            e = table_endpoint_put(l->t, ep, 0);
    }
    if (e)
        return e;
    ep->working = counts;
    atomic_init(&ep->waiting, counts.waiting);
    atomic_init(&ep->dead, counts.dead);
    return ERR_OK;
}

static enum err load_key(struct loading *l, struct span key, struct span value)
{
    (void)key;
    struct api_key k;
    enum err e = record_key_decode(value, &k);
    return e ? e : table_key_put(l->t, &k);
}

static enum err load_tree(struct loading *l, const struct env *env, MDB_txn *txn, enum tree tree,
                          enum err (*load)(struct loading *l, struct span key, struct span value))
{
    MDB_cursor *c;
    enum err e = tree_cursor(env, txn, tree, &c);
    if (e)
        return e;
    struct span key = {0}, value = {0};
    for (e = tree_walk(c, MDB_FIRST, &key, &value); !e; e = tree_walk(c, MDB_NEXT, &key, &value)) {
        e = load(l, key, value);
        if (e == ERR_CORRUPT)
            log_error("a stored record is damaged and is left out", LOG_INT("tree", tree), LOG_END);
        else if (e)
            break;
    }
    mdb_cursor_close(c);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err table_load(struct table *t, const struct env *env, MDB_txn *txn, const struct vault *vault)
{
    struct loading l = {t, vault};
    enum err e = load_tree(&l, env, txn, TREE_APP, load_app);
    if (!e)
        e = load_tree(&l, env, txn, TREE_ENDPOINT, load_endpoint);
    if (!e)
        e = load_tree(&l, env, txn, TREE_COUNT, load_count);
    if (!e)
        e = load_tree(&l, env, txn, TREE_KEY, load_key);
    return e;
}
