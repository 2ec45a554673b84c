/* A malformed escape is refused rather than passed on as it is: two readers that disagree about
 * what a path means are how filters get bypassed. */
#include "http/query.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool is_plain(struct span text, bool plus)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '%' || (plus && text.ptr[i] == '+'))
            return false;
    return true;
}

/* The byte of the escape at the front of `text`; 0 when it is malformed or stands for a NUL. */
static char escaped_byte(struct span text)
{
    if (text.len < 3)
        return '\0';
    int high = hex(text.ptr[1]), low = hex(text.ptr[2]);
    return high < 0 || low < 0 ? '\0' : (char)(high * 16 + low);
}

enum err query_decode(struct arena *a, struct span text, bool plus, struct span *out)
{
    *out = text;
    if (is_plain(text, plus))
        return ERR_OK;
    char *bytes = arena_alloc(a, text.len);
    if (!bytes)
        return ERR_NO_MEMORY;
    size_t len = 0;
    while (text.len > 0) {
        char c = text.ptr[0];
        size_t used = 1;
        if (c == '%') {
            c = escaped_byte(text);
            used = 3;
            if (c == '\0')
                return ERR_INVALID;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        bytes[len++] = c;
        text = span_skip(text, used);
    }
    *out = span_of(bytes, len);
    return ERR_OK;
}

enum err query_parse(struct arena *a, struct span text, struct query *out)
{
    out->count = 0;
    while (text.ptr) {
        struct span value = span_cut(&text, '&');
        if (value.len == 0)
            continue;
        if (out->count == QUERY_PARAMS_MAX)
            return ERR_INVALID;
        struct span name = span_cut(&value, '=');
        enum err e = query_decode(a, name, true, &out->params[out->count].name);
        if (!e)
            e = query_decode(a, value, true, &out->params[out->count].value);
        if (e)
            return e;
        out->count++;
    }
    return ERR_OK;
}

bool query_get(const struct query *q, const char *name, struct span *value)
{
    for (unsigned i = 0; i < q->count; i++)
        if (span_is(q->params[i].name, name)) {
            *value = q->params[i].value;
            return true;
        }
    return false;
}

static bool names_array(struct span param, struct span name)
{
    return span_starts(param, name) &&
           (param.len == name.len || span_eq(span_skip(param, name.len), SPAN("[]")));
}

bool query_item(const struct query *q, const char *name, unsigned i, struct span *value)
{
    struct span wanted = span_text(name);
    for (unsigned p = 0; p < q->count; p++) {
        if (!names_array(q->params[p].name, wanted))
            continue;
        struct span rest = q->params[p].value;
        while (rest.ptr) {
            struct span item = span_cut(&rest, ',');
            if (item.len == 0)
                continue;
            if (i-- == 0) {
                *value = item;
                return true;
            }
        }
    }
    return false;
}
