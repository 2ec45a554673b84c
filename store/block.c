/* Blocks exist so that many small entries share one row, one checksum and one descent of a tree.
 *
 * The offsets stand behind the entries, so that a builder appends both without moving anything and
 * a reader finds an entry, and searches by halves, without walking. A block is believed only as a
 * whole: block_open looks at every length once, and nothing after it checks again. */
#include "store/block.h"

#include "base/hash.h"
#include "store/codec.h"

#include <assert.h>

void block_begin(struct block_builder *b)
{
    b->count = 0;
    b->used = BLOCK_HEAD;
}

bool block_add(struct block_builder *b, const struct index_entry *e)
{
    assert(e->key.len >= 1 && e->key.len <= BLOCK_KEY_MAX && e->value.len <= INDEX_VALUE_MAX);
    size_t need = BLOCK_ENTRY_HEAD + e->key.len + e->value.len;
    if (b->used + need + 2 * (b->count + 1u) > BLOCK_BYTES_MAX)
        return false;
    uint8_t *at = b->bytes + b->used;
    at[0] = (uint8_t)e->key.len;
    at[1] = (uint8_t)e->value.len;
    put_be64(at + 2, (uint64_t)e->expires.us);
    memcpy(at + BLOCK_ENTRY_HEAD, e->key.ptr, e->key.len);
    if (e->value.len > 0)
        memcpy(at + BLOCK_ENTRY_HEAD + e->key.len, e->value.ptr, e->value.len);
    b->offset[b->count++] = (uint16_t)b->used;
    b->used += need;
    return true;
}

struct span block_seal(struct block_builder *b)
{
    assert(b->count > 0);
    size_t len = b->used;
    for (unsigned i = 0; i < b->count; i++, len += 2)
        put_be16(b->bytes + len, b->offset[i]);
    b->bytes[0] = CODEC_VERSION;
    put_be16(b->bytes + CODEC_HEAD, (uint16_t)b->count);
    put_be32(b->bytes + 1, hash_checksum(span_of(b->bytes + CODEC_HEAD, len - CODEC_HEAD)));
    return span_of(b->bytes, len);
}

struct span block_builder_key(const struct block_builder *b, unsigned i)
{
    assert(i < b->count);
    const uint8_t *at = b->bytes + b->offset[i];
    return span_of(at + BLOCK_ENTRY_HEAD, at[0]);
}

enum err block_open(struct span in, struct block *out)
{
    struct reader r;
    enum err e = codec_open(in, &r);
    if (e)
        return e;
    unsigned count = read_u16(&r);
    size_t offsets = in.len - 2 * (size_t)count;
    if (r.failed || count == 0 || 2 * (size_t)count + BLOCK_HEAD > in.len)
        return ERR_CORRUPT;

    const uint8_t *bytes = (const uint8_t *)in.ptr;
    size_t expected = BLOCK_HEAD;
    for (unsigned i = 0; i < count; i++) {
        size_t at = get_be16(bytes + offsets + 2 * (size_t)i);
        if (at != expected || at + BLOCK_ENTRY_HEAD > offsets)
            return ERR_CORRUPT;
        size_t key_len = bytes[at], value_len = bytes[at + 1];
        if (key_len == 0 || key_len > BLOCK_KEY_MAX || value_len > INDEX_VALUE_MAX)
            return ERR_CORRUPT;
        expected = at + BLOCK_ENTRY_HEAD + key_len + value_len;
    }
    if (expected != offsets)
        return ERR_CORRUPT;
    *out = (struct block){.bytes = bytes, .count = count, .offsets = offsets};
    return ERR_OK;
}

struct index_entry block_entry(const struct block *b, unsigned i)
{
    assert(i < b->count);
    const uint8_t *at = b->bytes + get_be16(b->bytes + b->offsets + 2 * (size_t)i);
    return (struct index_entry){
        .key = span_of(at + BLOCK_ENTRY_HEAD, at[0]),
        .value = span_of(at + BLOCK_ENTRY_HEAD + at[0], at[1]),
        .expires = {(int64_t)get_be64(at + 2)},
    };
}

unsigned block_lower(const struct block *b, struct span key)
{
    unsigned low = 0, high = b->count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (entry_key_cmp(block_entry(b, middle).key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t block_checksum(const uint8_t *bytes)
{
    return (uint32_t)get_be16(bytes + 1) << 16 | get_be16(bytes + 3);
}
