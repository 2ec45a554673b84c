/* The structure of a regular expression of ECMA-262, as `pattern` wants it. Engines differ in their
 * escapes and groups, so only what none of them takes is refused. */
#include "admin/json_pattern.h"

struct scan {
    struct span rest;
    size_t open;     /* groups */
    bool repeatable; /* a quantifier may follow */
};

static char take(struct scan *s)
{
    char c = s->rest.ptr[0];
    s->rest = span_skip(s->rest, 1);
    return c;
}

static bool next_is(const struct scan *s, char c)
{
    return s->rest.len > 0 && s->rest.ptr[0] == c;
}

/* Behind the opening bracket. A bracket right behind it ends an empty class. */
static const char *skip_class(struct scan *s)
{
    while (s->rest.len) {
        char c = take(s);
        if (c == ']')
            return NULL;
        if (c == '\\' && s->rest.len)
            take(s);
    }
    return "has a bracket that is not closed";
}

/* "{2}", "{2,}" or "{2,3}" behind its brace; anything else is literal text in most dialects. */
static bool take_bounds(struct scan *s)
{
    size_t i = 0, digits = 0;
    while (i < s->rest.len && s->rest.ptr[i] >= '0' && s->rest.ptr[i] <= '9')
        i++, digits++;
    if (i < s->rest.len && s->rest.ptr[i] == ',')
        i++;
    while (i < s->rest.len && s->rest.ptr[i] >= '0' && s->rest.ptr[i] <= '9')
        i++;
    if (!digits || i >= s->rest.len || s->rest.ptr[i] != '}')
        return false;
    s->rest = span_skip(s->rest, i + 1);
    return true;
}

static const char *quantify(struct scan *s)
{
    if (!s->repeatable)
        return "repeats nothing";
    if (next_is(s, '?'))
        take(s);
    s->repeatable = false;
    return NULL;
}

static const char *open_group(struct scan *s)
{
    s->open++;
    s->repeatable = false;
    if (!next_is(s, '?'))
        return NULL;
    take(s);
    return s->rest.len ? NULL : "has a group that is not closed";
}

static const char *step(struct scan *s)
{
    char c = take(s);
    switch (c) {
    case '\\':
        if (!s->rest.len)
            return "ends in a backslash";
        take(s);
        break;
    case '[':
        s->repeatable = true;
        return skip_class(s);
    case '(':
        return open_group(s);
    case ')':
        if (s->open-- == 0)
            return "closes a group that is not open";
        break;
    case '|':
    case '^':
        s->repeatable = false;
        return NULL;
    case '*':
    case '+':
    case '?':
        return quantify(s);
    case '{':
        if (take_bounds(s))
            return quantify(s);
        break;
    default:
        break;
    }
    s->repeatable = true;
    return NULL;
}

const char *json_pattern_fault(struct span pattern)
{
    struct scan s = {.rest = pattern};
    while (s.rest.len) {
        const char *why = step(&s);
        if (why)
            return why;
    }
    return s.open ? "has a group that is not closed" : NULL;
}
