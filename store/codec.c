/* One grammar for all records, so that bounds are checked in one place and a bit that flipped on
 * disk is noticed before any field is believed.
 *
 * Invariants: what an encoder writes, the reader takes, and one value has exactly one encoding
 * (shortest varints, ascending tags, no empty fields): a record compares as bytes. */
#include "store/codec.h"

#include "base/hash.h"

#include <assert.h>

size_t codec_begin(struct buf *out)
{
    size_t start = out->len;
    buf_u8(out, CODEC_VERSION);
    buf_u32(out, 0);
    return start;
}

void codec_end(struct buf *out, size_t start)
{
    if (out->failed)
        return;
    assert(out->len >= start + CODEC_HEAD);
    size_t rest = start + CODEC_HEAD;
    uint32_t sum = hash_checksum(span_of(out->ptr + rest, out->len - rest));
    for (int i = 0; i < 4; i++)
        out->ptr[start + 1 + i] = (char)(uint8_t)(sum >> (24 - 8 * i));
}

void codec_bind(struct buf *record, struct span key)
{
    uint32_t sum = hash_checksum(key);
    buf_u32(record, 0); /* room */
    if (record->failed)
        return;
    assert(record->len >= CODEC_HEAD + sizeof sum && record->ptr[0] == CODEC_VERSION);
    char *fields = record->ptr + CODEC_HEAD;
    memmove(fields + sizeof sum, fields, record->len - CODEC_HEAD - sizeof sum);
    for (int i = 0; i < 4; i++)
        fields[i] = (char)(uint8_t)(sum >> (24 - 8 * i));
    record->ptr[0] = CODEC_BOUND;
    codec_end(record, 0);
}

bool codec_is_moved(struct span record, struct span key)
{
    struct reader r = reader_of(record);
    uint8_t version = read_u8(&r);
    (void)read_u32(&r); /* the record's own checksum */
    uint32_t sum = read_u32(&r);
    return version == CODEC_BOUND && !r.failed && sum != hash_checksum(key);
}

void codec_id(struct buf *out, const struct id *id)
{
    buf_bytes(out, id->b, ID_BYTES);
}

void codec_wall(struct buf *out, struct wall t)
{
    buf_u64(out, (uint64_t)t.us);
}

void codec_varint(struct buf *out, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_u8(out, (uint8_t)(v | 0x80));
    buf_u8(out, (uint8_t)v);
}

size_t codec_varint_len(uint64_t v)
{
    size_t n = 1;
    for (; v >= 0x80; v >>= 7)
        n++;
    return n;
}

void codec_field(struct buf *out, uint8_t tag, struct span value)
{
    assert(tag != 0);
    if (value.len == 0)
        return;
    buf_u8(out, tag);
    codec_varint(out, value.len);
    buf_span(out, value);
}

size_t codec_field_len(struct span value)
{
    return value.len == 0 ? 0 : 1 + codec_varint_len(value.len) + value.len;
}

enum err codec_open(struct span in, struct reader *r)
{
    *r = reader_of(in);
    uint8_t version = read_u8(r);
    uint32_t sum = read_u32(r);
    if (version == CODEC_BOUND)
        (void)read_u32(r); /* codec_is_moved looks at it */
    if (r->failed || (version != CODEC_VERSION && version != CODEC_BOUND))
        return ERR_CORRUPT;
    return sum == hash_checksum(span_skip(in, CODEC_HEAD)) ? ERR_OK : ERR_CORRUPT;
}

enum err codec_copy(struct span in, size_t head, void **out, struct reader *r)
{
    *out = NULL;
    enum err e = codec_open(in, r);
    if (e)
        return e;
    struct span rest = read_rest(r);
    char *block = malloc(head + rest.len);
    if (!block)
        return ERR_NO_MEMORY;
    memset(block, 0, head);
    if (rest.len > 0)
        memcpy(block + head, rest.ptr, rest.len);
    *r = reader_of(span_of(block + head, rest.len));
    *out = block;
    return ERR_OK;
}

struct id codec_read_id(struct reader *r)
{
    struct id id = {{0}};
    struct span s = read_span(r, ID_BYTES);
    if (s.len == ID_BYTES)
        memcpy(id.b, s.ptr, ID_BYTES);
    return id;
}

struct wall codec_read_wall(struct reader *r)
{
    return (struct wall){(int64_t)read_u64(r)};
}

uint64_t codec_read_varint(struct reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = read_u8(r);
        uint64_t bits = byte & 0x7f;
        if (shift == 63 && bits > 1)
            break;
        v |= bits << shift;
        if (byte & 0x80)
            continue;
        if (byte == 0 && shift > 0)
            break;
        return v;
    }
    r->failed = true;
    return 0;
}

uint8_t codec_read_below(struct reader *r, unsigned limit)
{
    uint8_t v = read_u8(r);
    if (v < limit)
        return v;
    r->failed = true;
    return 0;
}

bool codec_read_tagged(struct reader *r, struct codec_tagged *f)
{
    if (r->failed || r->at == r->end)
        return false;
    uint8_t tag = read_u8(r);
    uint64_t len = codec_read_varint(r);
    bool again = tag == f->tag && !(tag < 32 && f->lists & CODEC_LIST(tag));
    if (tag == 0 || tag < f->tag || again || len == 0 || len > (size_t)(r->end - r->at))
        r->failed = true;
    if (r->failed)
        return false;
    f->tag = tag;
    f->value = read_span(r, (size_t)len);
    return true;
}

enum err codec_finished(const struct reader *r)
{
    return r->failed || r->at != r->end ? ERR_CORRUPT : ERR_OK;
}
