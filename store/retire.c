/* What becomes of the deliveries of an endpoint that is disabled or deleted, and of the
 * endpoints of a deleted application.
 *
 * A disabling takes only messages that were accepted before it: the endpoint may be enabled
 * again while the task runs, and what comes after that is wanted. A deletion takes whatever is
 * there. */
#include "store/operation.h"
#include "store/operational.h"
#include "store/order.h"
#include "store/task.h"

/* Ends what one due row stands for, and removes the row. */
static enum err end_due_row(struct batch *b, uint32_t endpoint, struct span key,
                            enum delivery_state to, enum delivery_reason reason)
{
    struct treekey row;
    enum err e = key_copy(key, &row);
    if (e)
        return batch_drop(b, TREE_DUE, key);
    struct wall due;
    struct id message;
    enum attempt_trigger trigger;
    struct delivery d;
    e = key_due_parse(key, &endpoint, &due, &message, &trigger);
    if (!e)
        e = delivery_load(b, &message, endpoint, &d);
    if (batch_broken_by(e))
        return e;
    if (e)
        return batch_clear(b, TREE_DUE, key_span(&row));
    if (trigger == TRIGGER_MANUAL)
        e = delivery_manual(b, &d, (struct wall){0});
    else if (delivery_unfinished(&d))
        e = delivery_move(b, &d, to, reason, (struct wall){0});
    if (!e)
        e = batch_clear(b, TREE_DUE, key_span(&row));
    return e ? e : delivery_store(b, &d);
}

/* ---------------------------------------------------------------- disabled */

/* First what is held, so that the end of what is due lets nobody go who must end too. */
static enum err end_held(struct batch *b, struct task *t, unsigned limit, bool *done)
{
    unsigned looked = b->rows; /* places that stay count too */
    *done = false;
    while (b->rows < limit && looked++ < limit) {
        struct delivery d;
        enum err e = order_next(b, t->endpoint, &t->place);
        *done = e == ERR_NOT_FOUND;
        if (e)
            return *done ? ERR_OK : e;
        if (id_cmp(&t->place.message, &t->message) > 0)
            continue;
        e = order_load(b, t->endpoint, &t->place, &d);
        if (e == ERR_NOT_FOUND || (!e && !d.held))
            continue;
        if (!e)
            e = delivery_move(b, &d, DELIVERY_DEAD, REASON_ENDPOINT_DISABLED, (struct wall){0});
        if (!e)
            e = delivery_store(b, &d);
        if (e)
            return e;
        t->done++;
    }
    return ERR_OK;
}

enum { HELD, DUE }; /* parts of a disabling: t->cursor_number */

static enum err end_due(struct batch *b, struct task *t, unsigned limit)
{
    struct treekey prefix = key_number(t->endpoint);
    struct treekey from = key_due(t->endpoint, t->since, &t->cursor, TRIGGER_SCHEDULED);
    unsigned looked = b->rows; /* rows that stay count too: looking is work */
    while (b->rows < limit && looked < limit) {
        struct span key, value;
        enum err e = batch_first(b, TREE_DUE, key_span(&prefix), key_span(&from), &key, &value);
        if (e == ERR_NOT_FOUND) {
            t->finished = true;
            return ERR_OK;
        }
        if (e)
            return e;
        uint32_t endpoint;
        struct id message;
        enum attempt_trigger trigger;
        /* The smallest key behind this one. */
        if (key_copy(key, &from))
            return batch_drop(b, TREE_DUE, key);
        from.b[from.len++] = 0;
        e = key_due_parse(key, &endpoint, &t->since, &message, &trigger);
        if (!e)
            t->cursor = message;
        looked++;
        if (!e && id_cmp(&message, &t->message) > 0)
            continue;
        e = end_due_row(b, t->endpoint, key, DELIVERY_DEAD, REASON_ENDPOINT_DISABLED);
        if (e)
            return e;
        t->done++;
    }
    return ERR_OK;
}

enum err retire_disabled_step(struct batch *b, struct task *t, unsigned limit)
{
    const struct table_endpoint *ep = table_endpoint(b->s->table, t->endpoint);
    bool done;
    if (ep && ep->relining) { /* the lines change under it: it begins anew when they stand */
        t->cursor_number = HELD;
        t->place = (struct line_place){.line = {0}};
        t->since = (struct wall){0};
        t->cursor = (struct id){{0}};
        return ERR_OK;
    }
    if (t->cursor_number == HELD) {
        enum err e = end_held(b, t, limit, &done);
        if (e || !done)
            return e;
        t->cursor_number = DUE;
    }
    return end_due(b, t, limit);
}

/* ---------------------------------------------------------------- deleted */

static enum err end_dead_row(struct batch *b, uint32_t endpoint, struct span key)
{
    struct treekey row;
    enum err e = key_copy(key, &row);
    if (e)
        return batch_drop(b, TREE_DEAD, key);
    struct delivery d;
    struct id message = {{0}};
    struct reader r = reader_of(span_skip(key, 4));
    struct span bytes = read_span(&r, ID_BYTES);
    if (!r.failed)
        memcpy(message.b, bytes.ptr, ID_BYTES);
    e = delivery_load(b, &message, endpoint, &d);
    if (batch_broken_by(e))
        return e;
    if (e || d.state != DELIVERY_DEAD)
        return batch_clear(b, TREE_DEAD, key_span(&row));
    e = delivery_move(b, &d, DELIVERY_CANCELED, REASON_ENDPOINT_DELETED, (struct wall){0});
    return e ? e : delivery_store(b, &d);
}

/* Ends the first of the lines, or removes its row. ERR_NOT_FOUND: there is none. */
static enum err end_place(struct batch *b, uint32_t endpoint)
{
    struct line_place at = {.line = {0}};
    struct delivery d;
    enum err e = order_next(b, endpoint, &at);
    if (e)
        return e;
    e = order_load(b, endpoint, &at, &d);
    if (e)
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    e = delivery_move(b, &d, DELIVERY_CANCELED, REASON_ENDPOINT_DELETED, (struct wall){0});
    return e ? e : delivery_store(b, &d);
}

/* Cancels everything of an endpoint; *done when nothing is left. */
static enum err cancel_all(struct batch *b, uint32_t endpoint, unsigned limit, bool *done)
{
    struct treekey prefix = key_number(endpoint);
    struct span at = key_span(&prefix), key, value;
    enum err e = ERR_OK;
    *done = false;
    while (!e && b->rows < limit) {
        e = batch_first(b, TREE_DUE, at, at, &key, &value);
        if (!e) {
            e = end_due_row(b, endpoint, key, DELIVERY_CANCELED, REASON_ENDPOINT_DELETED);
            continue;
        }
        if (e == ERR_NOT_FOUND)
            e = batch_first(b, TREE_DEAD, at, at, &key, &value);
        if (e == ERR_NOT_FOUND)
            e = end_place(b, endpoint);
        else if (!e)
            e = end_dead_row(b, endpoint, key);
    }
    *done = e == ERR_NOT_FOUND;
    return *done ? ERR_OK : e;
}

enum err retire_endpoint_step(struct batch *b, struct task *t, unsigned limit)
{
    enum err e = cancel_all(b, t->endpoint, limit, &t->finished);
    if (e || !t->finished)
        return e;
    return batch_forget(b, t->endpoint);
}

/* ---------------------------------------------------------------- a whole application */

static enum err first_endpoint(struct batch *b, uint32_t app_number, uint32_t *endpoint,
                               struct treekey *row)
{
    struct treekey prefix = key_number(app_number);
    struct span key, value;
    enum err e =
        batch_first(b, TREE_ENDPOINT_APP, key_span(&prefix), key_span(&prefix), &key, &value);
    if (e)
        return e;
    struct reader r = reader_of(value);
    *endpoint = read_u32(&r);
    e = key_copy(key, row);
    if (e && batch_drop(b, TREE_ENDPOINT_APP, key))
        return ERR_IO;
    return e;
}

/* The uid of the application went with its rows. */
static enum err tell_removed(struct batch *b, const struct task *t, uint32_t endpoint)
{
    const struct table_endpoint *ep = table_endpoint(b->s->table, endpoint);
    if (!ep)
        return ERR_OK;
    const struct operational_subject s = {
        .org = &t->org, .app = &t->app, .endpoint = &ep->id, .endpoint_uid = ep->uid};
    return operational_endpoint(b, OPERATIONAL_ENDPOINT_DELETED, &s, (struct span){0});
}

static enum err remove_endpoint(struct batch *b, uint32_t endpoint, const struct treekey *row)
{
    enum err e = endpoint_unlink(b, endpoint);
    /* A damaged endpoint cannot name its other rows; its place in the application must go. */
    if (e == ERR_CORRUPT || e == ERR_NOT_FOUND)
        e = batch_clear(b, TREE_ENDPOINT_APP, key_span(row));
    if (!e)
        e = batch_changed(b, endpoint);
    return e ? e : batch_forget(b, endpoint);
}

enum err retire_app_step(struct batch *b, struct task *t, unsigned limit)
{
    enum err e = ERR_OK;
    while (!e && b->rows < limit) {
        uint32_t endpoint = 0;
        struct treekey row;
        bool done;
        e = first_endpoint(b, t->app_number, &endpoint, &row);
        if (e == ERR_NOT_FOUND) {
            struct treekey consumers = key_id(&t->app);
            return batch_clear_range(b, TREE_CONSUMER, key_span(&consumers), limit, &t->finished);
        }
        if (e == ERR_CORRUPT) {
            e = ERR_OK; /* its row is gone */
            continue;
        }
        if (!e)
            e = cancel_all(b, endpoint, limit, &done);
        if (e || !done)
            return e;
        e = remove_endpoint(b, endpoint, &row);
        if (!e)
            e = tell_removed(b, t, endpoint);
        t->done++;
    }
    return e;
}
