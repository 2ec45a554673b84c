/* A retry policy as people set it, for an endpoint or an event type, and how it is stored. What it
 * means for an attempt that failed is in dispatcher/retry.h. Pure; any thread. */
#ifndef STORE_RETRY_H
#define STORE_RETRY_H

#include "base/buf.h"
#include "base/clock.h"

#define RETRY_DELAYS_MAX 64                 /* as the option has */
#define RETRY_DELAY_MAX_MS (30u * 86400000) /* likewise */
#define RETRY_ATTEMPTS_MAX 1000             /* of any policy, whatever age it allows */
#define RETRY_FACTOR_MAX 10
#define RETRY_AGE_MAX_US (365 * INT64_C(86400) * US_PER_S)
#define RETRY_JITTER_OPTION 0xff /* jitter_percent: what the option says */

/* On disk: append only. */
enum retry_kind {
    RETRY_NONE,        /* no policy of its own */
    RETRY_SCHEDULE,    /* the delays are listed */
    RETRY_EXPONENTIAL, /* each is `factor` times the one before, up to a cap */
    RETRY_KINDS
};

struct retry_policy {
    enum retry_kind kind;
    uint16_t attempts_max;  /* in all, the first included; 0: as many as the delays and the age
                               allow, up to RETRY_ATTEMPTS_MAX. An exponential policy has this
                               bound or the age's */
    uint8_t jitter_percent; /* 0 … 100, or RETRY_JITTER_OPTION */
    uint8_t factor;         /* of RETRY_EXPONENTIAL: 1 … RETRY_FACTOR_MAX */
    unsigned count;         /* of RETRY_SCHEDULE: delays, at most RETRY_DELAYS_MAX … */
    uint32_t delay_ms[RETRY_DELAYS_MAX]; /* … each 1 … RETRY_DELAY_MAX_MS. Of RETRY_EXPONENTIAL: the
                                            first and the cap, which is not below it */
    int64_t age_max_us; /* no retry later than this after the schedule began; 0: no bound */
};

/* Appends the stored form. */
void retry_policy_encode(const struct retry_policy *p, struct buf *out);
/* False on damage: what it says is within the bounds above, or it is damaged. */
bool retry_policy_decode(struct span in, struct retry_policy *out) MUST_CHECK;

#endif
