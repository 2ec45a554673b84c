/* A rate: tokens that come one by one at even distances, so many a second. Pure values; the owner
 * brings the time, always of the same clock.
 *
 * The rule is the generic cell rate algorithm: `next` is where the next token stands, and taking it
 * moves `next` on by one interval. A token that nobody took keeps for the slack and is lost after
 * it, and none is lent. So in any T seconds at most per_second * (T + slack) + 1 tokens are taken,
 * and a taker that comes within the slack of every token takes at least per_second * T - 1. A
 * bucket of a second's tokens would let all of them go at once, which is what a receiver that asks
 * for a rate does not want. */
#ifndef BASE_RATE_H
#define BASE_RATE_H

#include "base/clock.h"

#define NS_PER_US INT64_C(1000)

struct rate {
    int64_t interval_ns; /* between two tokens; 0: no limit, everything is allowed */
    int64_t slack_ns;    /* how long a token keeps: as late as its taker may come */
    int64_t next_ns;     /* where the next token stands */
};

/* `per_second` is 0 (no limit) to RATE_MAX. The first token is there at once. When the rate was
 * another, the token taken last keeps its place and the next one follows it at the new distance:
 * changes earn nothing. */
void rate_set(struct rate *r, int64_t per_second, int64_t slack_us, int64_t now_us);

/* Microseconds until the next token; 0: there is one. Never longer than the distance of two tokens:
 * when the clock was set back, the next token is there at once. */
int64_t rate_wait_us(const struct rate *r, int64_t now_us);
/* How many tokens are there; not to be asked without a limit. */
int64_t rate_ready(const struct rate *r, int64_t now_us);
/* Takes a token, which must be there. */
void rate_take(struct rate *r, int64_t now_us);
/* Takes the next token though it may come later, and says where it stands; for many that queue, on
 * a clock that is never set. Not to be asked without a limit. */
int64_t rate_reserve_ns(struct rate *r, int64_t now_us);

#endif
