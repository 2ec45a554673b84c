/* One call that fails: of LMDB, of the allocator, of OpenSSL or of the system, wherever the store
 * makes one. The Makefile links the tests named sweep_*_test.c so that such calls come by here.
 *
 * A place is a call seen from where it was made, a few frames deep: a failed write of a task's row
 * by a replay is another place than by a deletion. A first run records the places that it passes;
 * then each of them fails once, in a run of its own, in each way in which it can. The state is
 * global. Only threads that are not shielded can be struck; a test shields its own while it
 * prepares and judges. */
#ifndef TESTS_STORE_FAULT_H
#define TESTS_STORE_FAULT_H

#include <stdbool.h>

enum fault_way {
    FAULT_ERROR,  /* EIO of LMDB or the system, no memory, no digest */
    FAULT_FULL,   /* a write finds no room */
    FAULT_ROTTEN, /* what is read has a flipped bit */
    FAULT_LOST,   /* what is looked up is not there */
    FAULT_WAYS
};
const char *fault_way_name(enum fault_way way);

/* Whether the calling thread is spared. */
void fault_shield(bool on);
/* From now on places are noted. */
void fault_record(void);
/* How many are known. They keep their numbers, 0 upwards, from one recording to the next. */
unsigned fault_places(void);
/* Whether the place can fail in this way. */
bool fault_possible(unsigned place, enum fault_way way);
/* The next call at this place fails, once. */
void fault_arm(unsigned place, enum fault_way way);
/* Ends recording and arming. Whether the fault struck. */
bool fault_disarm(void);

#endif
