/* Reading durable tasks: what became of the work that an answer promised. */
#include "store/page.h"
#include "store/read.h"

#include "base/json_writer.h"

static const char *const kinds[] = {
    [TASK_FANOUT] = "message.fanout",
    [TASK_ENDPOINT_DISABLED] = "endpoint.disable",
    [TASK_ENDPOINT_DELETED] = "endpoint.delete",
    [TASK_APP_DELETED] = "application.delete",
    [TASK_DEAD_REPLAY] = "dead_letter.replay",
    [TASK_DEAD_PURGE] = "dead_letter.purge",
    [TASK_RECOVER] = "endpoint.recover",
    [TASK_REPLAY_MISSING] = "endpoint.replay",
    [TASK_BULK_REPLAY] = "endpoint.bulk-replay",
    [TASK_PURGE_CONTENT] = "application.purge_content",
    [TASK_APP_STATS] = "application.stats",
    [TASK_EVENT_TYPES] = "event-type.aggregate",
    [TASK_ORDER_CHANGED] = "endpoint.order",
    [TASK_ORDER_FLOW] = "endpoint.order_flow",
    [TASK_EXPUNGED] = "message.expunge",
};

bool task_is_public(enum task_kind kind)
{
    return kind >= TASK_DEAD_REPLAY && kind < TASK_ORDER_CHANGED;
}

struct task_info read_task_info(const struct id *id, const struct task *t)
{
    return (struct task_info){
        .id = *id,
        .org = t->org,
        .app = t->app,
        .kind = kinds[t->kind],
        .finished = t->finished,
        .failed = t->failed,
        .done = t->done,
        .created = t->created,
        .updated = t->updated,
    };
}

void store_task_progress(struct json_writer *w, const struct task_info *t)
{
    struct span kind = span_text(t->kind);
    jw_member_int(w, "processed", (int64_t)t->done);
    if (span_starts(kind, SPAN("endpoint.")))
        jw_member_int(w, "messagesSent", (int64_t)t->done);
    if (span_is(kind, "application.purge_content"))
        jw_member_int(w, "messagesPurged", (int64_t)t->done);
}

enum err store_task_get(struct store_read *r, const struct id *org, const struct id *id,
                        struct task_info *out)
{
    *out = (struct task_info){0};
    struct treekey key = key_id(id);
    struct span value;
    struct task task;
    enum err e = snapshot_get(r, TREE_TASK, &key, &value);
    if (!e)
        e = snapshot_decoded(r, "task", &key, record_task_decode(value, &task));
    if (e)
        return e;
    if (id_cmp(&task.org, org) != 0)
        return ERR_NOT_FOUND;
    *out = read_task_info(id, &task);
    return ERR_OK;
}

/* ---------------------------------------------------------------- lists */

struct selection {
    struct store_read *r;
    const struct id *org;
    const struct task_query *query;
};

static bool selected(const struct selection *s, const struct task *t)
{
    const struct task_query *q = s->query;
    const char *kind = kinds[t->kind];
    if (!task_is_public(t->kind) || id_cmp(&t->org, s->org) != 0)
        return false;
    if (!id_is_zero(&q->app) && id_cmp(&t->app, &q->app) != 0)
        return false;
    if (q->status != TASK_ANY && q->status != (t->failed     ? TASK_FAILED
                                               : t->finished ? TASK_FINISHED
                                                             : TASK_RUNNING))
        return false;
    return q->kind.len ? span_is(q->kind, kind) : !q->shown || q->shown(kind);
}

static enum err take(void *context, struct span suffix, struct span value, void *row)
{
    const struct selection *s = context;
    struct task_info *info = row;
    struct task task;
    struct id id;
    if (!read_as_id(suffix, &id) || record_task_decode(value, &task))
        return snapshot_corrupt(s->r, "task", suffix);
    if (!selected(s, &task))
        return ERR_NOT_FOUND;
    *info = read_task_info(&id, &task);
    return ERR_OK;
}

enum err store_task_list(struct store_read *r, const struct id *org, const struct page *page,
                         const struct task_query *query, struct task_info *rows,
                         struct page_result *result)
{
    const struct treekey prefix = {.len = 0};
    struct selection selection = {.r = r, .org = org, .query = query};
    struct page_list list = {
        .source = PAGE_TREE,
        .tree = TREE_TASK,
        .prefix = &prefix,
        .descending = true,
        .take = take,
        .context = &selection,
        .row_size = sizeof *rows,
    };
    return page_walk(r, &list, page, rows, result);
}

/* ---------------------------------------------------------------- results */

static struct treekey place_key(const struct id *task, const struct task_result_place *at)
{
    struct treekey key = key_id_id(task, &at->app);
    size_t len = strnlen(at->event_type, EVENT_TYPE_MAX);
    memcpy(key.b + key.len, at->event_type, len);
    key.len += len;
    return key;
}

/* The row of a key behind the task's id. The place moves to it whether it can be read or not. */
static void hand_out(struct store_read *r, struct span suffix, struct span value,
                     struct task_result_place *at,
                     void (*each)(void *context, const struct task_result *row), void *context)
{
    struct task_result row = {.deliveries = 0};
    *at = (struct task_result_place){.event_type = ""};
    size_t id = suffix.len < ID_BYTES ? suffix.len : ID_BYTES;
    memcpy(at->app.b, suffix.ptr, id);
    struct span type = span_skip(suffix, ID_BYTES);
    bool bad = id < ID_BYTES || type.len > EVENT_TYPE_MAX;
    if (!bad && type.len)
        memcpy(at->event_type, type.ptr, type.len);
    if (!bad && !type.len)
        bad = record_task_result_decode(value, &row) != ERR_OK;
    row.app = at->app;
    row.event_type = type;
    if (bad)
        snapshot_corrupt(r, "task's result", suffix);
    else
        each(context, &row);
}

enum err store_task_results(struct store_read *r, const struct id *task,
                            struct task_result_place *at,
                            void (*each)(void *context, const struct task_result *row),
                            void *context, bool *more)
{
    MDB_cursor *c;
    *more = false;
    enum err e = tree_cursor(&r->store->env, r->txn, TREE_TASK_RESULT, &c);
    if (e)
        return e;
    struct treekey prefix = key_id(task), from = place_key(task, at);
    struct span key = key_span(&from), value;
    e = tree_walk(c, MDB_SET_RANGE, &key, &value);
    if (!e && span_eq(key, key_span(&from)))
        e = tree_walk(c, MDB_NEXT, &key, &value);
    for (unsigned n = 0; !e && span_starts(key, key_span(&prefix)); n++) {
        if (n == READ_ROWS_MAX) {
            *more = true;
            break;
        }
        hand_out(r, span_skip(key, ID_BYTES), value, at, each, context);
        e = tree_walk(c, MDB_NEXT, &key, &value);
    }
    mdb_cursor_close(c);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}
