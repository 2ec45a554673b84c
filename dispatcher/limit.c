/* The header says what is done and after whom.
 *
 * Invariants: 1 <= allowed <= max; at most one decrease a round trip, and none that more than
 * halves; a success never decreases but at the end of a round that was inflated; base_us rises only
 * at the end of a round that was measured one attempt at a time. */
#include "dispatcher/limit.h"

#include <assert.h>

void limit_init(struct limit *l, unsigned max)
{
    assert(max >= 1);
    *l = (struct limit){.allowed = 1, .threshold = max, .max = max, .wanted = LIMIT_ROUND};
}

/* It ends with what was allowed at its begin: in slow start that runs ahead of the samples. */
static void begin_round(struct limit *l, struct mono now)
{
    l->samples = 0;
    l->wanted = limit_allowed(l) > LIMIT_ROUND ? limit_allowed(l) : LIMIT_ROUND;
    l->alone = l->allowed < 2;
    l->round_at = now;
}

void limit_set_max(struct limit *l, unsigned max, struct mono now)
{
    assert(max >= 1);
    if (l->threshold >= l->max) /* nothing but the maximum has ended slow start */
        l->threshold = max;
    l->max = max;
    if (l->allowed > max)
        l->allowed = max;
    l->base_us = l->inflated = 0;
    begin_round(l, now);
}

void limit_begin(struct limit *l, unsigned in_flight, struct mono now)
{
    if (in_flight >= limit_allowed(l))
        l->used_at = now;
}

static bool was_cut_since(const struct limit *l, struct mono started)
{
    /* An attempt that began in the same loop turn as the cut did not know of it either. */
    return l->cut_at.us != 0 && started.us <= l->cut_at.us;
}

static void cut(struct limit *l, double factor, struct mono now)
{
    l->allowed *= factor;
    if (l->allowed < 1)
        l->allowed = 1;
    l->threshold = l->allowed;
    l->cut_at = now;
    begin_round(l, now);
}

static void grow(struct limit *l)
{
    l->allowed += l->allowed < l->threshold ? 1 : 1 / l->allowed;
    if (l->allowed > l->max)
        l->allowed = l->max;
}

/* ---------------------------------------------------------------- response times */

static double tolerated_us(const struct limit *l)
{
    return 2.0 * l->base_us + (double)LIMIT_JITTER_US;
}

/* A round has ended that was slower than what is tolerated. */
static void end_inflated(struct limit *l, struct mono now)
{
    if (l->alone && l->allowed < 2) { /* no queue of ours: it has become slower */
        l->base_us = l->least_us;
        l->inflated = 0;
        l->threshold = l->max;
        return;
    }
    l->threshold = l->allowed;
    if (++l->inflated < 2)
        return;
    const double factor = tolerated_us(l) / l->least_us;
    cut(l, factor > 0.5 ? factor : 0.5, now);
}

static void end_round(struct limit *l, struct mono now)
{
    if (l->base_us == 0 || l->least_us < l->base_us)
        l->base_us = l->least_us;
    /* Where the limit was not in the way, less of it would not help. */
    const bool in_the_way = l->used_at.us >= l->round_at.us;
    if (in_the_way && (double)l->least_us > tolerated_us(l))
        end_inflated(l, now);
    else
        l->inflated = 0;
    begin_round(l, now);
}

static void sample(struct limit *l, int64_t response_us, struct mono now)
{
    const uint32_t us = response_us < UINT32_MAX ? (uint32_t)response_us : UINT32_MAX;
    if (us < l->least_us || l->samples == 0)
        l->least_us = us;
    if (++l->samples >= l->wanted)
        end_round(l, now);
}

/* ---------------------------------------------------------------- the ends of attempts */

void limit_success(struct limit *l, struct mono started, int64_t response_us, struct mono now)
{
    const bool in_the_way = l->used_at.us >= started.us;
    if (in_the_way && l->inflated == 0 && !was_cut_since(l, started))
        grow(l);
    if (response_us > 0 && started.us >= l->round_at.us)
        sample(l, response_us, now);
    assert(l->allowed >= 1 && l->allowed <= l->max);
}

void limit_overload(struct limit *l, struct mono started, struct mono now)
{
    if (!was_cut_since(l, started))
        cut(l, 0.5, now);
    assert(l->allowed >= 1 && l->allowed <= l->max);
}
