/* What comes back after an outage: 20,000 deliveries of one endpoint, the policy as it is
 * (schedule, breaker, limit), and a receiver of so many workers. Whatever made them fail or wait
 * together, no second holds more than twice the mean of the attempts until all are through. */
#include "base/heap.h"
#include "base/rand.h"
#include "dispatcher/breaker.h"
#include "dispatcher/limit.h"
#include "dispatcher/verdict.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define DELIVERIES 20000
#define WORKERS 16
#define SERVICE_US (20 * US_PER_MS)
#define SECONDS 4000

struct delivery_item {
    struct heap_item due; /* or the end of its attempt */
    unsigned tries;
    int64_t started_us;
    uint32_t probe;
    bool fails;
};

struct storm {
    struct rng rng;
    struct limit limit;
    struct breaker breaker;
    struct breaker_policy breaker_policy;
    struct retry_policy retry;
    struct result sick;             /* how the receiver fails … */
    int64_t sick_us, sick_until_us; /* … after how long, and until when */
    int64_t now_us, rest_until_us;
    int64_t free_at[WORKERS];
    struct heap due, flying;
    unsigned in_flight, done, dead;
    unsigned begun[SECONDS]; /* attempts, by their second, from the end of the outage on */
    struct delivery_item items[DELIVERIES];
};

static struct mono mono_now(const struct storm *s)
{
    return (struct mono){s->now_us};
}

static struct wall wall_now(const struct storm *s)
{
    return (struct wall){s->now_us};
}

/* All are due at once from `from_us` on, over `spread_us`. */
static struct storm *storm_new(int64_t from_us, int64_t spread_us)
{
    static const struct durations schedule = {
        9,
        {5 * US_PER_S, 300 * US_PER_S, 1800 * US_PER_S, 7200 * US_PER_S, 18000 * US_PER_S,
         36000 * US_PER_S, 50400 * US_PER_S, 72000 * US_PER_S, 86400 * US_PER_S}};
    struct storm *s = calloc(1, sizeof *s);
    rng_seed(&s->rng, 17);
    limit_init(&s->limit, 50);
    s->now_us = 1;
    s->retry = retry_of_option(&schedule);
    s->breaker_policy = (struct breaker_policy){
        .attempts = 10, .waits = {4, {10 * US_PER_S, 20 * US_PER_S, 40 * US_PER_S, 80 * US_PER_S}}};
    s->sick = (struct result){ATTEMPT_REFUSED, 0, -1};
    s->sick_us = 200;
    heap_init(&s->due);
    heap_init(&s->flying);
    assert_true(heap_reserve(&s->due, DELIVERIES) && heap_reserve(&s->flying, DELIVERIES));
    for (unsigned i = 0; i < DELIVERIES; i++) {
        heap_item_init(&s->items[i].due);
        heap_set(&s->due, &s->items[i].due, from_us + (int64_t)i * spread_us / DELIVERIES);
    }
    return s;
}

static void storm_free(struct storm *s)
{
    heap_free(&s->due);
    heap_free(&s->flying);
    free(s);
}

static int64_t served_at(struct storm *s)
{
    unsigned first = 0;
    for (unsigned i = 1; i < WORKERS; i++)
        if (s->free_at[i] < s->free_at[first])
            first = i;
    const int64_t from = s->free_at[first] > s->now_us ? s->free_at[first] : s->now_us;
    s->free_at[first] = from + SERVICE_US / 2 + (int64_t)(rng_unit(&s->rng) * SERVICE_US);
    return s->free_at[first];
}

static void begin(struct storm *s, struct delivery_item *d)
{
    const int64_t second = (s->now_us - s->sick_until_us) / US_PER_S;
    heap_remove(&s->due, &d->due);
    d->started_us = s->now_us;
    d->fails = s->now_us < s->sick_until_us;
    d->probe = breaker_begin(&s->breaker);
    limit_begin(&s->limit, ++s->in_flight, mono_now(s));
    heap_set(&s->flying, &d->due, d->fails ? s->now_us + s->sick_us : served_at(s));
    if (!d->fails && second < SECONDS)
        s->begun[second]++;
}

static void end_failed(struct storm *s, struct delivery_item *d)
{
    const struct retry_moment at = {.tries = ++d->tries, .jitter = 1, .unit = rng_unit(&s->rng)};
    const struct verdict v = verdict_of(&s->sick, TRIGGER_SCHEDULED, &s->retry, &at, wall_now(s));
    const struct breaker_event event = {.result = &s->sick,
                                        .probe = d->probe,
                                        .ended = wall_now(s),
                                        .now = mono_now(s),
                                        .not_before = v.not_before,
                                        .unit = rng_unit(&s->rng)};
    if (v.slow_down)
        limit_overload(&s->limit, (struct mono){d->started_us}, mono_now(s));
    if (v.not_before.us > s->rest_until_us)
        s->rest_until_us = v.not_before.us;
    breaker_observe(&s->breaker, &s->breaker_policy, &event);
    breaker_lost(&s->breaker, d->probe);
    if (v.what == OUTCOME_RETRY)
        heap_set(&s->due, &d->due, v.retry_at.us);
    else
        s->dead++;
}

static void end_well(struct storm *s, struct delivery_item *d)
{
    const struct result well = {ATTEMPT_SUCCESS, 200, -1};
    const struct breaker_event event = {
        .result = &well, .probe = d->probe, .ended = wall_now(s), .now = mono_now(s)};
    limit_success(&s->limit, (struct mono){d->started_us}, s->now_us - d->started_us, mono_now(s));
    if (breaker_observe(&s->breaker, &s->breaker_policy, &event))
        limit_init(&s->limit, s->limit.max); /* as a lane does when its breaker closes */
    s->done++;
}

/* What happens next, at its moment. */
static void turn(struct storm *s)
{
    struct heap_item *due = heap_first(&s->due), *flying = heap_first(&s->flying);
    int64_t at = INT64_MAX;
    if (due && s->in_flight < limit_allowed(&s->limit)) {
        const struct wall lets = breaker_wake_at(&s->breaker);
        at = due->when > s->rest_until_us ? due->when : s->rest_until_us;
        at = at > lets.us ? at : lets.us;
    }
    if (flying && flying->when <= at) {
        struct delivery_item *d = (struct delivery_item *)flying;
        s->now_us = flying->when > s->now_us ? flying->when : s->now_us;
        heap_remove(&s->flying, flying);
        s->in_flight--;
        if (d->fails)
            end_failed(s, d);
        else
            end_well(s, d);
        return;
    }
    assert_true(at < INT64_MAX);
    s->now_us = at > s->now_us ? at : s->now_us;
    begin(s, (struct delivery_item *)due);
}

/* Until all are through; what comes later than the last of the herd is not its. */
static void check_evenly(struct storm *s)
{
    static_assert(offsetof(struct delivery_item, due) == 0, "an item is its deadline");
    unsigned first = 0, last = 0, most = 0;
    uint64_t all = 0;
    while (s->done + s->dead < DELIVERIES)
        turn(s);
    while (s->begun[first] == 0)
        first++;
    for (unsigned i = first; i < SECONDS; i++) {
        most = s->begun[i] > most ? s->begun[i] : most;
        last = s->begun[i] ? i : last;
        all += s->begun[i];
    }
    assert_int_equal(s->dead, 0);
    assert_true(last - first >= 10); /* a herd that is through in a moment would show nothing */
    assert_true((uint64_t)most * (last - first + 1) <= 2 * all);
}

/* ---------------------------------------------------------------- what brings them together */

static void an_outage_with_events_all_along_comes_back_evenly(void **state)
{
    (void)state;
    static const struct result failures[] = {{ATTEMPT_REFUSED, 0, -1},
                                             {ATTEMPT_TIMEOUT, 0, -1},
                                             {ATTEMPT_STATUS, 500, -1},
                                             {ATTEMPT_STATUS, 503, 30 * US_PER_S}};
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        struct storm *s = storm_new(1, 600 * US_PER_S);
        s->sick = failures[i];
        s->sick_us = failures[i].outcome == ATTEMPT_TIMEOUT ? 15 * US_PER_S : 200;
        s->sick_until_us = 900 * US_PER_S;
        check_evenly(s);
        storm_free(s);
    }
}

/* A replay, a recovery, an endpoint that is enabled again, a start of the service. */
static void what_is_due_all_at_once_goes_evenly(void **state)
{
    (void)state;
    struct storm *s = storm_new(1, 0);
    check_evenly(s);
    storm_free(s);
}

/* The breaker never opens, so that all of them fail in the same seconds. */
static void a_herd_that_failed_together_does_not_come_back_together(void **state)
{
    (void)state;
    struct storm *s = storm_new(1, 0);
    s->breaker_policy.attempts = 0;
    s->retry = (struct retry_policy){.kind = RETRY_SCHEDULE,
                                     .jitter_percent = 100,
                                     .count = 3,
                                     .delay_ms = {60000, 60000, 60000}};
    s->sick_us = 1;
    s->sick_until_us = 10 * US_PER_S;
    check_evenly(s);
    storm_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_outage_with_events_all_along_comes_back_evenly),
        cmocka_unit_test(what_is_due_all_at_once_goes_evenly),
        cmocka_unit_test(a_herd_that_failed_together_does_not_come_back_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
