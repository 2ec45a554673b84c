/* Whether an endpoint is worth its attempts' cost. Pure.
 *
 * An attempt that is answered leaves its connection for the next one. One that fails, or whose
 * answer must be cut off, takes it along, and the next costs ten times the processor time for a new
 * one. One endpoint that does so is no matter: its breaker opens after some attempts. Hundreds that
 * do so at once (an outage, an attack) would take what everybody else needs until all of theirs
 * have opened. So attempts at those that are doubtful are paced, all of a thread's together
 * (dispatcher/lanes.h).
 *
 *   NEW      -> GOOD       an attempt was answered
 *   NEW      -> DOUBTFUL   or not: nothing speaks for it
 *   GOOD     -> SHAKEN     one was not answered: that happens to everybody
 *   SHAKEN   -> DOUBTFUL   nor was the next one
 *   any      -> GOOD       one was answered
 *   any      -> NEW        the endpoint was changed, and its breaker is not open any more
 *
 * A status of 500 and more is no answer here: it may leave the connection, but the breaker takes it
 * for sick, too. What began before a change counts for nothing after it. So the first attempt at a
 * new endpoint goes like any other, however many others are doubtful. After a start all are new,
 * but those whose breaker was left open. */
#ifndef DISPATCHER_TRUST_H
#define DISPATCHER_TRUST_H

#include <stdbool.h>

/* Zeroed: new. */
enum trust { TRUST_NEW, TRUST_GOOD, TRUST_SHAKEN, TRUST_DOUBTFUL };

/* After an attempt. */
static inline enum trust trust_after(enum trust trust, bool answered)
{
    if (answered)
        return TRUST_GOOD;
    return trust == TRUST_GOOD ? TRUST_SHAKEN : TRUST_DOUBTFUL;
}

#endif
