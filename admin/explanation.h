/* What happened to a message at an endpoint and what comes next, told from what the store and the
 * dispatcher know. Pure: the facts are gathered by the caller (admin/explain.c), the borrowed ones
 * live during the call.
 *
 * What an endpoint asks for is known as it is now, not as it was when the message came: where the
 * two may differ, the answer says so. A new reason to wait is a value of enum explanation_wait with
 * its name, its place in explanation_next and its clause. */
#ifndef ADMIN_EXPLANATION_H
#define ADMIN_EXPLANATION_H

#include "base/json_writer.h"
#include "dispatcher/inquiry.h"

struct explanation {
    struct wall now;
    const struct app *app;
    const struct endpoint *endpoint;
    const struct endpoint_health *health;
    const struct message *message;
    const struct delivery *delivery; /* NULL: the endpoint has none of this message */
    struct id waits_for;             /* of a held delivery; zero: none */
    uint64_t waiting;                /* deliveries of the endpoint that wait */
    struct live live;
    struct attempt *const *attempts; /* newest first */
    unsigned attempt_count;
    bool more_attempts; /* older ones are left out */
};

/* Why the endpoint gets the message, or, from RULE_NOT_ADDRESSED on, why not. */
enum explanation_rule {
    RULE_EVERY,         /* it asks for every message */
    RULE_TYPE,          /* for messages of this event type */
    RULE_CHANNEL,       /* for a channel of the message, with its event type or any */
    RULE_ADDRESSED,     /* the message is for this endpoint alone */
    RULE_BEFORE,        /* it got the message, and would not take it now */
    RULE_NOT_ADDRESSED, /* the message is for another endpoint alone */
    RULE_CREATED_AFTER, /* the endpoint came after the message */
    RULE_DISABLED,
    RULE_NOT_TYPE,
    RULE_NOT_CHANNEL,
    RULE_CHANGED, /* it would take it now, and was changed after the message came */
    RULE_FAN_OUT, /* nothing speaks against it: the message is still being handed out */
};
enum explanation_rule explanation_rule(const struct explanation *x);

/* What it waits for. */
enum explanation_wait {
    WAIT_NOTHING, /* nothing comes by itself */
    WAIT_FAN_OUT, /* the message is still being handed to the endpoints */
    WAIT_OUTCOME, /* an attempt is under way */
    WAIT_DISABLED,
    WAIT_PAUSED,
    WAIT_ORDER, /* for another message of its ordering key */
    WAIT_DELIVER_AT,
    WAIT_RETRY,
    WAIT_BREAKER,
    WAIT_REST,
    WAIT_RATE,
    WAIT_LIMIT,
    WAIT_TURN,
};
struct explanation_next {
    enum explanation_wait wait;
    struct wall at; /* {0}: not known, or not by time */
    bool manual;    /* the attempt that comes is a manual one */
};
struct explanation_next explanation_next(const struct explanation *x);

/* The names in the API; NULL past the last. WAIT_NOTHING has none: the first is that of the one
 * after it. */
const char *explanation_wait_name(unsigned i);
/* Those of the rules that match, then those of the others. */
const char *explanation_rule_name(unsigned i);
/* "delivered" …: that of the delivery, or "in_flight", "accepted", "unmatched". */
const char *explanation_state(const struct explanation *x, const struct explanation_next *next);

/* What it waits for and why it got or did not get it, as clauses: no capital and no full stop. */
void explanation_wait_clause(struct buf *out, const struct explanation *x,
                             const struct explanation_next *next);
void explanation_rule_clause(struct buf *out, const struct explanation *x,
                             enum explanation_rule rule);
/* "attempt 2 got status 503": likewise. */
void explanation_attempt_clause(struct buf *out, const struct attempt *a);
void explanation_end_clause(struct buf *out, const struct delivery *d);

/* explanation_out.c: the whole answer, an object. */
void explanation_out(struct json_writer *w, const struct explanation *x);

/* The names of what stands in the answer, for its schema; NULL past the last. */
const char *explanation_step_name(unsigned i);
const char *explanation_remedy_name(unsigned i);

#endif
