/* The pace of a task at a chosen rate: when it may release how many deliveries. Private to store/;
 * pure. A task without a rate is never held back.
 *
 * It goes in portions of a tenth of a second, so that the commits do not follow the rate; what a
 * second of delay kept back is made up for, what a longer one did (a restart) is not. */
#ifndef STORE_PACE_H
#define STORE_PACE_H

#include "store/record.h"

/* The first token stands at `now`. No effect without a rate. */
void pace_begin(struct task *t, struct wall now);
/* Whether a step should be taken: a portion has gathered. */
bool pace_is_due(const struct task *t, struct wall now);
/* When pace_is_due becomes true, by a clock that is not set. */
struct wall pace_due_at(const struct task *t);
/* Whether one more delivery may go, within a step. */
bool pace_allows(const struct task *t, struct wall now);
/* It went. */
void pace_take(struct task *t, struct wall now);

#endif
