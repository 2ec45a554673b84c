/* What an attempt's result means. Pure. */
#ifndef DISPATCHER_VERDICT_H
#define DISPATCHER_VERDICT_H

#include "dispatcher/retry.h"
#include "dispatcher/retry_after.h"
#include "store/store.h"

struct result {
    enum attempt_class outcome;
    uint16_t status;
    int64_t retry_after_us; /* of the response, from its end; -1: none or unreadable */
};

struct verdict {
    int what;                    /* OUTCOME_DELIVERED, OUTCOME_RETRY, OUTCOME_DEAD of outcome_op */
    struct wall retry_at;        /* of OUTCOME_RETRY */
    enum delivery_reason reason; /* of OUTCOME_DEAD */
    bool disable;                /* 410: the endpoint is gone */
    bool slow_down;              /* 429, 502, 503, 504, timeouts: the endpoint wants less; or our
                                    proxy failed, or no access token came */
    struct wall not_before;      /* 429 and 503 with Retry-After, a failed proxy, and no access
                                    token: the whole endpoint rests until then; {0}: no rest */
};

/* A 2xx delivers; every other result, a redirect and a blocked address (names change) included, is
 * retried as the policy says and then dead with REASON_EXHAUSTED. A 410 is dead at once with
 * REASON_ENDPOINT_DISABLED. Retry-After of a 429 or 503 can only put a retry off, by at most
 * RETRY_AFTER_MAX_S.
 *
 * `at`: the rest is the response's, whatever it says; `tries` counts this attempt (0 for a manual
 * one). A manual attempt is never retried: its failure is OUTCOME_DEAD with REASON_NONE, by which
 * the writer knows to leave the delivery's state as it was; a 410 disables the endpoint all the
 * same. */
struct verdict verdict_of(const struct result *result, enum attempt_trigger trigger,
                          const struct retry_policy *policy, const struct retry_moment *at,
                          struct wall ended);

#endif
