/* An example of an event, sent to one endpoint: out of the newest schema of its type, or as given.
 * It is a message like any other, but for its only receiver; no replay brings it to another. */
#include "http/message_out.h"

#include "admin/event_type.h"
#include "admin/field.h"
#include "admin/handlers.h"
#include "admin/write.h"

/* Versions are numbers in practice: the longer one is newer. Others are compared as texts. */
static bool is_newer(struct span version, struct span than)
{
    if (version.len != than.len)
        return version.len > than.len;
    return version.len && memcmp(version.ptr, than.ptr, version.len) > 0;
}

static bool newest_schema(struct span schemas, struct json_value *out)
{
    struct json_value all, schema;
    struct json_error error;
    struct span version, newest = {0};
    bool found = false;
    if (!schemas.len || json_check(schemas, JSON_DEPTH_MAX, &all, &error) ||
        all.type != JSON_OBJECT)
        return false;
    for (struct json_walk walk = json_walk(all); json_next(&walk, &version, &schema);)
        if (schema.type == JSON_OBJECT && (!found || is_newer(version, newest))) {
            newest = version;
            *out = schema;
            found = true;
        }
    return found;
}

static bool member(struct json_value object, const char *name, struct json_value *out)
{
    struct span found;
    for (struct json_walk walk = json_walk(object); json_next(&walk, &found, out);)
        if (span_is(found, name))
            return true;
    return false;
}

/* `examples[index]`, or else `example`. */
static bool pick(struct body *b, struct json_value schema, int64_t index, struct json_value *out)
{
    struct json_value list;
    struct span none;
    if (!member(schema, "examples", &list) || list.type != JSON_ARRAY)
        return member(schema, "example", out);
    struct json_walk walk = json_walk(list);
    while (json_next(&walk, &none, out))
        if (index-- == 0)
            return true;
    body_refuse(b, "exampleIndex", "the event type has not so many examples");
    return false;
}

static void find_example(struct request *req, struct write *w, struct span name, int64_t index,
                         struct json_value *out)
{
    struct body *b = &w->body;
    struct json_value schema;
    enum err e =
        store_event_type_get(w->found.read, &request_principal(req)->org, name, &w->replaced);
    if (e && e != ERR_NOT_FOUND)
        b->result = e;
    else if (e || !event_type_visible(req, w->replaced))
        body_refuse(b, "eventType", "no event type has this name");
    else if (!newest_schema(w->replaced->schemas, &schema) || !pick(b, schema, index, out))
        body_refuse(b, "eventType", "the event type has no example");
    else if (out->type != JSON_OBJECT)
        body_refuse(b, "eventType", "the example is not an object");
}

/* The payload to send. One of the caller's own is for the organisation: its application's people
 * must not put words into its log. */
static void read_payload(struct request *req, struct write *w, struct span type,
                         struct json_value *out)
{
    struct body *b = &w->body;
    int64_t index = 0;
    body_integer(b, "exampleIndex", 0, INT32_MAX, &index);
    enum field given = body_object(b, "payload", ADMIN_BODY_MAX, out);
    if (given == FIELD_VALUE && request_principal(req)->scope != SCOPE_ADMIN)
        body_refuse(b, "payload", "only a token of the organisation may choose it");
    if (b->result == ERR_OK && given != FIELD_VALUE)
        find_example(req, w, type, index, out);
}

/* The message outlives the request's body: it gets memory of its own. */
static bool make_message(struct write *w, struct span type, struct span payload)
{
    struct message *m = message_new();
    w->message = m;
    if (m)
        m->block = malloc(type.len + payload.len);
    if (!m || !m->block)
        return false;
    m->block_len = type.len + payload.len;
    memcpy(m->block, type.ptr, type.len);
    memcpy(m->block + type.len, payload.ptr, payload.len);
    m->event_type = span_of(m->block, type.len);
    m->payload = span_of(m->block + type.len, payload.len);
    m->only_endpoint = w->found.endpoint->number;
    return true;
}

/* A repeated request gets the first message again; one that is gone meanwhile, as far as known. */
static void render(struct request *req, struct write *w)
{
    struct message *first = NULL;
    bool whole = true;
    if (w->op.replayed) {
        whole = lookup_begin(req, &w->found) == ERR_OK &&
                store_message_load(w->found.read, &w->item.existing, &first) == ERR_OK;
        w->message->id = w->item.existing;
        w->message->created = id_time(&w->item.existing);
    }
    w->op.replayed = false;
    buf_clear(&w->op.answer);
    struct json_writer out = write_answer(w);
    message_out(&out, first ? first : w->message, whole);
    message_unref(&first);
}

static bool example_step(struct request *req, struct write *w)
{
    struct ingest_op *op = &w->ingest_op;
    struct span type = {0};
    struct json_value payload = {0};
    if (!lookup_endpoint(req, &w->found))
        return false;
    write_open_body(req, w, false);
    body_require(&w->body, "eventType", body_text(&w->body, "eventType", &field_event_type, &type));
    read_payload(req, w, type, &payload);
    if (!write_body_good(req, w))
        return false;
    if (!make_message(w, type, payload.raw))
        return write_good(req, ERR_NO_MEMORY);
    w->item = (struct ingest_item){.message = w->message};
    op->org = request_principal(req)->org;
    op->app = request_param(req, "app");
    op->count = 1;
    op->items = &w->item;
    write_prepare(w, STORE_INGEST, 202);
    w->before_reply = render;
    return true;
}

void example_send_route(struct request *req)
{
    write_run(req, example_step);
}
