/* One table of rules for both modes, so that an event is good in one exactly when it is good in the
 * other. What passes is written to one JSON object at once: that is how it is kept and sent on. */
#include "ingest/attribute.h"

#include "base/media_type.h"
#include "base/utf8.h"
#include "ingest/reading.h"

#include <assert.h>

_Static_assert(CLOUD_ATTRIBUTES_BYTES == 4096 && CLOUD_ATTRIBUTES_MAX == 64 &&
                   CLOUD_ATTRIBUTE_NAME_MAX == 64,
               "the texts name the numbers");

/* ---------------------------------------------------------------- rules */

static bool is_version(struct span s)
{
    return span_is(s, "1.0");
}

static bool is_filled(struct span s)
{
    return s.len > 0;
}

static bool is_event_type(struct span s)
{
    return reading_is_name(s, EVENT_TYPE_MAX, "-_.");
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* The characters of RFC 3986 section 2, with whole escapes. */
static bool is_uri_reference(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '%' && (s.len - i < 3 || !is_hex(s.ptr[i + 1]) || !is_hex(s.ptr[i + 2])))
            return false;
        if (!is_letter(c) && !is_digit(c) && (!c || !strchr("-._~:/?#[]@!$&'()*+,;=%", c)))
            return false;
    }
    return s.len > 0;
}

/* Section 4.3, with a scheme of section 3.1. */
static bool is_uri(struct span s)
{
    size_t i = 0;
    while (i < s.len && (is_letter(s.ptr[i]) || (i && (is_digit(s.ptr[i]) || s.ptr[i] == '+' ||
                                                       s.ptr[i] == '-' || s.ptr[i] == '.'))))
        i++;
    return i > 0 && i + 1 < s.len && s.ptr[i] == ':' && is_uri_reference(s);
}

static bool is_media_type(struct span s)
{
    struct media_type type;
    return media_type_parse(s, &type);
}

static bool is_ordering_key(struct span s)
{
    return s.len >= 1 && s.len <= NAME_MAX_LEN;
}

/* Of what wall_parse takes, RFC 3339 alone. */
static bool is_time(struct span s)
{
    struct wall t;
    return !wall_parse(s, &t) && (s.ptr[10] == 'T' || s.ptr[10] == 't') &&
           (s.ptr[s.len - 1] == 'Z' || s.ptr[s.len - 1] == 'z' || s.ptr[s.len - 3] == ':');
}

static const struct rule {
    const char *name;
    bool (*good)(struct span text); /* NULL: any text */
    const char *wrong;
} rules[ATTRIBUTES_KNOWN] = {
    [ATTRIBUTE_SPECVERSION] = {"specversion", is_version, "must be 1.0"},
    [ATTRIBUTE_ID] = {"id", is_filled, "must not be empty"},
    [ATTRIBUTE_SOURCE] = {"source", is_uri_reference, "must be a URI reference (RFC 3986)"},
    [ATTRIBUTE_TYPE] = {"type", is_event_type,
                        "must be 1 to 256 characters of a-z, A-Z, 0-9, - _ and ."},
    [ATTRIBUTE_CONTENT_TYPE] = {"datacontenttype", is_media_type, "must be a media type"},
    [ATTRIBUTE_SCHEMA] = {"dataschema", is_uri, "must be an absolute URI (RFC 3986)"},
    [ATTRIBUTE_SUBJECT] = {"subject", is_filled, "must not be empty"},
    [ATTRIBUTE_TIME] = {"time", is_time, "must be a date and time (RFC 3339)"},
    [ATTRIBUTE_TRACEPARENT] = {"traceparent", NULL, NULL},
    [ATTRIBUTE_TRACESTATE] = {"tracestate", NULL, NULL},
    [ATTRIBUTE_PARTITION_KEY] = {"partitionkey", is_ordering_key, "must be 1 to 256 bytes"},
};

static int find_rule(struct span name)
{
    for (int i = 0; i < ATTRIBUTES_KNOWN; i++)
        if (span_is(name, rules[i].name))
            return i;
    return -1;
}

/* ---------------------------------------------------------------- texts */

static uint32_t code_point(const uint8_t *at, size_t length)
{
    static const uint8_t lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = at[0] & lead[length];
    for (size_t i = 1; i < length; i++)
        c = c << 6 | (at[i] & 0x3f);
    return c;
}

/* Specification section 2.4, "String". */
static const char *judge_text(struct span s)
{
    const uint8_t *at = (const uint8_t *)s.ptr, *end = at + s.len;
    while (at < end) {
        size_t length = utf8_length(at, end);
        if (!length)
            return "is not UTF-8";
        uint32_t c = code_point(at, length);
        if (c < 0x20 || (c >= 0x7f && c <= 0x9f))
            return "must not have control characters";
        if ((c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe)
            return "must not have noncharacters of Unicode";
        at += length;
    }
    return NULL;
}

/* ---------------------------------------------------------------- taking them */

void attribute_begin(struct attributes *a, const char *prefix, struct envelope_fault *fault)
{
    a->fault = fault;
    a->prefix = prefix;
    a->count = 0;
    memset(a->known, 0, sizeof a->known);
    a->json = (struct buf){.ptr = a->json_room, .cap = sizeof a->json_room};
    a->json.max = CLOUD_ATTRIBUTES_BYTES;
    a->texts = (struct buf){.ptr = a->texts_room, .cap = sizeof a->texts_room};
    a->texts.max = CLOUD_ATTRIBUTES_BYTES;
    a->json_room[0] = a->texts_room[0] = '\0';
    jw_init(&a->writer, &a->json);
    jw_object(&a->writer);
}

enum err attribute_refuse(struct attributes *a, struct span name, const char *message)
{
    struct envelope_fault *f = a->fault;
    if (*a->prefix && span_is(name, rules[ATTRIBUTE_CONTENT_TYPE].name))
        snprintf(f->field, sizeof f->field, "content-type");
    else
        snprintf(f->field, sizeof f->field, "%s%.*s", a->prefix, SPAN_ARG(name));
    f->where = *a->prefix ? "header" : "body";
    f->message = message;
    f->type = "value_error";
    return ERR_INVALID;
}

enum err attribute_name(struct attributes *a, struct span name)
{
    bool good = name.len >= 1 && name.len <= CLOUD_ATTRIBUTE_NAME_MAX;
    for (size_t i = 0; good && i < name.len; i++)
        good = is_digit(name.ptr[i]) || (name.ptr[i] >= 'a' && name.ptr[i] <= 'z');
    if (!good)
        return attribute_refuse(a, name, "a name of an attribute is 1 to 64 of a-z and 0-9");
    for (unsigned i = 0; i < a->count; i++)
        if (span_eq(a->names[i], name))
            return attribute_refuse(a, name, "is given twice");
    if (a->count == CLOUD_ATTRIBUTES_MAX)
        return attribute_refuse(a, name, "there are more than 64 context attributes");
    a->names[a->count++] = name;
    return ERR_OK;
}

static void write_name(struct attributes *a, struct span name)
{
    char text[CLOUD_ATTRIBUTE_NAME_MAX + 1];
    assert(name.len < sizeof text); /* attribute_name let it pass */
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    jw_name(&a->writer, text);
}

enum err attribute_text(struct attributes *a, struct span name, struct span text)
{
    const char *wrong = judge_text(text);
    int known = find_rule(name);
    if (!wrong && known >= 0 && rules[known].good && !rules[known].good(text))
        wrong = rules[known].wrong;
    if (wrong)
        return attribute_refuse(a, name, wrong);
    if (known >= 0)
        a->known[known] = text;
    write_name(a, name);
    jw_string(&a->writer, text);
    return a->json.failed ? attribute_refuse(a, name, ATTRIBUTES_TOO_LONG) : ERR_OK;
}

enum err attribute_plain(struct attributes *a, struct span name, struct span json)
{
    if (find_rule(name) >= 0)
        return attribute_refuse(a, name, "must be a text");
    write_name(a, name);
    jw_raw(&a->writer, json);
    return a->json.failed ? attribute_refuse(a, name, ATTRIBUTES_TOO_LONG) : ERR_OK;
}

enum err attribute_end(struct attributes *a)
{
    for (int i = 0; i < ATTRIBUTES_REQUIRED; i++)
        if (!a->known[i].len) {
            enum err e = attribute_refuse(a, span_text(rules[i].name), "is required");
            a->fault->type = "value_error.missing";
            return e;
        }
    jw_end_object(&a->writer);
    jw_finish(&a->writer);
    return a->json.failed ? attribute_refuse(a, a->names[a->count - 1], ATTRIBUTES_TOO_LONG)
                          : ERR_OK;
}
