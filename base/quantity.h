/* Durations and sizes as people write them. Pure, any thread. */
#ifndef BASE_QUANTITY_H
#define BASE_QUANTITY_H

#include "base/buf.h"

/* "250ms", "1h30m", "7d", "0": whole numbers with units of d, h, m, s, ms, the larger ones first,
 * each at most once. ERR_INVALID on anything else and on what does not fit. */
enum err duration_parse(struct span text, int64_t *us) MUST_CHECK;
/* "4096", "64k", "1GiB": a whole number of bytes, or of powers of 1024 (k m g t, with or without
 * "ib", in either case). ERR_INVALID on anything else and on what does not fit. */
enum err size_parse(struct span text, int64_t *bytes) MUST_CHECK;

/* The shortest text that the parsers read back as the same; what is below a millisecond is cut off.
 * Not for negative values. */
void duration_print(int64_t us, struct buf *out);
void size_print(int64_t bytes, struct buf *out);

#endif
