/* Payloads and responses that are deleted on request: of some messages, of an attempt, or, in
 * steps, of all the messages that an application had when it asked. What happened to them stays on
 * record.
 *
 * Invariant: a payload and the deliveries that would send it end in the same commit, so that a
 * message without its payload is sent to nobody. */
#include "store/operation.h"
#include "store/task.h"

static enum err rewrite(struct batch *b, struct message *m)
{
    struct treekey key = key_id(&m->id);
    bool done;
    m->expunged = true;
    buf_clear(&b->record);
    record_message_encode(m, &b->record);
    enum err e = batch_put(b, TREE_MESSAGE, key_span(&key), 0);
    if (!e)
        e = batch_clear_range(b, TREE_BODY, key_span(&key), UINT32_MAX, &done);
    /* Of a message with more deliveries than a commit holds, the rest find the payload gone. */
    return e ? e
             : retention_end_deliveries(b, &m->id, REASON_MESSAGE_EXPUNGED,
                                        b->rows + COMMIT_ROWS_MAX);
}

/* A message that is not there, cannot be read or is another application's is passed over: it has no
 * payload to lose. *fresh: it had one until now. */
static enum err expunge_message(struct batch *b, const struct id *id, uint32_t app_number,
                                bool *fresh)
{
    struct message *m;
    *fresh = false;
    enum err e = message_head(b, id, &m);
    if (e)
        return batch_broken_by(e) ? e : ERR_OK;
    if (m->app_number == app_number) {
        *fresh = !m->expunged;
        e = rewrite(b, m);
    }
    message_unref(&m);
    return e;
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
    enum err e = ERR_OK;
    bool fresh;
    if (!id_is_zero(&op->attempt))
        return expunge_attempt(b, op);
    for (unsigned i = 0; i < op->message_count && !e; i++)
        e = expunge_message(b, &op->messages[i], op->app, &fresh);
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

/* *whole: none was left for want of rows. */
static enum err expunge_page(struct batch *b, struct task *t, unsigned limit,
                             struct message *const *rows, unsigned count, bool *whole)
{
    enum err e = ERR_OK;
    unsigned i = 0;
    for (; i < count && !e && b->rows < limit; i++) {
        bool fresh = false;
        if (!rows[i]->expunged)
            e = expunge_message(b, &rows[i]->id, t->app_number, &fresh);
        t->cursor = rows[i]->id;
        t->done += fresh;
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
    e = expunge_page(b, t, limit, rows, result.count, &whole);
    for (unsigned i = 0; i < result.count; i++)
        message_unref(&rows[i]);
    if (whole && !id_is_zero(&result.last))
        t->cursor = result.last;
    t->finished = whole && !result.more;
    return e;
}
