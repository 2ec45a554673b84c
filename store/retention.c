/* What leaves the store: messages with all that belongs to them, stored answers, finished tasks, by
 * the expiry tree and in steps that ride along with other commits; and payloads on request.
 *
 * A message waits for its unfinished deliveries, and for its dead letters until the retention has
 * passed since their death. While it waits, its index entries are written anew with the later
 * expiry. Its expiry row goes last, so that a removal cut short by its bound, or by a crash, is
 * taken up again. */
#include "store/operation.h"

#include "base/log.h"

#define LOOK_US (60 * US_PER_S)        /* expiries are looked for this often at least, */
#define PERIOD_US US_PER_S             /* and collected into one commit for this long */
#define WAIT_US (24 * 3600 * US_PER_S) /* until an unfinished message is looked at again */

/* ---------------------------------------------------------------- whether a message may go */

/* The moment until which its deliveries hold the message; in the past: they do not. */
static enum err held_until(struct batch *b, const struct id *message, struct wall *until)
{
    int64_t retention = b->s->settings.message_retention_us;
    struct wall again = wall_add(b->now, retention < WAIT_US ? retention : WAIT_US);
    struct treekey prefix = key_id(message);
    MDB_cursor *c;
    *until = (struct wall){0};
    enum err e = tree_cursor(&b->s->env, b->txn, TREE_DELIVERY, &c);
    if (e)
        return e;
    struct span key = key_span(&prefix), value;
    e = tree_walk(c, MDB_SET_RANGE, &key, &value);
    for (; !e && span_starts(key, key_span(&prefix)); e = tree_walk(c, MDB_NEXT, &key, &value)) {
        struct delivery d;
        struct wall hold = {0};
        if (record_delivery_decode(value, &d))
            continue; /* a damaged one holds nothing */
        if (delivery_unfinished(&d) || d.manual_due.us)
            hold = again;
        else if (d.state == DELIVERY_DEAD)
            hold = wall_add(d.finished, retention);
        if (hold.us > until->us)
            *until = hold;
    }
    mdb_cursor_close(c);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* ---------------------------------------------------------------- keeping it longer */

/* Writes an entry of `family` for each row of `tree` that belongs to the message. */
static enum err index_rows(struct batch *b, const struct id *message, enum tree tree,
                           enum err (*index)(struct batch *b, const struct id *message,
                                             struct span suffix, struct span value,
                                             struct wall expires),
                           struct wall expires)
{
    struct treekey prefix = key_id(message);
    MDB_cursor *c;
    enum err e = tree_cursor(&b->s->env, b->txn, tree, &c);
    if (e)
        return e;
    struct span key = key_span(&prefix), value;
    e = tree_walk(c, MDB_SET_RANGE, &key, &value);
    while (!e && span_starts(key, key_span(&prefix))) {
        e = index(b, message, span_skip(key, ID_BYTES), value, expires);
        if (!e)
            e = tree_walk(c, MDB_NEXT, &key, &value);
    }
    mdb_cursor_close(c);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err index_delivery(struct batch *b, const struct id *message, struct span suffix,
                               struct span value, struct wall expires)
{
    (void)value;
    struct reader r = reader_of(suffix);
    struct treekey key = key_number_id(read_u32(&r), message);
    return batch_index(b, INDEX_ENDPOINT_MESSAGE, key_span(&key), (struct span){0}, expires);
}

static enum err index_attempt(struct batch *b, const struct id *message, struct span suffix,
                              struct span value, struct wall expires)
{
    struct attempt *a;
    struct id id = {{0}};
    enum err e = record_attempt_decode(value, false, &a);
    if (e || suffix.len != ID_BYTES)
        return e == ERR_NO_MEMORY ? e : ERR_OK;
    memcpy(id.b, suffix.ptr, ID_BYTES);
    struct treekey key = key_number_id(a->endpoint_number, &id);
    attempt_free(&a);
    return batch_index(b, INDEX_ENDPOINT_ATTEMPT, key_span(&key), span_of(message->b, ID_BYTES),
                       expires);
}

static enum err index_anew(struct batch *b, const struct id *message, struct wall until)
{
    struct wall expires = wall_add(until, INDEX_SLACK_US);
    struct message *m;
    enum err e = message_head(b, message, &m);
    if (e)
        return batch_broken_by(e) ? e : ERR_OK;
    e = message_index(b, m, expires);
    message_unref(&m);
    if (!e)
        e = index_rows(b, message, TREE_DELIVERY, index_delivery, expires);
    return e ? e : index_rows(b, message, TREE_ATTEMPT, index_attempt, expires);
}

static enum err keep_until(struct batch *b, const struct treekey *row, const struct id *message,
                           struct wall until)
{
    enum err e = batch_del(b, TREE_EXPIRY, key_span(row));
    if (!e)
        e = batch_expire(b, until, EXPIRY_MESSAGE, span_of(message->b, ID_BYTES));
    return e ? e : index_anew(b, message, until);
}

/* ---------------------------------------------------------------- removing it */

/* Ends the deliveries that are still counted or due; the rows themselves go with the range. */
static enum err end_deliveries(struct batch *b, const struct id *message,
                               enum delivery_reason reason, unsigned limit)
{
    struct treekey prefix = key_id(message), from = prefix;
    while (b->rows < limit) {
        struct span key, value;
        struct delivery d;
        enum err e =
            batch_first(b, TREE_DELIVERY, key_span(&prefix), key_span(&from), &key, &value);
        if (e)
            return e == ERR_NOT_FOUND ? ERR_OK : e;
        struct reader r = reader_of(span_skip(key, ID_BYTES));
        uint32_t endpoint = read_u32(&r);
        from = key_id_number(message, endpoint);
        from.b[from.len++] = 0;
        e = delivery_load(b, message, endpoint, &d);
        if (e)
            return e;
        bool counted = delivery_unfinished(&d) || d.state == DELIVERY_DEAD;
        if (!counted && !d.manual_due.us)
            continue;
        e = delivery_manual(b, &d, (struct wall){0});
        if (!e && counted)
            e = delivery_move(b, &d, DELIVERY_CANCELED, reason, (struct wall){0});
        if (!e)
            e = delivery_store(b, &d);
        if (e)
            return e;
    }
    return ERR_OK;
}

static enum err remove_message(struct batch *b, const struct treekey *row, const struct id *message,
                               unsigned limit)
{
    static const enum tree parts[] = {TREE_ATTEMPT, TREE_BODY, TREE_DELIVERY, TREE_MESSAGE};
    struct treekey prefix = key_id(message);
    enum err e = end_deliveries(b, message, REASON_MESSAGE_EXPIRED, limit);
    for (size_t i = 0; i < sizeof parts / sizeof *parts && !e; i++) {
        bool done;
        e = batch_clear_range(b, parts[i], key_span(&prefix), limit, &done);
        if (e || !done)
            return e;
    }
    b->tally.expired++;
    return e ? e : batch_del(b, TREE_EXPIRY, key_span(row));
}

static enum err expire_message(struct batch *b, const struct treekey *row, struct span what,
                               unsigned limit)
{
    struct id message;
    struct wall until;
    if (what.len != ID_BYTES)
        return batch_del(b, TREE_EXPIRY, key_span(row));
    memcpy(message.b, what.ptr, ID_BYTES);
    enum err e = held_until(b, &message, &until);
    if (e)
        return e;
    return until.us > b->now.us ? keep_until(b, row, &message, until)
                                : remove_message(b, row, &message, limit);
}

/* ---------------------------------------------------------------- the step */

static enum err expire_row(struct batch *b, struct span key, enum expiry_kind kind,
                           struct span what, unsigned limit)
{
    struct treekey row, id;
    memcpy(row.b, key.ptr, key.len);
    row.len = key.len;
    memcpy(id.b, what.ptr, what.len);
    id.len = what.len;
    if (kind == EXPIRY_MESSAGE)
        return expire_message(b, &row, key_span(&id), limit);
    enum err e = batch_clear(b, kind == EXPIRY_ANSWER ? TREE_ANSWER : TREE_TASK, key_span(&id));
    return e ? e : batch_del(b, TREE_EXPIRY, key_span(&row));
}

static enum err drop_damaged(struct batch *b, struct span key)
{
    struct treekey row;
    log_error("an expiry row is damaged and is removed", LOG_END);
    counter_add(&b->s->stats.corrupt, 1);
    row.len = key.len < TREE_KEY_MAX ? key.len : TREE_KEY_MAX;
    memcpy(row.b, key.ptr, row.len);
    return batch_clear(b, TREE_EXPIRY, key_span(&row));
}

enum err retention_step(struct batch *b, unsigned rows, struct wall *next)
{
    unsigned limit = b->rows + rows;
    *next = b->now; /* more is left */
    while (b->rows < limit && index_has_room(b->s->index, rows)) {
        struct span none = {0}, key, value, what;
        struct wall when;
        enum expiry_kind kind;
        enum err e = batch_first(b, TREE_EXPIRY, none, none, &key, &value);
        if (batch_broken_by(e))
            return e;
        if (e == ERR_NOT_FOUND)
            when = WALL_NEVER;
        else if (key_expiry_parse(key, &when, &kind, &what))
            e = drop_damaged(b, key);
        else if (when.us <= b->now.us)
            e = expire_row(b, key, kind, what, limit);
        if (when.us > b->now.us) {
            struct wall soonest = wall_add(b->now, PERIOD_US), latest = wall_add(b->now, LOOK_US);
            *next = when.us < soonest.us ? soonest : when.us > latest.us ? latest : when;
            return ERR_OK;
        }
        if (e)
            return e;
    }
    return ERR_OK;
}

/* ---------------------------------------------------------------- expunge */

enum err expunge_apply(struct batch *b, struct expunge_op *op)
{
    struct treekey key = key_id(&op->message);
    struct message *m;
    bool done;
    enum err e = message_head(b, &op->message, &m);
    if (e)
        return e;
    if (m->app_number != op->app) {
        message_unref(&m);
        return ERR_NOT_FOUND;
    }
    m->expunged = true;
    buf_clear(&b->record);
    record_message_encode(m, &b->record);
    message_unref(&m);
    e = batch_put(b, TREE_MESSAGE, key_span(&key), 0);
    if (!e)
        e = batch_clear_range(b, TREE_BODY, key_span(&key), UINT32_MAX, &done);
    /* Of a message with more deliveries than a commit holds, the rest find the payload gone. */
    return e ? e
             : end_deliveries(b, &op->message, REASON_MESSAGE_EXPUNGED, b->rows + COMMIT_ROWS_MAX);
}
