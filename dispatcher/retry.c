/* Invariants: a delay is never above its step but for a rest that was asked for, and with jitter it
 * is spread over an eighth of the step at least; for the same
 * policy and moment the answer is the same; every policy ends within RETRY_ATTEMPTS_MAX attempts,
 * or a small delay and a large age would hammer an endpoint for a year. */
#include "dispatcher/retry.h"

#include "base/bounds.h"

#include <assert.h>

enum { FIRST, CAP }; /* in delay_ms of an exponential policy */

static int64_t exponential_ms(const struct retry_policy *p, unsigned tries)
{
    int64_t step = p->delay_ms[FIRST];
    for (unsigned i = 1; i < tries && step < p->delay_ms[CAP] && p->factor > 1; i++)
        step *= p->factor;
    return step < p->delay_ms[CAP] ? step : p->delay_ms[CAP];
}

/* The step after `tries` attempts, and over how much of it a delay is spread. */
static int64_t step_us(const struct retry_policy *p, unsigned tries, int64_t *spread)
{
    if (p->kind == RETRY_EXPONENTIAL) {
        const int64_t step = exponential_ms(p, tries) * US_PER_MS;
        *spread = step - step / (p->factor > 2 ? p->factor : 2);
        return step;
    }
    const int64_t step = p->delay_ms[tries - 1] * (int64_t)US_PER_MS;
    const int64_t previous = tries >= 2 ? p->delay_ms[tries - 2] * (int64_t)US_PER_MS : 0;
    *spread = step - previous >= step / 8 ? step - previous : step / 2;
    return step;
}

static bool attempts_left(const struct retry_policy *p, unsigned tries)
{
    const unsigned most = p->attempts_max ? p->attempts_max : RETRY_ATTEMPTS_MAX;
    return tries < most && (p->kind == RETRY_EXPONENTIAL || tries <= p->count);
}

int64_t retry_rest_us(int64_t rest_us, double jitter, double unit)
{
    const int64_t longest = RETRY_AFTER_MAX_S * US_PER_S;
    const int64_t late = rest_us + (int64_t)(jitter * unit * (double)rest_us / 2);
    if (late <= longest)
        return late;
    return rest_us > longest ? rest_us : longest;
}

/* The end of the rest, a little late, but not for that beyond the age that is allowed. */
static int64_t after_rest_us(const struct retry_policy *p, const struct retry_moment *at,
                             double jitter)
{
    const int64_t late = retry_rest_us(at->rest_us, jitter, at->unit);
    const int64_t left = p->age_max_us - at->age_us;
    if (!p->age_max_us || late <= left)
        return late;
    return at->rest_us > left ? at->rest_us : left;
}

bool retry_next(const struct retry_policy *p, const struct retry_moment *at, int64_t *delay_us)
{
    assert(p->kind != RETRY_NONE && at->tries >= 1);
    assert(at->jitter >= 0 && at->jitter <= 1 && at->unit >= 0 && at->unit < 1);
    if (!attempts_left(p, at->tries))
        return false;
    const double jitter =
        p->jitter_percent == RETRY_JITTER_OPTION ? at->jitter : p->jitter_percent / 100.0;
    int64_t spread;
    int64_t delay = step_us(p, at->tries, &spread);
    delay -= (int64_t)(jitter * at->unit * (double)spread);
    if (delay < at->rest_us)
        delay = after_rest_us(p, at, jitter);
    *delay_us = delay;
    return !p->age_max_us || at->age_us <= p->age_max_us - delay;
}

struct retry_policy retry_of_option(const struct durations *schedule)
{
    struct retry_policy p = {
        .kind = RETRY_SCHEDULE, .jitter_percent = RETRY_JITTER_OPTION, .count = schedule->count};
    static_assert(DURATIONS_MAX <= RETRY_DELAYS_MAX, "the option's list fits");
    for (unsigned i = 0; i < schedule->count; i++)
        p.delay_ms[i] = (uint32_t)(schedule->us[i] / US_PER_MS);
    return p;
}
