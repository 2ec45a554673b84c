/* The in-flight limit of an endpoint, after TCP's congestion control: it finds by itself how much a
 * receiver takes, without a setting per endpoint.
 *
 * Until the first sign of overload every success adds one (doubling per round trip), so that a
 * healthy endpoint is at its maximum within some dozens of deliveries although an unknown one never
 * meets the full burst. After a halving a whole round trip of successes adds one.
 *
 * Invariant: 1 <= allowed <= max. */
#include "dispatcher/limit.h"

#include <assert.h>

#define FIRST_ALLOWED 4 /* for an endpoint of which nothing is known yet */

static bool was_cut(const struct limit *l)
{
    return l->cut_at.us != 0;
}

void limit_init(struct limit *l, unsigned max)
{
    assert(max >= 1);
    *l = (struct limit){.allowed = max < FIRST_ALLOWED ? max : FIRST_ALLOWED, .max = max};
}

void limit_set_max(struct limit *l, unsigned max)
{
    assert(max >= 1);
    l->max = max;
    if (l->allowed > l->max)
        l->allowed = l->max;
}

void limit_success(struct limit *l)
{
    l->allowed += was_cut(l) ? 1 / l->allowed : 1;
    if (l->allowed > l->max)
        l->allowed = l->max;
}

void limit_overload(struct limit *l, struct mono started, struct mono now)
{
    /* An attempt that began in the same loop turn as the halving did not know of it either. */
    if (was_cut(l) && started.us <= l->cut_at.us)
        return;
    l->allowed = l->allowed > 2 ? l->allowed / 2 : 1;
    l->cut_at = now;
}

unsigned limit_allowed(const struct limit *l)
{
    assert(l->allowed >= 1 && l->allowed <= l->max);
    return (unsigned)l->allowed;
}
