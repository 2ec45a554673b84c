/* Both modes end in one message: one block with the attributes as JSON, what the store reads of
 * them, and the payload.
 *
 * Invariants: the payload is the bytes of the data, never written anew; nothing of the request is
 * pointed to when the message is returned; the identity depends on source and id alone. */
#include "ingest/cloud_event.h"

#include "base/hash.h"
#include "base/media_type.h"
#include "ingest/attribute.h"
#include "ingest/trace.h"

enum data_kind {
    DATA_NONE,
    DATA_OBJECT, /* JSON */
    DATA_JSON,   /* JSON of another type */
    DATA_BYTES,
};

struct data {
    enum data_kind kind;
    struct span bytes;
    struct buf decoded; /* what `bytes` points into when it had to be decoded */
};

/* ---------------------------------------------------------------- the message */

/* What a receiver is told that the payload is; empty: plain application/json, or nothing. */
static struct span content_type(const struct attributes *a, enum data_kind kind)
{
    struct span declared = a->known[ATTRIBUTE_CONTENT_TYPE];
    switch (kind) {
    case DATA_OBJECT:
        return span_eq_nocase(declared, SPAN("application/json")) ? (struct span){0} : declared;
    case DATA_JSON:
        return declared.len ? declared : SPAN("application/json");
    case DATA_BYTES:
        return declared.len ? declared : SPAN("application/octet-stream");
    case DATA_NONE:
        break;
    }
    return declared;
}

static struct span copy(char **at, struct span s)
{
    struct span to = span_of(*at, s.len);
    if (s.len)
        memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return to;
}

static enum err make_message(const struct attributes *a, const struct data *data,
                             const struct head *head, struct message **out)
{
    struct span json = buf_view(&a->json), type = content_type(a, data->kind);
    struct span event_type = a->known[ATTRIBUTE_TYPE], key = a->known[ATTRIBUTE_PARTITION_KEY];
    struct span parent = a->known[ATTRIBUTE_TRACEPARENT], state = a->known[ATTRIBUTE_TRACESTATE];
    if (!trace_is_parent(parent)) {
        parent = head->traceparent;
        state = head->tracestate;
    } else if (!trace_is_state(state)) {
        state = (struct span){0};
    }
    char *at;
    *out = message_new_with(json.len + event_type.len + key.len + type.len + parent.len +
                                state.len + data->bytes.len,
                            &at);
    if (!*out)
        return ERR_NO_MEMORY;
    struct message *m = *out;
    m->attributes = copy(&at, json);
    m->event_type = copy(&at, event_type);
    m->ordering_key = copy(&at, key);
    m->content_type = copy(&at, type);
    m->traceparent = copy(&at, parent);
    m->tracestate = copy(&at, state);
    m->payload = copy(&at, data->bytes);
    return ERR_OK;
}

/* SHA-256, because whoever names events could choose two of the same weaker hash. */
static void name_event(const struct attributes *a, struct idempotency *out)
{
    struct span source = a->known[ATTRIBUTE_SOURCE], id = a->known[ATTRIBUTE_ID];
    char text[2 * CLOUD_ATTRIBUTES_BYTES + 8];
    struct buf b = {.ptr = text, .cap = sizeof text, .max = sizeof text - 1};
    uint8_t digest[SHA256_BYTES];
    buf_u32(&b, (uint32_t)source.len);
    buf_span(&b, source);
    buf_span(&b, id);
    hash_sha256(buf_view(&b), digest);
    *out = (struct idempotency){.used = true, .lifetime_us = IDEMPOTENCY_KEPT_S * US_PER_S};
    memcpy(out->key, digest, sizeof out->key);
}

/* What two events of one identity must have in common: not the mode, nor the trace. */
static void sum_event(const struct attributes *a, struct span payload, struct idempotency *out)
{
    struct span type = a->known[ATTRIBUTE_TYPE];
    char text[16 + EVENT_TYPE_MAX + 1];
    struct buf b = {.ptr = text, .cap = sizeof text, .max = sizeof text - 1};
    uint8_t sum[16];
    hash_128(payload, sum);
    buf_bytes(&b, sum, sizeof sum);
    buf_span(&b, type);
    hash_128(buf_view(&b), sum);
    memcpy(out->body, sum, sizeof out->body);
}

static enum err finish(struct attributes *a, struct data *data, const struct head *head,
                       struct message **out, struct idempotency *identity)
{
    enum err e = make_message(a, data, head, out);
    if (e)
        return e;
    name_event(a, identity);
    sum_event(a, data->bytes, identity);
    return ERR_OK;
}

/* Whether what is declared is JSON; without a declaration `implied`. */
static bool is_json(const struct attributes *a, bool implied)
{
    struct media_type type;
    struct span declared = a->known[ATTRIBUTE_CONTENT_TYPE];
    return declared.len ? media_type_parse(declared, &type) && media_type_is_json(&type) : implied;
}

/* ---------------------------------------------------------------- structured mode */

#define DATA SPAN("data")
#define DATA_BASE64 SPAN("data_base64")

struct structured {
    struct attributes attributes;
    struct json_value data, base64; /* raw empty: absent */
};

/* The text of a string, where it stands or decoded into a buffer that does not move. */
static enum err text_of(struct json_value v, struct buf *decoded, struct span *out)
{
    if (!v.escaped)
        return json_plain(v, out);
    size_t start = decoded->len;
    enum err e = json_text(v, decoded);
    *out = span_of(decoded->ptr + start, decoded->len - start);
    return e;
}

static enum err read_attribute(struct attributes *a, struct span name, struct json_value v)
{
    int64_t number;
    struct span text = {0};
    enum err e = attribute_name(a, name);
    if (e)
        return e;
    switch (v.type) {
    case JSON_NULL: /* unset (JSON format section 3.1) */
        return ERR_OK;
    case JSON_BOOL:
        return attribute_plain(a, name, v.raw);
    case JSON_NUMBER:
        if (json_int64(v, INT32_MIN, INT32_MAX, &number))
            return attribute_refuse(a, name, "must be an integer of 32 bits");
        return attribute_plain(a, name, v.raw);
    case JSON_STRING:
        e = text_of(v, &a->texts, &text);
        if (a->texts.failed)
            return attribute_refuse(a, name, ATTRIBUTES_TOO_LONG);
        if (e)
            return attribute_refuse(a, name, "must not have control characters or half surrogates");
        return attribute_text(a, name, text);
    default:
        return attribute_refuse(a, name, "must be a text, true, false or an integer");
    }
}

/* `data`, `data_base64` or an attribute. */
static enum err read_member(struct structured *s, struct span name, struct json_value v)
{
    struct attributes *a = &s->attributes;
    struct json_value *member = span_eq(name, DATA)          ? &s->data
                                : span_eq(name, DATA_BASE64) ? &s->base64
                                                             : NULL;
    if (!member)
        return read_attribute(a, name, v);
    if (member->raw.len)
        return attribute_refuse(a, name, "is given twice");
    *member = v;
    return ERR_OK;
}

static bool is_set(struct json_value v)
{
    return v.raw.len > 0 && v.type != JSON_NULL;
}

/* The bytes that a string stands for. ERR_INVALID without a fault set. */
static enum err decode_string(struct json_value v, bool base64, struct buf *out)
{
    struct buf unescaped;
    struct span text = {0};
    buf_init(&unescaped, v.raw.len);
    buf_init(out, v.raw.len);
    enum err e = buf_reserve(&unescaped, v.raw.len) ? text_of(v, &unescaped, &text) : ERR_NO_MEMORY;
    if (!e && base64)
        e = base64_decode(text, out);
    else if (!e)
        buf_span(out, text);
    if (out->failed)
        e = ERR_NO_MEMORY; /* what is decoded is never longer */
    buf_free(&unescaped);
    return e;
}

/* What is declared as JSON, and is not, is found here. */
static enum err read_base64(struct structured *s, struct data *out)
{
    struct attributes *a = &s->attributes;
    struct json_value json;
    struct json_error error;
    enum err e =
        s->base64.type == JSON_STRING ? decode_string(s->base64, true, &out->decoded) : ERR_INVALID;
    if (e == ERR_INVALID)
        return attribute_refuse(a, DATA_BASE64, "must be base64 (RFC 4648)");
    out->bytes = buf_view(&out->decoded);
    out->kind = out->bytes.len ? DATA_BYTES : DATA_NONE;
    if (e || !is_json(a, false) || !out->bytes.len)
        return e;
    if (json_check(out->bytes, JSON_DEPTH_MAX, &json, &error))
        return attribute_refuse(a, DATA_BASE64, "must be JSON, as its datacontenttype says");
    out->kind = json.type == JSON_OBJECT ? DATA_OBJECT : DATA_JSON;
    return ERR_OK;
}

static enum err read_text(struct structured *s, struct data *out)
{
    struct attributes *a = &s->attributes;
    if (s->data.type != JSON_STRING)
        return attribute_refuse(a, DATA, "must be a text when datacontenttype is not JSON");
    enum err e = decode_string(s->data, false, &out->decoded);
    if (e == ERR_INVALID)
        return attribute_refuse(a, DATA, "must be a text without NUL and half surrogates");
    out->bytes = buf_view(&out->decoded);
    out->kind = out->bytes.len ? DATA_BYTES : DATA_NONE;
    return e;
}

static enum err read_data(struct structured *s, struct data *out)
{
    struct attributes *a = &s->attributes;
    if (is_set(s->data) && is_set(s->base64))
        return attribute_refuse(a, DATA_BASE64, "excludes data");
    if (is_set(s->base64))
        return read_base64(s, out);
    if (!is_set(s->data))
        return ERR_OK;
    if (!is_json(a, true))
        return read_text(s, out);
    out->kind = s->data.type == JSON_OBJECT ? DATA_OBJECT : DATA_JSON;
    out->bytes = s->data.raw;
    return ERR_OK;
}

enum err cloud_event_structured(struct json_value object, const struct head *head,
                                struct message **out, struct idempotency *identity,
                                struct envelope_fault *fault)
{
    struct structured s;
    struct data data = {0};
    struct json_walk w = json_walk(object);
    struct json_value value;
    struct span name;
    enum err e = ERR_OK;
    *out = NULL;
    s.data = s.base64 = (struct json_value){0};
    attribute_begin(&s.attributes, "", fault);
    while (!e && json_next(&w, &name, &value))
        e = w.name_escaped ? attribute_refuse(&s.attributes, name, "a name must not have escapes")
                           : read_member(&s, name, value);
    if (!e)
        e = attribute_end(&s.attributes);
    if (!e)
        e = read_data(&s, &data);
    if (!e)
        e = finish(&s.attributes, &data, head, out, identity);
    buf_free(&data.decoded);
    return e;
}

/* ---------------------------------------------------------------- binary mode */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Appends the value without its quotes (RFC 9110 section 5.6.4), as it may have them. */
static bool unquote(struct span value, struct buf *out)
{
    if (!value.len || *value.ptr != '"') {
        buf_span(out, value);
        return true;
    }
    size_t i = 1;
    for (; i < value.len && value.ptr[i] != '"'; i++) {
        if (value.ptr[i] == '\\' && ++i == value.len)
            return false;
        buf_char(out, value.ptr[i]);
    }
    return i + 1 == value.len;
}

/* HTTP binding section 3.1.3.2: quotes, then one round of percent-decoding. */
static const char *decode_value(struct span value, struct buf *texts, struct span *out)
{
    size_t start = texts->len;
    if (!unquote(value, texts))
        return "is not well quoted";
    if (texts->failed)
        return ATTRIBUTES_TOO_LONG;
    char *to = texts->ptr + start;
    for (const char *at = to, *end = texts->ptr + texts->len; at < end; at++) {
        if (*at != '%') {
            *to++ = *at;
            continue;
        }
        int high = end - at > 2 ? hex_value(at[1]) : -1, low = end - at > 2 ? hex_value(at[2]) : -1;
        if (high < 0 || low < 0)
            return "is not well percent-encoded";
        *to++ = (char)(high << 4 | low);
        at += 2;
    }
    texts->len = (size_t)(to - texts->ptr);
    *out = span_of(texts->ptr + start, texts->len - start);
    return NULL;
}

/* A header's name has no case, an attribute's is lower. *out lives as long as the attributes. */
static enum err lower_name(struct attributes *a, struct span header, struct span *out)
{
    size_t start = a->texts.len;
    struct span name = span_skip(header, 3);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        buf_char(&a->texts, c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
    }
    *out = span_of(a->texts.ptr + start, a->texts.len - start);
    return a->texts.failed ? attribute_refuse(a, name, ATTRIBUTES_TOO_LONG) : ERR_OK;
}

static enum err read_header(struct attributes *a, const struct head_attribute *h)
{
    struct span name, text = {0};
    enum err e = lower_name(a, h->name, &name);
    if (!e && span_is(name, "datacontenttype"))
        return attribute_refuse(a, name, "is sent as content-type, not as ce-datacontenttype");
    if (!e && span_is(name, "data"))
        return attribute_refuse(a, name, "is the body");
    if (!e)
        e = attribute_name(a, name);
    if (e)
        return e;
    const char *wrong = decode_value(h->value, &a->texts, &text);
    return wrong ? attribute_refuse(a, name, wrong) : attribute_text(a, name, text);
}

static enum err read_head(struct attributes *a, const struct head *head)
{
    const struct span name = SPAN("datacontenttype");
    enum err e = ERR_OK;
    for (unsigned i = 0; i < head->count && !e; i++)
        e = read_header(a, &head->attributes[i]);
    if (!e && head->content_types > 1)
        e = attribute_refuse(a, name, "is given twice");
    if (!e && head->content_types)
        e = attribute_name(a, name);
    if (!e && head->content_types)
        e = attribute_text(a, name, head->content_type);
    return e ? e : attribute_end(a);
}

/* What is not declared may be JSON, as senders that leave the type out mean it. */
static enum err read_body(const struct attributes *a, struct span body, struct data *out)
{
    struct json_value json;
    struct json_error error;
    bool declared = a->known[ATTRIBUTE_CONTENT_TYPE].len > 0;
    out->bytes = body;
    out->kind = body.len ? DATA_BYTES : DATA_NONE;
    if (!body.len || !is_json(a, true))
        return ERR_OK;
    if (json_check(body, JSON_DEPTH_MAX, &json, &error)) {
        if (!declared)
            return ERR_OK;
        *a->fault = (struct envelope_fault){
            .where = "body", .message = error.what, .type = "value_error.jsondecode"};
        return ERR_INVALID;
    }
    out->kind = json.type == JSON_OBJECT ? DATA_OBJECT : DATA_JSON;
    return ERR_OK;
}

enum err cloud_event_binary(const struct head *head, struct span body, struct message **out,
                            struct idempotency *identity, struct envelope_fault *fault)
{
    struct attributes a;
    struct data data = {0};
    *out = NULL;
    attribute_begin(&a, "ce-", fault);
    enum err e = read_head(&a, head);
    if (!e)
        e = read_body(&a, body, &data);
    return e ? e : finish(&a, &data, head, out, identity);
}
