/* The state machine of a delivery (store/model.h lists the transitions), with what hangs on its
 * state: its due row, its dead letter, its endpoint's counters. Private to store/; the writer
 * thread alone uses it. */
#ifndef STORE_DELIVERY_H
#define STORE_DELIVERY_H

#include "store/batch.h"

/* ERR_NOT_FOUND. A record that does not decode is counted, reported and answered as a delivery
 * just made: what matters then is that it comes to an end. */
enum err delivery_load(struct batch *b, const struct id *message, uint32_t endpoint,
                       struct delivery *out) MUST_CHECK;
enum err delivery_store(struct batch *b, struct delivery *d) MUST_CHECK;
/* Its message goes: the record, and what the statistics count of it. It is neither unfinished nor
 * dead. */
enum err delivery_remove(struct batch *b, const struct id *message, uint32_t endpoint) MUST_CHECK;

/* A new delivery of `m`, due at `due`: its record, due row, index entry and counters. `append`: it
 * is the last of its tree. *held: another of its line goes before, and it is not due yet. */
enum err delivery_create(struct batch *b, const struct message *m, const struct table_endpoint *ep,
                         struct wall due, bool append, bool *held) MUST_CHECK;

bool delivery_unfinished(const struct delivery *d);
/* The one setter: asserts that the transition is legal, moves due row, dead letter and counters.
 * `due` of an unfinished state, `reason` of dead and canceled. The caller stores the record. */
enum err delivery_move(struct batch *b, struct delivery *d, enum delivery_state to,
                       enum delivery_reason reason, struct wall due) MUST_CHECK;
/* One that was held may go: now, or when it is due. Stores the record and tells the listener. */
enum err delivery_release(struct batch *b, struct delivery *d) MUST_CHECK;
/* A manual attempt waits from `due` on; {0}: none does any more. The caller stores the record. */
enum err delivery_manual(struct batch *b, struct delivery *d, struct wall due) MUST_CHECK;

/* When the message expires, for what is indexed with it. One that is past its time is kept for a
 * delivery, and at most for the retention after that one's end. ERR_NOT_FOUND. */
enum err message_expiry(struct batch *b, const struct id *message, struct wall *out) MUST_CHECK;
/* Index entries outlive what they point to by this: retention runs in steps, and a message that
 * is kept longer must still be listed when its entries are written anew. */
#define INDEX_SLACK_US (3600 * US_PER_S)
/* The head of a message, without its payload. ERR_NOT_FOUND, ERR_CORRUPT. */
enum err message_head(struct batch *b, const struct id *message, struct message **out) MUST_CHECK;

#endif
