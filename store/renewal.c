/* One entry for the application, one for the event id, one for each delivery and each attempt: of a
 * message with many endpoints more than the index has room for at once.
 *
 * Invariant: the expiry row exists in every commit, and moves to the later time only with the last
 * entry. It has a value once the message's own entries are written. An entry that is written twice
 * is harmless: the newest wins. */
#include "store/renewal.h"

#include "store/operation.h"

#include "base/failpoint.h"

#define POSTPONED_US (10 * US_PER_S)
#define ENTRIES_OF_HEAD 2

static enum err put_row(struct batch *b, const struct treekey *row, const struct renewal *at)
{
    buf_clear(&b->record);
    record_renewal_encode(at, &b->record);
    return batch_put(b, TREE_EXPIRY, key_span(row), 0);
}

/* To another time: it goes on at `at` then, or is looked at anew (NULL). */
static enum err move_row(struct batch *b, const struct treekey *row, const struct id *message,
                         struct wall when, const struct renewal *at)
{
    struct span what = span_of(message->b, ID_BYTES);
    struct treekey later = key_expiry(when, EXPIRY_MESSAGE, what);
    enum err e = batch_del(b, TREE_EXPIRY, key_span(row));
    if (e)
        return e;
    return at ? put_row(b, &later, at) : batch_expire(b, when, EXPIRY_MESSAGE, what);
}

static enum err index_delivery(struct batch *b, const struct id *message, struct span suffix,
                               struct wall expires)
{
    struct reader r = reader_of(suffix);
    struct treekey key = key_number_id(read_u32(&r), message);
    return batch_index(b, INDEX_ENDPOINT_MESSAGE, key_span(&key), (struct span){0}, expires);
}

static enum err index_attempt(struct batch *b, const struct id *message, struct span suffix,
                              struct span value, struct wall expires)
{
    struct attempt *a;
    struct id id;
    enum err e = record_attempt_decode(value, false, &a);
    if (e)
        return e == ERR_NO_MEMORY ? e : ERR_OK;
    memcpy(id.b, suffix.ptr, ID_BYTES);
    struct treekey key = key_number_id(a->endpoint_number, &id);
    attempt_free(&a);
    return batch_index(b, INDEX_ENDPOINT_ATTEMPT, key_span(&key), span_of(message->b, ID_BYTES),
                       expires);
}

/* The rows of one part behind at->last; at->part moves on when there is none left. */
static enum err index_part(struct batch *b, const struct id *message, struct renewal *at,
                           unsigned limit)
{
    bool deliveries = at->part == RENEWAL_DELIVERIES;
    size_t suffix_len = deliveries ? 4 : ID_BYTES;
    struct treekey prefix = key_id(message), from = key_id_id(message, &at->last);
    struct wall expires = wall_add(at->until, INDEX_SLACK_US);
    MDB_cursor *c;
    from.len = ID_BYTES + suffix_len;
    if (at->begun)
        from.b[from.len++] = 0;
    enum err e = tree_cursor(&b->s->env, b->txn, deliveries ? TREE_DELIVERY : TREE_ATTEMPT, &c);
    if (e)
        return e;
    struct span key = key_span(&from), value;
    e = tree_walk(c, MDB_SET_RANGE, &key, &value);
    while (!e && span_starts(key, key_span(&prefix)) && b->rows < limit &&
           index_has_room(b->s->index, 1)) {
        struct span suffix = span_skip(key, ID_BYTES);
        if (suffix.len == suffix_len) {
            memcpy(at->last.b, suffix.ptr, suffix_len);
            at->begun = true;
            e = deliveries ? index_delivery(b, message, suffix, expires)
                           : index_attempt(b, message, suffix, value, expires);
        }
        if (!e)
            e = tree_walk(c, MDB_NEXT, &key, &value);
    }
    if (e == ERR_NOT_FOUND || (!e && !span_starts(key, key_span(&prefix))))
        *at = (struct renewal){.until = at->until, .part = at->part + 1};
    mdb_cursor_close(c);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err renewal_go_on(struct batch *b, const struct treekey *row, const struct id *message,
                       const struct renewal *at, unsigned limit)
{
    struct renewal next = *at;
    if (!index_has_room(b->s->index, 1))
        return move_row(b, row, message, wall_add(b->now, POSTPONED_US), at);
    while (next.part < RENEWAL_PARTS && b->rows < limit && index_has_room(b->s->index, 1)) {
        enum err e = index_part(b, message, &next, limit);
        if (e)
            return e;
    }
    FAILPOINT("renewed");
    return next.part == RENEWAL_PARTS ? move_row(b, row, message, next.until, NULL)
                                      : put_row(b, row, &next);
}

enum err renewal_begin(struct batch *b, const struct treekey *row, const struct id *message,
                       struct wall until, unsigned limit)
{
    const struct renewal at = {.until = until};
    struct message *m;
    if (!index_has_room(b->s->index, ENTRIES_OF_HEAD))
        return move_row(b, row, message, wall_add(b->now, POSTPONED_US), NULL);
    enum err e = message_head(b, message, &m);
    if (!e)
        e = message_index(b, m, wall_add(until, INDEX_SLACK_US));
    message_unref(&m);
    if (batch_broken_by(e))
        return e;
    return renewal_go_on(b, row, message, &at, limit);
}
