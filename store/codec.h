/* The grammar that all records share: version, checksum, fixed fields, tagged fields. Private to
 * the record encoders of store/. Pure; any thread. */
#ifndef STORE_CODEC_H
#define STORE_CODEC_H

#include "base/id.h"

#define CODEC_VERSION 1
#define CODEC_BOUND 2 /* version of a record that begins with the checksum of its key (4) */
#define CODEC_HEAD 5  /* version (1), checksum of the rest (4) */

/* Opens a record at the end of `out`; the result goes to codec_end, which fills in the checksum. */
size_t codec_begin(struct buf *out);
void codec_end(struct buf *out, size_t start);
/* Binds the record that `record` holds, and nothing else, to the key that it will stand under: one
 * that damage moved to another key is noticed by codec_is_moved. */
void codec_bind(struct buf *record, struct span key);
/* Whether the record was bound to another key than this one. */
bool codec_is_moved(struct span record, struct span key);

void codec_id(struct buf *out, const struct id *id);
void codec_wall(struct buf *out, struct wall t);
/* Seven bits a byte, lowest first; the high bit says that more follow. */
void codec_varint(struct buf *out, uint64_t v);
size_t codec_varint_len(uint64_t v);
/* Tag, length, bytes; an empty value is left out. */
void codec_field(struct buf *out, uint8_t tag, struct span value);
/* The bytes that codec_field would append. */
size_t codec_field_len(struct span value);

/* Verifies version and checksum and puts *r at the first fixed field; of a bound record likewise.
 * ERR_CORRUPT. */
enum err codec_open(struct span in, struct reader *r) MUST_CHECK;
/* The same on a copy: *out is one zeroed block of `head` bytes with the record's fields behind it,
 * so that spans of *r live as long as the block. free it. ERR_CORRUPT, ERR_NO_MEMORY. */
enum err codec_copy(struct span in, size_t head, void **out, struct reader *r) MUST_CHECK;

struct id codec_read_id(struct reader *r);
struct wall codec_read_wall(struct reader *r);
uint64_t codec_read_varint(struct reader *r);
/* An integer that an encoder keeps below `limit`: enums, flags, counts. */
uint8_t codec_read_below(struct reader *r, unsigned limit);
/* The next tagged field; false at the end and on damage (then r->failed). Tags never decrease, and
 * none comes twice but those that stand for an array. */
#define CODEC_LIST(tag) (UINT32_C(1) << (tag))
struct codec_tagged {
    uint8_t tag;    /* 0 before the first */
    uint32_t lists; /* the tags that repeat: CODEC_LIST of each, or'ed; all below 32 */
    struct span value;
};
bool codec_read_tagged(struct reader *r, struct codec_tagged *f);
/* ERR_CORRUPT unless everything was read and nothing failed. */
enum err codec_finished(const struct reader *r) MUST_CHECK;

#endif
