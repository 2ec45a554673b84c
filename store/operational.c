/* Making operational events. Almost every operation of almost every organisation has nobody to
 * tell, so that this is asked first, of memory alone. */
#include "store/operational.h"

#include "store/operation.h"
#include "store/read.h"

#include "base/json_writer.h"
#include "base/log.h"

#define PAYLOAD_MAX (16 * 1024) /* a few ids and two uids are a twentieth of it */
#define EVENTS_OF_OPERATION 2   /* an endpoint was updated and disabled */

struct event {
    const struct table_app *to;
    enum operational_event kind;
    struct buf payload;
    struct json_writer json;
};

/* Who is to be told; NULL: nobody. */
static const struct table_app *listener(const struct batch *b, enum operational_event kind,
                                        const struct id *org, const struct id *app)
{
    const struct table *t = b->s->table;
    if (!table_operational_endpoints(t) || app_is_operational(app, org))
        return NULL;
    const struct table_app *to = table_app(t, org);
    if (!to || !app_is_operational(&to->id, &to->org) || !to->endpoint_count)
        return NULL;
    if (!b->cramped)
        return to;
    log_warn("no room: an operational event is left out",
             LOG_TEXT_FIELD("type", operational_event_name(kind)), LOG_ID("org", ID_ORG, org),
             LOG_END);
    return NULL;
}

unsigned operational_entries(const struct batch *b)
{
    unsigned endpoints = table_operational_endpoints(b->s->table);
    unsigned most = endpoints < FANOUT_AT_ONCE ? endpoints : FANOUT_AT_ONCE;
    return most ? EVENTS_OF_OPERATION * (1 + most) : 0;
}

/* ---------------------------------------------------------------- an event */

static void begin(struct event *v, const struct table_app *to, enum operational_event kind)
{
    v->to = to;
    v->kind = kind;
    buf_init(&v->payload, PAYLOAD_MAX);
    jw_init(&v->json, &v->payload);
    jw_object(&v->json);
    jw_member_string(&v->json, "type", span_text(operational_event_name(kind)));
    jw_name(&v->json, "data");
    jw_object(&v->json);
}

static enum err put(struct batch *b, struct event *v)
{
    struct message *m = message_new();
    jw_end_object(&v->json);
    jw_end_object(&v->json);
    jw_finish(&v->json);
    if (m)
        m->block = buf_take(&v->payload, &m->block_len);
    enum err e = m && m->block ? ERR_OK : ERR_NO_MEMORY;
    if (!e) {
        m->event_type = span_text(operational_event_name(v->kind));
        m->payload = span_of(m->block, m->block_len);
        e = ingest_message(b, v->to, m);
    }
    buf_free(&v->payload);
    message_unref(&m);
    return e;
}

static void uid_member(struct json_writer *w, const char *name, struct span uid)
{
    if (uid.len)
        jw_member_string(w, name, uid);
    else
        jw_member_null(w, name);
}

/* ---------------------------------------------------------------- endpoints */

struct operational_subject operational_subject_of(const struct table_endpoint *ep)
{
    return (struct operational_subject){
        .org = &ep->app->org,
        .app = &ep->app->id,
        .endpoint = &ep->id,
        .app_uid = ep->app->uid,
        .endpoint_uid = ep->uid,
    };
}

static void app_members(struct json_writer *w, const struct operational_subject *s)
{
    jw_member_id(w, "appId", ID_APP, s->app);
    uid_member(w, "appUid", s->app_uid);
}

enum err operational_endpoint(struct batch *b, enum operational_event kind,
                              const struct operational_subject *s, struct span reason)
{
    const struct table_app *to = listener(b, kind, s->org, s->app);
    struct event v;
    if (!to)
        return ERR_OK;
    begin(&v, to, kind);
    app_members(&v.json, s);
    jw_member_id(&v.json, "endpointId", ID_ENDPOINT, s->endpoint);
    uid_member(&v.json, "endpointUid", s->endpoint_uid);
    if (kind == OPERATIONAL_ENDPOINT_DISABLED) {
        bool manual = span_is(reason, "manual");
        jw_member_string(&v.json, "trigger", span_text(manual ? "manual" : "automatic"));
        jw_member_string(&v.json, "reason", reason);
    }
    return put(b, &v);
}

/* ---------------------------------------------------------------- attempts */

static void attempt_members(struct json_writer *w, const struct attempt *a, struct span event_id)
{
    jw_member_id(w, "endpointId", ID_ENDPOINT, &a->endpoint);
    jw_member_id(w, "msgId", ID_MESSAGE, &a->message);
    uid_member(w, "msgEventId", event_id);
    jw_name(w, "lastAttempt");
    jw_object(w);
    jw_member_id(w, "id", ID_ATTEMPT, &a->id);
    jw_member_time(w, "timestamp", a->started);
    jw_member_int(w, "responseStatusCode", a->status);
    jw_end_object(w);
}

enum err operational_attempt(struct batch *b, enum operational_event kind,
                             const struct table_endpoint *ep, const struct attempt *a, bool *told)
{
    const struct operational_subject s = operational_subject_of(ep);
    const struct table_app *to = listener(b, kind, s.org, s.app);
    struct message *m = NULL;
    struct event v;
    *told = to != NULL;
    if (!to)
        return ERR_OK;
    enum err e = message_head(b, &a->message, &m);
    if (batch_broken_by(e))
        return e;
    /* One that cannot be read has no event id to show. */
    begin(&v, to, kind);
    app_members(&v.json, &s);
    attempt_members(&v.json, a, m ? m->event_id : (struct span){0});
    message_unref(&m);
    return put(b, &v);
}

/* ---------------------------------------------------------------- tasks */

enum err operational_task(struct batch *b, const struct task *t)
{
    const struct table_app *to = listener(b, OPERATIONAL_TASK_FINISHED, &t->org, &t->app);
    struct event v;
    if (!to || !task_is_public(t->kind))
        return ERR_OK;
    const struct task_info info = read_task_info(&t->id, t);
    begin(&v, to, OPERATIONAL_TASK_FINISHED);
    jw_member_id(&v.json, "taskId", ID_TASK, &t->id);
    jw_member_string(&v.json, "status", span_text(info.failed ? "failed" : "finished"));
    jw_member_string(&v.json, "task", span_text(info.kind));
    jw_name(&v.json, "data");
    jw_object(&v.json);
    store_task_progress(&v.json, &info);
    jw_end_object(&v.json);
    return put(b, &v);
}
