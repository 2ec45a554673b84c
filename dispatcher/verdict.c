/* The meaning of an attempt's result, in one place and without I/O, so that every rule can be read
 * as a table and tested as one.
 *
 * Invariants: a result has exactly one verdict; a retry is never earlier than the policy's
 * jittered step; only what the final response headers said counts (a status seen on a broken or
 * timed-out exchange is no answer). */
#include "dispatcher/verdict.h"

#include "base/bounds.h"

#include <assert.h>

/* A proxy that is down fails an attempt within a millisecond, and so does an authorization server:
 * without a rest a backlog would burn its schedules on it. */
#define ON_THE_WAY_REST_US US_PER_S

/* The final status of an answered attempt; 0 when there was no answer to judge. */
static unsigned answered_status(const struct result *r)
{
    return r->outcome == ATTEMPT_SUCCESS || r->outcome == ATTEMPT_STATUS ? r->status : 0;
}

/* It failed before the endpoint, and so would the endpoint's other deliveries. */
static bool failed_on_the_way(const struct result *r)
{
    return r->outcome == ATTEMPT_PROXY || r->outcome == ATTEMPT_TOKEN;
}

static bool asks_for_less(const struct result *r)
{
    switch (answered_status(r)) {
    case 429:
    case 502:
    case 503:
    case 504:
        return true;
    default:
        return r->outcome == ATTEMPT_TIMEOUT || failed_on_the_way(r);
    }
}

/* How long the response wants us to stay away; 0 when it may not or did not say. */
static int64_t rest_us(const struct result *r)
{
    unsigned status = answered_status(r);
    bool asks = status == 429 || status == 503 || r->outcome == ATTEMPT_TOKEN;
    if (!asks || r->retry_after_us <= 0)
        return 0;
    const int64_t longest = RETRY_AFTER_MAX_S * US_PER_S;
    return r->retry_after_us < longest ? r->retry_after_us : longest;
}

static struct verdict dead(struct verdict v, enum delivery_reason reason)
{
    v.what = OUTCOME_DEAD;
    v.reason = reason;
    return v;
}

struct verdict verdict_of(const struct result *result, enum attempt_trigger trigger,
                          const struct retry_policy *policy, const struct retry_moment *at,
                          struct wall ended)
{
    assert((result->outcome == ATTEMPT_SUCCESS) ==
           (answered_status(result) >= 200 && answered_status(result) < 300));
    assert((trigger == TRIGGER_MANUAL) == (at->tries == 0));

    struct verdict v = {.what = OUTCOME_DELIVERED};
    if (result->outcome == ATTEMPT_SUCCESS)
        return v;

    struct retry_moment moment = *at;
    moment.rest_us = rest_us(result);
    v.slow_down = asks_for_less(result);
    v.disable = answered_status(result) == 410;
    if (moment.rest_us > 0)
        v.not_before = wall_add(ended, retry_rest_us(moment.rest_us, at->jitter, at->unit));
    else if (failed_on_the_way(result))
        v.not_before = wall_add(ended, ON_THE_WAY_REST_US);

    if (trigger == TRIGGER_MANUAL)
        return dead(v, REASON_NONE);
    if (v.disable)
        return dead(v, REASON_ENDPOINT_DISABLED);

    int64_t delay;
    if (!retry_next(policy, &moment, &delay))
        return dead(v, REASON_EXHAUSTED);
    v.what = OUTCOME_RETRY;
    v.retry_at = wall_add(ended, delay);
    return v;
}
