/* One dispatcher thread: the loop over its inbox, its deadlines and the network. It owns the lanes
 * of its endpoints (number modulo the count of threads) and everything below them. */
#ifndef DISPATCHER_WORKER_H
#define DISPATCHER_WORKER_H

#include "dispatcher/shared.h"

struct inquiry;
struct worker;

/* `shared` outlives it. NULL when out of memory or descriptors. */
struct worker *worker_new(struct shared *shared, unsigned index, unsigned count);
/* After worker_join, or never started. Nulls the pointer. */
void worker_free(struct worker **w);

/* Before worker_start: makes a lane for each of its endpoints, with the first due time on disk. */
enum err worker_scan(struct worker *w) MUST_CHECK;
enum err worker_start(struct worker *w) MUST_CHECK;
/* Starts nothing new from now on; does not wait. */
void worker_stop(struct worker *w);
/* Waits until what was in flight has ended, at most the drain time, and its outcomes are stored. */
void worker_join(struct worker *w);

/* Any thread; what the store's listener heard, in its order. */
void worker_post_handoff(struct worker *w, struct handoff *h);
void worker_post_due(struct worker *w, uint32_t endpoint, struct wall due, uint64_t txn);
void worker_post_changed(struct worker *w, uint32_t endpoint, uint64_t txn);
/* Any thread, before worker_free. */
void worker_post_inquiry(struct worker *w, struct inquiry *q);

/* Any thread. */
bool worker_holds(const struct worker *w, const struct id *message, uint32_t endpoint);
/* As of at most a second ago; WALL_NEVER: nothing is due. */
struct wall worker_oldest_due(const struct worker *w);

#endif
