/* How endpoints do. */
#include "store/read.h"

/* One that cannot be read is well. */
static struct endpoint_health decoded(struct store_read *r, const struct treekey *key,
                                      struct span value)
{
    struct endpoint_health health;
    if (snapshot_decoded(r, "health", key, record_health_decode(value, &health)))
        health = (struct endpoint_health){.failures = 0};
    return health;
}

enum err store_health_get(struct store_read *r, uint32_t number, struct endpoint_health *out)
{
    struct treekey key = key_number(number);
    struct span value;
    *out = (struct endpoint_health){.failures = 0};
    enum err e = snapshot_get(r, TREE_HEALTH, &key, &value);
    if (e)
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    *out = decoded(r, &key, value);
    return ERR_OK;
}

enum err store_each_health(struct store_read *r,
                           void (*each)(void *context, uint32_t number,
                                        const struct endpoint_health *health),
                           void *context)
{
    MDB_cursor *c;
    struct span key = {0}, value;
    enum err e = tree_cursor(&r->store->env, r->txn, TREE_HEALTH, &c);
    if (e)
        return e;
    e = tree_walk(c, MDB_FIRST, &key, &value);
    while (!e) {
        uint32_t number;
        if (!read_as_number(key, &number)) {
            (void)snapshot_corrupt(r, "health", key);
        } else {
            struct treekey at = key_number(number);
            struct endpoint_health health = decoded(r, &at, value);
            each(context, number, &health);
        }
        e = tree_walk(c, MDB_NEXT, &key, &value);
    }
    mdb_cursor_close(c);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}
