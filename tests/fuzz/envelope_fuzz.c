/* A message on its way in. Whatever is accepted says to jansson, which parses the whole again, what
 * it says to us; its payload stands byte for byte in the input; it obeys the grammar of the API;
 * with one of its members given twice it is refused.
 *
 * Input: the body of a request, one message or a list of them. */
#include "ingest/envelope.h"
#include "tests/fuzz/json_oracle.h"

#define NOW_US INT64_C(1767225600000000) /* 2026-01-01: seeds have times around it */
#define HOUR_US (3600 * US_PER_S)

static const char name_bytes[] = FUZZ_ALNUM "-_.";

static bool is_printable(struct span s, size_t max)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < 32 || s.ptr[i] == 127)
            return false;
    return s.len >= 1 && s.len <= max;
}

/* ---------------------------------------------------------------- what was accepted */

static void check_grammar(const struct message *m)
{
    HOLDS(m->event_type.len >= 1 && m->event_type.len <= 256);
    HOLDS(fuzz_only(m->event_type, name_bytes));
    HOLDS(m->event_id.len <= 256 && fuzz_only(m->event_id, name_bytes));
    HOLDS(!span_starts(m->event_id, SPAN("msg_")));
    HOLDS(!m->ordering_key.len || is_printable(m->ordering_key, 256));
    HOLDS(m->channel_count <= 5 && m->tag_count <= 8);
    for (unsigned i = 0; i < m->channel_count; i++) {
        HOLDS(m->channels[i].len >= 1 && m->channels[i].len <= 128);
        HOLDS(fuzz_only(m->channels[i], FUZZ_ALNUM "-_.:"));
    }
    for (unsigned i = 0; i < m->tag_count; i++)
        HOLDS(is_printable(m->tags[i], 128));
    HOLDS(!m->deliver_at.us || (m->deliver_at.us >= NOW_US - 60 * US_PER_S &&
                                m->deliver_at.us <= NOW_US + 24 * HOUR_US));
    HOLDS(!m->retention_us || (m->retention_us >= HOUR_US && m->retention_us <= 90 * 24 * HOUR_US));
}

static void check_list(const json_t *theirs, const char *name, const struct span *ours,
                       unsigned count)
{
    const json_t *list = json_object_get(theirs, name);
    HOLDS(json_array_size(list) == count);
    for (unsigned i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        HOLDS(span_eq(span_of(json_string_value(item), json_string_length(item)), ours[i]));
        for (unsigned j = 0; j < i; j++)
            HOLDS(!span_eq(ours[i], ours[j]));
    }
}

static void check_optional(const json_t *theirs, const char *name, struct span ours)
{
    const json_t *v = json_object_get(theirs, name);
    HOLDS(ours.len ? oracle_text_is(theirs, name, ours) : !v || oracle_is_null(v));
}

static void check_application(const json_t *theirs, const struct app *app)
{
    const json_t *v = json_object_get(theirs, "application");
    HOLDS(oracle_is_object(v) == (app->name.len > 0));
    if (!app->name.len)
        return;
    check_optional(v, "name", app->name);
    check_optional(v, "uid", app->uid);
    if (app->metadata.len)
        HOLDS(oracle_same(app->metadata, json_object_get(v, "metadata")));
}

static void check_members(const json_t *theirs, const struct message *m, const struct app *app)
{
    const json_t *params = json_object_get(theirs, "transformationsParams");
    const json_t *raw = json_object_get(params, "rawPayload");
    const json_t *days = json_object_get(theirs, "payloadRetentionPeriod");
    const json_t *hours = json_object_get(theirs, "payloadRetentionHours");
    HOLDS(oracle_text_is(theirs, "eventType", m->event_type));
    check_optional(theirs, "eventId", m->event_id);
    check_optional(theirs, "orderingKey", m->ordering_key);
    check_list(theirs, "channels", m->channels, m->channel_count);
    check_list(theirs, "tags", m->tags, m->tag_count);
    HOLDS(m->retention_us == (json_is_integer(days) ? json_integer_value(days) * 24 * HOUR_US
                                                    : json_integer_value(hours) * HOUR_US));
    HOLDS(!m->deliver_at.us == !oracle_is_string(json_object_get(theirs, "deliverAt")));
    if (oracle_is_string(raw))
        HOLDS(oracle_text_is(params, "rawPayload", m->payload));
    else
        HOLDS(oracle_same(m->payload, json_object_get(theirs, "payload")));
    if (m->headers.len)
        HOLDS(oracle_same(m->headers, json_object_get(params, "headers")));
    check_application(theirs, app);
}

/* Where it stands in the block it stands in the input, unchanged by what was decoded in place. */
static void check_payload(const struct message *m, const char *block, struct span input)
{
    struct json_value again;
    struct json_error error;
    if (m->content_type.len) /* a raw one was decoded */
        return;
    HOLDS(m->payload.ptr >= block && m->payload.ptr + m->payload.len <= block + input.len);
    HOLDS(memcmp(m->payload.ptr, input.ptr + (m->payload.ptr - block), m->payload.len) == 0);
    HOLDS(json_check(m->payload, JSON_DEPTH_MAX, &again, &error) == ERR_OK);
    HOLDS(again.type == JSON_OBJECT && again.raw.len == m->payload.len);
}

/* ---------------------------------------------------------------- readings */

/* The message owns its copy of the input, as the handlers have it; NULL when it is refused. */
static struct message *read_one(struct span input, struct app *app, struct envelope_fault *fault)
{
    struct json_value object;
    struct json_error error;
    struct message *m = message_new();
    struct span block = fuzz_copy(input);
    *app = (struct app){.name = {0}};
    *fault = (struct envelope_fault){.where = NULL};
    HOLDS(m);
    m->block = (char *)block.ptr;
    m->block_len = block.len;
    enum err e = json_check(block, JSON_DEPTH_MAX, &object, &error);
    if (!e && object.type == JSON_OBJECT)
        e = envelope_read(object, m->block, m, app, fault);
    else
        e = ERR_INVALID;
    HOLDS(e == ERR_OK || e == ERR_INVALID);
    if (e)
        message_unref(&m);
    return m;
}

/* The same object with more members in front, behind its bracket. */
static struct message *read_with(const char *members, struct span object, struct app *app,
                                 struct envelope_fault *fault)
{
    struct buf text;
    buf_init(&text, object.len + 64);
    buf_char(&text, '{');
    buf_text(&text, members);
    buf_span(&text, span_skip(object, 1));
    struct message *m = read_one(buf_view(&text), app, fault);
    buf_free(&text);
    return m;
}

static void check_variants(struct span object)
{
    static const char *const twice[][2] = {
        {"\"eventType\":\"a\",", "eventType"},
        {"\"payload\":{},", "payload"},
        {"\"p\\u0061yload\":{},", "payload"},
    };
    struct envelope_fault fault;
    struct app app;
    for (size_t i = 0; i < sizeof twice / sizeof *twice; i++) {
        HOLDS(!read_with(twice[i][0], object, &app, &fault));
        HOLDS(strcmp(fault.field, twice[i][1]) == 0);
    }
    struct message *m = read_with("\"unknown\":[{\"payload\":1}],", object, &app, &fault);
    HOLDS(m);
    message_unref(&m);
}

static void check_message(struct span object)
{
    struct envelope_fault fault;
    struct app app;
    struct message *m = read_one(object, &app, &fault);
    if (!m) {
        HOLDS(fault.message && *fault.message);
        HOLDS(memchr(fault.field, '\0', sizeof fault.field));
        return;
    }
    check_grammar(m);
    check_payload(m, m->block, object);
    json_t *theirs = oracle_value(object);
    if (theirs)
        check_members(theirs, m, &app);
    json_decref(theirs);
    message_unref(&m);
    check_variants(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of(data, size), name;
    struct json_value root, item;
    clock_fake((struct wall){NOW_US}, (struct mono){0});
    if (!oracle_check(input, &root))
        return 0;
    if (root.type == JSON_OBJECT) {
        check_message(root.raw);
    } else if (root.type == JSON_ARRAY) {
        for (struct json_walk w = json_walk(root); json_next(&w, &name, &item);)
            if (item.type == JSON_OBJECT)
                check_message(item.raw);
    }
    return 0;
}
