/* The verdict of an attempt, by table. */
#include "dispatcher/verdict.h"

#include "base/bounds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define S US_PER_S
#define NONE (-1)

static const struct retry_policy three = {.kind = RETRY_SCHEDULE,
                                          .jitter_percent = RETRY_JITTER_OPTION,
                                          .count = 3,
                                          .delay_ms = {5000, 60000, 600000}};
static const struct retry_policy none = {.kind = RETRY_SCHEDULE,
                                         .jitter_percent = RETRY_JITTER_OPTION};
static const struct wall ended = {1700000000 * S};

static struct result answered(uint16_t status, int64_t retry_after_us)
{
    bool good = status >= 200 && status < 300;
    return (struct result){good ? ATTEMPT_SUCCESS : ATTEMPT_STATUS, status, retry_after_us};
}

static struct verdict scheduled(struct result r, unsigned tries)
{
    const struct retry_moment at = {.tries = tries};
    return verdict_of(&r, TRIGGER_SCHEDULED, &three, &at, ended);
}

static struct verdict manual(struct result r)
{
    const struct retry_moment at = {.jitter = 1, .unit = 0.5};
    return verdict_of(&r, TRIGGER_MANUAL, &three, &at, ended);
}

static void every_2xx_delivers_and_every_other_status_is_retried(void **state)
{
    (void)state;
    for (uint16_t status = 200; status < 600; status++) {
        struct verdict v = scheduled(answered(status, NONE), 1);
        int expected = status < 300    ? OUTCOME_DELIVERED
                       : status == 410 ? OUTCOME_DEAD
                                       : OUTCOME_RETRY;
        assert_int_equal(v.what, expected);
        assert_int_equal(v.disable, status == 410);
        assert_int_equal(v.slow_down,
                         status == 429 || status == 502 || status == 503 || status == 504);
        if (v.what == OUTCOME_RETRY)
            assert_int_equal(v.retry_at.us, ended.us + 5 * S);
    }
}

static void attempts_without_an_answer_are_retried_and_only_timeouts_slow_down(void **state)
{
    (void)state;
    for (int c = ATTEMPT_REFUSED; c <= ATTEMPT_INTERNAL; c++) {
        struct verdict v = scheduled((struct result){(enum attempt_class)c, 0, NONE}, 2);
        assert_int_equal(v.what, OUTCOME_RETRY);
        assert_int_equal(v.retry_at.us, ended.us + 60 * S);
        assert_int_equal(v.slow_down, c == ATTEMPT_TIMEOUT);
        assert_false(v.disable);
    }
}

static void a_failed_proxy_is_retried_and_gives_the_endpoint_a_rest(void **state)
{
    (void)state;
    struct verdict v = scheduled((struct result){ATTEMPT_PROXY, 0, NONE}, 2);
    assert_int_equal(v.what, OUTCOME_RETRY);
    assert_int_equal(v.retry_at.us, ended.us + 60 * S);
    assert_int_equal(v.not_before.us, ended.us + S);
    assert_true(v.slow_down);
    assert_false(v.disable);
}

static void a_status_on_a_broken_exchange_is_not_an_answer(void **state)
{
    (void)state;
    struct verdict gone = scheduled((struct result){ATTEMPT_PROTOCOL, 410, NONE}, 1);
    assert_int_equal(gone.what, OUTCOME_RETRY);
    assert_false(gone.disable);
    struct verdict ok = scheduled((struct result){ATTEMPT_TIMEOUT, 200, 9 * S}, 1);
    assert_int_equal(ok.what, OUTCOME_RETRY);
    assert_int_equal(ok.not_before.us, 0);
}

static void the_delivery_dies_after_the_last_step_of_the_schedule(void **state)
{
    (void)state;
    assert_int_equal(scheduled(answered(500, NONE), 3).what, OUTCOME_RETRY);
    for (unsigned tries = 4; tries < 7; tries++) {
        struct verdict v = scheduled(answered(500, NONE), tries);
        assert_int_equal(v.what, OUTCOME_DEAD);
        assert_int_equal(v.reason, REASON_EXHAUSTED);
        assert_false(v.disable);
    }
}

static void an_empty_schedule_allows_one_attempt(void **state)
{
    (void)state;
    const struct retry_moment at = {.tries = 1, .jitter = 1, .unit = 0.5};
    struct result failed = answered(500, NONE), good = answered(204, NONE);
    struct verdict v = verdict_of(&failed, TRIGGER_SCHEDULED, &none, &at, ended);
    assert_int_equal(v.what, OUTCOME_DEAD);
    assert_int_equal(v.reason, REASON_EXHAUSTED);
    v = verdict_of(&good, TRIGGER_SCHEDULED, &none, &at, ended);
    assert_int_equal(v.what, OUTCOME_DELIVERED);
}

static void gone_is_dead_at_once_and_disables_the_endpoint(void **state)
{
    (void)state;
    struct verdict v = scheduled(answered(410, NONE), 1);
    assert_int_equal(v.what, OUTCOME_DEAD);
    assert_int_equal(v.reason, REASON_ENDPOINT_DISABLED);
    assert_true(v.disable);
}

static void a_manual_attempt_is_never_retried_and_leaves_the_state(void **state)
{
    (void)state;
    static const uint16_t statuses[] = {301, 404, 410, 429, 500, 503};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        struct verdict v = manual(answered(statuses[i], 7 * S));
        assert_int_equal(v.what, OUTCOME_DEAD);
        assert_int_equal(v.reason, REASON_NONE);
        assert_int_equal(v.disable, statuses[i] == 410);
        assert_int_equal(v.not_before.us != 0, statuses[i] == 429 || statuses[i] == 503);
    }
    assert_int_equal(manual(answered(200, NONE)).what, OUTCOME_DELIVERED);
}

static void retry_after_of_429_and_503_alone_raises_the_retry_and_rests_the_endpoint(void **state)
{
    (void)state;
    for (uint16_t status = 300; status < 600; status++) {
        if (status == 410)
            continue;
        bool heard = status == 429 || status == 503;
        struct verdict v = scheduled(answered(status, 42 * S), 1);
        assert_int_equal(v.retry_at.us, ended.us + (heard ? 42 * S : 5 * S));
        assert_int_equal(v.not_before.us, heard ? ended.us + 42 * S : 0);
    }
}

static void retry_after_never_brings_a_retry_forward(void **state)
{
    (void)state;
    struct verdict v = scheduled(answered(429, 2 * S), 2);
    assert_int_equal(v.retry_at.us, ended.us + 60 * S);
    assert_int_equal(v.not_before.us, ended.us + 2 * S);
    v = scheduled(answered(503, 0), 1);
    assert_int_equal(v.retry_at.us, ended.us + 5 * S);
    assert_int_equal(v.not_before.us, 0);
}

static void a_rest_beyond_the_age_that_is_allowed_is_the_end(void **state)
{
    (void)state;
    struct retry_policy bounded = three;
    const struct retry_moment at = {.tries = 1, .age_us = 50 * S};
    const struct result limited = answered(429, 11 * S), busy = answered(429, 10 * S);
    bounded.age_max_us = 60 * S;
    struct verdict v = verdict_of(&busy, TRIGGER_SCHEDULED, &bounded, &at, ended);
    assert_int_equal(v.retry_at.us, ended.us + 10 * S);
    v = verdict_of(&limited, TRIGGER_SCHEDULED, &bounded, &at, ended);
    assert_int_equal(v.what, OUTCOME_DEAD);
    assert_int_equal(v.reason, REASON_EXHAUSTED);
    assert_int_equal(v.not_before.us, ended.us + 11 * S);
}

static void retry_after_is_capped_at_the_longest_delay(void **state)
{
    (void)state;
    struct verdict v = scheduled(answered(503, INT64_MAX), 1);
    assert_int_equal(v.retry_at.us, ended.us + RETRY_AFTER_MAX_S * S);
    assert_int_equal(v.not_before.us, ended.us + RETRY_AFTER_MAX_S * S);
}

static void an_endpoint_rests_even_when_the_delivery_is_dead(void **state)
{
    (void)state;
    struct verdict v = scheduled(answered(503, 9 * S), 4);
    assert_int_equal(v.what, OUTCOME_DEAD);
    assert_true(v.slow_down);
    assert_int_equal(v.not_before.us, ended.us + 9 * S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_2xx_delivers_and_every_other_status_is_retried),
        cmocka_unit_test(attempts_without_an_answer_are_retried_and_only_timeouts_slow_down),
        cmocka_unit_test(a_failed_proxy_is_retried_and_gives_the_endpoint_a_rest),
        cmocka_unit_test(a_status_on_a_broken_exchange_is_not_an_answer),
        cmocka_unit_test(the_delivery_dies_after_the_last_step_of_the_schedule),
        cmocka_unit_test(an_empty_schedule_allows_one_attempt),
        cmocka_unit_test(gone_is_dead_at_once_and_disables_the_endpoint),
        cmocka_unit_test(a_manual_attempt_is_never_retried_and_leaves_the_state),
        cmocka_unit_test(retry_after_of_429_and_503_alone_raises_the_retry_and_rests_the_endpoint),
        cmocka_unit_test(retry_after_never_brings_a_retry_forward),
        cmocka_unit_test(a_rest_beyond_the_age_that_is_allowed_is_the_end),
        cmocka_unit_test(retry_after_is_capped_at_the_longest_delay),
        cmocka_unit_test(an_endpoint_rests_even_when_the_delivery_is_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
