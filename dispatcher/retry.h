/* When a failed attempt is followed by another, by a policy of store/retry.h. Pure. */
#ifndef DISPATCHER_RETRY_H
#define DISPATCHER_RETRY_H

#include "base/option.h"
#include "store/retry.h"

/* Where a delivery stands in its schedule when an attempt has failed. */
struct retry_moment {
    unsigned tries;  /* scheduled attempts made, at least 1 */
    int64_t age_us;  /* since the schedule began */
    int64_t rest_us; /* the endpoint asked to be left alone for so long; 0: it did not */
    double jitter;   /* 0 … 1: the share of the spread that counts, for a policy that leaves it to
                       the option */
    double unit;     /* random, in [0, 1) */
};

/* True: the next attempt is due *delay_us from now. False: the schedule has ended, by its delays,
 * by the attempts that it allows, or because the next one would be later than its age allows.
 *
 *   delay = step - jitter * unit * spread, and never before the rest that was asked for
 *
 * A listed delay is spread over its distance to the one before (none where the list falls), an
 * exponential one over what it grew by, and at least over half of itself: at its cap, too, where
 * else a herd would come back in step. */
bool retry_next(const struct retry_policy *p, const struct retry_moment *at, int64_t *delay_us);

/* The policy that the options make; its jitter is left to the moment. */
struct retry_policy retry_of_option(const struct durations *schedule);

#endif
