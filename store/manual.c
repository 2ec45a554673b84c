/* Manual attempts: one at a client's wish (resend), or one for each delivery of an endpoint that
 * failed for good since a moment (recover).
 *
 * A manual attempt has a due row of its own beside the schedule's, so that neither disturbs the
 * other; the delivery knows that it waits, so that there is never a second. */
#include "store/operation.h"
#include "store/task.h"

/* The delivery that the attempt belongs to; made, in a state of its own, when there is none. */
static enum err delivery_for(struct batch *b, const struct id *message, uint32_t endpoint,
                             bool *fresh, struct delivery *d)
{
    enum err e = delivery_load(b, message, endpoint, d);
    *fresh = e == ERR_NOT_FOUND;
    if (!*fresh)
        return e;
    *d = (struct delivery){.message = *message,
                           .endpoint_number = endpoint,
                           .state = DELIVERY_NONE,
                           .created = b->now};
    return ERR_OK;
}

static enum err index_fresh(struct batch *b, const struct delivery *d)
{
    struct wall expires;
    enum err e = message_expiry(b, &d->message, &expires);
    if (e)
        return e;
    struct treekey key = key_number_id(d->endpoint_number, &d->message);
    return batch_index(b, INDEX_ENDPOINT_MESSAGE, key_span(&key), (struct span){0},
                       wall_add(expires, INDEX_SLACK_US));
}

static enum err ask_for(struct batch *b, struct delivery *d, bool fresh, struct wall due)
{
    enum err e = fresh ? index_fresh(b, d) : ERR_OK;
    if (!e)
        e = delivery_manual(b, d, due);
    if (!e)
        e = delivery_store(b, d);
    return e ? e : batch_due(b, d->endpoint_number, due);
}

enum err manual_ask(struct batch *b, const struct id *message, uint32_t endpoint, struct wall due,
                    bool *asked)
{
    struct delivery d;
    bool fresh;
    *asked = false;
    enum err e = delivery_for(b, message, endpoint, &fresh, &d);
    if (e || d.manual_due.us)
        return e;
    e = ask_for(b, &d, fresh, due);
    *asked = !e;
    return e;
}

enum err manual_waits(struct batch *b, const struct task *t, bool *waits)
{
    struct delivery d;
    *waits = false;
    if (id_is_zero(&t->message))
        return ERR_OK;
    enum err e = delivery_load(b, &t->message, t->endpoint, &d);
    if (!e)
        *waits = d.manual_due.us != 0;
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* ---------------------------------------------------------------- resend */

/* The message exists, has its payload and is the endpoint's application's. */
static enum err check_message(struct batch *b, const struct id *message, uint32_t app_number)
{
    struct message *m;
    enum err e = message_head(b, message, &m);
    if (e)
        return e;
    bool fits = m->app_number == app_number && !m->expunged;
    message_unref(&m);
    return fits ? ERR_OK : ERR_NOT_FOUND;
}

/* The dispatcher lets go of a delivery a moment after the attempt's outcome is there for all to
 * see: who has seen it need not wait. Disabling the endpoint ends a delivery while its attempt runs
 * on. */
static bool under_way(const struct batch *b, const struct resend_op *op, const struct delivery *d)
{
    if (d->manual_due.us)
        return true;
    bool concluded =
        delivery_unfinished(d) ? d->due.us > b->now.us : d->reason != REASON_ENDPOINT_DISABLED;
    return op->in_flight && !concluded;
}

enum err resend_apply(struct batch *b, struct resend_op *op)
{
    const struct table_endpoint *ep = table_endpoint(b->s->table, op->endpoint);
    struct delivery d;
    bool fresh;
    if (!ep || ep->deleted)
        return ERR_NOT_FOUND;
    enum err e = check_message(b, &op->message, ep->app->number);
    if (e)
        return e;
    if (ep->disabled)
        return ERR_DISABLED;
    if (ep->retiring)
        return ERR_BUSY;
    e = delivery_for(b, &op->message, op->endpoint, &fresh, &d);
    if (e)
        return e;
    if (under_way(b, op, &d))
        return ERR_IN_FLIGHT;
    return ask_for(b, &d, fresh, b->now);
}

/* ---------------------------------------------------------------- recover */

enum err recover_apply(struct batch *b, struct recover_op *op)
{
    const struct table_endpoint *ep = table_endpoint(b->s->table, op->endpoint);
    if (!ep || ep->deleted)
        return ERR_NOT_FOUND;
    if (ep->disabled)
        return ERR_DISABLED;
    const struct task task = {
        .id = op->task,
        .kind = TASK_RECOVER,
        .org = ep->app->org,
        .app = ep->app->id,
        .app_number = ep->app->number,
        .endpoint = op->endpoint,
        .since = op->since,
        .until = op->until,
    };
    return tasks_add(b, &task);
}

/* The next dead letter behind the cursor within the asked time; ERR_NOT_FOUND at the end. */
static enum err next_letter(struct batch *b, const struct task *t, struct id *message)
{
    struct id floor = id_floor(t->since), ceiling = id_floor(t->until);
    bool begun = id_cmp(&t->cursor, &floor) >= 0 && !id_is_zero(&t->cursor);
    struct treekey from = key_number_id(t->endpoint, begun ? &t->cursor : &floor);
    struct span value;
    if (begun)
        from.b[from.len++] = 0;
    enum err e = dead_next(b, t->endpoint, &from, message, &value);
    if (e)
        return e;
    return t->until.us && id_cmp(message, &ceiling) >= 0 ? ERR_NOT_FOUND : ERR_OK;
}

static enum err ask_letter(struct batch *b, struct task *t)
{
    struct delivery d;
    bool asked;
    enum err e = delivery_load(b, &t->cursor, t->endpoint, &d);
    if (e == ERR_NOT_FOUND || (!e && d.state != DELIVERY_DEAD))
        return ERR_OK;
    if (!e)
        e = manual_ask(b, &t->cursor, t->endpoint, b->now, &asked);
    if (e || !asked)
        return e;
    t->message = t->cursor;
    t->done++;
    return ERR_OK;
}

enum err recover_step(struct batch *b, struct task *t, unsigned limit)
{
    const struct table_endpoint *ep = table_endpoint(b->s->table, t->endpoint);
    bool waits;
    if (!ep || ep->deleted || ep->disabled) {
        t->finished = true;
        return ERR_OK;
    }
    enum err e = manual_waits(b, t, &waits);
    if (e || waits)
        return e;
    for (unsigned i = 0; i < TASK_ATTEMPTS && b->rows < limit; i++) {
        struct id message;
        e = next_letter(b, t, &message);
        if (e) {
            t->finished = e == ERR_NOT_FOUND;
            return t->finished ? ERR_OK : e;
        }
        t->cursor = message;
        e = ask_letter(b, t);
        if (e)
            return e;
    }
    return ERR_OK;
}
