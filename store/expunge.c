/* Payloads and responses that are deleted on request: of some messages, of an attempt, or, in
 * steps, of all the messages that an application had when it asked. What happened to them stays on
 * record.
 *
 * Invariant: a payload and the deliveries that would send it end in the same commit, so that a
 * message without its payload is sent to nobody. */
#include "store/operation.h"
#include "store/task.h"

#define ROWS_AT_ONCE COMMIT_ROWS_MAX /* of one request; further deliveries end by a task */

/* Deliveries are left to the caller, at once or in the same commit as a task. */
static enum err drop_payload(struct batch *b, struct message *m)
{
    struct treekey key = key_id(&m->id);
    bool done;
    m->expunged = true;
    buf_clear(&b->record);
    record_message_encode(m, &b->record);
    enum err e = batch_put(b, TREE_MESSAGE, key_span(&key), 0);
    return e ? e : batch_clear_range(b, TREE_BODY, key_span(&key), UINT32_MAX, &done);
}

/* *out is NULL when there is none to expunge: a message that is not there, cannot be read or is
 * another application's is passed over. */
static enum err find_message(struct batch *b, const struct id *id, uint32_t app_number,
                             struct message **out)
{
    enum err e = message_head(b, id, out);
    if (e)
        return batch_broken_by(e) ? e : ERR_OK;
    if ((*out)->app_number != app_number)
        message_unref(out);
    return ERR_OK;
}

static enum err end_later(struct batch *b, const struct message *m, uint32_t last)
{
    const struct table_app *a = table_app_numbered(b->s->table, m->app_number);
    const struct task rest = {
        .kind = TASK_EXPUNGED,
        .org = a ? a->org : (struct id){{0}},
        .app = m->app,
        .app_number = m->app_number,
        .message = m->id,
        .cursor_number = last,
    };
    return tasks_add(b, &rest);
}

static enum err expunge_message(struct batch *b, struct message *m, unsigned limit)
{
    uint32_t last = 0;
    bool done;
    enum err e = drop_payload(b, m);
    if (!e)
        e = retention_end_deliveries(b, &m->id, REASON_MESSAGE_EXPUNGED, &last, limit, &done);
    return e || done ? e : end_later(b, m, last);
}

enum err expunge_rest_step(struct batch *b, struct task *t, unsigned limit)
{
    return retention_end_deliveries(b, &t->message, REASON_MESSAGE_EXPUNGED, &t->cursor_number,
                                    limit, &t->finished);
}

static enum err expunge_attempt(struct batch *b, const struct expunge_op *op)
{
    struct treekey key = key_id_id(&op->messages[0], &op->attempt);
    struct span value;
    struct attempt *a;
    struct message *m;
    enum err e = message_head(b, &op->messages[0], &m);
    if (e)
        return e;
    bool own = m->app_number == op->app;
    message_unref(&m);
    e = own ? batch_get(b, TREE_ATTEMPT, key_span(&key), &value) : ERR_NOT_FOUND;
    if (!e)
        e = record_attempt_decode(value, false, &a);
    if (e)
        return e;
    buf_clear(&b->record);
    record_attempt_encode(a, &b->record);
    attempt_free(&a);
    return batch_put(b, TREE_ATTEMPT, key_span(&key), 0);
}

enum err expunge_apply(struct batch *b, struct expunge_op *op)
{
    unsigned limit = b->rows + ROWS_AT_ONCE;
    enum err e = ERR_OK;
    if (!id_is_zero(&op->attempt))
        return expunge_attempt(b, op);
    for (unsigned i = 0; i < op->message_count && !e; i++) {
        struct message *m;
        e = find_message(b, &op->messages[i], op->app, &m);
        if (!e && m)
            e = expunge_message(b, m, limit);
        message_unref(&m);
    }
    return e;
}

/* ---------------------------------------------------------------- all of an application */

enum err expunge_all_apply(struct batch *b, struct expunge_all_op *op)
{
    const struct table_app *a = table_app_numbered(b->s->table, op->app);
    if (!a)
        return ERR_NOT_FOUND;
    const struct task task = {
        .id = op->task,
        .kind = TASK_PURGE_CONTENT,
        .org = a->org,
        .app = a->id,
        .app_number = a->number,
        .until = b->now,
    };
    return tasks_add(b, &task);
}

#define PAGE 32 /* messages of one step: of a long one the bodies alone are hundreds of rows */

/* One message, as far as the rows go: t->message while its deliveries are not all ended. */
static enum err purge_message(struct batch *b, struct task *t, const struct id *id, unsigned limit)
{
    struct message *m;
    bool done = false;
    enum err e = find_message(b, id, t->app_number, &m);
    if (!e && m && !m->expunged) {
        t->done++;
        t->message = *id;
        t->cursor_number = 0;
        e = drop_payload(b, m);
    }
    bool begun = id_cmp(&t->message, id) == 0;
    message_unref(&m);
    if (!e && begun)
        e = retention_end_deliveries(b, id, REASON_MESSAGE_EXPUNGED, &t->cursor_number, limit,
                                     &done);
    if (!e && (done || !begun)) {
        t->message = (struct id){{0}};
        t->cursor = *id;
    }
    return e;
}

/* *whole: none was left for want of rows. */
static enum err purge_page(struct batch *b, struct task *t, unsigned limit,
                           struct message *const *rows, unsigned count, bool *whole)
{
    enum err e = ERR_OK;
    unsigned i = 0;
    for (; i < count && !e && b->rows < limit; i++) {
        e = purge_message(b, t, &rows[i]->id, limit);
        if (!e && !id_is_zero(&t->message))
            break;
    }
    *whole = i == count;
    return e;
}

/* By what clients see of the last commit; what came and went meanwhile is judged in the batch. */
enum err expunge_all_step(struct batch *b, struct task *t, unsigned limit)
{
    static const struct message_filter all;
    struct message *rows[PAGE];
    struct page_result result;
    struct store_read *read;
    bool whole;
    const struct page page = {
        .limit = PAGE,
        .has_cursor = !id_is_zero(&t->cursor),
        .cursor = t->cursor,
        .ascending = true,
        .before = t->until,
    };
    enum err e = store_read_begin(b->s, &read);
    if (e)
        return e;
    e = store_message_list(read, t->app_number, &page, &all, false, rows, &result);
    store_read_end(&read);
    if (e)
        return e;
    e = purge_page(b, t, limit, rows, result.count, &whole);
    for (unsigned i = 0; i < result.count; i++)
        message_unref(&rows[i]);
    if (whole && !id_is_zero(&result.last))
        t->cursor = result.last;
    t->finished = whole && !result.more;
    return e;
}
