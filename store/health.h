/* How endpoints do: since when one fails, and what its breaker needs after a restart. Private to
 * store/; the writer thread alone uses it.
 *
 * An endpoint has a row from its first failure to its next success, and while it is disabled. The
 * row is written when one of these begins or ends and when the breaker opens, closes or puts its
 * probe off: never for an event of an endpoint that does well, nor for each failure. */
#ifndef STORE_HEALTH_H
#define STORE_HEALTH_H

#include "store/batch.h"

/* An endpoint is not disabled by failure before it failed so often in a row: a subscriber with one
 * event a week is not given up after two. */
#define FAILURES_TO_DISABLE 10 /* the option's help and docs/api.md say so */

/* Takes in what an attempt says. *give_up: it has failed for so long that it is to be disabled. */
enum err health_note(struct batch *b, const struct outcome_op *op, bool *give_up) MUST_CHECK;
/* The endpoint is about to be replaced; its row still is the one before. `old` NULL: it is new.
 * `forget`: whatever changed. */
enum err health_change(struct batch *b, const struct endpoint *e, const struct table_endpoint *old,
                       bool forget) MUST_CHECK;

#endif
