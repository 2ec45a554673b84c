/* Durations and sizes: both are whole numbers with a unit from a table, largest first. */
#include "base/quantity.h"

#include "base/clock.h"

#include <assert.h>

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit durations[] = {
    {"d", 86400 * US_PER_S}, {"h", 3600 * US_PER_S}, {"m", 60 * US_PER_S},
    {"s", US_PER_S},         {"ms", US_PER_MS},
};
static const struct unit sizes[] = {
    {"t", INT64_C(1) << 40}, {"g", 1 << 30}, {"m", 1 << 20}, {"k", 1 << 10}, {"", 1},
};
#define UNITS 5

/* Takes a decimal number off the front. */
static bool take_number(struct span *s, int64_t *out)
{
    size_t digits = 0;

    *out = 0;
    for (; digits < s->len && s->ptr[digits] >= '0' && s->ptr[digits] <= '9'; digits++)
        if (__builtin_mul_overflow(*out, 10, out) ||
            __builtin_add_overflow(*out, s->ptr[digits] - '0', out))
            return false;
    *s = span_skip(*s, digits);
    return digits > 0;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Takes the letters off the front. */
static struct span take_letters(struct span *s)
{
    struct span word = *s;

    for (word.len = 0; word.len < s->len && is_letter(s->ptr[word.len]);)
        word.len++;
    *s = span_skip(*s, word.len);
    return word;
}

enum err duration_parse(struct span text, int64_t *us)
{
    size_t next = 0; /* the largest unit that may still come */
    int64_t sum = 0, part;

    if (span_eq(text, SPAN("0"))) {
        *us = 0;
        return ERR_OK;
    }
    do {
        if (!take_number(&text, &part))
            return ERR_INVALID;
        struct span name = take_letters(&text);
        while (next < UNITS && !span_is(name, durations[next].name))
            next++;
        if (next == UNITS || __builtin_mul_overflow(part, durations[next].factor, &part) ||
            __builtin_add_overflow(sum, part, &sum))
            return ERR_INVALID;
        next++;
    } while (text.len);
    *us = sum;
    return ERR_OK;
}

enum err size_parse(struct span text, int64_t *bytes)
{
    int64_t number;

    if (!take_number(&text, &number))
        return ERR_INVALID;
    if (text.len == 3 && span_eq_nocase(span_skip(text, 1), SPAN("ib")))
        text.len = 1;
    for (size_t i = 0; i < UNITS; i++)
        if (span_eq_nocase(text, span_text(sizes[i].name)))
            return __builtin_mul_overflow(number, sizes[i].factor, bytes) ? ERR_INVALID : ERR_OK;
    return ERR_INVALID;
}

void duration_print(int64_t us, struct buf *out)
{
    assert(us >= 0);
    if (us < US_PER_MS)
        buf_char(out, '0');
    for (size_t i = 0; i < UNITS; i++) {
        if (us < durations[i].factor)
            continue;
        buf_decimal(out, (uint64_t)(us / durations[i].factor));
        buf_text(out, durations[i].name);
        us %= durations[i].factor;
    }
}

void size_print(int64_t bytes, struct buf *out)
{
    size_t unit = 0;

    assert(bytes >= 0);
    while (bytes % sizes[unit].factor != 0 || (bytes == 0 && unit < UNITS - 1))
        unit++;
    buf_decimal(out, (uint64_t)(bytes / sizes[unit].factor));
    buf_text(out, sizes[unit].name);
}
