/* A block: some entries in one value that fits a leaf page. Runs and the tail are made of blocks,
 * because one LMDB row per entry costs ten times as much to write, and a checksum each.
 *
 *     version (1) | checksum of the rest (4) | count (2) | entries | offset of each entry (2 each)
 *     entry: key length (1) | value length (1) | expires (8) | key | value
 *
 * All pure, any thread. */
#ifndef STORE_BLOCK_H
#define STORE_BLOCK_H

#include "store/entry.h"

#define BLOCK_BYTES_MAX INLINE_BYTES_MAX
#define BLOCK_KEY_MAX (INDEX_KEY_MAX + 1) /* the tail writes the family before the key */
#define BLOCK_ENTRY_HEAD 10
#define BLOCK_HEAD 7
#define BLOCK_ENTRIES_MAX ((BLOCK_BYTES_MAX - BLOCK_HEAD) / (BLOCK_ENTRY_HEAD + 2))

struct block_builder {
    unsigned count;
    size_t used; /* of bytes */
    uint16_t offset[BLOCK_ENTRIES_MAX];
    uint8_t bytes[BLOCK_BYTES_MAX];
};

void block_begin(struct block_builder *b);
/* False: the block is full, nothing was added. An entry always fits an empty block. Key at most
 * BLOCK_KEY_MAX, value at most INDEX_VALUE_MAX (asserted). */
bool block_add(struct block_builder *b, const struct index_entry *e) MUST_CHECK;
/* The finished block; points into the builder. At least one entry (asserted). */
struct span block_seal(struct block_builder *b);
/* The key of entry i before the block is sealed; points into the builder. */
struct span block_builder_key(const struct block_builder *b, unsigned i);

/* A verified block over borrowed bytes. */
struct block {
    const uint8_t *bytes;
    unsigned count;
    size_t offsets; /* where they begin */
};

/* Verifies checksum and every bound. ERR_CORRUPT. */
enum err block_open(struct span in, struct block *out) MUST_CHECK;
/* i < count (asserted). Points into the block. */
struct index_entry block_entry(const struct block *b, unsigned i);
/* The first entry with a key >= `key`, count when there is none. Only in a sorted block. */
unsigned block_lower(const struct block *b, struct span key);
/* The stored checksum; of a verified or sealed block. */
uint32_t block_checksum(const uint8_t *bytes);

#endif
