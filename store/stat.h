/* Statistics: for each hour and endpoint, how many deliveries are in which class, by the time of
 * their message, and how the attempts made in that hour ended. Private to store/; the writer thread
 * alone uses it.
 *
 * The hour comes first in the key: what changes now stands together at the end of its tree. */
#ifndef STORE_STAT_H
#define STORE_STAT_H

#include "store/batch.h"

#define HOUR_US (3600 * US_PER_S)

static inline uint32_t stat_hour(struct wall t)
{
    return t.us < 0 ? 0 : (uint32_t)(t.us / HOUR_US);
}

enum stat_class stat_class_of(const struct delivery *d);

/* Where a row stands: its hour above its endpoint's number. One whose key is damaged has a place,
 * too. Any thread. */
uint64_t stat_place(struct span key);

/* The delivery's class changed, or began or ends (STAT_CLASSES: none). Written with the batch. */
enum err stat_move(struct batch *b, const struct delivery *d, enum stat_class from,
                   enum stat_class to) MUST_CHECK;
/* What was counted for this delivery cannot be known any more. */
enum err stat_inexact(struct batch *b, const struct delivery *d) MUST_CHECK;
enum err stat_attempt(struct batch *b, const struct attempt *a) MUST_CHECK;

/* Writes the batch's changes; before its commit. */
enum err stat_write(struct batch *b) MUST_CHECK;
/* After the commit, or instead of it. */
void stat_forget(struct batch *b);

/* The attempts of an hour have been kept for long enough; rows without deliveries go. *done: the
 * whole hour was looked at. */
enum err stat_expire(struct batch *b, struct span hour, unsigned limit, bool *done) MUST_CHECK;

#endif
