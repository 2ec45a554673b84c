/* POST /api/v1/app/{app}/msg: one event.
 *
 * The request's body becomes the message's memory: the payload that is stored, signed and sent is
 * the very bytes that arrived, and they are never copied, but for a CloudEvent's. The 202 leaves
 * after the commit. */
#include "ingest/batch.h"
#include "ingest/cloud_event.h"
#include "ingest/context.h"
#include "ingest/reading.h"

#include "http/message_out.h"

void ingest_prepare(struct request *req, struct ingest_op *op)
{
    const struct principal *who = request_principal(req);
    memset(op, 0, sizeof *op);
    op->op.kind = STORE_INGEST;
    op->org = who->org;
    op->app = request_param(req, "app");
    op->op.answer_status = 202;
    buf_init(&op->op.answer, REPLY_MAX);
    if (who->scope == SCOPE_APP)
        op->only_app = who->app;
    request_idempotency(req, &op->op.idempotency);
}

/* ---------------------------------------------------------------- its application */

static bool is_uid(struct span path)
{
    return reading_is_name(path, UID_MAX, "-_.") && !span_starts(path, SPAN(ID_APP));
}

void ingest_offer(struct request *req, struct ingest_op *op, struct app *app)
{
    const struct principal *who = request_principal(req);
    bool fits = is_uid(op->app) && (!app->uid.len || span_eq(app->uid, op->app));
    if (!app->name.len || !fits || who->scope != SCOPE_ADMIN)
        return;
    app->created = app->updated = clock_wall();
    app->id = id_fresh(app->created);
    app->org = who->org;
    app->uid = op->app;
    op->create = app;
}

void ingest_fail(struct request *req, const struct ingest_op *op, const struct app *app)
{
    enum err e = op->op.result;
    if (e == ERR_CONFLICT)
        request_fail_err(req, e, "A message with this eventId exists");
    else if (e != ERR_NOT_FOUND || !app->name.len || !is_uid(op->app))
        request_fail_err(req, e, NULL);
    else if (request_principal(req)->scope != SCOPE_ADMIN)
        request_fail(req, 403, "this token may not create the application");
    else
        request_invalid(req, "body", "application.uid", "must be the uid in the path");
}

bool ingest_body(struct request *req, enum json_type type, struct json_value *out)
{
    struct json_error error;
    if (json_check(request_body(req), JSON_DEPTH_MAX, out, &error)) {
        request_invalid_type(req, "body", NULL, error.what, "value_error.jsondecode");
        return false;
    }
    if (out->type != type) {
        request_invalid(req, "body", NULL,
                        type == JSON_OBJECT ? "must be an object" : "must be a list");
        return false;
    }
    return true;
}

bool ingest_head(struct request *req, struct head *out)
{
    head_read(req, out);
    if (out->wrong)
        request_fail(req, 415, out->wrong);
    return !out->wrong;
}

/* ---------------------------------------------------------------- one message */

struct single {
    struct ingest_op ingest; /* first */
    struct ingest_item item;
    struct app application; /* as the message describes it */
    bool with_content;
};

static bool read_with_content(struct request *req, bool *out)
{
    struct span text;
    *out = true;
    if (!request_query(req, "with_content", &text) || span_is(text, "true"))
        return true;
    if (!span_is(text, "false")) {
        request_invalid(req, "query", "with_content", "must be true or false");
        return false;
    }
    *out = false;
    return true;
}

static void reply_message(struct request *req, const struct message *m, bool with_content)
{
    struct buf body;
    struct json_writer w;
    buf_init(&body, REPLY_MAX);
    buf_reserve(&body, 512 + (with_content ? m->payload.len : 0));
    jw_init(&w, &body);
    message_out(&w, m, with_content);
    jw_finish(&w);
    request_reply(req, 202, &body);
}

/* The key was known: the answer is that of the first message. When that is gone meanwhile, the
 * answer still stands, with what is known of it. */
static void reply_first(struct request *req, struct single *s)
{
    struct store_read *read;
    struct message *first = NULL;
    enum err e = store_read_begin(request_store(req), &read);
    if (e) {
        request_fail_err(req, e, NULL);
        return;
    }
    e = store_message_load(read, &s->item.existing, &first);
    store_read_end(&read);
    if (!e) {
        reply_message(req, first, s->with_content);
        message_unref(&first);
    } else if (e == ERR_NOT_FOUND) {
        s->item.message->id = s->item.existing;
        s->item.message->created = id_time(&s->item.existing);
        reply_message(req, s->item.message, false);
    } else {
        request_fail_err(req, e, NULL);
    }
}

static void single_done(struct request *req, struct store_op *op)
{
    struct single *s = (struct single *)op;
    if (op->result)
        ingest_fail(req, &s->ingest, &s->application);
    else if (op->replayed)
        reply_first(req, s);
    else
        reply_message(req, s->item.message, s->with_content);
    message_unref(&s->item.message);
}

static void single_drop(struct request *req, struct store_op *op)
{
    (void)req;
    message_unref(&((struct single *)op)->item.message);
}

/* Makes the message out of the request's body, whose memory it takes over. */
static enum err read_message(struct request *req, const struct head *head, struct json_value object,
                             struct single *s, struct envelope_fault *fault)
{
    struct message *m = s->item.message = head_message(head);
    if (!m)
        return ERR_NO_MEMORY;
    m->block = request_take_body(req, &m->block_len);
    enum err e = envelope_read(object, m->block, m, &s->application, fault);
    if (!e)
        ingest_offer(req, &s->ingest, &s->application);
    return e;
}

static enum err read_event(struct request *req, const struct head *head, struct json_value object,
                           struct single *s, struct envelope_fault *fault)
{
    struct ingest_item *item = &s->item;
    if (head->mode == HEAD_NATIVE)
        return read_message(req, head, object, s, fault);
    if (head->mode == HEAD_STRUCTURED)
        return cloud_event_structured(object, head, &item->message, &item->identity, fault);
    return cloud_event_binary(head, request_body(req), &item->message, &item->identity, fault);
}

static void single_create(struct request *req)
{
    struct head head;
    struct json_value object = {0};
    struct envelope_fault fault;
    bool with_content;
    if (!ingest_head(req, &head) || !read_with_content(req, &with_content))
        return;
    if (head.mode == HEAD_BATCH) {
        batch_create_events(req, &head);
        return;
    }
    struct single *s = request_alloc(req, sizeof *s);
    if (!s) {
        request_fail_err(req, ERR_NO_MEMORY, NULL);
        return;
    }
    if (head.mode != HEAD_BINARY && !ingest_body(req, JSON_OBJECT, &object))
        return;
    ingest_prepare(req, &s->ingest);
    s->with_content = with_content;
    s->item = (struct ingest_item){0};
    s->ingest.items = &s->item;
    s->ingest.count = 1;
    s->application = (struct app){0};
    enum err e = read_event(req, &head, object, s, &fault);
    if (!e) {
        request_submit(req, &s->ingest.op, single_done, single_drop);
        return;
    }
    if (e == ERR_INVALID)
        request_invalid_type(req, fault.where, fault.field[0] ? fault.field : NULL, fault.message,
                             fault.type);
    else
        request_fail_err(req, e, NULL);
    message_unref(&s->item.message);
}

/* ---------------------------------------------------------------- routes */

static const struct route routes[] = {
    {METHOD_POST, "/api/v1/app/{app}/msg", ACCESS_INGEST, MESSAGE_BODY_MAX, single_create,
     "message.create"},
    {METHOD_POST, "/api/v1/app/{app}/msg/batch", ACCESS_INGEST, BATCH_BODY_MAX, batch_create,
     "message.create_batch"},
};

enum err ingest_new(const struct ingest_settings *settings, struct ingest **out)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return ERR_NO_MEMORY;
    (*out)->settings = *settings;
    if (settings->max_body <= 0)
        (*out)->settings.max_body = MESSAGE_BODY_MAX;
    return ERR_OK;
}

void ingest_free(struct ingest **in)
{
    free(*in);
    *in = NULL;
}

struct route_table ingest_routes(struct ingest *in)
{
    return (struct route_table){routes, sizeof routes / sizeof routes[0], in};
}
