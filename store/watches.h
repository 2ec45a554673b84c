/* The registry behind store/watch.h. Private to store/.
 *
 * As long as nobody waits it costs the writer an addition and a read for each commit. */
#ifndef STORE_WATCHES_H
#define STORE_WATCHES_H

#include "store/queue.h"

struct watches;

/* NULL when out of memory. */
struct watches *watches_new(void);
/* Nobody waits any more (asserted). Nulls the pointer. */
void watches_free(struct watches **ws);

/* The writer, after a commit with messages that readers can see by now: wakes those who wait for
 * one of the operations. */
void watches_committed(struct watches *ws, const struct queue *operations);

#endif
