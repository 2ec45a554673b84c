/* The limit of attempts at once: its rules one by one, and then its behaviour before a receiver
 * that has so many workers, each of which takes so long. */
#include "dispatcher/limit.h"

#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define MS US_PER_MS

static struct mono at(int64_t us)
{
    return (struct mono){us};
}

/* Rounds of the limit with nothing but successes: so many attempts begin, then all of them end. */
struct rounds {
    struct limit limit;
    int64_t now_us;
};

static struct rounds fresh(unsigned max)
{
    struct rounds r = {.now_us = 1000};
    limit_init(&r.limit, max);
    return r;
}

static void begin(struct rounds *r, unsigned count)
{
    for (unsigned i = 1; i <= count; i++)
        limit_begin(&r->limit, i, at(r->now_us));
}

/* A full round trip of this response time. */
static void round_trip(struct rounds *r, int64_t response_us)
{
    const unsigned count = limit_allowed(&r->limit);
    const int64_t started = r->now_us;
    begin(r, count);
    r->now_us += response_us;
    for (unsigned i = 0; i < count; i++)
        limit_success(&r->limit, at(started), response_us, at(r->now_us));
    r->now_us++;
}

static void round_trips(struct rounds *r, unsigned count, int64_t response_us)
{
    while (count-- > 0)
        round_trip(r, response_us);
}

static unsigned allowed(const struct rounds *r)
{
    return limit_allowed(&r->limit);
}

static void grow_to(struct rounds *r, unsigned limit, int64_t response_us)
{
    while (allowed(r) < limit)
        round_trip(r, response_us);
}

/* ---------------------------------------------------------------- the rules */

static void an_unknown_endpoint_starts_with_one(void **state)
{
    (void)state;
    for (unsigned max = 1; max <= 1000; max += 111) {
        const struct rounds r = fresh(max);
        assert_int_equal(allowed(&r), 1);
    }
}

static void slow_start_doubles_with_each_round_trip(void **state)
{
    (void)state;
    static const unsigned expected[] = {1, 2, 4, 8, 16, 32, 50, 50};
    struct rounds r = fresh(50);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_int_equal(allowed(&r), expected[i]);
        round_trip(&r, 5 * MS);
    }
}

static void what_was_never_used_does_not_grow(void **state)
{
    (void)state;
    struct rounds r = fresh(100);
    round_trips(&r, 3, 5 * MS);
    assert_int_equal(allowed(&r), 8);
    for (int i = 0; i < 1000; i++) {
        const int64_t started = r.now_us;
        begin(&r, 7);
        r.now_us += 5 * MS;
        limit_success(&r.limit, at(started), 5 * MS, at(r.now_us));
        r.now_us++;
    }
    assert_int_equal(allowed(&r), 8);
}

static void overload_halves_and_then_a_round_trip_adds_one(void **state)
{
    (void)state;
    struct rounds r = fresh(100);
    grow_to(&r, 100, 5 * MS);
    limit_overload(&r.limit, at(r.now_us), at(r.now_us));
    assert_int_equal(allowed(&r), 50);
    r.now_us++;
    for (unsigned i = 1; i <= 20; i++) {
        round_trip(&r, 5 * MS);
        assert_in_range(allowed(&r), 50 + i - 1, 50 + i);
    }
}

static void overload_halves_once_per_round_trip(void **state)
{
    (void)state;
    struct rounds r = fresh(64);
    grow_to(&r, 64, 5 * MS);
    const int64_t now = r.now_us;
    limit_overload(&r.limit, at(now - 1000), at(now));
    assert_int_equal(allowed(&r), 32);
    for (int64_t started = now - 1000; started <= now; started += 100)
        limit_overload(&r.limit, at(started), at(now + 100));
    assert_int_equal(allowed(&r), 32);
    limit_overload(&r.limit, at(now + 1), at(now + 100));
    assert_int_equal(allowed(&r), 16);
}

static void an_ignored_overload_does_not_lengthen_the_round_trip(void **state)
{
    (void)state;
    struct rounds r = fresh(64);
    grow_to(&r, 64, 5 * MS);
    const int64_t now = r.now_us;
    limit_overload(&r.limit, at(now), at(now + 100));
    limit_overload(&r.limit, at(now + 50), at(now + 400));
    limit_overload(&r.limit, at(now + 200), at(now + 500));
    assert_int_equal(allowed(&r), 16);
}

static void what_was_under_way_at_a_halving_does_not_grow_it(void **state)
{
    (void)state;
    struct rounds r = fresh(64);
    grow_to(&r, 64, 5 * MS);
    const int64_t started = r.now_us;
    begin(&r, 64);
    limit_overload(&r.limit, at(started), at(started + 10));
    for (int i = 0; i < 63; i++)
        limit_success(&r.limit, at(started), 5 * MS, at(started + 20));
    assert_int_equal(allowed(&r), 32);
}

static void another_maximum_keeps_what_was_learnt_within_it(void **state)
{
    (void)state;
    struct rounds r = fresh(100);
    grow_to(&r, 50, 5 * MS);
    limit_set_max(&r.limit, 8, at(r.now_us));
    assert_int_equal(allowed(&r), 8);
    round_trips(&r, 5, 5 * MS);
    assert_int_equal(allowed(&r), 8);
    limit_set_max(&r.limit, 100, at(r.now_us));
    assert_int_equal(allowed(&r), 8);
    round_trip(&r, 5 * MS);
    assert_true(allowed(&r) > 8);
}

/* ---------------------------------------------------------------- latency */

static void one_slow_round_stops_growth_and_the_second_cuts(void **state)
{
    (void)state;
    struct rounds r = fresh(100);
    grow_to(&r, 32, 20 * MS);
    round_trip(&r, 20 * MS); /* whatever round was under way has ended */
    const unsigned before = allowed(&r);
    round_trip(&r, 80 * MS);
    assert_true(allowed(&r) >= before);
    round_trips(&r, 2, 80 * MS);
    assert_true(allowed(&r) < before);
}

static void a_pause_of_the_receiver_that_is_over_cuts_nothing(void **state)
{
    (void)state;
    struct rounds r = fresh(50);
    grow_to(&r, 50, 20 * MS);
    for (int i = 0; i < 50; i++) {
        round_trip(&r, 900 * MS);
        round_trips(&r, 5, 20 * MS);
        assert_int_equal(allowed(&r), 50);
    }
}

static void the_more_it_is_slower_the_more_it_is_cut_but_never_by_more_than_half(void **state)
{
    (void)state;
    unsigned last = 50;
    for (int64_t slower = 3; slower < 20; slower++) {
        struct rounds r = fresh(50);
        grow_to(&r, 50, 20 * MS);
        unsigned before = 50;
        for (int i = 0; i < 3 && allowed(&r) == 50; i++)
            round_trip(&r, slower * 20 * MS);
        assert_in_range(allowed(&r), before / 2, before - 1);
        assert_true(allowed(&r) <= last);
        last = allowed(&r);
    }
    assert_int_equal(last, 25);
}

/* All but one of each round are slow. */
static void noise_collapses_nothing(void **state)
{
    (void)state;
    struct rounds r = fresh(50);
    grow_to(&r, 50, 20 * MS);
    for (int i = 0; i < 200; i++) {
        const int64_t started = r.now_us;
        begin(&r, 50);
        for (unsigned k = 0; k < 50; k++) {
            const int64_t us = k == 17 ? 21 * MS : 2000 * MS;
            limit_success(&r.limit, at(started), us, at(started + us));
        }
        r.now_us += 2000 * MS + 1;
        assert_int_equal(allowed(&r), 50);
    }
}

static void few_slow_answers_are_no_round(void **state)
{
    (void)state;
    struct rounds r = fresh(50);
    grow_to(&r, 4, 20 * MS);
    const unsigned before = allowed(&r);
    const int64_t started = r.now_us + 1;
    limit_begin(&r.limit, before, at(started));
    for (unsigned i = 0; i < LIMIT_ROUND - 5; i++)
        limit_success(&r.limit, at(started), 10000 * MS, at(started + 10000 * MS));
    assert_true(allowed(&r) >= before);
}

static void quick_receivers_may_vary_by_milliseconds(void **state)
{
    (void)state;
    struct rounds r = fresh(50);
    grow_to(&r, 50, 300);
    round_trips(&r, 100, LIMIT_JITTER_US);
    assert_int_equal(allowed(&r), 50);
}

static void slowness_that_is_not_ours_cuts_nothing(void **state)
{
    (void)state;
    struct rounds r = fresh(50);
    grow_to(&r, 50, 20 * MS);
    for (int i = 0; i < 500; i++) { /* one at a time, far below the limit */
        const int64_t started = r.now_us;
        limit_begin(&r.limit, 1, at(started));
        r.now_us += 500 * MS;
        limit_success(&r.limit, at(started), 500 * MS, at(r.now_us));
        r.now_us++;
    }
    assert_int_equal(allowed(&r), 50);
}

static void unknown_times_are_no_sample(void **state)
{
    (void)state;
    struct rounds r = fresh(50);
    round_trips(&r, 40, 0);
    assert_int_equal(allowed(&r), 50);
    assert_int_equal(r.limit.base_us, 0);
}

/* ---------------------------------------------------------------- a receiver */

#define FLIGHTS 512

/* So many workers, first come first served. */
struct receiver {
    unsigned workers;
    int64_t service_us, free_at[64];
};

struct run {
    struct limit limit;
    struct receiver receiver;
    struct rng rng;
    int64_t now_us;
    unsigned in_flight;
    struct flight {
        int64_t started_us, ends_us;
    } flights[FLIGHTS];
    uint64_t ended;
    int64_t worst_us; /* response time */
};

static void send_one(struct run *r)
{
    struct receiver *rc = &r->receiver;
    unsigned first = 0;
    for (unsigned i = 1; i < rc->workers; i++)
        if (rc->free_at[i] < rc->free_at[first])
            first = i;
    int64_t from = rc->free_at[first] > r->now_us ? rc->free_at[first] : r->now_us;
    const double noise = 0.7 + 0.6 * rng_unit(&r->rng);
    rc->free_at[first] = from + 1 + (int64_t)((double)rc->service_us * noise);
    r->flights[r->in_flight++] = (struct flight){r->now_us, rc->free_at[first]};
    limit_begin(&r->limit, r->in_flight, at(r->now_us));
}

/* A backlog that never ends, for so long. */
static void run_for(struct run *r, int64_t us)
{
    const int64_t until = r->now_us + us;
    r->ended = 0;
    r->worst_us = 0;
    while (r->now_us < until) {
        while (r->in_flight < limit_allowed(&r->limit))
            send_one(r);
        unsigned first = 0;
        for (unsigned i = 1; i < r->in_flight; i++)
            if (r->flights[i].ends_us < r->flights[first].ends_us)
                first = i;
        const struct flight f = r->flights[first];
        r->flights[first] = r->flights[--r->in_flight];
        r->now_us = f.ends_us;
        limit_success(&r->limit, at(f.started_us), f.ends_us - f.started_us, at(f.ends_us));
        r->worst_us =
            f.ends_us - f.started_us > r->worst_us ? f.ends_us - f.started_us : r->worst_us;
        r->ended++;
        assert_in_range(limit_allowed(&r->limit), 1, r->limit.max);
    }
}

static struct run *run_new(unsigned max, unsigned workers, int64_t service_us)
{
    struct run *r = calloc(1, sizeof *r);
    limit_init(&r->limit, max);
    rng_seed(&r->rng, workers);
    r->now_us = 1000;
    r->receiver = (struct receiver){.workers = workers, .service_us = service_us};
    return r;
}

/* Share of what it could do. */
static double used(const struct run *r, int64_t us)
{
    return (double)r->ended * (double)r->receiver.service_us / ((double)us * r->receiver.workers);
}

static void a_receiver_is_kept_busy_and_its_queue_short(void **state)
{
    (void)state;
    static const struct {
        unsigned workers;
        int64_t service_us;
    } rows[] = {{1, 20 * MS}, {4, 20 * MS}, {4, 200 * MS}, {16, 50 * MS}, {40, 100 * MS}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct run *r = run_new(400, rows[i].workers, rows[i].service_us);
        run_for(r, 60 * US_PER_S);
        run_for(r, 60 * US_PER_S);
        assert_true(used(r, 60 * US_PER_S) > 0.9);
        /* With 400 at once it would be 400 / workers services. */
        assert_true(r->worst_us < 8 * rows[i].service_us + 3 * LIMIT_JITTER_US);
        free(r);
    }
}

static void it_recovers_from_a_latency_spike(void **state)
{
    (void)state;
    struct run *r = run_new(50, 50, 20 * MS);
    run_for(r, 10 * US_PER_S);
    assert_int_equal(limit_allowed(&r->limit), 50);
    r->receiver.service_us = 600 * MS;
    run_for(r, 5 * US_PER_S);
    assert_true(limit_allowed(&r->limit) < 50);
    r->receiver.service_us = 20 * MS;
    run_for(r, 10 * US_PER_S);
    assert_int_equal(limit_allowed(&r->limit), 50);
    free(r);
}

/* Slower for good, and with room: what was taken for a queue is found to be its own time. */
static void a_receiver_that_has_become_slower_is_learnt_anew(void **state)
{
    (void)state;
    struct run *r = run_new(50, 64, 20 * MS);
    run_for(r, 10 * US_PER_S);
    r->receiver.service_us = 300 * MS;
    run_for(r, 60 * US_PER_S);
    run_for(r, 10 * US_PER_S);
    assert_int_equal(limit_allowed(&r->limit), 50);
    assert_true(r->limit.base_us > 200 * MS);
    free(r);
}

static void it_stays_between_one_and_the_maximum_whatever_happens(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 5);
    for (unsigned world = 0; world < 300; world++) {
        const unsigned max = 1 + (unsigned)(rng_unit(&rng) * (world % 2 ? 4 : 200));
        const double overload = rng_unit(&rng) * (world % 3 ? 0.01 : 1);
        struct limit l;
        int64_t now = 1000;
        limit_init(&l, max);
        for (unsigned i = 0; i < 3000; i++) {
            now += (int64_t)(rng_unit(&rng) * 5000);
            const int64_t started = now - (int64_t)(rng_unit(&rng) * 200000);
            const double before = l.allowed;
            limit_begin(&l, 1 + (unsigned)(rng_unit(&rng) * limit_allowed(&l)), at(now));
            if (rng_unit(&rng) < overload) {
                limit_overload(&l, at(started), at(now));
                assert_true(l.allowed <= before);
            } else {
                limit_success(&l, at(started), (int64_t)(rng_unit(&rng) * 300000), at(now));
                assert_true(l.allowed <= before + 1);
            }
            assert_true(l.allowed >= before / 2 || l.allowed < 1.01);
            assert_in_range(limit_allowed(&l), 1, max);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_endpoint_starts_with_one),
        cmocka_unit_test(slow_start_doubles_with_each_round_trip),
        cmocka_unit_test(what_was_never_used_does_not_grow),
        cmocka_unit_test(overload_halves_and_then_a_round_trip_adds_one),
        cmocka_unit_test(overload_halves_once_per_round_trip),
        cmocka_unit_test(an_ignored_overload_does_not_lengthen_the_round_trip),
        cmocka_unit_test(what_was_under_way_at_a_halving_does_not_grow_it),
        cmocka_unit_test(another_maximum_keeps_what_was_learnt_within_it),
        cmocka_unit_test(one_slow_round_stops_growth_and_the_second_cuts),
        cmocka_unit_test(a_pause_of_the_receiver_that_is_over_cuts_nothing),
        cmocka_unit_test(the_more_it_is_slower_the_more_it_is_cut_but_never_by_more_than_half),
        cmocka_unit_test(noise_collapses_nothing),
        cmocka_unit_test(few_slow_answers_are_no_round),
        cmocka_unit_test(quick_receivers_may_vary_by_milliseconds),
        cmocka_unit_test(slowness_that_is_not_ours_cuts_nothing),
        cmocka_unit_test(unknown_times_are_no_sample),
        cmocka_unit_test(a_receiver_is_kept_busy_and_its_queue_short),
        cmocka_unit_test(it_recovers_from_a_latency_spike),
        cmocka_unit_test(a_receiver_that_has_become_slower_is_learnt_anew),
        cmocka_unit_test(it_stays_between_one_and_the_maximum_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
