/* The bytes of a JSON string that stand for themselves: ASCII without quote, backslash and control
 * bytes. Passed over a block at a time: nearly all of an event is inside of strings. Pure, any
 * thread. */
#ifndef BASE_JSON_PLAIN_H
#define BASE_JSON_PLAIN_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static inline bool json_is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* What is not plain in the JSON_BLOCK bytes at `at`: JSON_STOP_BITS for each byte, the first
 * byte's lowest. Of those, the lowest that is set counts. */
#ifdef __SSE2__

#define JSON_BLOCK 16
#define JSON_STOP_BITS 1

static inline uint64_t json_stops(const uint8_t *at)
{
    const __m128i v = _mm_loadu_si128((const __m128i *)at);
    const __m128i quotes = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
    const __m128i backslashes = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
    const __m128i others = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20)); /* signed: beyond ASCII too */

    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quotes, backslashes), others));
}

#else

#define JSON_BLOCK 8
#define JSON_STOP_BITS 8
#define JSON_EACH_BYTE UINT64_C(0x0101010101010101)
#define JSON_EACH_HIGH_BIT UINT64_C(0x8080808080808080)

/* A bit is set in the high bit of each byte of v that is zero. A borrow may set one too many, but
 * only behind a true one, and only the first counts. */
static inline uint64_t json_zero_bytes(uint64_t v)
{
    return (v - JSON_EACH_BYTE) & ~v;
}

static inline uint64_t json_stops(const uint8_t *at)
{
    uint64_t v;

    memcpy(&v, at, sizeof v);
    v = le64toh(v);
    return (json_zero_bytes(v ^ JSON_EACH_BYTE * '"') | json_zero_bytes(v ^ JSON_EACH_BYTE * '\\') |
            ((v - JSON_EACH_BYTE * 0x20) & ~v) | v) &
           JSON_EACH_HIGH_BIT;
}

#endif

/* The first byte that is not plain: quote, backslash, control or beyond ASCII; `end`: there is
 * none. Reads nothing at or behind `end`. */
static inline const uint8_t *json_plain_end(const uint8_t *at, const uint8_t *end)
{
    while (end - at >= JSON_BLOCK) {
        uint64_t stops = json_stops(at);
        if (stops)
            return at + __builtin_ctzll(stops) / JSON_STOP_BITS;
        at += JSON_BLOCK;
    }
    while (at < end && json_is_plain(*at))
        at++;
    return at;
}

#endif
