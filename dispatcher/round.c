/* Why a lane whose application is not known stands with the others of that kind as if they were one
 * application: whose it is stands in its endpoint's record, which nobody reads before its turn.
 * After a start all are unknown, and a look costs them as much as a request, so that they too take
 * turns with those that are known.
 *
 * Invariant: a tenant is in the round of a pool exactly while one of its members is in its own
 * ring of that pool. */
#include "dispatcher/round.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

struct tenant {
    uint32_t app;
    uint32_t members; /* that refer to it */
    struct tenant_queue {
        struct turn_member place; /* among the tenants */
        struct turn ring;         /* its members */
    } queues[ROUND_POOLS];
};
static_assert(sizeof(struct tenant) <= ROUND_TENANT_BYTES, "what an application costs");

static struct span key_of_tenant(const void *value)
{
    const struct tenant *t = value;
    return span_of(&t->app, sizeof t->app);
}

static struct tenant *tenant_new(const struct round *r, uint32_t app)
{
    struct tenant *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->app = app;
    for (int pool = 0; pool < ROUND_POOLS; pool++)
        turn_init(&t->queues[pool].ring, r->endpoint_allowance);
    return t;
}

bool round_init(struct round *r)
{
    for (int pool = 0; pool < ROUND_POOLS; pool++)
        turn_init(&r->tenants[pool], ROUND_ALLOWANCE);
    r->by_app = map_new(key_of_tenant);
    r->endpoint_allowance = TURN_ALLOWANCE;
    r->unknown = tenant_new(r, 0);
    return r->by_app && r->unknown;
}

void round_clear(struct round *r)
{
    assert(!r->by_app || map_count(r->by_app) == 0);
    map_free(&r->by_app);
    free(r->unknown);
    r->unknown = NULL;
}

static struct tenant *tenant_of(const struct round *r, const struct round_member *m)
{
    return m->tenant ? m->tenant : r->unknown;
}

static struct tenant *find_or_add(struct round *r, uint32_t app)
{
    struct tenant *t = map_get(r->by_app, span_of(&app, sizeof app));
    if (t)
        return t;
    t = tenant_new(r, app);
    if (!t || map_put(r->by_app, t))
        return t;
    free(t);
    return NULL;
}

bool round_join(struct round *r, struct round_member *m, uint32_t app)
{
    struct tenant *t = m->tenant ? NULL : find_or_add(r, app);
    if (!t)
        return false;
    round_remove(r, m);
    m->tenant = t;
    t->members++;
    return true;
}

void round_leave(struct round *r, struct round_member *m)
{
    struct tenant *t = m->tenant;
    round_remove(r, m);
    m->tenant = NULL;
    if (!t || --t->members > 0)
        return;
    map_take(r->by_app, key_of_tenant(t));
    free(t);
}

void round_add(struct round *r, struct round_member *m, enum round_pool pool)
{
    struct tenant_queue *q = &tenant_of(r, m)->queues[pool];
    if (m->turn.in && m->pool == pool)
        return;
    round_remove(r, m);
    m->pool = pool;
    turn_add(&q->ring, &m->turn);
    turn_add(&r->tenants[pool], &q->place);
}

void round_remove(struct round *r, struct round_member *m)
{
    struct tenant_queue *q = &tenant_of(r, m)->queues[m->pool];
    if (!m->turn.in)
        return;
    turn_remove(&q->ring, &m->turn);
    if (turn_is_empty(&q->ring))
        turn_remove(&r->tenants[m->pool], &q->place);
}

struct round_member *round_next(struct round *r, enum round_pool pool)
{
    const struct turn_member *place = turn_next(&r->tenants[pool]);
    if (!place)
        return NULL;
    struct tenant_queue *q =
        (struct tenant_queue *)((char *)place - offsetof(struct tenant_queue, place));
    struct turn_member *m = turn_next(&q->ring);
    assert(m);
    return (struct round_member *)((char *)m - offsetof(struct round_member, turn));
}

bool round_is_empty(const struct round *r, enum round_pool pool)
{
    return turn_is_empty(&r->tenants[pool]);
}

void round_charge(struct round *r, struct round_member *m, uint64_t body_bytes)
{
    assert(m->turn.in);
    turn_charge(&m->turn, body_bytes);
    turn_charge(&tenant_of(r, m)->queues[m->pool].place, body_bytes);
}
