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
};

bool task_is_public(enum task_kind kind)
{
    return kind >= TASK_DEAD_REPLAY && kind < TASK_KINDS;
}

struct task_info read_task_info(const struct id *id, const struct task *t)
{
    return (struct task_info){
        .id = *id,
        .org = t->org,
        .app = t->app,
        .kind = kinds[t->kind],
        .finished = t->finished,
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
    if (q->status != TASK_ANY && q->status != (t->finished ? TASK_FINISHED : TASK_RUNNING))
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
