/* How many attempts an endpoint gets at once. Pure: a function of the attempts that began and
 * ended.
 *
 * TCP's congestion control (Reno: RFC 5681) with the ends of attempts for acknowledgements, because
 * the question is the same: how much does a peer take that does not say? Its slow start finds the
 * order of magnitude within a few round trips, its additive increase and multiplicative decrease is
 * the rule by which those who share a receiver end with equal shares (Chiu and Jain, 1989), and it
 * needs no setting per endpoint. As in TCP:
 *
 *   - It starts at 1. Below the threshold a success adds one, which doubles the limit in a round
 *     trip; above it a round trip of successes adds one.
 *   - Growth counts only when the limit was in the way while the attempt ran (RFC 7661): what was
 *     never tried is not known.
 *   - A sign of overload (429, 502, 503, 504, a timeout) halves it, once a round trip: what was
 *     under way at the halving knew nothing of it.
 *
 * A receiver that queues shows overload as latency long before it refuses, so a standing queue
 * counts, too, by the rule of Netflix's concurrency-limits (Gradient2): the limit is multiplied by
 * tolerated / measured, half of it at worst. What is measured is the least response time of a
 * round of at least LIMIT_ROUND attempts, as HyStart++ (RFC 9406) and CoDel (RFC 8289) do: in a
 * queue that stands even the quickest waits, while one slow answer, or all but one, is noise.
 * Tolerated is twice the endpoint's own time and LIMIT_JITTER_US. The first such round stops the
 * growth, from the second in a row on it is cut: a pause of the receiver that is over says
 * nothing.
 *
 * Its own time is the least that was seen. It rises only when a round was measured one attempt at a
 * time, where no queue can be ours; a receiver that has become slower is found out like this: its
 * limit falls to 1 and starts anew from there. An average in its place, as Gradient2 has, creeps up
 * under a queue until the queue is normal.
 *
 * Why not CUBIC or BBR: they serve windows of thousands of packets and long fat pipes; here the
 * maximum is some dozens. Why not Vegas alone: it yields to whoever fills the queue, and its base
 * never rises. */
#ifndef DISPATCHER_LIMIT_H
#define DISPATCHER_LIMIT_H

#include "base/clock.h"

#define LIMIT_ROUND 8
#define LIMIT_JITTER_US (10 * US_PER_MS) /* of networks and of our own loop */

struct limit {
    double allowed;   /* between 1 and max */
    double threshold; /* of slow start */
    uint32_t max;
    uint32_t base_us;     /* the endpoint's own response time; 0: not known */
    uint32_t least_us;    /* of this round, … */
    uint32_t samples;     /* … which has so many … */
    uint32_t wanted;      /* … of these */
    uint32_t inflated;    /* rounds in a row that were */
    bool alone;           /* this round began with one attempt at a time */
    struct mono round_at; /* it began then: attempts from before do not count in it */
    struct mono used_at;  /* the limit was reached then */
    struct mono cut_at;   /* the last decrease; {0}: none yet */
};

/* Of an endpoint of which nothing is known. */
void limit_init(struct limit *l, unsigned max);
/* The endpoint's configuration was looked at. Its times are learnt anew, because it may lead
 * elsewhere; the limit stays, within the maximum. */
void limit_set_max(struct limit *l, unsigned max, struct mono now);

/* An attempt began; with it so many are under way. */
void limit_begin(struct limit *l, unsigned in_flight, struct mono now);
/* It succeeded. `response_us` is from the request to the first byte of the answer, without what a
 * new connection took; 0: not known. */
void limit_success(struct limit *l, struct mono started, int64_t response_us, struct mono now);
/* It ended with a sign of overload. */
void limit_overload(struct limit *l, struct mono started, struct mono now);

/* Whole attempts allowed now, at least 1. */
static inline unsigned limit_allowed(const struct limit *l)
{
    return (unsigned)l->allowed;
}

#endif
