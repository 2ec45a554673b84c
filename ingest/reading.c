/* Decoding in place is safe because a decoded text is never longer than its escaped form and the
 * walk has passed it already. */
#include "ingest/reading.h"

#include <assert.h>

enum err reading_refuse(struct reading *r, const char *field, const char *message)
{
    snprintf(r->fault->field, sizeof r->fault->field, "%s", field);
    r->fault->where = "body";
    r->fault->message = message;
    r->fault->type = "value_error";
    return ERR_INVALID;
}

enum err reading_refuse_item(struct reading *r, const char *field, unsigned index,
                             const char *message)
{
    enum err e = reading_refuse(r, field, message);
    snprintf(r->fault->field, sizeof r->fault->field, "%s.%u", field, index);
    return e;
}

enum err reading_refuse_missing(struct reading *r, const char *field)
{
    enum err e = reading_refuse(r, field, "is required");
    r->fault->type = "value_error.missing";
    return e;
}

enum err reading_text(struct reading *r, struct json_value v, struct span *out)
{
    if (v.type != JSON_STRING)
        return ERR_INVALID;
    if (!v.escaped)
        return json_plain(v, out);
    struct buf decoded;
    buf_init(&decoded, v.raw.len);
    enum err e = json_text(v, &decoded);
    if (decoded.failed)
        e = ERR_NO_MEMORY; /* the decoded text is never longer, so it is not too large */
    if (!e) {
        char *at = r->block + (v.raw.ptr - r->block) + 1;
        assert(decoded.len <= v.raw.len - 2);
        if (decoded.len)
            memcpy(at, decoded.ptr, decoded.len);
        *out = span_of(at, decoded.len);
    }
    buf_free(&decoded);
    return e;
}

bool reading_is_name(struct span s, size_t max, const char *marks)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && (c == '\0' || !strchr(marks, c)))
            return false;
    }
    return s.len >= 1 && s.len <= max;
}

bool reading_is_repeated(struct json_value object, struct span name,
                         bool (*same)(struct span, struct span))
{
    struct json_walk w = json_walk(object);
    struct json_value item;
    struct span other;
    while (json_next(&w, &other, &item) && other.ptr < name.ptr)
        if (same(other, name))
            return true;
    return false;
}
