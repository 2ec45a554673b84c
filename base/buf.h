/* Bytes being built: a growable buffer with a mandatory maximum and a sticky error.
 *
 * Append freely and look at `failed` once, at the end: after the first append that would pass the
 * maximum or that finds no memory, every later one does nothing. Not thread-safe. The content is
 * always followed by a NUL that `len` does not count (when ptr is not NULL). */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/err.h"
#include "base/span.h"

#include <stdint.h>

struct buf {
    char *ptr; /* malloc'ed; NULL until the first append */
    size_t len;
    size_t cap;
    size_t max; /* of len */
    bool failed;
};

void buf_init(struct buf *b, size_t max);
/* Frees the memory; the buffer is empty and usable again with the same maximum. */
void buf_free(struct buf *b);
/* Forgets the content and the error, keeps the memory. */
void buf_clear(struct buf *b);
/* Makes room for `more` bytes at once; false (and failed) when that passes the maximum. */
bool buf_reserve(struct buf *b, size_t more);

void buf_bytes(struct buf *b, const void *ptr, size_t len);
void buf_span(struct buf *b, struct span s);
void buf_text(struct buf *b, const char *text);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Unsigned decimal, without the cost of printf. */
void buf_decimal(struct buf *b, uint64_t value);

/* Big-endian integers, as keys and records want them. */
void buf_u8(struct buf *b, uint8_t v);
void buf_u16(struct buf *b, uint16_t v);
void buf_u32(struct buf *b, uint32_t v);
void buf_u64(struct buf *b, uint64_t v);

static inline struct span buf_view(const struct buf *b)
{
    return span_of(b->ptr, b->len);
}

/* Hands the malloc'ed bytes to the caller, who frees them; the buffer is empty afterwards.
 * NULL when the buffer failed or is empty. *len may be NULL. */
char *buf_take(struct buf *b, size_t *len) MUST_CHECK;

/* Reading side: a cursor over borrowed bytes with a sticky error. A read past the end yields zero
 * and sets `failed`. */
struct reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

struct reader reader_of(struct span s);
uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);
struct span read_span(struct reader *r, size_t len);
/* All of what is left. */
struct span read_rest(struct reader *r);

#endif
