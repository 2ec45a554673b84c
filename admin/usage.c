/* Figures of an organisation: usage by application, and the event types that endpoints ask for.
 * Both are background tasks; what they found stands in the `data` of the finished task. */
#include "admin/usage.h"

#include "admin/context.h"
#include "admin/handlers.h"
#include "admin/task.h"
#include "admin/write.h"

#define ROW_BYTES_MAX 512
_Static_assert((uint64_t)TASK_RESULTS_MAX *ROW_BYTES_MAX <= REPLY_MAX, "an answer holds a result");

static const struct text_rule ref_rule = {.min = 1, .max = UID_MAX};

/* ---------------------------------------------------------------- asking */

/* What the step needs beyond struct write, as long as the request. */
struct named {
    struct span refs[AGGREGATE_APPS_MAX];
    struct span unresolved[AGGREGATE_APPS_MAX];
    struct id apps[AGGREGATE_APPS_MAX];
    unsigned ref_count, unresolved_count, app_count;
};

static void read_window(struct body *b, struct aggregate_op *op)
{
    body_require(b, "since", body_time(b, "since", &op->since));
    body_require(b, "until", body_time(b, "until", &op->until));
    if (op->until.us < op->since.us)
        body_refuse(b, "until", "must not be before since");
}

static bool is_known(const struct named *n, const struct id *app)
{
    for (unsigned i = 0; i < n->app_count; i++)
        if (id_cmp(&n->apps[i], app) == 0)
            return true;
    return false;
}

/* One named by its id and by its uid counts once. */
static enum err resolve(struct request *req, struct write *w, struct named *n)
{
    enum err e = lookup_begin(req, &w->found);
    for (unsigned i = 0; i < n->ref_count && !e; i++) {
        struct app *a = NULL;
        e = store_app_get(w->found.read, &request_principal(req)->org, n->refs[i], &a);
        if (e == ERR_NOT_FOUND || e == ERR_CORRUPT) {
            n->unresolved[n->unresolved_count++] = n->refs[i];
            e = ERR_OK;
        } else if (!e && !is_known(n, &a->id)) {
            n->apps[n->app_count++] = a->id;
        }
        app_free(&a);
    }
    return e;
}

static bool read_apps(struct request *req, struct write *w, struct named *n)
{
    struct body *b = &w->body;
    bool all = body_texts(b, "appIds", &ref_rule, 1, AGGREGATE_APPS_MAX, n->refs, &n->ref_count) !=
               FIELD_VALUE;
    if (!write_body_good(req, w))
        return false;
    if (all)
        return true;
    if (!write_good(req, resolve(req, w, n)))
        return false;
    if (n->app_count == 0)
        request_invalid(req, "body", "appIds", "names no application that exists");
    return n->app_count > 0;
}

static void render(struct write *w, const char *kind, const struct named *n)
{
    struct wall now = clock_wall();
    struct json_writer out = write_answer(w);
    w->aggregate_op.task = id_fresh(now);
    jw_object(&out);
    jw_member_id(&out, "id", ID_TASK, &w->aggregate_op.task);
    jw_member_string(&out, "status", SPAN("running"));
    jw_member_string(&out, "task", span_text(kind));
    jw_member_time(&out, "updatedAt", now);
    if (n) {
        jw_name(&out, "unresolvedAppIds");
        jw_array(&out);
        for (unsigned i = 0; i < n->unresolved_count; i++)
            jw_string(&out, n->unresolved[i]);
        jw_end_array(&out);
    }
    jw_end_object(&out);
}

static bool app_step(struct request *req, struct write *w)
{
    struct aggregate_op *op = &w->aggregate_op;
    struct named *n = request_alloc(req, sizeof *n);
    if (!n)
        return write_good(req, ERR_NO_MEMORY);
    n->ref_count = n->unresolved_count = n->app_count = 0;
    write_open_body(req, w, false);
    read_window(&w->body, op);
    if (!read_apps(req, w, n))
        return false;
    op->org = request_principal(req)->org;
    op->apps = n->apps;
    op->app_count = n->app_count;
    write_prepare(w, STORE_AGGREGATE, 202);
    render(w, "application.stats", n);
    return true;
}

void usage_app_route(struct request *req)
{
    write_run(req, app_step);
}

static bool event_type_step(struct request *req, struct write *w)
{
    write_open_body(req, w, true);
    if (!write_body_good(req, w))
        return false;
    w->aggregate_op.org = request_principal(req)->org;
    w->aggregate_op.event_types = true;
    write_prepare(w, STORE_AGGREGATE, 202);
    render(w, "event-type.aggregate", NULL);
    return true;
}

void usage_event_type_route(struct request *req)
{
    write_run(req, event_type_step);
}

/* ---------------------------------------------------------------- the result */

struct rendering {
    struct json_writer *out;
    bool open; /* the list of an application's event types */
};

static void close_app(struct rendering *r)
{
    if (!r->open)
        return;
    jw_end_array(r->out);
    jw_end_object(r->out);
    r->open = false;
}

static void app_row(void *context, const struct task_result *row)
{
    struct json_writer *w = ((struct rendering *)context)->out;
    jw_object(w);
    jw_member_id(w, "appId", ID_APP, &row->app);
    jw_name(w, "appUid");
    if (row->uid.len)
        jw_string(w, row->uid);
    else
        jw_null(w);
    jw_member_int(w, "messageDestinations", (int64_t)row->deliveries);
    jw_end_object(w);
}

static void event_type_row(void *context, const struct task_result *row)
{
    struct rendering *r = context;
    if (!row->event_type.len) {
        close_app(r);
        jw_object(r->out);
        jw_member_id(r->out, "appId", ID_APP, &row->app);
        jw_member_bool(r->out, "hasCatchAllEndpoint", row->catch_all);
        jw_name(r->out, "explicitlySubscribedEventTypes");
        jw_array(r->out);
        r->open = true;
    } else if (r->open) {
        jw_string(r->out, row->event_type);
    }
}

enum err usage_out(struct store *s, const struct task_info *t, struct json_writer *w)
{
    bool by_app = strcmp(t->kind, "application.stats") == 0, more = true;
    if (!by_app && strcmp(t->kind, "event-type.aggregate") != 0)
        return ERR_OK;
    struct rendering r = {.out = w};
    struct task_result_place at = {.event_type = ""};
    enum err e = ERR_OK;
    jw_name(w, by_app ? "appStats" : "event_types");
    jw_array(w);
    while (more && !e) {
        struct store_read *read;
        e = store_read_begin(s, &read);
        if (e)
            break;
        e = store_task_results(read, &t->id, &at, by_app ? app_row : event_type_row, &r, &more);
        store_read_end(&read);
    }
    close_app(&r);
    jw_end_array(w);
    return e;
}
