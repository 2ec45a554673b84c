/* Consumers of pollers: where each stands. The position moves when the consumer comes back with the
 * iterator that it was given, so a consumer that crashed gets the same messages again.
 *
 * Invariants
 *   - but for a seek a position only grows, and never past the newest message;
 *   - a consumer has one expiry row. It is not moved when the consumer is used: when it comes due
 *     and the consumer was used meanwhile, it is written anew. */
#include "store/operation.h"

#include "base/log.h"

static struct wall forgotten_at(const struct batch *b, const struct consumer *c)
{
    return wall_add(c->used, b->s->settings.message_retention_us);
}

static enum err put_row(struct batch *b, const struct treekey *key, const struct consumer *c)
{
    buf_clear(&b->record);
    record_consumer_encode(c, &b->record);
    return batch_put(b, TREE_CONSUMER, key_span(key), 0);
}

/* A record that is damaged says nothing, but is there. */
static enum err load(struct batch *b, const struct treekey *key, struct consumer *out, bool *exists)
{
    struct span value;
    *out = (struct consumer){.used = {0}};
    enum err e = batch_get(b, TREE_CONSUMER, key_span(key), &value);
    *exists = !e;
    if (e)
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    if (record_consumer_decode(value, out)) {
        log_error("the record of a consumer is damaged: its position is lost", LOG_END);
        counter_add(&b->s->stats.corrupt, 1);
        *out = (struct consumer){.used = {0}};
    }
    return ERR_OK;
}

static enum err check_room(struct batch *b, const struct id *app)
{
    struct treekey prefix = key_id(app);
    struct span key = key_span(&prefix), value;
    unsigned count = 0;
    MDB_cursor *c;
    enum err e = tree_cursor(&b->s->env, b->txn, TREE_CONSUMER, &c);
    if (e)
        return e;
    e = tree_walk(c, MDB_SET_RANGE, &key, &value);
    while (!e && span_starts(key, key_span(&prefix)) && ++count < CONSUMERS_MAX)
        e = tree_walk(c, MDB_NEXT, &key, &value);
    mdb_cursor_close(c);
    if (e && e != ERR_NOT_FOUND)
        return e;
    return count < CONSUMERS_MAX ? ERR_OK : ERR_CONFLICT;
}

static enum err check_move(const struct batch *b, const struct consumer_op *op,
                           const struct consumer *now)
{
    int step = id_cmp(&op->position, &now->position);
    if (op->seek || step == 0)
        return ERR_OK;
    if (step < 0)
        return ERR_STALE;
    return id_cmp(&op->position, &b->messages.last) > 0 ? ERR_INVALID : ERR_OK;
}

enum err consumer_apply(struct batch *b, struct consumer_op *op)
{
    struct treekey key = key_consumer(&op->app, op->name);
    struct consumer c;
    bool exists;
    if (!table_app(b->s->table, &op->app))
        return ERR_NOT_FOUND;
    enum err e = load(b, &key, &c, &exists);
    if (!e)
        e = check_move(b, op, &c);
    if (!e && !exists)
        e = check_room(b, &op->app);
    if (e)
        return e;
    c = (struct consumer){.position = op->position, .used = b->now};
    e = put_row(b, &key, &c);
    return e || exists ? e : batch_expire(b, forgotten_at(b, &c), EXPIRY_CONSUMER, key_span(&key));
}

enum err consumer_expire(struct batch *b, const struct treekey *row, const struct treekey *key)
{
    struct consumer c;
    bool exists;
    enum err e = load(b, key, &c, &exists);
    if (!e)
        e = batch_del(b, TREE_EXPIRY, key_span(row));
    if (e || !exists)
        return e;
    struct wall again = forgotten_at(b, &c);
    return again.us > b->now.us ? batch_expire(b, again, EXPIRY_CONSUMER, key_span(key))
                                : batch_clear(b, TREE_CONSUMER, key_span(key));
}
