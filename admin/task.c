/* A task is announced before it is committed, so its id is made here and given to the store. */
#include "admin/task.h"

#include "admin/entity_out.h"
#include "admin/handlers.h"

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
    buf_init(&out, 4096);
    jw_init(&w, &out);
    entity_out_task(&w, &task);
    request_reply(req, 200, &out);
}
