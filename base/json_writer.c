/* JSON going out. One bit a level remembers the kind of container and whether it needs a comma, so
 * a misplaced value or an open container is an assertion, not a broken answer. */
#include "base/json_writer.h"

#include "base/json_plain.h"
#include "base/utf8.h"

#include <assert.h>
#include <math.h>

void jw_init(struct json_writer *w, struct buf *out)
{
    *w = (struct json_writer){.out = out};
}

void jw_finish(struct json_writer *w)
{
    assert(w->depth == 0 && !w->after_name);
}

static uint32_t level(const struct json_writer *w)
{
    return UINT32_C(1) << (w->depth - 1);
}

static bool in_object(const struct json_writer *w)
{
    return w->depth > 0 && (w->is_object & level(w));
}

static void comma(struct json_writer *w)
{
    if (w->has_item & level(w))
        buf_char(w->out, ',');
    w->has_item |= level(w);
}

static void begin_value(struct json_writer *w)
{
    assert(in_object(w) == w->after_name);
    if (w->depth > 0 && !w->after_name)
        comma(w);
    w->after_name = false;
}

static void open_container(struct json_writer *w, bool object)
{
    begin_value(w);
    assert(w->depth < JSON_WRITER_DEPTH);
    w->depth++;
    w->has_item &= ~level(w);
    w->is_object = object ? w->is_object | level(w) : w->is_object & ~level(w);
    buf_char(w->out, object ? '{' : '[');
}

static void close_container(struct json_writer *w, bool object)
{
    assert(w->depth > 0 && in_object(w) == object && !w->after_name);
    w->depth--;
    buf_char(w->out, object ? '}' : ']');
}

void jw_object(struct json_writer *w)
{
    open_container(w, true);
}

void jw_end_object(struct json_writer *w)
{
    close_container(w, true);
}

void jw_array(struct json_writer *w)
{
    open_container(w, false);
}

void jw_end_array(struct json_writer *w)
{
    close_container(w, false);
}

static void escape(struct buf *out, uint8_t c)
{
    static const char letters[] = "btn.fr"; /* from U+0008 on; U+000B has none */

    if (c == '"' || c == '\\')
        buf_printf(out, "\\%c", c);
    else if (c >= '\b' && c <= '\r' && c != '\v')
        buf_printf(out, "\\%c", letters[c - '\b']);
    else
        buf_printf(out, "\\u%04x", c);
}

static void quoted(struct buf *out, struct span s)
{
    const uint8_t *at = (const uint8_t *)s.ptr, *end = at + s.len, *run = at;

    buf_char(out, '"');
    while ((at = json_plain_end(at, end)) < end) {
        size_t length = utf8_length(at, end);
        if (length > 1) {
            at += length;
            continue;
        }
        buf_bytes(out, run, (size_t)(at - run));
        if (length == 1)
            escape(out, *at);
        else
            buf_text(out, "\xef\xbf\xbd");
        run = ++at;
    }
    buf_bytes(out, run, (size_t)(at - run));
    buf_char(out, '"');
}

void jw_name(struct json_writer *w, const char *name)
{
    assert(in_object(w) && !w->after_name);
    comma(w);
    quoted(w->out, span_text(name));
    buf_char(w->out, ':');
    w->after_name = true;
}

void jw_string(struct json_writer *w, struct span s)
{
    begin_value(w);
    quoted(w->out, s);
}

void jw_int(struct json_writer *w, int64_t v)
{
    begin_value(w);
    if (v < 0)
        buf_char(w->out, '-');
    buf_decimal(w->out, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void jw_double(struct json_writer *w, double v)
{
    char text[32];

    if (!isfinite(v)) {
        jw_null(w);
        return;
    }
    begin_value(w);
    snprintf(text, sizeof text, "%.15g", v);
    if (strtod(text, NULL) != v)
        snprintf(text, sizeof text, "%.17g", v);
    buf_text(w->out, text);
}

void jw_bool(struct json_writer *w, bool v)
{
    begin_value(w);
    buf_text(w->out, v ? "true" : "false");
}

void jw_null(struct json_writer *w)
{
    begin_value(w);
    buf_text(w->out, "null");
}

void jw_raw(struct json_writer *w, struct span json)
{
    if (json.len == 0) {
        jw_null(w);
        return;
    }
    begin_value(w);
    buf_span(w->out, json);
}

void jw_id(struct json_writer *w, const char *prefix, const struct id *id)
{
    char text[ID_MAX + 1];
    size_t len = id_format(id, prefix, text);

    jw_string(w, span_of(text, len));
}

void jw_time(struct json_writer *w, struct wall t)
{
    char text[WALL_TEXT_LEN + 1];

    if (t.us == 0) {
        jw_null(w);
        return;
    }
    wall_format(t, text);
    jw_string(w, span_of(text, WALL_TEXT_LEN));
}

void jw_member_string(struct json_writer *w, const char *name, struct span s)
{
    jw_name(w, name);
    jw_string(w, s);
}

void jw_member_int(struct json_writer *w, const char *name, int64_t v)
{
    jw_name(w, name);
    jw_int(w, v);
}

void jw_member_bool(struct json_writer *w, const char *name, bool v)
{
    jw_name(w, name);
    jw_bool(w, v);
}

void jw_member_null(struct json_writer *w, const char *name)
{
    jw_name(w, name);
    jw_null(w);
}

void jw_member_raw(struct json_writer *w, const char *name, struct span json)
{
    jw_name(w, name);
    jw_raw(w, json);
}

void jw_member_id(struct json_writer *w, const char *name, const char *prefix, const struct id *id)
{
    jw_name(w, name);
    jw_id(w, prefix, id);
}

void jw_member_time(struct json_writer *w, const char *name, struct wall t)
{
    jw_name(w, name);
    jw_time(w, t);
}
