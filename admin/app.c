/* Applications. POST, PUT and PATCH read the same fields; they differ in what an absent field
 * means: nothing for PATCH, the default for the others. */
#include "admin/app.h"

#include "admin/context.h"
#include "admin/entity_out.h"
#include "admin/field.h"
#include "admin/handlers.h"
#include "admin/list.h"
#include "admin/params.h"
#include "admin/write.h"

static const struct text_rule name_rule = {.min = 1, .max = NAME_MAX_LEN};
static const struct text_rule uid_rule = {
    .min = 1, .max = UID_MAX, .also = FIELD_IDENTIFIER, .not_prefix = ID_APP};

static const char uid_taken[] = "An application with this uid exists";

static void read_members(struct body *b, struct app *a, bool patch, struct span path)
{
    enum field name = body_text(b, "name", &name_rule, &a->name);
    if (!patch)
        body_require(b, "name", name);
    body_refuse_null(b, "name", name);
    field_uid(b, &uid_rule, !patch, path, &a->uid);
    field_metadata(b, !patch, &a->metadata);
    field_rate(b, !patch, &a->throttle_rate);
}

/* Merges the body into w->app, which holds the present state (zero for a new one). */
static bool read_fields(struct request *req, struct write *w, struct span path)
{
    write_open_body(req, w, false);
    read_members(&w->body, &w->app, request_method(req) == METHOD_PATCH, path);
    return write_body_good(req, w);
}

static void begin_new(struct request *req, struct write *w)
{
    struct wall now = clock_wall();
    w->app.id = id_fresh(now);
    w->app.org = request_principal(req)->org;
    w->app.created = now;
}

enum field app_read_described(struct request *req, struct write *w, struct span path)
{
    struct json_value object;
    enum field state = body_object(&w->body, "application", ADMIN_BODY_MAX, &object);
    if (state != FIELD_VALUE)
        return state;
    begin_new(req, w);
    w->app.updated = w->app.created;
    body_open(&w->described, object.raw, false);
    read_members(&w->described, &w->app, false, path);
    body_adopt(&w->body, "application", &w->described);
    return state;
}

static bool submit_put(struct write *w, unsigned status)
{
    w->app.updated = w->app.version ? clock_wall() : w->app.created;
    w->app_op.app = &w->app;
    w->conflict = uid_taken;
    write_prepare(w, STORE_APP_PUT, status);
    struct json_writer out = write_answer(w);
    entity_out_app(&out, &w->app);
    return true;
}

static void reply_app(struct request *req, unsigned status, const struct app *a)
{
    struct buf out;
    struct json_writer w;
    buf_init(&out, ADMIN_BODY_MAX);
    jw_init(&w, &out);
    entity_out_app(&w, a);
    request_reply(req, status, &out);
}

/* get_if_exists: the writer found the uid taken, so that application is the answer. */
static void answer_existing(struct request *req, struct write *w)
{
    enum err e = lookup_begin(req, &w->found);
    if (!e)
        e = store_app_get(w->found.read, &w->app.org, w->app.uid, &w->found.app);
    if (e)
        request_fail_err(req, e == ERR_NOT_FOUND ? ERR_BUSY : e, NULL);
    else
        reply_app(req, 200, w->found.app);
}

static bool create_step(struct request *req, struct write *w)
{
    bool get_if_exists = false;
    if (!params_flag(req, "get_if_exists", &get_if_exists))
        return false;
    begin_new(req, w);
    if (!read_fields(req, w, span_text(NULL)))
        return false;
    if (get_if_exists && w->app.uid.len)
        w->on_conflict = answer_existing;
    return submit_put(w, 201);
}

void app_create_route(struct request *req)
{
    write_run(req, create_step);
}

/* PUT creates what is not there, under the uid in its path. */
static bool put_step(struct request *req, struct write *w)
{
    struct span path = request_param(req, "app");
    enum err e = lookup_find_app(req, &w->found);
    const char *why;
    if (e == ERR_NOT_FOUND && text_check(&uid_rule, path, &why))
        begin_new(req, w);
    else if (!write_good(req, e))
        return false;
    else
        w->app = *w->found.app;
    return read_fields(req, w, path) && submit_put(w, e ? 201 : 200);
}

void app_put_route(struct request *req)
{
    write_run(req, put_step);
}

static bool patch_step(struct request *req, struct write *w)
{
    if (!lookup_app(req, &w->found))
        return false;
    w->app = *w->found.app;
    return read_fields(req, w, span_text(NULL)) && submit_put(w, 200);
}

void app_patch_route(struct request *req)
{
    write_run(req, patch_step);
}

static bool delete_step(struct request *req, struct write *w)
{
    if (!lookup_app(req, &w->found))
        return false;
    w->app_op.id = w->found.app->id;
    write_prepare(w, STORE_APP_DELETE, 204);
    return true;
}

void app_delete_route(struct request *req)
{
    write_run(req, delete_step);
}

void app_get_route(struct request *req)
{
    struct lookup l = {0};
    if (!lookup_app(req, &l))
        return;
    reply_app(req, 200, l.app);
    lookup_release(&l);
}

/* Which applications a list leaves out. */
struct exclusion {
    bool without_endpoints, with_disabled_alone, with_play_alone;
};

static bool read_exclusion(struct request *req, struct exclusion *out)
{
    return params_flag(req, "exclude_apps_with_no_endpoints", &out->without_endpoints) &&
           params_flag(req, "exclude_apps_with_disabled_endpoints", &out->with_disabled_alone) &&
           params_flag(req, "exclude_apps_with_svix_play_endpoints", &out->with_play_alone);
}

static bool is_excluded(struct request *req, const struct app *a, const struct exclusion *x)
{
    if (!x->without_endpoints && !x->with_disabled_alone && !x->with_play_alone)
        return false;
    struct app_receivers has = store_app_receivers(request_store(req), a->number);
    if (!has.any)
        return x->without_endpoints;
    return (x->with_disabled_alone && !has.enabled) || (x->with_play_alone && !has.elsewhere);
}

/* What is left out leaves its page shorter: `done` tells when there is no more. */
void app_list_route(struct request *req)
{
    static const struct page_kind kind = {.prefix = ID_APP, .ascending = true};
    struct page_params p;
    struct exclusion x = {0};
    if (!page_params(req, &kind, &p) || !read_exclusion(req, &x))
        return;
    struct lookup l = {0};
    struct app *rows[PAGE_MAX];
    struct page_result result = {0};
    enum err e = lookup_begin(req, &l);
    if (!e)
        e = store_app_list(l.read, &request_principal(req)->org, &p.page, rows, &result);
    if (e) {
        lookup_fail(req, &l, e);
        return;
    }
    struct list list;
    list_open(&list, ID_APP, &p.page);
    for (unsigned i = 0; i < result.count; i++) {
        if (!is_excluded(req, rows[i], &x) && list_row(&list, &rows[i]->id, 0))
            entity_out_app(&list.json, rows[i]);
        app_free(&rows[i]);
    }
    lookup_release(&l);
    list_reply(req, &list, &result);
}
