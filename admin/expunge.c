/* Deleting what was sent, on request: the payloads of some messages or of all that an application
 * has, or the response of one attempt. Each may be asked for again without harm. */
#include "admin/field.h"
#include "admin/handlers.h"
#include "admin/task.h"
#include "admin/write.h"

static const struct text_rule ref_rule = {.min = 1, .max = EVENT_ID_MAX, .also = FIELD_IDENTIFIER};

static void prepare_one(struct write *w)
{
    w->ids[0] = w->found.message->id;
    w->expunge_op.app = w->found.app->number;
    w->expunge_op.messages = w->ids;
    w->expunge_op.message_count = 1;
    write_prepare(w, STORE_EXPUNGE, 204);
}

static bool message_step(struct request *req, struct write *w)
{
    if (!lookup_message(req, &w->found, false))
        return false;
    prepare_one(w);
    return true;
}

void expunge_message_route(struct request *req)
{
    write_run(req, message_step);
}

static bool attempt_step(struct request *req, struct write *w)
{
    struct id attempt;
    if (!lookup_message(req, &w->found, false))
        return false;
    if (id_parse(request_param(req, "attempt"), ID_ATTEMPT, &attempt) != ERR_OK)
        return write_good(req, ERR_NOT_FOUND);
    prepare_one(w);
    w->expunge_op.attempt = attempt;
    return true;
}

void expunge_attempt_route(struct request *req)
{
    write_run(req, attempt_step);
}

/* ---------------------------------------------------------------- several */

/* Finds the messages that `texts` name by id or eventId. */
static enum err find_messages(struct write *w, unsigned count, bool *found)
{
    for (unsigned i = 0; i < count; i++) {
        struct message *m = NULL;
        enum err e = store_message_get(w->found.read, w->found.app->number, w->texts[i], false, &m);
        if (e && e != ERR_NOT_FOUND)
            return e;
        found[i] = m != NULL;
        if (m)
            w->ids[w->expunge_op.message_count++] = m->id;
        message_unref(&m);
    }
    return ERR_OK;
}

static void render_results(struct write *w, unsigned count, const bool *found)
{
    struct json_writer out = write_answer(w);
    jw_object(&out);
    jw_name(&out, "results");
    jw_object(&out);
    for (unsigned i = 0; i < count; i++) {
        char name[EVENT_ID_MAX + 1];
        memcpy(name, w->texts[i].ptr, w->texts[i].len);
        name[w->texts[i].len] = '\0';
        jw_member_string(&out, name, found[i] ? SPAN("expunged") : SPAN("not-found"));
    }
    jw_end_object(&out);
    jw_end_object(&out);
}

static bool several_step(struct request *req, struct write *w)
{
    bool found[PAGE_MAX];
    unsigned count = 0;
    _Static_assert(PAGE_MAX <= ENDPOINT_FILTERS_MAX, "texts has room for the list");
    if (!lookup_app(req, &w->found))
        return false;
    write_open_body(req, w, false);
    body_texts(&w->body, "ids", &ref_rule, 0, PAGE_MAX, w->texts, &count);
    if (!write_body_good(req, w) || !write_good(req, find_messages(w, count, found)))
        return false;
    w->expunge_op.app = w->found.app->number;
    w->expunge_op.messages = w->ids;
    write_prepare(w, STORE_EXPUNGE, 200);
    render_results(w, count, found);
    return true;
}

void expunge_several_route(struct request *req)
{
    write_run(req, several_step);
}

/* ---------------------------------------------------------------- all */

static bool all_step(struct request *req, struct write *w)
{
    if (!lookup_app(req, &w->found))
        return false;
    write_open_body(req, w, true);
    if (!write_body_good(req, w))
        return false;
    w->expunge_all_op.app = w->found.app->number;
    write_prepare(w, STORE_EXPUNGE_ALL, 202);
    task_render_new(w, "application.purge_content", &w->expunge_all_op.task);
    return true;
}

void expunge_all_route(struct request *req)
{
    write_run(req, all_step);
}
