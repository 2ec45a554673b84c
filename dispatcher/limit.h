/* How many attempts an endpoint gets at once: additive increase on success, halving on signs of
 * overload (429, 502, 503, 504, timeouts), at most once per round trip. Pure. */
#ifndef DISPATCHER_LIMIT_H
#define DISPATCHER_LIMIT_H

#include "base/clock.h"

struct limit {
    double allowed; /* between 1 and max */
    double max;
    struct mono cut_at; /* the last halving: results of attempts that began before it do not halve
                           again; {0}: never halved */
};
/* Starts low (4, or max when that is less) and grows fast until the first halving. */
void limit_init(struct limit *l, unsigned max);
/* Another maximum; what was learnt stays, within it. */
void limit_set_max(struct limit *l, unsigned max);
void limit_success(struct limit *l);
void limit_overload(struct limit *l, struct mono started, struct mono now);
/* Whole attempts allowed now, at least 1. */
unsigned limit_allowed(const struct limit *l);

#endif
