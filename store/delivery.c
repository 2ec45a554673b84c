/* Every change of a delivery goes through here, so that these hold in every commit:
 *   - an unfinished delivery has one scheduled due row, at its `due`, unless it is held; a finished
 *     one has none and stands in no line;
 *   - a dead delivery has a row in the dead-letter tree; no other has;
 *   - `manual_due` is set exactly while a manual due row exists;
 *   - the counters of an endpoint are the numbers of its unfinished and of its dead deliveries. */
#include "store/order.h"
#include "store/stat.h"

#include "base/log.h"

#include <assert.h>

bool delivery_unfinished(const struct delivery *d)
{
    return d->state == DELIVERY_SCHEDULED || d->state == DELIVERY_RETRYING;
}

static bool legal(enum delivery_state from, enum delivery_state to)
{
    enum {
        S = 1 << DELIVERY_SCHEDULED,
        R = 1 << DELIVERY_RETRYING,
        D = 1 << DELIVERY_DELIVERED,
        X = 1 << DELIVERY_DEAD,
        C = 1 << DELIVERY_CANCELED
    };
    static const unsigned to_of[] = {
        [DELIVERY_SCHEDULED] = D | R | X | C,
        [DELIVERY_RETRYING] = D | R | X | C,
        [DELIVERY_DELIVERED] = 0,
        [DELIVERY_DEAD] = S | D | C,
        [DELIVERY_CANCELED] = D,
        [DELIVERY_NONE] = D,
    };
    return (to_of[from] >> to & 1) != 0;
}

enum err delivery_load(struct batch *b, const struct id *message, uint32_t endpoint,
                       struct delivery *out)
{
    struct treekey key = key_id_number(message, endpoint);
    struct span value;
    bool damaged = false;
    enum err e = batch_get(b, TREE_DELIVERY, key_span(&key), &value);
    if (e)
        return e;
    if (record_delivery_decode(value, out)) {
        log_error("a delivery's record is damaged", LOG_ID("msg", ID_MESSAGE, message),
                  LOG_INT("endpoint", endpoint), LOG_END);
        counter_add(&b->s->stats.corrupt, 1);
        *out = (struct delivery){.state = DELIVERY_SCHEDULED, .created = id_time(message)};
        damaged = true;
    }
    out->message = *message;
    out->endpoint_number = endpoint;
    if (damaged)
        return stat_inexact(b, out);
    out->counted = (uint8_t)(1 + stat_class_of(out));
    return ERR_OK;
}

static enum stat_class counted_class(const struct delivery *d)
{
    return d->counted ? (enum stat_class)(d->counted - 1) : STAT_CLASSES;
}

static enum err put_record(struct batch *b, struct delivery *d, unsigned flags)
{
    struct treekey key = key_id_number(&d->message, d->endpoint_number);
    enum stat_class class = stat_class_of(d);
    buf_clear(&b->record);
    record_delivery_encode(d, &b->record);
    enum err e = batch_put(b, TREE_DELIVERY, key_span(&key), flags);
    if (!e)
        e = stat_move(b, d, counted_class(d), class);
    d->counted = (uint8_t)(1 + class);
    return e;
}

enum err delivery_store(struct batch *b, struct delivery *d)
{
    return put_record(b, d, 0);
}

enum err delivery_remove(struct batch *b, const struct id *message, uint32_t endpoint)
{
    struct treekey key = key_id_number(message, endpoint);
    struct delivery d;
    enum err e = delivery_load(b, message, endpoint, &d);
    if (!e)
        e = stat_move(b, &d, counted_class(&d), STAT_CLASSES);
    return e ? e : batch_del(b, TREE_DELIVERY, key_span(&key));
}

static enum err put_due(struct batch *b, const struct delivery *d, struct wall due,
                        enum attempt_trigger trigger)
{
    struct treekey key = key_due(d->endpoint_number, due, &d->message, trigger);
    buf_clear(&b->record);
    record_due_encode(d->tries, &b->record);
    return batch_put(b, TREE_DUE, key_span(&key), 0);
}

/* A damaged record may not know its due time: then there is no such row, and the one that claims
 * the delivery is removed by its outcome. */
static enum err clear_due(struct batch *b, const struct delivery *d, struct wall due,
                          enum attempt_trigger trigger)
{
    struct treekey key = key_due(d->endpoint_number, due, &d->message, trigger);
    return batch_clear(b, TREE_DUE, key_span(&key));
}

enum err delivery_create(struct batch *b, const struct message *m, const struct table_endpoint *ep,
                         struct wall due, bool append, bool *held)
{
    struct delivery d = {
        .message = m->id,
        .endpoint_number = ep->number,
        .state = DELIVERY_SCHEDULED,
        .created = b->now,
        .due = due,
    };
    uint8_t line[LINE_BYTES];
    enum err e = ERR_OK;
    if (ep->ordering != ORDERING_NONE && order_line(ep->ordering, m->ordering_key, line))
        e = order_enter(b, ep, &d, line, &m->id);
    *held = d.held;
    if (!e)
        e = put_record(b, &d, append ? MDB_APPEND : 0);
    if (!e && !d.held)
        e = put_due(b, &d, d.due, TRIGGER_SCHEDULED);
    if (e)
        return e;
    batch_count(b, ep->number, 1, 0);
    struct treekey key = key_number_id(ep->number, &m->id);
    return batch_index(b, INDEX_ENDPOINT_MESSAGE, key_span(&key), (struct span){0},
                       wall_add(m->expires, INDEX_SLACK_US));
}

/* ---------------------------------------------------------------- moves */

static enum err put_dead(struct batch *b, const struct delivery *d)
{
    struct message *m = NULL;
    enum err e = message_head(b, &d->message, &m);
    if (batch_broken_by(e))
        return e;
    /* Without a readable message the letter is listed under no event type. */
    const struct dead_record dead = {
        .died = d->finished,
        .reason = d->reason,
        .event_type = m ? m->event_type : (struct span){0},
    };
    struct treekey key = key_number_id(d->endpoint_number, &d->message);
    buf_clear(&b->record);
    record_dead_encode(&dead, &b->record);
    message_unref(&m);
    return batch_put(b, TREE_DEAD, key_span(&key), 0);
}

static enum err leave_state(struct batch *b, const struct delivery *d)
{
    if (delivery_unfinished(d)) {
        batch_count(b, d->endpoint_number, -1, 0);
        return d->held ? ERR_OK : clear_due(b, d, d->due, TRIGGER_SCHEDULED);
    }
    if (d->state != DELIVERY_DEAD)
        return ERR_OK;
    batch_count(b, d->endpoint_number, 0, -1);
    struct treekey key = key_number_id(d->endpoint_number, &d->message);
    return batch_clear(b, TREE_DEAD, key_span(&key));
}

static enum err enter_state(struct batch *b, const struct delivery *d)
{
    if (delivery_unfinished(d)) {
        batch_count(b, d->endpoint_number, 1, 0);
        return d->held ? ERR_OK : put_due(b, d, d->due, TRIGGER_SCHEDULED);
    }
    if (d->state == DELIVERY_DELIVERED)
        b->tally.delivered++;
    if (d->state != DELIVERY_DEAD)
        return ERR_OK;
    b->tally.dead++;
    batch_count(b, d->endpoint_number, 0, 1);
    return put_dead(b, d);
}

enum err delivery_move(struct batch *b, struct delivery *d, enum delivery_state to,
                       enum delivery_reason reason, struct wall due)
{
    assert(legal(d->state, to));
    enum err e = leave_state(b, d);
    if (e)
        return e;
    bool unfinished = to == DELIVERY_SCHEDULED || to == DELIVERY_RETRYING;
    assert(unfinished == (due.us != 0));
    assert(to != DELIVERY_RETRYING || !d->held);
    d->state = to;
    d->reason = reason;
    d->due = due;
    d->finished = unfinished ? (struct wall){0} : b->now;
    e = enter_state(b, d);
    return e || unfinished || id_is_zero(&d->ticket) ? e : order_leave(b, d);
}

enum err delivery_release(struct batch *b, struct delivery *d)
{
    d->held = false;
    if (d->due.us < b->now.us)
        d->due = b->now;
    enum err e = put_due(b, d, d->due, TRIGGER_SCHEDULED);
    if (!e)
        e = delivery_store(b, d);
    return e ? e : batch_due(b, d->endpoint_number, d->due);
}

enum err delivery_manual(struct batch *b, struct delivery *d, struct wall due)
{
    enum err e = ERR_OK;
    if (d->manual_due.us)
        e = clear_due(b, d, d->manual_due, TRIGGER_MANUAL);
    d->manual_due = due;
    return e || !due.us ? e : put_due(b, d, due, TRIGGER_MANUAL);
}

/* ---------------------------------------------------------------- its message */

enum err message_expiry(struct batch *b, const struct id *message, struct wall *out)
{
    struct treekey key = key_id(message);
    struct span value;
    enum err e = batch_get(b, TREE_MESSAGE, key_span(&key), &value);
    if (e)
        return e;
    if (record_message_expires(value, out) || out->us < b->now.us)
        *out = wall_add(b->now, b->s->settings.message_retention_us);
    return ERR_OK;
}

enum err message_head(struct batch *b, const struct id *message, struct message **out)
{
    struct treekey key = key_id(message);
    struct span value;
    size_t missing;
    *out = NULL;
    enum err e = batch_get(b, TREE_MESSAGE, key_span(&key), &value);
    if (!e)
        e = record_message_decode(value, false, out, &missing);
    if (!e)
        (*out)->id = *message;
    return e;
}
