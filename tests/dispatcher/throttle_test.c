/* The rate of an application among the lanes of its endpoints: fair, exact, never a burst. */
#include "dispatcher/throttle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define APP 3
#define LANES 7

static struct throttles all;

static int setup(void **state)
{
    (void)state;
    return throttles_init(&all) ? 0 : 1;
}

static int teardown(void **state)
{
    (void)state;
    throttles_clear(&all);
    return 0;
}

static struct mono at(int64_t us)
{
    return (struct mono){us};
}

static struct throttle *get(int64_t per_second, uint64_t version, int64_t now)
{
    struct throttle *t = throttle_get(&all, APP, per_second, version, at(now));
    assert_non_null(t);
    return t;
}

static void lanes_that_always_want_share_alike_and_exactly(void **state)
{
    (void)state;
    enum { RATE = 500, MINUTE = 60 };
    struct throttle *t = get(RATE, 1, 0);
    struct reservation r[LANES] = {{0}};
    int64_t wake[LANES] = {0}, sent[LANES] = {0}, asked = 0, total = 0;
    for (int64_t now = 0; now < MINUTE * US_PER_S; now += US_PER_MS)
        for (int i = 0; i < LANES; i++) {
            while (wake[i] <= now) {
                int64_t wait = throttle_wait_us(t, &r[i], at(now));
                asked++;
                wake[i] = now + wait;
                if (wait == 0) {
                    r[i].held = false;
                    sent[i]++;
                    total++;
                }
            }
        }
    assert_in_range(total, RATE * MINUTE * 99 / 100, RATE * MINUTE * 101 / 100);
    assert_true(asked <= 3 * total); /* a token wakes one lane */
    for (int i = 0; i < LANES; i++)
        assert_in_range(sent[i], total / LANES * 98 / 100, total / LANES * 102 / 100);
    throttle_release(&t);
}

static void a_reservation_is_kept_until_it_is_used(void **state)
{
    (void)state;
    struct throttle *t = get(1, 1, 0);
    struct reservation first = {0}, second = {0};
    assert_int_equal(throttle_wait_us(t, &first, at(0)), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(throttle_wait_us(t, &second, at(0)), US_PER_S);
    assert_int_equal(throttle_wait_us(t, &second, at(US_PER_S)), 0);
    assert_int_equal(throttle_wait_us(t, &second, at(US_PER_S)), 0);
    throttle_release(&t);
}

static void reservations_that_nobody_used_in_time_are_lost(void **state)
{
    (void)state;
    enum { MANY = 200, RATE = 100 };
    struct throttle *t = get(RATE, 1, 0);
    struct reservation r[MANY] = {{0}};
    for (int i = 0; i < MANY; i++)
        throttle_wait_us(t, &r[i], at(0));
    unsigned ready = 0;
    for (int i = 0; i < MANY; i++)
        ready += throttle_wait_us(t, &r[i], at(3600 * US_PER_S)) == 0;
    assert_int_equal(ready, RATE / 10 + 1);
    throttle_release(&t);
}

static void a_newer_version_ends_what_was_reserved_and_an_older_one_is_ignored(void **state)
{
    (void)state;
    struct throttle *t = get(1, 5, 0);
    struct reservation first = {0}, second = {0};
    assert_int_equal(throttle_wait_us(t, &first, at(0)), 0);
    assert_int_equal(throttle_wait_us(t, &second, at(0)), US_PER_S);
    struct throttle *older = get(1000, 4, 0);
    assert_ptr_equal(older, t);
    assert_int_equal(throttle_wait_us(t, &second, at(0)), US_PER_S);
    struct throttle *newer = get(1000, 6, 0);
    assert_int_equal(throttle_wait_us(t, &second, at(0)), 0);
    throttle_release(&newer);
    throttle_release(&older);
    throttle_release(&t);
    assert_null(t);
}

static void the_last_release_forgets_the_application(void **state)
{
    (void)state;
    struct throttle *t = get(1, 9, 0);
    struct reservation r = {0};
    assert_int_equal(throttle_wait_us(t, &r, at(0)), 0);
    throttle_release(&t);
    assert_int_equal(map_count(all.by_app), 0);
    t = get(2, 1, 0);
    struct reservation next = {0};
    assert_int_equal(throttle_wait_us(t, &next, at(0)), 0);
    throttle_release(&t);
}

/* ---------------------------------------------------------------- threads */

#define THREADS 4
#define EACH 2000

static int64_t tokens[THREADS * EACH];

struct job {
    struct throttle *t;
    int64_t *out;
};

static void *reserve_many(void *context)
{
    struct job *job = context;
    for (int i = 0; i < EACH; i++) {
        struct reservation r = {0};
        throttle_wait_us(job->t, &r, at(0));
        job->out[i] = r.token_ns;
    }
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void threads_never_get_the_same_token(void **state)
{
    (void)state;
    struct throttle *t = get(1000, 1, 0);
    struct job jobs[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){t, tokens + i * EACH};
        assert_int_equal(pthread_create(&threads[i], NULL, reserve_many, &jobs[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    qsort(tokens, THREADS * EACH, sizeof *tokens, by_value);
    for (int64_t i = 0; i < THREADS * EACH; i++)
        assert_int_equal(tokens[i], i * US_PER_MS * NS_PER_US);
    throttle_release(&t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lanes_that_always_want_share_alike_and_exactly),
        TEST(a_reservation_is_kept_until_it_is_used),
        TEST(reservations_that_nobody_used_in_time_are_lost),
        TEST(a_newer_version_ends_what_was_reserved_and_an_older_one_is_ignored),
        TEST(the_last_release_forgets_the_application),
        TEST(threads_never_get_the_same_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
