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
 * A listed delay is spread over its distance to the one before, and over half of itself where that
 * is less than an eighth of it: in a list that is level or falls. An exponential one is spread
 * over what it grew by, and at least over half of itself, at its cap, too. The spread is even, so
 * that of those that failed in the same moment no second gets more than twice the mean, but by
 * chance; a herd that would come back in step would only fail again. */
bool retry_next(const struct retry_policy *p, const struct retry_moment *at, int64_t *delay_us);

/* The rest that was asked for, spread over half as long again, so that those who were told the same
 * do not come back in the same moment; at most RETRY_AFTER_MAX_S, unless it was longer. */
int64_t retry_rest_us(int64_t rest_us, double jitter, double unit);

/* The policy that the options make; its jitter is left to the moment. */
struct retry_policy retry_of_option(const struct durations *schedule);

#endif
