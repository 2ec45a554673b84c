/* Borrowed bytes. A span never owns: whoever made the bytes says how long they live. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
    const char *ptr; /* may be NULL when len is 0 */
    size_t len;
};

/* A span over a string literal. */
#define SPAN(literal) ((struct span){"" literal, sizeof(literal) - 1})
/* For printf's "%.*s". */
#define SPAN_ARG(s) (int)(s).len, (s).ptr ? (s).ptr : ""

static inline struct span span_of(const void *ptr, size_t len)
{
    return (struct span){ptr, len};
}

/* `text` may be NULL: an empty span. */
static inline struct span span_text(const char *text)
{
    return (struct span){text, text ? strlen(text) : 0};
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool span_is(struct span a, const char *text)
{
    return span_eq(a, span_text(text));
}

static inline bool span_starts(struct span a, struct span prefix)
{
    return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.ptr, prefix.ptr, prefix.len) == 0);
}

/* ASCII case folding, as header names and host names want it. */
bool span_eq_nocase(struct span a, struct span b);

static inline struct span span_skip(struct span a, size_t n)
{
    return n >= a.len ? (struct span){a.ptr, 0} : (struct span){a.ptr + n, a.len - n};
}

/* Cuts the part before the first `sep` off the front of *rest and returns it; without a `sep` that
 * is all of it, and *rest becomes {NULL, 0}. Loop: while (rest.ptr) part = span_cut(&rest, ','); */
struct span span_cut(struct span *rest, char sep);
/* Without leading and trailing spaces and tabs. */
struct span span_trim(struct span a);

#endif
