/* Maps are kept as the JSON that answers show, because most of them are written once and only ever
 * shown; the few places that look inside read the pairs here. */
#include "admin/text_map.h"

#include "base/bounds.h"
#include "base/json_writer.h"

enum err text_decode(struct arena *a, struct json_value string, struct span *out)
{
    if (json_plain(string, out) == ERR_OK)
        return ERR_OK;
    struct buf text;
    buf_init(&text, string.raw.len);
    enum err e = json_text(string, &text);
    if (!e && text.failed)
        e = ERR_NO_MEMORY;
    if (!e) {
        *out = arena_copy(a, buf_view(&text));
        e = out->ptr ? ERR_OK : ERR_NO_MEMORY;
    }
    buf_free(&text);
    return e;
}

/* A member's name as a string value, so that one decoder serves both. */
static struct json_value name_value(struct span name, bool escaped)
{
    return (struct json_value){
        .type = JSON_STRING, .raw = span_of(name.ptr - 1, name.len + 2), .escaped = escaped};
}

static enum err read_pair(struct arena *a, struct span name, bool escaped, struct json_value item,
                          struct text_pair *out, const char **why)
{
    *why = "a text has an escape that stands for no character";
    enum err e = text_decode(a, name_value(name, escaped), &out->name);
    if (!e)
        out->name = arena_copy(a, out->name);
    if (!e && !out->name.ptr)
        e = ERR_NO_MEMORY;
    out->null = item.type == JSON_NULL;
    if (e || out->null)
        return e;
    if (item.type == JSON_STRING)
        return text_decode(a, item, &out->value);
    *why = "every value must be a string";
    return ERR_INVALID;
}

enum err text_map_read(struct arena *a, struct json_value object, struct text_map *out,
                       const char **why)
{
    *out = (struct text_map){0};
    struct span name;
    struct json_value item;
    unsigned count = 0;
    for (struct json_walk w = json_walk(object); json_next(&w, &name, &item);)
        count++;
    if (count > TEXT_MAP_MAX) {
        *why = "too many entries";
        return ERR_INVALID;
    }
    out->pairs = arena_alloc(a, (count + 1) * sizeof *out->pairs);
    if (!out->pairs)
        return ERR_NO_MEMORY;
    memset(out->pairs, 0, (count + 1) * sizeof *out->pairs);
    for (struct json_walk w = json_walk(object); json_next(&w, &name, &item); out->count++) {
        enum err e = read_pair(a, name, w.name_escaped, item, &out->pairs[out->count], why);
        if (e)
            return e;
    }
    return ERR_OK;
}

enum err text_map_parse(struct arena *a, struct span raw, struct text_map *out)
{
    *out = (struct text_map){0};
    if (raw.len == 0)
        return ERR_OK;
    struct json_value value;
    struct json_error error;
    const char *why;
    if (json_check(raw, JSON_DEPTH_MAX, &value, &error) != ERR_OK || value.type != JSON_OBJECT)
        return ERR_CORRUPT;
    enum err e = text_map_read(a, value, out, &why);
    return e == ERR_INVALID ? ERR_CORRUPT : e;
}

void text_map_write(const struct text_map *m, struct buf *out)
{
    struct json_writer w;
    jw_init(&w, out);
    jw_object(&w);
    for (unsigned i = 0; i < m->count; i++) {
        jw_name(&w, m->pairs[i].name.ptr);
        if (m->pairs[i].null)
            jw_null(&w);
        else
            jw_string(&w, m->pairs[i].value);
    }
    jw_end_object(&w);
    jw_finish(&w);
}

struct text_pair *text_map_find_header(const struct text_map *m, struct span name)
{
    for (unsigned i = 0; i < m->count; i++)
        if (span_eq_nocase(m->pairs[i].name, name))
            return &m->pairs[i];
    return NULL;
}
