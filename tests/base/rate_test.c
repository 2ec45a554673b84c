/* Rates: what they allow over any time, whoever asks and whenever. */
#include "base/rate.h"

#include "base/bounds.h"
#include "base/rand.h"
#include "tests/base/check.h"

#define SLACK_US (100 * US_PER_MS)
#define MINUTE_US (60 * US_PER_S)
#define TAKES_MAX 500000

static const int64_t rates[] = {1, 2, 3, 7, 10, 64, 99, 1000, 4999};
#define RATES (sizeof rates / sizeof *rates)

static int64_t takes[TAKES_MAX];

static struct rate fresh(int64_t per_second, int64_t now)
{
    struct rate r = {0};
    rate_set(&r, per_second, SLACK_US, now);
    return r;
}

static unsigned below(struct rng *rng, unsigned n)
{
    return (unsigned)(rng_next(rng) % n);
}

/* The most takes that any window of this length holds. */
static unsigned most_within(unsigned count, int64_t window)
{
    unsigned most = 0;
    for (unsigned first = 0, last = 0; last < count; last++) {
        while (takes[last] - takes[first] >= window)
            first++;
        if (last - first + 1 > most)
            most = last - first + 1;
    }
    return most;
}

static void no_limit_never_waits(void **state)
{
    (void)state;
    struct rate r = fresh(0, 5);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(rate_wait_us(&r, 5), 0);
}

static void a_minute_of_demand_gets_its_rate_within_one_percent(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 1);
    for (size_t i = 0; i < RATES; i++) {
        struct rate r = fresh(rates[i], 77);
        int64_t now = 77, count = 0, expected = 60 * rates[i];
        while (now < 77 + MINUTE_US) {
            rate_take(&r, now);
            count++;
            int64_t wait = rate_wait_us(&r, now);
            now += wait ? wait + below(&rng, SLACK_US / 2) : 0; /* the taker comes late */
        }
        assert_true(count <= expected + expected / 100 + 1);
        assert_true(count >= expected - expected / 100 - 1);
    }
}

static void the_fastest_rate_is_exact_too(void **state)
{
    (void)state;
    struct rate r = fresh(RATE_MAX, 0);
    int64_t count = 0;
    for (int64_t now = 0; now < MINUTE_US; now += US_PER_MS)
        for (; rate_wait_us(&r, now) == 0; count++)
            rate_take(&r, now);
    assert_in_range(count, 60 * RATE_MAX / 1000 * 999, 60 * RATE_MAX / 1000 * 1001);
}

static void no_window_holds_more_than_the_rate_whatever_the_arrivals(void **state)
{
    (void)state;
    static const int64_t windows[] = {10 * US_PER_MS, 200 * US_PER_MS, US_PER_S, 7 * US_PER_S};
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct rng rng;
        rng_seed(&rng, seed);
        int64_t per_second = rates[below(&rng, RATES)], now = 0;
        struct rate r = fresh(per_second, now);
        unsigned count = 0;
        for (int burst = 0; burst < 300 && count < TAKES_MAX - 10000; burst++) {
            for (unsigned wanted = below(&rng, 200); wanted && rate_wait_us(&r, now) == 0;
                 wanted--) {
                rate_take(&r, now);
                takes[count++] = now;
            }
            now += below(&rng, below(&rng, 4) ? 30 * US_PER_MS : 3 * US_PER_S);
        }
        for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
            assert_true(most_within(count, windows[i]) <=
                        (windows[i] + SLACK_US) * per_second / US_PER_S + 1);
    }
}

static void idling_earns_no_more_than_the_slack(void **state)
{
    (void)state;
    struct rate r = fresh(100, 0);
    int64_t later = 3600 * US_PER_S;
    assert_int_equal(rate_ready(&r, later), 11);
    unsigned count = 0;
    for (; rate_wait_us(&r, later) == 0; count++)
        rate_take(&r, later);
    assert_int_equal(count, 11);
    assert_int_equal(rate_ready(&r, later), 0);
}

static void a_new_rate_holds_from_the_token_taken_last(void **state)
{
    (void)state;
    struct rate r = fresh(1, 0);
    rate_take(&r, 0);
    assert_int_equal(rate_wait_us(&r, 0), US_PER_S);
    rate_set(&r, 10, SLACK_US, 0);
    assert_int_equal(rate_wait_us(&r, 0), US_PER_S / 10);
    rate_set(&r, 1, SLACK_US, 0);
    assert_int_equal(rate_wait_us(&r, 0), US_PER_S);
    rate_set(&r, 0, SLACK_US, 0);
    assert_int_equal(rate_wait_us(&r, 0), 0);
}

static void changing_the_rate_over_and_over_earns_nothing(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 9);
    struct rate r = fresh(100, 0);
    int64_t now = 0, count = 0;
    for (; now < MINUTE_US; now += below(&rng, 2000)) {
        rate_set(&r, 1 + below(&rng, 100), SLACK_US, now);
        for (; rate_wait_us(&r, now) == 0; count++)
            rate_take(&r, now);
    }
    assert_true(count <= 60 * 100 + 10 + 1);
}

static void a_clock_that_jumps_neither_stops_nor_floods(void **state)
{
    (void)state;
    const int64_t day = 86400 * US_PER_S;
    struct rate r = fresh(10, 2 * day);
    rate_take(&r, 2 * day);
    assert_int_equal(rate_wait_us(&r, day), 0);
    assert_int_equal(rate_ready(&r, day), 1);
    rate_take(&r, day);
    assert_int_equal(rate_wait_us(&r, day), US_PER_S / 10);
    assert_int_equal(rate_ready(&r, 3 * day), 2);
    rate_set(&r, 5, SLACK_US, 1);
    assert_int_equal(rate_wait_us(&r, 1), 0);
}

static void reservations_stand_at_even_distances(void **state)
{
    (void)state;
    struct rate r = fresh(1000, 0);
    for (int64_t i = 0; i < 100; i++)
        assert_int_equal(rate_reserve_ns(&r, 0), i * US_PER_MS * NS_PER_US);
    /* Those of the past are lost but for the slack. */
    assert_int_equal(rate_reserve_ns(&r, 10 * US_PER_S), (10 * US_PER_S - SLACK_US) * NS_PER_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_limit_never_waits),
        cmocka_unit_test(a_minute_of_demand_gets_its_rate_within_one_percent),
        cmocka_unit_test(the_fastest_rate_is_exact_too),
        cmocka_unit_test(no_window_holds_more_than_the_rate_whatever_the_arrivals),
        cmocka_unit_test(idling_earns_no_more_than_the_slack),
        cmocka_unit_test(a_new_rate_holds_from_the_token_taken_last),
        cmocka_unit_test(changing_the_rate_over_and_over_earns_nothing),
        cmocka_unit_test(a_clock_that_jumps_neither_stops_nor_floods),
        cmocka_unit_test(reservations_stand_at_even_distances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
