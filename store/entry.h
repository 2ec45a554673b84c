/* What an entry of the index is, for every module of it: key, value, and when it dies. Private to
 * store/index*.c and the modules below it. */
#ifndef STORE_ENTRY_H
#define STORE_ENTRY_H

#include "store/index.h"

/* Borrowed: whoever hands it out says how long it lives. */
struct index_entry {
    struct span key, value;
    struct wall expires;
};

/* Byte order; a prefix comes first, as in LMDB. */
static inline int entry_key_cmp(struct span a, struct span b)
{
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

static inline bool entry_expired(const struct index_entry *e, struct wall now)
{
    return e->expires.us <= now.us;
}

/* The families whose keys are looked up whole: only their runs have filters. */
static inline bool family_is_point(enum index_family family)
{
    return family == INDEX_IDEMPOTENCY || family == INDEX_EVENT_ID;
}

/* Big-endian integers at a place that need not be aligned. */
static inline void put_be16(uint8_t *at, uint16_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}
static inline uint16_t get_be16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}
static inline void put_be32(uint8_t *at, uint32_t v)
{
    put_be16(at, (uint16_t)(v >> 16));
    put_be16(at + 2, (uint16_t)v);
}
static inline void put_be64(uint8_t *at, uint64_t v)
{
    put_be32(at, (uint32_t)(v >> 32));
    put_be32(at + 4, (uint32_t)v);
}
static inline uint64_t get_be64(const uint8_t *at)
{
    uint64_t v;
    memcpy(&v, at, sizeof v);
    return __builtin_bswap64(v);
}

#endif
