/* Why not a plain rotation: one endpoint with messages of 1 MiB would take a thousand times the
 * share of one with messages of 1 KiB.
 *
 * Invariant: no balance is above the allowance; only a member at or below zero is given more. */
#include "dispatcher/turn.h"

#include <assert.h>

void turn_init(struct turn *t, int64_t allowance)
{
    assert(allowance > 0);
    TAILQ_INIT(&t->ring);
    t->allowance = allowance;
}

void turn_add(struct turn *t, struct turn_member *m)
{
    if (m->in)
        return;
    TAILQ_INSERT_TAIL(&t->ring, m, link);
    m->in = true;
}

void turn_remove(struct turn *t, struct turn_member *m)
{
    if (!m->in)
        return;
    TAILQ_REMOVE(&t->ring, m, link);
    m->in = false;
    if (m->balance > 0)
        m->balance = 0;
}

struct turn_member *turn_next(struct turn *t)
{
    struct turn_member *m;
    while ((m = TAILQ_FIRST(&t->ring)) && m->balance <= 0) {
        m->balance += t->allowance;
        TAILQ_REMOVE(&t->ring, m, link);
        TAILQ_INSERT_TAIL(&t->ring, m, link);
    }
    return m;
}

bool turn_is_empty(const struct turn *t)
{
    return TAILQ_EMPTY(&t->ring);
}

void turn_charge(struct turn_member *m, uint64_t body_bytes)
{
    m->balance -= (int64_t)body_bytes + TURN_OVERHEAD;
}
