/* The parts of span.h that are too long to be inline. Nothing here looks past `len`, and nothing
 * depends on the locale. */
#include "base/span.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool span_eq_nocase(struct span a, struct span b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

struct span span_cut(struct span *rest, char sep)
{
    const char *at = rest->len ? memchr(rest->ptr, sep, rest->len) : NULL;
    struct span part = *rest;

    if (!at) {
        *rest = (struct span){NULL, 0};
        return part;
    }
    part.len = (size_t)(at - rest->ptr);
    *rest = span_skip(*rest, part.len + 1);
    return part;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

struct span span_trim(struct span a)
{
    while (a.len && blank(a.ptr[0]))
        a = span_skip(a, 1);
    while (a.len && blank(a.ptr[a.len - 1]))
        a.len--;
    return a;
}
