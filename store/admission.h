/* How many ingest operations may wait for their commit: no more than the writer applies within a
 * bounded time, so that what is accepted is answered soon and the rest is refused at once. Private
 * to store/.
 *
 * The time of an operation is measured, since one with twenty endpoints costs ten times one with
 * one; and over many, since a dear one now and then is no reason to refuse the cheap ones beside
 * it. Syncs are not counted: a commit syncs once for all that it holds, and on a slow disk a bound
 * in time would make commits small and the disk the slower for it. */
#ifndef STORE_ADMISSION_H
#define STORE_ADMISSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct admission {
    atomic_uint limit;   /* any thread reads */
    atomic_uint waiting; /* admitted and not completed; any thread */
    /* the writer thread alone */
    double count, us;                /* so many took so long, older ones weighing less */
    int64_t lesson_count, lesson_us; /* likewise, since those changed */
};

struct admission admission_new(void);
/* Counts one more; false: refuse it. Any thread. */
bool admission_enter(struct admission *a);
/* So many were completed, or refused after all. Any thread. */
void admission_leave(struct admission *a, unsigned count);
/* A batch with so many was applied in this time. The writer thread. */
void admission_learn(struct admission *a, unsigned count, int64_t us);

#endif
