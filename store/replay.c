/* Replays: manual attempts for the messages of a window, those that the endpoint never got or those
 * that it got.
 *
 * The window is walked in the order of the messages by the same lists that clients read, on a
 * snapshot of the last commit. What is found is judged again inside the batch, so that an attempt
 * asked for, or a delivery made, meanwhile is seen; and the cursor commits with the attempts, so
 * that a crash neither skips nor doubles one. The window ends where the request was made. */
#include "store/operation.h"
#include "store/task.h"

static enum err add_filter(struct batch *b, const struct replay_op *op)
{
    const struct task_filter filter = {
        .states = op->states, .status_class = op->status_class, .message = op->filter};
    struct treekey key = key_id(&op->task);
    buf_clear(&b->record);
    record_task_filter_encode(&filter, &b->record);
    return batch_put(b, TREE_TASK_FILTER, key_span(&key), 0);
}

enum err replay_apply(struct batch *b, struct replay_op *op)
{
    const struct table_endpoint *ep = table_endpoint(b->s->table, op->endpoint);
    if (!ep || ep->deleted)
        return ERR_NOT_FOUND;
    if (ep->disabled)
        return ERR_DISABLED;
    bool open = !op->until.us || op->until.us > b->now.us;
    const struct task task = {
        .id = op->task,
        .kind = op->missing ? TASK_REPLAY_MISSING : TASK_BULK_REPLAY,
        .org = ep->app->org,
        .app = ep->app->id,
        .app_number = ep->app->number,
        .endpoint = op->endpoint,
        .since = op->since,
        .until = open ? b->now : op->until,
    };
    enum err e = op->missing ? ERR_OK : add_filter(b, op);
    return e ? e : tasks_add(b, &task);
}

/* ---------------------------------------------------------------- a page of the window */

static struct page next_page(const struct task *t)
{
    return (struct page){
        .limit = TASK_ATTEMPTS,
        .has_cursor = !id_is_zero(&t->cursor),
        .cursor = t->cursor,
        .ascending = true,
        .before = t->until,
        .after = t->since,
    };
}

/* NULL: nobody takes attempts any more, or those asked for still wait. */
static const struct table_endpoint *ready(struct batch *b, struct task *t, enum err *e)
{
    const struct table_endpoint *ep = table_endpoint(b->s->table, t->endpoint);
    bool waits = false;
    *e = ERR_OK;
    t->finished = !ep || ep->deleted || ep->disabled;
    if (!t->finished)
        *e = manual_waits(b, t, &waits);
    return *e || t->finished || waits ? NULL : ep;
}

static void advance(struct task *t, const struct page_result *result)
{
    t->finished = !result->more;
    if (!id_is_zero(&result->last))
        t->cursor = result->last;
}

static enum err ask(struct batch *b, struct task *t, const struct message *m)
{
    bool asked, later = m->deliver_at.us > b->now.us;
    enum err e = manual_ask(b, &m->id, t->endpoint, later ? m->deliver_at : b->now, &asked);
    if (e || !asked)
        return e;
    if (!later)
        t->message = m->id;
    t->done++;
    return ERR_OK;
}

/* ---------------------------------------------------------------- what never came */

/* Asked for before, and ended by a disabling before an attempt was made. */
static bool never_came(const struct delivery *d)
{
    return d->state == DELIVERY_NONE && id_is_zero(&d->last_attempt);
}

static enum err ask_missing(struct batch *b, struct task *t, const struct table_endpoint *ep,
                            const struct message *m)
{
    const struct match_subject subject = {m->event_type, m->channel_count, m->channels};
    struct delivery d;
    if (m->expunged || m->only_endpoint || !match(&ep->rule, &subject))
        return ERR_OK;
    enum err e = delivery_load(b, &m->id, t->endpoint, &d);
    if (e)
        return e == ERR_NOT_FOUND ? ask(b, t, m) : e;
    return never_came(&d) ? ask(b, t, m) : ERR_OK;
}

enum err replay_missing_step(struct batch *b, struct task *t, unsigned limit)
{
    static const struct message_filter all;
    struct message *rows[TASK_ATTEMPTS];
    struct page_result result;
    struct store_read *read;
    enum err e;
    const struct table_endpoint *ep = ready(b, t, &e);
    if (!ep || b->rows >= limit)
        return e;
    const struct page page = next_page(t);
    e = store_read_begin(b->s, &read);
    if (e)
        return e;
    e = store_message_list(read, t->app_number, &page, &all, false, rows, &result);
    store_read_end(&read);
    if (e)
        return e;
    for (unsigned i = 0; i < result.count; i++) {
        if (!e)
            e = ask_missing(b, t, ep, rows[i]);
        message_unref(&rows[i]);
    }
    advance(t, &result);
    return e;
}

/* ---------------------------------------------------------------- what came */

static enum err load_filter(struct batch *b, const struct task *t, struct task_filter **out)
{
    struct treekey key = key_id(&t->id);
    struct span value;
    *out = NULL;
    enum err e = batch_get(b, TREE_TASK_FILTER, key_span(&key), &value);
    return e ? e : record_task_filter_decode(value, out);
}

static enum err ask_again(struct batch *b, struct task *t, const struct task_filter *f,
                          const struct id *message)
{
    struct delivery d;
    struct message *m;
    enum err e = delivery_load(b, message, t->endpoint, &d);
    if (e)
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    bool wanted = (f->states & 1u << d.state) != 0 &&
                  (f->status_class < 0 || d.last_status / 100 == f->status_class / 100);
    if (!wanted)
        return ERR_OK;
    e = message_head(b, message, &m);
    if (e)
        return batch_broken_by(e) ? e : ERR_OK;
    if (!m->expunged)
        e = ask(b, t, m);
    message_unref(&m);
    return e;
}

static enum err bulk_page(struct batch *b, struct task *t, const struct task_filter *f)
{
    struct delivery rows[TASK_ATTEMPTS];
    struct page_result result;
    struct store_read *read;
    const struct page page = next_page(t);
    enum err e = store_read_begin(b->s, &read);
    if (e)
        return e;
    e = store_deliveries_of_endpoint(read, t->endpoint, &page, f->states, &f->message, rows,
                                     &result);
    store_read_end(&read);
    if (e)
        return e;
    for (unsigned i = 0; i < result.count && !e; i++)
        e = ask_again(b, t, f, &rows[i].message);
    advance(t, &result);
    return e;
}

enum err replay_bulk_step(struct batch *b, struct task *t, unsigned limit)
{
    struct task_filter *filter;
    enum err e;
    if (!ready(b, t, &e) || b->rows >= limit)
        return e;
    e = load_filter(b, t, &filter);
    /* Without a readable filter nobody knows what was asked for. */
    if (e == ERR_NOT_FOUND || e == ERR_CORRUPT) {
        t->finished = true;
        return ERR_OK;
    }
    if (!e)
        e = bulk_page(b, t, filter);
    free(filter);
    return e;
}
