/* Well-formed UTF-8 by Unicode table 3-7: no overlong forms, no surrogates, nothing over U+10FFFF.
 * Pure, any thread. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/span.h"

#include <stdint.h>

/* The length (1-4) of the sequence that starts at `at`; 0 when it is not well-formed or when the
 * text ends inside it. `at` < `end`. */
static inline size_t utf8_length(const uint8_t *at, const uint8_t *end)
{
    uint8_t first = at[0], low = 0x80, high = 0xbf;
    size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    if (length == 1)
        return 1;
    if (first < 0xc2 || first > 0xf4 || length > (size_t)(end - at))
        return 0;
    if (first == 0xe0)
        low = 0xa0;
    else if (first == 0xed)
        high = 0x9f;
    else if (first == 0xf0)
        low = 0x90;
    else if (first == 0xf4)
        high = 0x8f;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

static inline bool utf8_valid(struct span s)
{
    const uint8_t *at = (const uint8_t *)s.ptr, *end = at + s.len;

    while (at < end) {
        size_t length = utf8_length(at, end);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

#endif
