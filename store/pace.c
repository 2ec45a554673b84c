/* Why portions: a commit for each delivery would be a sync for each, and a thousand a second of
 * them would leave the disk no time for events.
 *
 * Invariant: next_ns is where the token after the last release stands, by the wall clock, since it
 * must outlive the process; when that clock is set back, one delivery goes at once and the pace
 * follows the new time. */
#include "store/pace.h"

#include "base/rate.h"

#define PORTIONS_A_SECOND 10
#define SLACK_US US_PER_S

static struct rate rate_of(const struct task *t, struct wall now)
{
    struct rate r = {0};
    rate_set(&r, t->rate, SLACK_US, now.us);
    r.next_ns = t->next_ns;
    return r;
}

static int64_t portion_of(const struct task *t)
{
    return (t->rate + PORTIONS_A_SECOND - 1) / PORTIONS_A_SECOND;
}

void pace_begin(struct task *t, struct wall now)
{
    if (t->rate)
        t->next_ns = now.us * NS_PER_US;
}

bool pace_is_due(const struct task *t, struct wall now)
{
    if (!t->rate)
        return true;
    const struct rate r = rate_of(t, now);
    bool set_back = r.next_ns > now.us * NS_PER_US + r.interval_ns;
    return set_back || rate_ready(&r, now.us) >= portion_of(t);
}

struct wall pace_due_at(const struct task *t)
{
    const struct rate r = rate_of(t, (struct wall){0});
    int64_t at_ns = r.next_ns + (portion_of(t) - 1) * r.interval_ns;
    return (struct wall){(at_ns + NS_PER_US - 1) / NS_PER_US};
}

bool pace_allows(const struct task *t, struct wall now)
{
    const struct rate r = rate_of(t, now);
    return rate_wait_us(&r, now.us) == 0;
}

void pace_take(struct task *t, struct wall now)
{
    struct rate r = rate_of(t, now);
    if (!t->rate)
        return;
    rate_take(&r, now.us);
    t->next_ns = r.next_ns;
}
