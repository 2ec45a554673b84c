/* A builder of bytes that cannot overflow and whose errors need one look at the end.
 *
 * Invariants: len <= max; when ptr is not NULL, cap > len and ptr[len] is NUL; once `failed` is set
 * the content no longer changes until buf_clear or buf_free. */
#include "base/buf.h"

#include <assert.h>
#include <endian.h>
#include <stdarg.h>

#define FIRST_CAPACITY 64

void buf_init(struct buf *b, size_t max)
{
    assert(max < SIZE_MAX / 2); /* doubling the capacity must not wrap */
    *b = (struct buf){.max = max};
}

void buf_free(struct buf *b)
{
    free(b->ptr);
    *b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->ptr)
        b->ptr[0] = '\0';
}

static bool grow(struct buf *b, size_t needed)
{
    size_t cap = b->cap ? b->cap * 2 : FIRST_CAPACITY;

    if (cap < needed)
        cap = needed;
    if (cap > b->max + 1)
        cap = b->max + 1;
    char *ptr = realloc(b->ptr, cap);
    if (!ptr)
        return false;
    ptr[b->len] = '\0';
    b->ptr = ptr;
    b->cap = cap;
    return true;
}

bool buf_reserve(struct buf *b, size_t more)
{
    if (b->failed)
        return false;
    if (more > b->max - b->len || (b->len + more >= b->cap && !grow(b, b->len + more + 1)))
        b->failed = true;
    return !b->failed;
}

/* Inline, so that the small pieces, of which most content is made, are copied by a move. */
static inline void append(struct buf *b, const void *ptr, size_t len)
{
    bool fits = !b->failed && len < b->cap - b->len;

    if ((!fits && !buf_reserve(b, len)) || len == 0)
        return;
    memcpy(b->ptr + b->len, ptr, len);
    b->len += len;
    b->ptr[b->len] = '\0';
}

void buf_bytes(struct buf *b, const void *ptr, size_t len)
{
    append(b, ptr, len);
}

void buf_span(struct buf *b, struct span s)
{
    append(b, s.ptr, s.len);
}

void buf_text(struct buf *b, const char *text)
{
    buf_bytes(b, text, strlen(text));
}

void buf_char(struct buf *b, char c)
{
    append(b, &c, 1);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;

    if (!buf_reserve(b, 0))
        return;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(b->ptr + b->len, b->cap - b->len, format, args);
    assert(length >= 0);
    if ((size_t)length >= b->cap - b->len) {
        b->ptr[b->len] = '\0';
        if (buf_reserve(b, (size_t)length))
            vsnprintf(b->ptr + b->len, b->cap - b->len, format, again);
    }
    if (!b->failed)
        b->len += (size_t)length;
    va_end(again);
    va_end(args);
}

void buf_decimal(struct buf *b, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    buf_bytes(b, digits + at, sizeof digits - at);
}

void buf_u8(struct buf *b, uint8_t v)
{
    append(b, &v, sizeof v);
}

void buf_u16(struct buf *b, uint16_t v)
{
    v = htobe16(v);
    append(b, &v, sizeof v);
}

void buf_u32(struct buf *b, uint32_t v)
{
    v = htobe32(v);
    append(b, &v, sizeof v);
}

void buf_u64(struct buf *b, uint64_t v)
{
    v = htobe64(v);
    append(b, &v, sizeof v);
}

char *buf_take(struct buf *b, size_t *len)
{
    bool usable = !b->failed && b->len > 0;
    char *ptr = usable ? b->ptr : NULL;

    if (len)
        *len = usable ? b->len : 0;
    if (!usable)
        free(b->ptr);
    buf_init(b, b->max);
    return ptr;
}

struct reader reader_of(struct span s)
{
    static const uint8_t nothing;
    const uint8_t *at = s.ptr ? (const uint8_t *)s.ptr : &nothing;
    return (struct reader){.at = at, .end = at + s.len};
}

static uint64_t read_integer(struct reader *r, size_t width)
{
    struct span bytes = read_span(r, width);
    uint64_t v = 0;

    for (size_t i = 0; i < bytes.len; i++)
        v = v << 8 | (uint8_t)bytes.ptr[i];
    return v;
}

uint8_t read_u8(struct reader *r)
{
    return (uint8_t)read_integer(r, 1);
}

uint16_t read_u16(struct reader *r)
{
    return (uint16_t)read_integer(r, 2);
}

uint32_t read_u32(struct reader *r)
{
    return (uint32_t)read_integer(r, 4);
}

uint64_t read_u64(struct reader *r)
{
    return read_integer(r, 8);
}

struct span read_span(struct reader *r, size_t len)
{
    if (r->failed || len > (size_t)(r->end - r->at)) {
        r->failed = true;
        return (struct span){NULL, 0};
    }
    struct span s = span_of(r->at, len);
    r->at += len;
    return s;
}

struct span read_rest(struct reader *r)
{
    return read_span(r, (size_t)(r->end - r->at));
}
