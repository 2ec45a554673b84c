/* Tokens of the application portal: short-lived, many, and each for one application. They live on
 * disk alone, by application, so that memory does not grow with the portal's visitors.
 *
 * Invariant: a token is good from its commit until its expiry, its end, or the end of its
 * application; its row may stay until the expiry that it was made with. */
#include "store/operation.h"

static enum err put_row(struct batch *b, const struct treekey *key, const struct portal_token *t)
{
    buf_clear(&b->record);
    record_portal_encode(t, &b->record);
    enum err e = batch_put(b, TREE_PORTAL, key_span(key), 0);
    return e ? e : batch_expire(b, t->expires, EXPIRY_PORTAL, key_span(key));
}

/* ---------------------------------------------------------------- one more */

struct tally_of_app {
    unsigned live;
    struct treekey oldest;
    struct wall oldest_created;
};

/* Drops what has expired, and finds the oldest of the rest. */
static enum err look_at_all(struct batch *b, const struct id *app, struct tally_of_app *tally)
{
    struct treekey prefix = key_id(app), from = prefix;
    *tally = (struct tally_of_app){.oldest_created = WALL_NEVER};
    for (;;) {
        struct span key, value;
        struct portal_token t;
        enum err e = batch_first(b, TREE_PORTAL, key_span(&prefix), key_span(&from), &key, &value);
        if (e)
            return e == ERR_NOT_FOUND ? ERR_OK : e;
        bool bad = key_copy(key, &from) || record_portal_decode(value, &t);
        if (bad || t.expires.us <= b->now.us) {
            e = batch_drop(b, TREE_PORTAL, key);
            if (e)
                return e;
            continue;
        }
        tally->live++;
        if (t.created.us < tally->oldest_created.us) {
            tally->oldest = from;
            tally->oldest_created = t.created;
        }
        from.b[from.len++] = 0; /* the smallest key behind this one */
    }
}

/* The application that the token is for; made in the same commit when that was asked for. */
static enum err find_app(struct batch *b, const struct portal_op *op)
{
    const struct table_app *a = table_app(b->s->table, &op->token.app);
    if (a)
        return id_cmp(&a->org, &op->token.org) == 0 ? ERR_OK : ERR_NOT_FOUND;
    if (!op->create)
        return ERR_NOT_FOUND;
    enum err e = app_make(b, op->create, &a);
    return e == ERR_CONFLICT ? ERR_STALE : e; /* somebody made it meanwhile */
}

bool portal_creates(const struct batch *b, const struct portal_op *op)
{
    return op->create && !table_app(b->s->table, &op->token.app);
}

enum err portal_put(struct batch *b, struct portal_op *op)
{
    struct treekey key = key_portal(&op->token.app, op->token.hash);
    struct tally_of_app tally;
    enum err e = find_app(b, op);
    if (!e)
        e = look_at_all(b, &op->token.app, &tally);
    if (!e && tally.live >= PORTAL_TOKENS_MAX)
        e = batch_del(b, TREE_PORTAL, key_span(&tally.oldest));
    return e ? e : put_row(b, &key, &op->token);
}

/* ---------------------------------------------------------------- ends */

static bool is_meant(const struct portal_end_op *op, const struct portal_token *t)
{
    bool meant = op->session_count == 0;
    for (unsigned i = 0; i < op->session_count && !meant; i++)
        meant = memcmp(op->sessions[i], t->session, sizeof t->session) == 0;
    return meant && t->expires.us > op->at.us;
}

static enum err end_one(struct batch *b, const struct portal_end_op *op)
{
    struct treekey key = key_portal(&op->app, op->hash);
    return batch_del(b, TREE_PORTAL, key_span(&key));
}

enum err portal_end(struct batch *b, struct portal_end_op *op)
{
    struct treekey prefix = key_id(&op->app), from = prefix;
    if (op->hash)
        return end_one(b, op);
    for (;;) {
        struct span key, value;
        struct portal_token t;
        enum err e = batch_first(b, TREE_PORTAL, key_span(&prefix), key_span(&from), &key, &value);
        if (e)
            return e == ERR_NOT_FOUND ? ERR_OK : e;
        struct treekey row;
        bool bad = key_copy(key, &row) || record_portal_decode(value, &t);
        if (bad) {
            e = batch_drop(b, TREE_PORTAL, key);
        } else if (is_meant(op, &t)) {
            t.expires = op->at;
            e = op->at.us <= b->now.us ? batch_del(b, TREE_PORTAL, key_span(&row))
                                       : put_row(b, &row, &t);
        }
        if (e)
            return e;
        if (!bad) {
            from = row;
            from.b[from.len++] = 0; /* the smallest key behind this one */
        }
    }
}
