/* The circuit breaker of an endpoint: when to stop calling it, and when to try again. Pure.
 *
 *   CLOSED    -> OPEN       of at least `attempts` in the last minute half or more were sick
 *   OPEN      -> HALF_OPEN  an attempt begins once probe_at has come: the probe, one alone
 *   HALF_OPEN -> CLOSED     the probe was answered
 *   HALF_OPEN -> OPEN       the probe was sick, and the next one waits longer; or it ended without
 *                           saying anything, and the next one may go at once
 *   any       -> CLOSED     the endpoint was changed in a way that may have cured it
 *
 * One answered probe closes it: the endpoint's limit begins low again, so that closing is no flood,
 * and the window opens the breaker once more when the cure did not hold. What was under way when it
 * opened says nothing any more: it was sent before.
 *
 * Sick is an attempt that shows that others are in vain or do harm: no connection, no name, a
 * failed handshake, a timeout, a broken answer, an address that is refused, any 5xx. Alive is every
 * other answer: a 4xx or a redirect is what a living endpoint says of this request, and the next
 * may be another; a 429 asks for less, which the limit and Retry-After see to. A failure of our own
 * or of our proxy is no sign at all. */
#ifndef DISPATCHER_BREAKER_H
#define DISPATCHER_BREAKER_H

#include "dispatcher/dispatcher.h"
#include "dispatcher/verdict.h"

#define BREAKER_WINDOW_US (60 * US_PER_S)

enum breaker_state {
    BREAKER_CLOSED,    /* attempts go */
    BREAKER_OPEN,      /* nothing goes before probe_at */
    BREAKER_HALF_OPEN, /* nothing goes before the probe has ended */
};

/* Zeroed: closed, and nothing is known. */
struct breaker {
    enum breaker_state state;
    struct breaker_mark mark; /* what is kept on disk; all zero while closed */
    uint32_t probe;           /* the number of the last probe */
    struct breaker_count {
        uint32_t attempts, sick;
    } now, before;         /* this half of the window, and the one before it */
    struct mono now_began; /* this half */
};

enum breaker_sign { SIGN_NONE, SIGN_ALIVE, SIGN_SICK };
enum breaker_sign breaker_sign(const struct result *r);

/* The end of an attempt. */
struct breaker_event {
    const struct result *result;
    uint32_t probe; /* of breaker_begin */
    struct wall ended;
    struct mono now;        /* the same moment */
    struct wall not_before; /* asked for by the endpoint (Retry-After); {0}: nothing */
    double unit;            /* random, in [0, 1) */
};
/* True: `mark` changed. */
bool breaker_observe(struct breaker *b, const struct breaker_policy *policy,
                     const struct breaker_event *event);

/* Whether an attempt may begin. */
bool breaker_lets(const struct breaker *b, struct wall now);
/* When it may become true by time alone: {0} at once, WALL_NEVER only after something happened. */
struct wall breaker_wake_at(const struct breaker *b);
/* An attempt begins. The number of the probe that it is; 0: it is none. */
uint32_t breaker_begin(struct breaker *b);
/* Whether it is the probe under way. */
bool breaker_awaits(const struct breaker *b, uint32_t probe);
/* The attempt ended without an observation; no effect when it is not the probe under way. */
void breaker_lost(struct breaker *b, uint32_t probe);

/* How long to wait for the next probe when `probes` have failed: between half and all of the step.
 * A herd of endpoints that one outage took down comes back spread. */
int64_t breaker_wait_us(const struct breaker_policy *policy, unsigned probes, double unit);

/* As it was kept, after a restart: open, not half-open. A clock that was set back meanwhile cannot
 * put the probe off by more than the longest wait that there is. */
void breaker_restore(struct breaker *b, const struct breaker_policy *policy,
                     const struct breaker_mark *mark, struct wall now);
/* Closed, and nothing is known; probes under way are lost. */
void breaker_reset(struct breaker *b);

#endif
