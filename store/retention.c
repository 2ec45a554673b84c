/* What leaves the store: messages with all that belongs to them, stored answers, finished tasks, by
 * the expiry tree and in steps that ride along with other commits.
 *
 * A message waits for its unfinished deliveries, and for its dead letters until the retention has
 * passed since their death; meanwhile its index entries are renewed. Its expiry row goes last, so
 * that a removal cut short by its bound, or by a crash, is taken up again; its head and payload go
 * together, behind all that refers to them. */
#include "store/operation.h"
#include "store/renewal.h"
#include "store/stat.h"

#include "base/failpoint.h"
#include "base/log.h"

#include <assert.h>

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

/* ---------------------------------------------------------------- removing it */

/* The first delivery of the message behind `from`; its key. ERR_NOT_FOUND. */
static enum err next_delivery(struct batch *b, const struct id *message, const struct treekey *from,
                              struct treekey *row)
{
    struct treekey prefix = key_id(message);
    struct span key, value;
    enum err e = batch_first(b, TREE_DELIVERY, key_span(&prefix), key_span(from), &key, &value);
    while (!e && key_copy(key, row)) {
        e = batch_drop(b, TREE_DELIVERY, key);
        if (!e)
            e = batch_first(b, TREE_DELIVERY, key_span(&prefix), key_span(from), &key, &value);
    }
    return e;
}

/* Ends the delivery at `row` if it is still counted or due. */
static enum err end_delivery(struct batch *b, const struct id *message, const struct treekey *row,
                             enum delivery_reason reason)
{
    struct reader r = reader_of(span_skip(key_span(row), ID_BYTES));
    struct delivery d;
    enum err e = delivery_load(b, message, read_u32(&r), &d);
    if (e)
        return e == ERR_NOT_FOUND ? ERR_OK : e; /* a damaged key names none */
    bool counted = delivery_unfinished(&d) || d.state == DELIVERY_DEAD;
    if (!counted && !d.manual_due.us)
        return ERR_OK;
    e = delivery_manual(b, &d, (struct wall){0});
    if (!e && counted)
        e = delivery_move(b, &d, DELIVERY_CANCELED, reason, (struct wall){0});
    return e ? e : delivery_store(b, &d);
}

enum err retention_end_deliveries(struct batch *b, const struct id *message,
                                  enum delivery_reason reason, uint32_t *last, unsigned limit,
                                  bool *done)
{
    struct treekey from = key_id_number(message, *last), row;
    unsigned looked = b->rows; /* deliveries that have ended count too: looking is work */
    *done = false;
    while (b->rows < limit && looked++ < limit) {
        from.b[from.len++] = 0; /* the smallest key behind this one */
        enum err e = next_delivery(b, message, &from, &row);
        if (e == ERR_NOT_FOUND) {
            *done = true;
            return ERR_OK;
        }
        if (!e)
            e = end_delivery(b, message, &row, reason);
        if (e)
            return e;
        struct reader r = reader_of(span_skip(key_span(&row), ID_BYTES));
        if (row.len == ID_BYTES + 4) /* a damaged key names no endpoint */
            *last = read_u32(&r);
        from = row;
    }
    return ERR_OK;
}

/* A damaged key names no delivery. */
static enum err remove_delivery(struct batch *b, const struct id *message,
                                const struct treekey *row)
{
    if (row->len != ID_BYTES + 4)
        return batch_del(b, TREE_DELIVERY, key_span(row));
    struct reader r = reader_of(span_skip(key_span(row), ID_BYTES));
    return delivery_remove(b, message, read_u32(&r));
}

static enum err remove_deliveries(struct batch *b, const struct id *message, unsigned limit,
                                  bool *done)
{
    struct treekey from = key_id(message), row;
    *done = false;
    while (b->rows < limit) {
        enum err e = next_delivery(b, message, &from, &row);
        if (e == ERR_NOT_FOUND) {
            *done = true;
            return ERR_OK;
        }
        if (!e)
            e = end_delivery(b, message, &row, REASON_MESSAGE_EXPIRED);
        if (!e)
            e = remove_delivery(b, message, &row);
        if (e)
            return e;
    }
    return ERR_OK;
}

/* Payload and head in one step: a message that can be read is whole. */
static enum err remove_head(struct batch *b, const struct id *message)
{
    struct treekey key = key_id(message);
    bool done;
    enum err e = batch_clear_range(b, TREE_BODY, key_span(&key), UINT32_MAX, &done);
    return e ? e : batch_clear(b, TREE_MESSAGE, key_span(&key));
}

static enum err remove_message(struct batch *b, const struct treekey *row, const struct id *message,
                               unsigned limit)
{
    struct treekey prefix = key_id(message);
    bool done;
    enum err e = remove_deliveries(b, message, limit, &done);
    if (!e && done)
        e = batch_clear_range(b, TREE_ATTEMPT, key_span(&prefix), limit, &done);
    if (e || !done)
        return e;
    e = remove_head(b, message);
    FAILPOINT("message-expired");
    b->tally.expired++;
    return e ? e : batch_del(b, TREE_EXPIRY, key_span(row));
}

static enum err expire_message(struct batch *b, const struct treekey *row, struct span what,
                               struct span value, unsigned limit)
{
    struct id message;
    struct wall until;
    struct renewal renewal;
    memcpy(message.b, what.ptr, ID_BYTES);
    if (value.len && !record_renewal_decode(value, &renewal))
        return renewal_go_on(b, row, &message, &renewal, limit);
    enum err e = held_until(b, &message, &until);
    if (e)
        return e;
    return until.us > b->now.us ? renewal_begin(b, row, &message, until, limit)
                                : remove_message(b, row, &message, limit);
}

/* ---------------------------------------------------------------- the step */

static enum err expire_row(struct batch *b, struct span key, struct span value,
                           enum expiry_kind kind, struct span what, unsigned limit)
{
    struct treekey row, id;
    enum err e = key_copy(key, &row);
    assert(!e); /* key_expiry_parse knows its length */
    e = key_copy(what, &id);
    assert(!e);
    if (kind == EXPIRY_MESSAGE)
        return expire_message(b, &row, key_span(&id), value, limit);
    if (kind == EXPIRY_CONSUMER)
        return consumer_expire(b, &row, &id);
    if (kind == EXPIRY_STAT) {
        bool done;
        e = stat_expire(b, key_span(&id), limit, &done);
        return e || !done ? e : batch_del(b, TREE_EXPIRY, key_span(&row));
    }
    if (kind == EXPIRY_TASK) {
        bool done;
        e = batch_clear_range(b, TREE_TASK_RESULT, key_span(&id), limit, &done);
        if (e || !done)
            return e;
    }
    static const enum tree trees[] = {
        [EXPIRY_ANSWER] = TREE_ANSWER, [EXPIRY_TASK] = TREE_TASK, [EXPIRY_PORTAL] = TREE_PORTAL};
    e = batch_clear(b, trees[kind], key_span(&id));
    FAILPOINT("row-expired");
    return e ? e : batch_del(b, TREE_EXPIRY, key_span(&row));
}

enum err retention_step(struct batch *b, unsigned rows, struct wall *next)
{
    unsigned limit = b->rows + rows;
    *next = b->now; /* more is left */
    while (b->rows < limit) {
        struct span none = {0}, key, value, what;
        struct wall when;
        enum expiry_kind kind;
        enum err e = batch_first(b, TREE_EXPIRY, none, none, &key, &value);
        if (batch_broken_by(e))
            return e;
        if (e == ERR_NOT_FOUND)
            when = WALL_NEVER;
        else if (key_expiry_parse(key, &when, &kind, &what))
            e = batch_drop_damaged(b, TREE_EXPIRY, key), when = b->now;
        else if (when.us <= b->now.us)
            e = expire_row(b, key, value, kind, what, limit);
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
