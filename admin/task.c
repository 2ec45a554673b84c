/* A task is announced before it is committed, so its id is made here and given to the store. */
#include "admin/task.h"

#include "admin/client.h"
#include "admin/entity_out.h"
#include "admin/handlers.h"
#include "admin/list.h"
#include "admin/usage.h"

void task_render_new(struct write *w, const char *kind, struct id *id)
{
    struct wall now = clock_wall();
    *id = id_fresh(now);
    struct task_info task = {.id = *id, .kind = kind, .created = now, .updated = now};
    struct json_writer out = write_answer(w);
    entity_out_task(&out, &task);
}

/* Another tenant's task, or another application's for its token, is not found. */
static enum err find(struct request *req, struct lookup *l, struct task_info *out)
{
    const struct principal *who = request_principal(req);
    struct id id;
    if (id_parse(request_param(req, "task"), ID_TASK, &id) != ERR_OK)
        return ERR_NOT_FOUND;
    enum err e = lookup_begin(req, l);
    if (!e)
        e = store_task_get(l->read, &who->org, &id, out);
    if (!e && who->scope == SCOPE_APP && id_cmp(&who->app, &out->app) != 0)
        e = ERR_NOT_FOUND;
    return e;
}

/* ---------------------------------------------------------------- lists */

/* The first of these are what the SDKs' models know. They refuse an answer with any other kind, so
 * that ours are listed for other clients, or when one is asked for. */
#define KNOWN 8
static const char *const kinds[] = {
    "endpoint.replay",   "endpoint.recover",          "endpoint.bulk-replay",
    "application.stats", "application.purge_content", "message.broadcast",
    "sdk.generate",      "event-type.aggregate",      "dead_letter.replay",
    "dead_letter.purge",
};
static const char *const statuses[] = {"running", "finished", "failed"};

const char *task_kind_name(unsigned i)
{
    return i < sizeof kinds / sizeof *kinds ? kinds[i] : NULL;
}

const char *task_status_name(unsigned i)
{
    return i < sizeof statuses / sizeof *statuses ? statuses[i] : NULL;
}

static bool is_known(const char *kind)
{
    for (unsigned i = 0; i < KNOWN; i++)
        if (strcmp(kinds[i], kind) == 0)
            return true;
    return false;
}

/* The place of the parameter's value among the names; -1: absent. False: a 422 was replied. */
static bool read_choice(struct request *req, const char *name, const char *(*names)(unsigned i),
                        int *out)
{
    struct span text;
    *out = -1;
    if (!request_query(req, name, &text))
        return true;
    for (unsigned i = 0; names(i); i++)
        if (span_is(text, names(i)))
            *out = (int)i;
    if (*out < 0)
        request_invalid(req, "query", name, "is not one of the known values");
    return *out >= 0;
}

static bool read_query(struct request *req, struct task_query *out)
{
    static const int by_name[] = {TASK_RUNNING, TASK_FINISHED, TASK_FAILED};
    const struct principal *who = request_principal(req);
    int kind, status;
    *out = (struct task_query){.status = TASK_ANY};
    if (!read_choice(req, "task", task_kind_name, &kind) ||
        !read_choice(req, "status", task_status_name, &status))
        return false;
    if (kind >= 0)
        out->kind = span_text(kinds[kind]);
    if (status >= 0)
        out->status = by_name[status];
    if (client_of(req))
        out->shown = is_known;
    if (who->scope == SCOPE_APP)
        out->app = who->app;
    return true;
}

void task_list_route(struct request *req)
{
    static const struct page_kind kind = {.prefix = ID_TASK};
    struct page_params p;
    struct task_query query;
    if (!page_params(req, &kind, &p) || !read_query(req, &query))
        return;
    struct lookup l = {0};
    struct task_info rows[PAGE_MAX];
    struct page_result result = {0};
    enum err e = lookup_begin(req, &l);
    if (!e)
        e = store_task_list(l.read, &request_principal(req)->org, &p.page, &query, rows, &result);
    lookup_release(&l);
    if (e) {
        request_fail_err(req, e, NULL);
        return;
    }
    struct list list;
    list_open(&list, ID_TASK, &p.page);
    for (unsigned i = 0; i < result.count; i++)
        if (list_row(&list, &rows[i].id, 0))
            entity_out_task(&list.json, &rows[i]);
    list_reply(req, &list, &result);
}

void task_get_route(struct request *req)
{
    struct lookup l = {0};
    struct task_info task;
    enum err e = find(req, &l, &task);
    lookup_release(&l);
    if (e) {
        request_fail_err(req, e, NULL);
        return;
    }
    struct buf out;
    struct json_writer w;
    buf_init(&out, REPLY_MAX);
    jw_init(&w, &out);
    entity_out_task_open(&w, &task);
    if (task.finished && !task.failed)
        e = usage_out(request_store(req), &task, &w);
    entity_out_task_close(&w, &task);
    if (!e)
        request_reply(req, 200, &out);
    else
        request_fail_err(req, e, NULL);
    buf_free(&out);
}
