/* Attributes are one JSON object for both modes: that of the message, or one made of what a native
 * message has. */
#include "dispatcher/event_format.h"

#include "base/hash.h"
#include "base/json_scan.h"
#include "base/json_writer.h"
#include "base/media_type.h"
#include "base/utf8.h"

#define NATIVE_BYTES 2048 /* attributes of a native message, but for content type and trace */
#define ESCAPED 6         /* bytes of JSON that one byte of a text becomes at most */

struct span event_format_content_type(const struct message *m)
{
    if (m->content_type.len || !m->payload.len)
        return m->content_type;
    return SPAN("application/json");
}

/* ---------------------------------------------------------------- attributes */

static void write_native(struct json_writer *w, const struct message *m)
{
    char source[8 + ID_MAX] = "/app/";
    size_t len = strlen(source) + id_format(&m->app, ID_APP, source + strlen(source));
    struct span type = event_format_content_type(m);
    jw_object(w);
    jw_member_string(w, "specversion", SPAN("1.0"));
    jw_member_id(w, "id", ID_MESSAGE, &m->id);
    jw_member_string(w, "source", span_of(source, len));
    jw_member_string(w, "type", m->event_type);
    jw_member_time(w, "time", m->created);
    if (type.len)
        jw_member_string(w, "datacontenttype", type);
    if (m->ordering_key.len)
        jw_member_string(w, "partitionkey", m->ordering_key);
    if (m->traceparent.len)
        jw_member_string(w, "traceparent", m->traceparent);
    if (m->tracestate.len)
        jw_member_string(w, "tracestate", m->tracestate);
    jw_end_object(w);
}

static void write_attributes(struct buf *out, const struct message *m)
{
    struct json_writer w;
    jw_init(&w, out);
    if (m->attributes.len)
        jw_raw(&w, m->attributes);
    else
        write_native(&w, m);
    jw_finish(&w);
}

/* The most that write_attributes appends. */
static size_t attributes_max(const struct message *m)
{
    size_t texts = m->event_type.len + m->content_type.len + m->ordering_key.len +
                   m->traceparent.len + m->tracestate.len;
    return NATIVE_BYTES + m->attributes.len + ESCAPED * texts;
}

/* ---------------------------------------------------------------- structured mode */

enum data_form { DATA_JSON, DATA_TEXT, DATA_BASE64 };

static bool is_json(struct span payload)
{
    struct json_value value;
    struct json_error error;
    return !json_check(payload, JSON_DEPTH_MAX, &value, &error);
}

/* Only an object of plain application/json has no content type. */
static enum data_form form_of(const struct message *m)
{
    struct media_type type;
    if (!m->content_type.len)
        return DATA_JSON;
    if (!media_type_parse(m->content_type, &type))
        return DATA_BASE64;
    if (media_type_is_json(&type))
        return is_json(m->payload) ? DATA_JSON : DATA_BASE64;
    bool text = media_type_is_utf8_text(&type) && utf8_valid(m->payload) &&
                !memchr(m->payload.ptr, 0, m->payload.len);
    return text ? DATA_TEXT : DATA_BASE64;
}

static void write_data(struct buf *out, const struct message *m)
{
    struct json_writer w;
    switch (form_of(m)) {
    case DATA_JSON:
        buf_text(out, ",\"data\":");
        buf_span(out, m->payload);
        break;
    case DATA_TEXT:
        buf_text(out, ",\"data\":");
        jw_init(&w, out);
        jw_string(&w, m->payload);
        jw_finish(&w);
        break;
    case DATA_BASE64:
        buf_text(out, ",\"data_base64\":\"");
        base64_encode(m->payload, out);
        buf_char(out, '"');
        break;
    }
}

bool event_format_structured(const struct message *m, struct buf *out)
{
    buf_init(out, attributes_max(m) + ESCAPED * m->payload.len);
    if (!buf_reserve(out, m->attributes.len + m->payload.len + 512))
        return false;
    write_attributes(out, m);
    if (m->payload.len && !out->failed) {
        out->len--; /* the object goes on */
        write_data(out, m);
        buf_char(out, '}');
    }
    return !out->failed;
}

/* ---------------------------------------------------------------- binary mode */

/* HTTP binding section 3.1.3.2. */
static void percent_encode(struct buf *out, struct span text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];
        if (c > 0x20 && c < 0x7f && c != '"' && c != '%') {
            buf_char(out, (char)c);
        } else {
            buf_char(out, '%');
            buf_char(out, digits[c >> 4]);
            buf_char(out, digits[c & 15]);
        }
    }
}

/* "name: value"; curl sends one without a value when a semicolon stands for the colon. */
static bool add_line(struct curl_slist **lines, struct span name, struct span value)
{
    struct buf line;
    buf_init(&line, 8 + name.len + 3 * value.len);
    buf_text(&line, "ce-");
    buf_span(&line, name);
    buf_text(&line, value.len ? ": " : ";");
    percent_encode(&line, value);
    struct curl_slist *longer = line.failed ? NULL : curl_slist_append(*lines, line.ptr);
    buf_free(&line);
    if (longer)
        *lines = longer;
    return longer != NULL;
}

static bool add_attribute(struct curl_slist **lines, struct span name, struct json_value v)
{
    if (v.type != JSON_STRING)
        return add_line(lines, name, v.raw);
    struct buf text;
    buf_init(&text, v.raw.len);
    bool good = !json_text(v, &text) && add_line(lines, name, buf_view(&text));
    buf_free(&text);
    return good;
}

bool event_format_binary(const struct message *m, struct curl_slist **lines)
{
    struct buf attributes;
    struct json_value object, value;
    struct json_error error;
    buf_init(&attributes, attributes_max(m));
    write_attributes(&attributes, m);
    bool good = !attributes.failed && !json_check(buf_view(&attributes), 2, &object, &error) &&
                object.type == JSON_OBJECT;
    struct json_walk w = good ? json_walk(object) : (struct json_walk){0};
    for (struct span name; good && json_next(&w, &name, &value);)
        if (!span_is(name, "datacontenttype"))
            good = add_attribute(lines, name, value);
    buf_free(&attributes);
    return good;
}
