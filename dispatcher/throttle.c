/* Why reservations: were the tokens simply there to be taken, every lane of an application would
 * wake for every token, and the thread that turns fastest would get them all.
 *
 * Invariants: `next` only moves as base/rate.h says, by one compare-and-swap for each reservation;
 * rate and version change under the lock. A reservation made while they change may be one interval
 * off, or be ended at once: both last a moment. */
#include "dispatcher/throttle.h"

#include <assert.h>
#include <stdlib.h>

struct throttle {
    struct throttles *all;
    uint32_t app;
    unsigned refs; /* under the lock */
    _Atomic uint64_t version;
    _Atomic int64_t interval_ns, next_ns;
};

static struct span key_of_throttle(const void *value)
{
    const struct throttle *t = value;
    return span_of(&t->app, sizeof t->app);
}

bool throttles_init(struct throttles *all)
{
    pthread_mutex_init(&all->lock, NULL);
    all->by_app = map_new(key_of_throttle);
    return all->by_app != NULL;
}

void throttles_clear(struct throttles *all)
{
    assert(!all->by_app || map_count(all->by_app) == 0);
    map_free(&all->by_app);
    pthread_mutex_destroy(&all->lock);
}

static struct rate rate_of(struct throttle *t)
{
    return (struct rate){
        .interval_ns = atomic_load(&t->interval_ns),
        .slack_ns = THROTTLE_SLACK_US * NS_PER_US,
        .next_ns = atomic_load(&t->next_ns),
    };
}

static struct throttle *find_or_add(struct throttles *all, uint32_t app)
{
    struct throttle *t = map_get(all->by_app, span_of(&app, sizeof app));
    if (t)
        return t;
    t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->all = all;
    t->app = app;
    if (map_put(all->by_app, t))
        return t;
    free(t);
    return NULL;
}

struct throttle *throttle_get(struct throttles *all, uint32_t app, int64_t per_second,
                              uint64_t version, struct mono now)
{
    assert(per_second > 0);
    pthread_mutex_lock(&all->lock);
    struct throttle *t = find_or_add(all, app);
    if (t && (t->refs++ == 0 || version > atomic_load(&t->version))) {
        struct rate r = {0}; /* what was reserved is void: the next token is there at once */
        rate_set(&r, per_second, THROTTLE_SLACK_US, now.us);
        atomic_store(&t->interval_ns, r.interval_ns);
        atomic_store(&t->next_ns, r.next_ns);
        atomic_store(&t->version, version);
    }
    pthread_mutex_unlock(&all->lock);
    return t;
}

void throttle_release(struct throttle **t)
{
    struct throttle *self = *t;
    *t = NULL;
    if (!self)
        return;
    struct throttles *all = self->all;
    pthread_mutex_lock(&all->lock);
    bool last = --self->refs == 0;
    if (last)
        map_take(all->by_app, key_of_throttle(self));
    pthread_mutex_unlock(&all->lock);
    if (last)
        free(self);
}

static bool is_good(struct throttle *t, const struct reservation *r, struct mono now)
{
    int64_t late_ns = now.us * NS_PER_US - r->token_ns;
    return r->held && r->version == atomic_load(&t->version) &&
           late_ns <= THROTTLE_SLACK_US * NS_PER_US;
}

static void reserve(struct throttle *t, struct reservation *r, struct mono now)
{
    r->version = atomic_load(&t->version);
    struct rate before, after;
    do {
        after = before = rate_of(t);
        r->token_ns = rate_reserve_ns(&after, now.us);
    } while (!atomic_compare_exchange_weak(&t->next_ns, &before.next_ns, after.next_ns));
    r->held = true;
}

int64_t throttle_wait_us(struct throttle *t, struct reservation *r, struct mono now)
{
    if (!is_good(t, r, now))
        reserve(t, r, now);
    int64_t wait_ns = r->token_ns - now.us * NS_PER_US;
    return wait_ns > 0 ? (wait_ns + NS_PER_US - 1) / NS_PER_US : 0;
}
