/* When a retry is due: by table for what a policy says, by properties for every policy. */
#include "dispatcher/retry.h"

#include "base/bounds.h"
#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define S US_PER_S
#define MS US_PER_MS
#define ENDED (-1)

static const struct durations steps = {3, {5 * S, 60 * S, 600 * S}};

/* The delay, or ENDED. */
static int64_t next(const struct retry_policy *p, unsigned tries, int64_t age_us, double jitter,
                    double unit)
{
    int64_t delay;
    const struct retry_moment at = {tries, age_us, 0, jitter, unit};
    return retry_next(p, &at, &delay) ? delay : ENDED;
}

static struct retry_policy doubling(unsigned first_ms, unsigned cap_ms, unsigned attempts)
{
    return (struct retry_policy){.kind = RETRY_EXPONENTIAL,
                                 .attempts_max = (uint16_t)attempts,
                                 .jitter_percent = RETRY_JITTER_OPTION,
                                 .factor = 2,
                                 .delay_ms = {first_ms, cap_ms}};
}

static void without_jitter_the_delay_is_exactly_the_step(void **state)
{
    (void)state;
    const struct retry_policy p = retry_of_option(&steps);
    for (unsigned tries = 1; tries <= 3; tries++)
        assert_int_equal(next(&p, tries, 0, 0, 0.999), steps.us[tries - 1]);
    assert_int_equal(next(&p, 4, 0, 0, 0), ENDED);
    assert_int_equal(next(&p, 999, 0, 0, 0), ENDED);
}

static void delays_stay_between_the_previous_step_and_this_one(void **state)
{
    (void)state;
    static const double jitters[] = {0.1, 0.5, 1};
    const struct retry_policy p = retry_of_option(&steps);
    for (unsigned tries = 1; tries <= 3; tries++) {
        int64_t step = steps.us[tries - 1], previous = tries > 1 ? steps.us[tries - 2] : 0;
        for (size_t j = 0; j < 3; j++) {
            int64_t last = INT64_MAX;
            int64_t least = step - (int64_t)(jitters[j] * (double)(step - previous));
            for (int i = 0; i < 1000; i++) {
                int64_t delay = next(&p, tries, 0, jitters[j], i / 1000.0);
                assert_in_range(delay, least, step);
                assert_true(delay < last); /* falls as the random number grows */
                last = delay;
            }
        }
    }
}

static void full_jitter_covers_the_interval_evenly(void **state)
{
    (void)state;
    unsigned tenth[10] = {0};
    const struct retry_policy p = retry_of_option(&steps);
    for (int i = 0; i < 1000; i++)
        tenth[(next(&p, 2, 0, 1, i / 1000.0) - 5 * S - 1) * 10 / (55 * S)]++;
    for (int i = 0; i < 10; i++)
        assert_in_range(tenth[i], 99, 101);
}

static void a_step_that_hardly_grows_is_spread_over_half_of_itself(void **state)
{
    (void)state;
    static const struct durations odd = {4, {10 * S, 2 * S, 2 * S, 1000}};
    const struct retry_policy p = retry_of_option(&odd);
    for (unsigned tries = 2; tries <= 4; tries++) {
        assert_int_equal(next(&p, tries, 0, 1, 0), odd.us[tries - 1]);
        assert_int_equal(next(&p, tries, 0, 1, 0.5), odd.us[tries - 1] * 3 / 4);
        assert_int_equal(next(&p, tries, 0, 0, 0.5), odd.us[tries - 1]);
    }
}

static void millisecond_steps_and_very_long_ones_keep_their_precision(void **state)
{
    (void)state;
    static const int64_t month = RETRY_DELAY_MAX_MS * (int64_t)MS;
    const struct durations d = {2, {MS, month}};
    const struct retry_policy p = retry_of_option(&d);
    assert_int_equal(next(&p, 1, 0, 1, 0.5), 500);
    assert_int_equal(next(&p, 2, 0, 1, 0), month);
    assert_int_equal(next(&p, 2, 0, 1, 0.5), month - (month - MS) / 2);
}

static void an_exponential_delay_grows_up_to_its_cap_and_stays_there(void **state)
{
    (void)state;
    static const int64_t expected[] = {1, 2, 4, 8, 10, 10, 10};
    struct retry_policy p = doubling(1000, 10000, 8);
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(next(&p, i + 1, 0, 0, 0.9), expected[i] * S);
    assert_int_equal(next(&p, 8, 0, 0, 0), ENDED);
    p.factor = 1;
    assert_int_equal(next(&p, 7, 0, 0, 0), S);
    p = doubling(1, RETRY_DELAY_MAX_MS, RETRY_ATTEMPTS_MAX);
    p.factor = RETRY_FACTOR_MAX;
    assert_int_equal(next(&p, RETRY_ATTEMPTS_MAX - 1, 0, 0, 0), RETRY_DELAY_MAX_MS * (int64_t)MS);
}

static void a_herd_at_the_cap_is_spread_over_half_of_it_at_least(void **state)
{
    (void)state;
    struct retry_policy p = doubling(1000, 10000, 100);
    for (unsigned factor = 1; factor <= RETRY_FACTOR_MAX; factor++) {
        p.factor = (uint8_t)factor;
        int64_t first = next(&p, 90, 0, 1, 0), last = next(&p, 90, 0, 1, 0.999999);
        assert_int_equal(first, factor == 1 ? S : 10 * S);
        assert_true(last <= first / 2 + 100);
    }
}

static void the_policy_s_jitter_goes_before_the_option_s(void **state)
{
    (void)state;
    struct retry_policy p = retry_of_option(&steps);
    assert_int_equal(next(&p, 1, 0, 1, 0.5), 2500 * MS);
    p.jitter_percent = 0;
    assert_int_equal(next(&p, 1, 0, 1, 0.5), 5 * S);
    p.jitter_percent = 20;
    assert_int_equal(next(&p, 1, 0, 1, 0.5), 4500 * MS);
}

static void attempts_are_bounded_below_the_length_of_the_list(void **state)
{
    (void)state;
    struct retry_policy p = retry_of_option(&steps);
    p.attempts_max = 2;
    assert_int_equal(next(&p, 1, 0, 0, 0), 5 * S);
    assert_int_equal(next(&p, 2, 0, 0, 0), ENDED);
    p.attempts_max = 1;
    assert_int_equal(next(&p, 1, 0, 0, 0), ENDED);
    p = doubling(1, 1, 1);
    assert_int_equal(next(&p, 1, 0, 0, 0), ENDED);
}

static void no_retry_is_later_than_the_age_that_is_allowed(void **state)
{
    (void)state;
    struct retry_policy p = doubling(1000, 8000, 0);
    p.age_max_us = 10 * S;
    assert_int_equal(next(&p, 1, 9 * S, 0, 0), S); /* the last moment is within */
    assert_int_equal(next(&p, 1, 9 * S + 1, 0, 0), ENDED);
    assert_int_equal(next(&p, RETRY_ATTEMPTS_MAX - 1, 2 * S, 0, 0), 8 * S);
    assert_int_equal(next(&p, RETRY_ATTEMPTS_MAX, 2 * S, 0, 0), ENDED);
    assert_int_equal(next(&p, 1, INT64_MAX, 0, 0), ENDED);
    /* A clock that was set back makes nothing older. */
    assert_int_equal(next(&p, 1, -5 * S, 0, 0), S);
}

static void a_rest_puts_a_retry_off_and_never_brings_one_forward(void **state)
{
    (void)state;
    const struct retry_policy p = retry_of_option(&steps);
    int64_t delay;
    assert_true(retry_next(&p, &(struct retry_moment){2, 0, 90 * S, 0, 0.5}, &delay));
    assert_int_equal(delay, 90 * S);
    assert_true(retry_next(&p, &(struct retry_moment){2, 0, 3 * S, 0, 0.5}, &delay));
    assert_int_equal(delay, 60 * S);
}

static void those_who_were_told_the_same_rest_come_back_one_after_another(void **state)
{
    (void)state;
    const int64_t longest = RETRY_AFTER_MAX_S * S;
    struct retry_policy p = retry_of_option(&steps);
    int64_t delay;
    for (int tenth = 0; tenth < 10; tenth++) {
        const struct retry_moment at = {1, 0, 90 * S, 1, tenth / 10.0};
        assert_true(retry_next(&p, &at, &delay));
        assert_in_range(delay, 90 * S + tenth * 90 * S / 20 - 1, 90 * S + tenth * 90 * S / 20);
        assert_int_equal(delay, retry_rest_us(90 * S, 1, at.unit));
    }
    assert_int_equal(retry_rest_us(longest, 1, 0.9), longest);
    assert_int_equal(retry_rest_us(longest - S, 1, 0.9), longest);
    /* Being late costs no delivery its last attempt. */
    p.age_max_us = 100 * S;
    assert_true(retry_next(&p, &(struct retry_moment){1, 0, 90 * S, 1, 0.9}, &delay));
    assert_int_equal(delay, 100 * S);
    assert_true(retry_next(&p, &(struct retry_moment){1, 10 * S, 90 * S, 1, 0.9}, &delay));
    assert_int_equal(delay, 90 * S);
    assert_false(retry_next(&p, &(struct retry_moment){1, 11 * S, 90 * S, 1, 0}, &delay));
}

static struct retry_policy any_policy(struct rng *rng)
{
    struct retry_policy p = {.kind = RETRY_SCHEDULE, .factor = 1};
    p.jitter_percent = (uint8_t)(rng_unit(rng) * 101);
    p.attempts_max = (uint16_t)(rng_unit(rng) * 20);
    p.age_max_us = rng_unit(rng) < 0.5 ? 0 : 1 + (int64_t)(rng_unit(rng) * 1000 * S);
    if (rng_unit(rng) < 0.5) {
        p.count = (unsigned)(rng_unit(rng) * (RETRY_DELAYS_MAX + 1));
        for (unsigned i = 0; i < p.count; i++)
            p.delay_ms[i] = 1 + (uint32_t)(rng_unit(rng) * 100000);
        return p;
    }
    p.kind = RETRY_EXPONENTIAL;
    p.factor = (uint8_t)(1 + rng_unit(rng) * RETRY_FACTOR_MAX);
    p.delay_ms[0] = 1 + (uint32_t)(rng_unit(rng) * 1000);
    p.delay_ms[1] = p.delay_ms[0] + (uint32_t)(rng_unit(rng) * 100000);
    if (!p.age_max_us)
        p.attempts_max++;
    return p;
}

/* A delivery that only fails, from its first attempt to its end. */
static void every_schedule_ends_within_its_attempts_and_its_age(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 7);
    for (int i = 0; i < 20000; i++) {
        const struct retry_policy p = any_policy(&rng);
        const unsigned most = p.kind == RETRY_SCHEDULE ? p.count + 1 : RETRY_ATTEMPTS_MAX;
        int64_t age = 0, delay;
        unsigned tries = 1;
        for (; (delay = next(&p, tries, age, 1, rng_unit(&rng))) != ENDED; tries++) {
            assert_true(delay >= 0);
            age += delay + 1; /* an attempt takes some time */
            assert_true(!p.age_max_us || age <= p.age_max_us + 1);
            assert_true(tries < most);
        }
        assert_true(!p.attempts_max || tries <= p.attempts_max);
    }
}

/* Of those that failed in the same moment, over the time in which their retries come. The parts
 * are seconds, or shorter where the whole is: of them, too, none may hold more. */
static void no_second_holds_more_than_twice_the_mean_of_a_herd(void **state)
{
    (void)state;
    enum { HERD = 6000, PARTS = 20 };
    struct rng rng;
    rng_seed(&rng, 13);
    for (int i = 0; i < 400; i++) {
        struct retry_policy p = any_policy(&rng);
        const unsigned tries = 1 + (unsigned)(rng_unit(&rng) * 8);
        const struct retry_moment at = {tries, 0, rng_unit(&rng) < 0.3 ? 300 * S : 0, 1, 0};
        unsigned parts[PARTS] = {0};
        int64_t delays[HERD], least = INT64_MAX, most = 0;
        p.jitter_percent = 100;
        p.age_max_us = 0;
        for (int k = 0; k < HERD; k++) {
            struct retry_moment one = at;
            one.unit = rng_unit(&rng);
            if (!retry_next(&p, &one, &delays[k]))
                break;
            least = delays[k] < least ? delays[k] : least;
            most = delays[k] > most ? delays[k] : most;
        }
        if (least == INT64_MAX)
            continue;
        assert_true(most - least >= most / 10);
        for (int k = 0; k < HERD; k++)
            parts[(delays[k] - least) * PARTS / (most - least + 1)]++;
        for (int part = 0; part < PARTS; part++)
            assert_in_range(parts[part], 1, 2 * HERD / PARTS);
    }
}

static void the_same_moment_has_the_same_answer(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 11);
    for (int i = 0; i < 10000; i++) {
        const struct retry_policy p = any_policy(&rng);
        const unsigned tries = 1 + (unsigned)(rng_unit(&rng) * 70);
        const double unit = rng_unit(&rng);
        assert_int_equal(next(&p, tries, 5, 1, unit), next(&p, tries, 5, 1, unit));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_jitter_the_delay_is_exactly_the_step),
        cmocka_unit_test(delays_stay_between_the_previous_step_and_this_one),
        cmocka_unit_test(full_jitter_covers_the_interval_evenly),
        cmocka_unit_test(a_step_that_hardly_grows_is_spread_over_half_of_itself),
        cmocka_unit_test(millisecond_steps_and_very_long_ones_keep_their_precision),
        cmocka_unit_test(an_exponential_delay_grows_up_to_its_cap_and_stays_there),
        cmocka_unit_test(a_herd_at_the_cap_is_spread_over_half_of_it_at_least),
        cmocka_unit_test(the_policy_s_jitter_goes_before_the_option_s),
        cmocka_unit_test(attempts_are_bounded_below_the_length_of_the_list),
        cmocka_unit_test(no_retry_is_later_than_the_age_that_is_allowed),
        cmocka_unit_test(a_rest_puts_a_retry_off_and_never_brings_one_forward),
        cmocka_unit_test(those_who_were_told_the_same_rest_come_back_one_after_another),
        cmocka_unit_test(no_second_holds_more_than_twice_the_mean_of_a_herd),
        cmocka_unit_test(every_schedule_ends_within_its_attempts_and_its_age),
        cmocka_unit_test(the_same_moment_has_the_same_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
