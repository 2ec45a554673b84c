/* Dead letters: replayed (the schedule begins anew) or purged (nobody wants them any more): the
 * named ones of an endpoint at once, whatever a filter finds by a task. A purged delivery is
 * canceled and leaves with its message.
 *
 * Neither runs beside a disabling of the same endpoint: that would move a replayed delivery
 * straight back. A task waits its turn; at once is refused as busy.
 *
 * At an ordered endpoint a replayed message goes behind whatever of its key is unfinished, so that
 * several of them go in the order in which they were replayed. */
#include "store/operation.h"
#include "store/order.h"
#include "store/pace.h"
#include "store/task.h"

static enum err enter_line(struct batch *b, struct delivery *d)
{
    const struct table_endpoint *ep = table_endpoint(b->s->table, d->endpoint_number);
    uint8_t line[LINE_BYTES];
    bool stands;
    if (!ep || ep->ordering == ORDERING_NONE)
        return ERR_OK;
    enum err e = order_line_of(b, ep, &d->message, line, &stands);
    if (e || !stands)
        return e;
    const struct id ticket = batch_message_id(b);
    return order_enter(b, ep, d, line, &ticket);
}

static enum err replay(struct batch *b, struct delivery *d)
{
    d->tries = 0;
    d->replayed = b->now;
    enum err e = enter_line(b, d);
    if (!e)
        e = delivery_move(b, d, DELIVERY_SCHEDULED, REASON_NONE, b->now);
    if (!e)
        e = delivery_store(b, d);
    return e || d->held ? e : batch_due(b, d->endpoint_number, b->now);
}

static enum err purge(struct batch *b, struct delivery *d)
{
    enum err e = delivery_move(b, d, DELIVERY_CANCELED, REASON_CANCELED, (struct wall){0});
    return e ? e : delivery_store(b, d);
}

/* One letter; *done counts it. One that is not dead any more is passed over. */
static enum err act(struct batch *b, bool replays, uint32_t endpoint, const struct id *message,
                    uint64_t *done)
{
    struct delivery d;
    enum err e = delivery_load(b, message, endpoint, &d);
    if (e == ERR_NOT_FOUND || (!e && d.state != DELIVERY_DEAD))
        return ERR_OK;
    if (!e)
        e = replays ? replay(b, &d) : purge(b, &d);
    if (!e)
        ++*done;
    return e;
}

/* ---------------------------------------------------------------- the operation */

static enum err apply_named(struct batch *b, struct dead_op *op)
{
    uint64_t done = 0;
    enum err e = ERR_OK;
    for (unsigned i = 0; i < op->message_count && !e; i++)
        e = act(b, op->verb == DEAD_REPLAY, op->endpoint, &op->messages[i], &done);
    return e || done ? e : ERR_NOT_FOUND;
}

static enum err add_task(struct batch *b, const struct dead_op *op, const struct table_app *a)
{
    struct task task = {
        .id = op->task,
        .kind = op->verb == DEAD_REPLAY ? TASK_DEAD_REPLAY : TASK_DEAD_PURGE,
        .org = a->org,
        .app = a->id,
        .app_number = a->number,
        .endpoint = op->endpoint,
        .since = op->since,
        .until = op->until,
        .rate = op->verb == DEAD_REPLAY ? op->rate : 0,
    };
    pace_begin(&task, b->now);
    if (op->event_type.len > EVENT_TYPE_MAX)
        return ERR_INVALID;
    if (op->event_type.len)
        memcpy(task.event_type, op->event_type.ptr, op->event_type.len);
    return tasks_add(b, &task);
}

enum err dead_apply(struct batch *b, struct dead_op *op)
{
    const struct table_app *a = table_app_numbered(b->s->table, op->app);
    const struct table_endpoint *ep = NULL;
    if (op->endpoint) {
        ep = table_endpoint(b->s->table, op->endpoint);
        if (!ep || ep->deleted)
            return ERR_NOT_FOUND;
        a = ep->app;
    }
    if (!a || (op->message_count && !ep))
        return ERR_NOT_FOUND;
    if (ep && op->verb == DEAD_REPLAY && ep->disabled)
        return ERR_DISABLED;
    if (!op->message_count)
        return add_task(b, op, a);
    return ep->retiring ? ERR_BUSY : apply_named(b, op);
}

/* ---------------------------------------------------------------- the task */

/* Whether the row is one that the task was asked for. A letter that died after the task began is
 * not, or a failing endpoint would keep a replay going for ever; but for what a disabling still had
 * to end when the endpoint was enabled again (endpoint_op's recover_task, which has no end). */
static bool wanted(const struct task *t, struct span value)
{
    struct dead_record dead;
    struct span type = span_text(t->event_type);
    if (record_dead_decode(value, &dead))
        return !type.len && !t->since.us && !t->until.us;
    bool ended = t->until.us == WALL_NEVER.us && dead.reason == REASON_ENDPOINT_DISABLED;
    return (ended || dead.died.us <= t->created.us) && dead.died.us >= t->since.us &&
           (!t->until.us || dead.died.us < t->until.us) &&
           (!type.len || span_eq(type, dead.event_type));
}

/* The letter at the cursor. */
static enum err act_at_cursor(struct batch *b, struct task *t, uint32_t endpoint)
{
    uint64_t before = t->done;
    enum err e = act(b, t->kind == TASK_DEAD_REPLAY, endpoint, &t->cursor, &t->done);
    if (t->done > before)
        pace_take(t, b->now);
    return e;
}

enum err dead_next(struct batch *b, uint32_t endpoint, const struct treekey *from,
                   struct id *message, struct span *value)
{
    struct treekey prefix = key_number(endpoint);
    struct span key;
    enum err e = batch_first_sound(b, TREE_DEAD, &prefix, from, prefix.len + ID_BYTES, &key, value);
    if (!e)
        memcpy(message->b, key.ptr + prefix.len, ID_BYTES);
    return e;
}

/* The letters of one endpoint behind t->cursor; *done when there is none left. */
static enum err walk_endpoint(struct batch *b, struct task *t, uint32_t endpoint, unsigned limit,
                              bool *done)
{
    struct treekey from = key_number_id(endpoint, &t->cursor);
    unsigned looked = b->rows; /* letters that stay count too: looking is work */
    *done = false;
    while (b->rows < limit && looked++ < limit && pace_allows(t, b->now)) {
        struct span value;
        from.b[from.len++] = 0; /* the smallest key behind the cursor's */
        enum err e = dead_next(b, endpoint, &from, &t->cursor, &value);
        *done = e == ERR_NOT_FOUND;
        if (e)
            return *done ? ERR_OK : e;
        from = key_number_id(endpoint, &t->cursor);
        if (wanted(t, value))
            e = act_at_cursor(b, t, endpoint);
        if (e)
            return e;
    }
    return ERR_OK;
}

/* The endpoint that comes next, of the one or of all: t->cursor_number is the one under way. */
static const struct table_endpoint *next_endpoint(const struct batch *b, const struct task *t)
{
    const struct table_app *a = table_app_numbered(b->s->table, t->app_number);
    for (unsigned i = 0; a && i < a->endpoint_count; i++) {
        const struct table_endpoint *ep = a->endpoints[i];
        if (ep->number >= t->cursor_number && (!t->endpoint || ep->number == t->endpoint))
            return ep;
    }
    return NULL;
}

enum err dead_step(struct batch *b, struct task *t, unsigned limit)
{
    unsigned looked = b->rows; /* endpoints without letters count too */
    if (!pace_is_due(t, b->now))
        return ERR_OK;
    while (b->rows < limit && looked++ < limit) {
        const struct table_endpoint *ep = next_endpoint(b, t);
        enum err e = ERR_OK;
        bool done = true;
        if (!ep) {
            t->finished = true;
            return ERR_OK;
        }
        if (ep->number != t->cursor_number)
            t->cursor = (struct id){{0}};
        t->cursor_number = ep->number;
        if (t->rate && ep->retiring)
            return ERR_OK; /* with a rate it has not waited for that task: see store/task.h */
        /* A disabled endpoint keeps its letters: it would only return them. */
        if (t->kind == TASK_DEAD_PURGE || !ep->disabled)
            e = walk_endpoint(b, t, ep->number, limit, &done);
        if (e || !done)
            return e;
        t->cursor_number = ep->number + 1;
        t->cursor = (struct id){{0}};
    }
    return ERR_OK;
}
