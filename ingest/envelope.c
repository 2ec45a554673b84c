/* The hot path of ingest: one walk over the members, no allocation unless a text has escapes.
 What several readers share is in
 * reading.c. */
#include "ingest/reading.h"

#include "dispatcher/dispatcher.h"

#include <assert.h>

#define DAY_US (24 * 3600 * US_PER_S)
#define HOUR_US (3600 * US_PER_S)
#define DELIVER_AT_MAX_US DAY_US
#define DELIVER_AT_PATIENCE_US (60 * US_PER_S)

static bool is_printable(struct span s, size_t max)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
            return false;
    return s.len >= 1 && s.len <= max;
}

static bool is_tag(struct span s)
{
    return is_printable(s, CHANNEL_MAX);
}

static bool is_channel(struct span s)
{
    return reading_is_name(s, CHANNEL_MAX, "-_.:");
}

/* ---------------------------------------------------------------- members */

static enum err read_event_type(struct reading *r, struct json_value v)
{
    enum err e = reading_text(r, v, &r->m->event_type);
    if (e == ERR_INVALID || (!e && !reading_is_name(r->m->event_type, EVENT_TYPE_MAX, "-_.")))
        return reading_refuse(r, "eventType",
                              "must be 1 to 256 characters of a-z, A-Z, 0-9, - _ and .");
    return e;
}

static enum err read_event_id(struct reading *r, struct json_value v)
{
    enum err e = reading_text(r, v, &r->m->event_id);
    if (e == ERR_INVALID || (!e && !reading_is_name(r->m->event_id, EVENT_ID_MAX, "-_.")))
        return reading_refuse(r, "eventId",
                              "must be 1 to 256 characters of a-z, A-Z, 0-9, - _ and .");
    if (!e && span_starts(r->m->event_id, SPAN(ID_MESSAGE)))
        return reading_refuse(r, "eventId", "must not begin with msg_");
    return e;
}

static enum err read_payload(struct reading *r, struct json_value v)
{
    if (v.type != JSON_OBJECT)
        return reading_refuse(r, "payload", "must be an object");
    r->payload = v.raw;
    return ERR_OK;
}

struct list_rule {
    const char *field;
    unsigned max;
    bool (*good)(struct span s);
    const char *not_a_list, *too_many, *bad_item;
};

static enum err read_list(struct reading *r, struct json_value v, const struct list_rule *rule,
                          struct span *list, unsigned *count)
{
    if (v.type != JSON_ARRAY)
        return reading_refuse(r, rule->field, rule->not_a_list);
    struct json_walk w = json_walk(v);
    struct json_value item;
    struct span name;
    while (json_next(&w, &name, &item)) {
        if (*count == rule->max)
            return reading_refuse(r, rule->field, rule->too_many);
        enum err e = reading_text(r, item, &list[*count]);
        if (e == ERR_INVALID || (!e && !rule->good(list[*count])))
            return reading_refuse_item(r, rule->field, *count, rule->bad_item);
        if (e)
            return e;
        for (unsigned i = 0; i < *count; i++)
            if (span_eq(list[i], list[*count]))
                return reading_refuse_item(r, rule->field, *count, "is in the list twice");
        ++*count;
    }
    return ERR_OK;
}

_Static_assert(MESSAGE_CHANNELS_MAX == 5 && TAGS_MAX == 8, "the texts below name the numbers");

static enum err read_channels(struct reading *r, struct json_value v)
{
    static const struct list_rule rule = {
        "channels",
        MESSAGE_CHANNELS_MAX,
        is_channel,
        "must be a list of texts",
        "must have at most 5 items",
        "must be 1 to 128 characters of a-z, A-Z, 0-9, - _ . and :",
    };
    return read_list(r, v, &rule, r->m->channels, &r->m->channel_count);
}

static enum err read_tags(struct reading *r, struct json_value v)
{
    static const struct list_rule rule = {
        "tags",
        TAGS_MAX,
        is_tag,
        "must be a list of texts",
        "must have at most 8 items",
        "must be a text of 1 to 128 bytes without control characters",
    };
    return read_list(r, v, &rule, r->m->tags, &r->m->tag_count);
}

static enum err read_retention(struct reading *r, struct json_value v, int64_t least, int64_t most,
                               int64_t unit_us, const char *field, const char *message)
{
    int64_t n;
    if (json_int64(v, least, most, &n))
        return reading_refuse(r, field, message);
    if (r->m->retention_us)
        return reading_refuse(r, field, "excludes the other retention member");
    r->m->retention_us = n * unit_us;
    return ERR_OK;
}

static enum err read_retention_days(struct reading *r, struct json_value v)
{
    return read_retention(r, v, 5, 90, DAY_US, "payloadRetentionPeriod",
                          "must be an integer between 5 and 90 (days)");
}

static enum err read_retention_hours(struct reading *r, struct json_value v)
{
    return read_retention(r, v, 1, 90 * 24, HOUR_US, "payloadRetentionHours",
                          "must be an integer between 1 and 2160 (hours)");
}

static enum err read_ordering_key(struct reading *r, struct json_value v)
{
    enum err e = reading_text(r, v, &r->m->ordering_key);
    if (e == ERR_INVALID || (!e && !is_printable(r->m->ordering_key, NAME_MAX_LEN)))
        return reading_refuse(r, "orderingKey",
                              "must be a text of 1 to 256 bytes without control characters");
    return e;
}

/* A moment that just passed is good too: the client's clock may differ, or this is a retry. */
static enum err read_deliver_at(struct reading *r, struct json_value v)
{
    struct span text;
    struct wall at;
    enum err e = reading_text(r, v, &text);
    if (e == ERR_INVALID || (!e && wall_parse(text, &at)))
        return reading_refuse(r, "deliverAt", "must be a date and time (RFC 3339)");
    if (e)
        return e;
    int64_t ahead = at.us - clock_wall().us;
    if (ahead < -DELIVER_AT_PATIENCE_US || ahead > DELIVER_AT_MAX_US)
        return reading_refuse(r, "deliverAt", "must be in the future, by at most 24 hours");
    r->m->deliver_at = at;
    return ERR_OK;
}

/* ---------------------------------------------------------------- transformationsParams */

#define HEADERS_FIELD "transformationsParams.headers"
#define RAW_FIELD "transformationsParams.rawPayload"

/* Content types are kept apart too: they tell readers that the payload may be anything. */
static enum err read_header(struct reading *r, struct span name, struct json_value v)
{
    struct buf value;
    const char *why = "must be texts by name";
    buf_init(&value, ENDPOINT_HEADERS_MAX);
    enum err e = v.type == JSON_STRING ? json_text(v, &value) : ERR_INVALID;
    if (value.failed)
        e = ERR_NO_MEMORY;
    if (!e)
        e = dispatcher_header_check(name, buf_view(&value), &why);
    buf_free(&value);
    if (e == ERR_INVALID)
        return reading_refuse(r, HEADERS_FIELD, why);
    if (!e && span_eq_nocase(name, SPAN("content-type")) && json_plain(v, &r->m->content_type))
        return reading_refuse(r, HEADERS_FIELD, "content-type must not have escapes");
    return e;
}

static enum err read_headers(struct reading *r, struct json_value v)
{
    if (v.type != JSON_OBJECT)
        return reading_refuse(r, HEADERS_FIELD, "must be an object");
    if (v.raw.len > ENDPOINT_HEADERS_MAX)
        return reading_refuse(r, HEADERS_FIELD, "must be at most 4096 bytes");
    struct json_walk w = json_walk(v);
    struct json_value item;
    struct span name;
    enum err e = ERR_OK;
    while (!e && json_next(&w, &name, &item))
        e = w.name_escaped || reading_is_repeated(v, name, span_eq_nocase)
                ? reading_refuse(r, HEADERS_FIELD, "names must differ and must not have escapes")
                : read_header(r, name, item);
    r->m->headers = v.raw;
    return e;
}

static enum err read_raw_payload(struct reading *r, struct json_value v)
{
    enum err e = reading_text(r, v, &r->m->payload);
    if (e == ERR_INVALID || (!e && r->m->payload.len == 0))
        return reading_refuse(r, RAW_FIELD, "must be a text that is not empty");
    r->raw = true;
    return e;
}

static enum err read_transformations(struct reading *r, struct json_value v)
{
    if (v.type != JSON_OBJECT)
        return reading_refuse(r, "transformationsParams", "must be an object");
    struct json_walk w = json_walk(v);
    struct json_value item;
    struct span name;
    enum err e = ERR_OK;
    while (!e && json_next(&w, &name, &item)) {
        if (item.type == JSON_NULL)
            continue;
        bool headers = span_is(name, "headers"), raw = span_is(name, "rawPayload");
        if ((headers && r->m->headers.len) || (raw && r->raw))
            e = reading_refuse(r, "transformationsParams", "has a member twice");
        else if (headers)
            e = read_headers(r, item);
        else if (raw)
            e = read_raw_payload(r, item);
        else
            e = reading_refuse(r, "transformationsParams",
                               "only rawPayload and headers are supported");
    }
    return e;
}

/* ---------------------------------------------------------------- the whole */

static enum err read_application(struct reading *r, struct json_value v)
{
    return application_read(r, v, r->application);
}

static const struct member {
    const char *name;
    enum err (*read)(struct reading *r, struct json_value v);
} members[] = {
    {"eventType", read_event_type},
    {"payload", read_payload},
    {"eventId", read_event_id},
    {"channels", read_channels},
    {"tags", read_tags},
    {"payloadRetentionPeriod", read_retention_days},
    {"payloadRetentionHours", read_retention_hours},
    {"transformationsParams", read_transformations},
    {"deliverAt", read_deliver_at},
    {"application", read_application},
    {"orderingKey", read_ordering_key},
};
#define MEMBERS (sizeof members / sizeof members[0])
enum { EVENT_TYPE, PAYLOAD }; /* places in the table */

static const struct member *find_member(struct span name)
{
    for (size_t i = 0; i < MEMBERS; i++)
        if (span_is(name, members[i].name))
            return &members[i];
    return NULL;
}

/* A name that is written with escapes is the same member. */
static enum err find_escaped(struct span name, const struct member **out)
{
    struct json_value quoted = {
        .type = JSON_STRING, .raw = {name.ptr - 1, name.len + 2}, .escaped = true};
    struct buf text;
    buf_init(&text, quoted.raw.len);
    enum err e = json_text(quoted, &text);
    *out = e ? NULL : find_member(buf_view(&text));
    if (text.failed)
        e = ERR_NO_MEMORY;
    buf_free(&text);
    return e == ERR_NO_MEMORY ? e : ERR_OK;
}

static enum err read_member(struct reading *r, const struct member *member, struct json_value v)
{
    unsigned bit = 1u << (member - members);
    if (r->seen & bit)
        return reading_refuse(r, member->name, "is given twice");
    r->seen |= bit;
    if (v.type == JSON_NULL && bit != 1u << EVENT_TYPE && bit != 1u << PAYLOAD)
        return ERR_OK;
    return member->read(r, v);
}

/* A raw payload always has its content type with it: that marks it as raw. */
static void settle_payload(struct reading *r)
{
    if (!r->raw)
        r->m->payload = r->payload;
    else if (r->m->content_type.len == 0)
        r->m->content_type = SPAN("application/json");
}

enum err envelope_read(struct json_value object, char *block, struct message *m, struct app *app,
                       struct envelope_fault *fault)
{
    assert(object.type == JSON_OBJECT);
    struct reading r = {.block = block, .m = m, .application = app, .fault = fault};
    struct json_walk w = json_walk(object);
    struct json_value value;
    struct span name;
    enum err e = ERR_OK;
    while (!e && json_next(&w, &name, &value)) {
        const struct member *member = NULL;
        if (w.name_escaped)
            e = find_escaped(name, &member);
        else
            member = find_member(name);
        if (!e && member)
            e = read_member(&r, member, value);
    }
    if (e)
        return e;
    if (!(r.seen & 1u << EVENT_TYPE))
        return reading_refuse_missing(&r, members[EVENT_TYPE].name);
    if (!(r.seen & 1u << PAYLOAD))
        return reading_refuse_missing(&r, members[PAYLOAD].name);
    settle_payload(&r);
    return ERR_OK;
}
