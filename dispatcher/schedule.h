/* Which retry policy is in force for a delivery whose attempt has failed: the endpoint's own, else
 * that of its message's event type, else the options'. The first that there is counts as a whole:
 * mixed ones would make a schedule that nobody wrote. The endpoint goes first, because its owner
 * knows what the receiver can bear and when it is looked after; the event type says how long the
 * news is worth anything; the options know neither. */
#ifndef DISPATCHER_SCHEDULE_H
#define DISPATCHER_SCHEDULE_H

#include "dispatcher/held.h"
#include "dispatcher/retry.h"
#include "dispatcher/shared.h"

/* Into *policy, and into at->age_us how long ago the claim's schedule began: when it was made, was
 * due first, or was replayed, whichever came last. Reads the store, in a short snapshot of its own,
 * for what the endpoint does not say: to be asked of failures alone. `endpoint` NULL: nothing is
 * known of it. What cannot be read now is taken as not said: the delivery is retried by the options
 * rather than given up. A dispatcher thread. */
void schedule_find(const struct shared *shared, const struct endpoint *endpoint,
                   const struct claim *claim, struct wall now, struct retry_policy *policy,
                   struct retry_moment *at);

#endif
