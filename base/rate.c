/* Why nanoseconds: at tens of thousands a second an interval of whole microseconds would be wrong
 * by some percent. Rounded up to a whole nanosecond it is too long by less than 0.01 %, and never
 * too short.
 *
 * Invariant: next_ns moves by whole intervals from a token taken, or to the edge of the slack. */
#include "base/rate.h"

#include "base/bounds.h"

#include <assert.h>

#define NS_PER_S INT64_C(1000000000)

/* Where the next token stands as of now: those older than the slack are lost. */
static int64_t place(const struct rate *r, int64_t now_ns)
{
    int64_t oldest = now_ns - r->slack_ns;
    return r->next_ns > oldest ? r->next_ns : oldest;
}

/* The same for one taker, who is never more than an interval ahead of its clock. */
static int64_t place_of_one(const struct rate *r, int64_t now_ns)
{
    return r->next_ns > now_ns + r->interval_ns ? now_ns : place(r, now_ns);
}

void rate_set(struct rate *r, int64_t per_second, int64_t slack_us, int64_t now_us)
{
    assert(per_second >= 0 && per_second <= RATE_MAX && slack_us >= 0);
    int64_t interval = per_second ? (NS_PER_S + per_second - 1) / per_second : 0;
    int64_t now_ns = now_us * NS_PER_US;
    r->slack_ns = slack_us * NS_PER_US;
    if (!r->interval_ns || r->next_ns > now_ns + r->interval_ns)
        r->next_ns = now_ns;
    else
        r->next_ns += interval - r->interval_ns;
    r->interval_ns = interval;
}

int64_t rate_wait_us(const struct rate *r, int64_t now_us)
{
    int64_t now_ns = now_us * NS_PER_US;
    if (!r->interval_ns)
        return 0;
    int64_t wait = place_of_one(r, now_ns) - now_ns;
    return wait > 0 ? (wait + NS_PER_US - 1) / NS_PER_US : 0;
}

int64_t rate_ready(const struct rate *r, int64_t now_us)
{
    assert(r->interval_ns);
    int64_t now_ns = now_us * NS_PER_US, first = place_of_one(r, now_ns);
    return first > now_ns ? 0 : (now_ns - first) / r->interval_ns + 1;
}

void rate_take(struct rate *r, int64_t now_us)
{
    assert(rate_wait_us(r, now_us) == 0);
    r->next_ns = place_of_one(r, now_us * NS_PER_US) + r->interval_ns;
}

int64_t rate_reserve_ns(struct rate *r, int64_t now_us)
{
    assert(r->interval_ns);
    int64_t token = place(r, now_us * NS_PER_US);
    r->next_ns = token + r->interval_ns;
    return token;
}
