/* How endpoints do: written when it changes, with what changes it; and what long failure leads
 * to. */
#include "tests/store/rig.h"

#include "store/health.h"

#define AFTER (5 * DAY_US)

static struct rig r;
static struct app a;
static struct endpoint e;

static void begin(void)
{
    rig_make(&r);
    r.settings.disable_after_us = AFTER;
    rig_start(&r);
    a = rig_app(&r, "one");
    e = rig_add_endpoint(&r, &a);
}

static struct endpoint_health health(void)
{
    struct endpoint_health h;
    struct store_read *read;
    OK(store_read_begin(r.s, &read));
    OK(store_health_get(read, e.number, &h));
    store_read_end(&read);
    return h;
}

static bool is_disabled(char reason[16])
{
    struct store_read *read;
    struct endpoint *found;
    OK(store_read_begin(r.s, &read));
    OK(store_endpoint_load(read, e.number, &found));
    store_read_end(&read);
    snprintf(reason, 16, "%.*s", SPAN_ARG(found->disabled_reason));
    bool disabled = found->disabled;
    e.version = found->version;
    endpoint_free(&found);
    return disabled;
}

/* One more message and the end of its attempt. */
static struct id attempt(int verdict, uint32_t failures, struct breaker_mark breaker)
{
    struct id id = rig_send(&r, &a);
    struct outcome_op op = rig_outcome(&r, &id, &e, TRIGGER_SCHEDULED, verdict);
    op.health = verdict == OUTCOME_DELIVERED ? HEALTH_WORKS : HEALTH_FAILED;
    op.failures = failures;
    op.breaker = breaker;
    op.endpoint_version = e.version;
    OK(rig_do(&r, &op.op, STORE_OUTCOME));
    return id;
}

static const struct breaker_mark closed;

static struct id fail_once(uint32_t failures)
{
    return attempt(OUTCOME_RETRY, failures, closed);
}

static void it_fails_from_the_first_failure_to_the_next_success(void **state)
{
    (void)state;
    begin();
    assert_int_equal(health().failing_since.us, 0);
    fail_once(1);
    struct wall since = r.now;
    assert_int_equal(health().failing_since.us, since.us);
    rig_advance(&r, DAY_US);
    fail_once(2);
    rig_restart(&r);
    assert_int_equal(health().failing_since.us, since.us);
    attempt(OUTCOME_DELIVERED, 0, closed);
    assert_int_equal(health().failing_since.us, 0);
    rig_close(&r);
}

static void what_the_breaker_needs_after_a_restart_is_kept(void **state)
{
    (void)state;
    const struct breaker_mark open = {.opened_at = {RIG_EPOCH},
                                      .probe_at = {RIG_EPOCH + US_PER_S},
                                      .probes = 4,
                                      .cause = ATTEMPT_TIMEOUT,
                                      .status = 0};
    begin();
    attempt(OUTCOME_RETRY, 12, open);
    rig_restart(&r);
    struct endpoint_health h = health();
    assert_true(breaker_mark_same(&h.breaker, &open));
    assert_int_equal(h.failures, 12);
    attempt(OUTCOME_DELIVERED, 0, open); /* one that was under way when it opened */
    h = health();
    assert_true(breaker_mark_same(&h.breaker, &open));
    assert_int_equal(h.failing_since.us, 0);
    attempt(OUTCOME_DELIVERED, 0, closed);
    assert_int_equal(health().breaker.opened_at.us, 0);
    rig_close(&r);
}

static void long_failure_disables_and_its_deliveries_are_dead(void **state)
{
    (void)state;
    char reason[16];
    begin();
    fail_once(1);
    rig_advance(&r, AFTER - 1);
    struct id id = fail_once(FAILURES_TO_DISABLE);
    assert_false(is_disabled(reason));
    rig_advance(&r, 1);
    fail_once(FAILURES_TO_DISABLE + 1);
    assert_true(is_disabled(reason));
    assert_string_equal(reason, "failing");
    rig_turns(&r, 2);
    assert_int_equal(rig_state(&r, &id, e.number), DELIVERY_DEAD);
    assert_int_equal(health().disabled_at.us, r.now.us);
    assert_int_equal(health().failing_since.us, RIG_EPOCH);
    rig_close(&r);
}

static void few_failures_do_not_disable_however_long_they_last(void **state)
{
    (void)state;
    char reason[16];
    begin();
    fail_once(1);
    rig_advance(&r, 3 * AFTER);
    fail_once(FAILURES_TO_DISABLE - 1);
    assert_false(is_disabled(reason));
    rig_close(&r);
}

static void the_count_that_is_enough_outlives_a_restart(void **state)
{
    (void)state;
    char reason[16];
    begin();
    for (uint32_t n = 1; n <= FAILURES_TO_DISABLE; n++)
        fail_once(n);
    rig_restart(&r);
    assert_true(health().failures >= FAILURES_TO_DISABLE);
    rig_advance(&r, AFTER);
    fail_once(health().failures + 1);
    assert_true(is_disabled(reason));
    rig_close(&r);
}

static void with_never_nothing_is_disabled(void **state)
{
    (void)state;
    char reason[16];
    begin();
    rig_stop(&r);
    r.settings.disable_after_us = 0;
    rig_start(&r);
    fail_once(1);
    rig_advance(&r, 1000 * DAY_US);
    fail_once(1000);
    assert_false(is_disabled(reason));
    rig_close(&r);
}

static void enabling_forgets_the_failure(void **state)
{
    (void)state;
    char reason[16];
    begin();
    fail_once(1);
    rig_advance(&r, AFTER);
    fail_once(FAILURES_TO_DISABLE);
    assert_true(is_disabled(reason));
    rig_turns(&r, 2);
    rig_disable(&r, &e, false);
    assert_int_equal(health().failing_since.us, 0);
    assert_int_equal(health().disabled_at.us, 0);
    fail_once(FAILURES_TO_DISABLE + 1);
    assert_false(is_disabled(reason));
    assert_int_equal(health().failing_since.us, r.now.us);
    rig_close(&r);
}

static void a_change_that_may_cure_forgets_and_any_other_does_not(void **state)
{
    (void)state;
    begin();
    fail_once(1);
    struct wall since = health().failing_since;
    e.description = SPAN("new words");
    OK(rig_put_endpoint(&r, &e));
    assert_int_equal(health().failing_since.us, since.us);
    e.url = SPAN("http://elsewhere.example/");
    OK(rig_put_endpoint(&r, &e));
    assert_int_equal(health().failing_since.us, 0);
    fail_once(1);
    e.headers = SPAN("{\"x-key\":\"new\"}");
    OK(rig_put_endpoint(&r, &e));
    assert_int_equal(health().failing_since.us, 0);
    rig_close(&r);
}

static void an_attempt_from_before_a_change_says_nothing(void **state)
{
    (void)state;
    begin();
    struct id id = rig_send(&r, &a);
    struct outcome_op op = rig_outcome(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_RETRY);
    op.health = HEALTH_FAILED;
    op.endpoint_version = e.version;
    e.url = SPAN("http://elsewhere.example/");
    OK(rig_put_endpoint(&r, &e));
    OK(rig_do(&r, &op.op, STORE_OUTCOME));
    assert_int_equal(op.state, DELIVERY_RETRYING);
    assert_int_equal(health().failing_since.us, 0);
    rig_close(&r);
}

static void disabling_by_hand_keeps_when_and_deleting_keeps_nothing(void **state)
{
    (void)state;
    begin();
    rig_disable(&r, &e, true);
    assert_int_equal(health().disabled_at.us, r.now.us);
    struct endpoint_op op = {.number = e.number};
    OK(rig_do(&r, &op.op, STORE_ENDPOINT_DELETE));
    assert_int_equal(health().disabled_at.us, 0);
    rig_close(&r); /* checks that the record is gone */
}

static void one_call_enables_and_replays_what_died(void **state)
{
    (void)state;
    char reason[16];
    struct id before, ids[3], task = id_random((struct wall){RIG_EPOCH});
    begin();
    before = rig_send(&r, &a);
    rig_kill(&r, &before, &e);
    rig_advance(&r, DAY_US);
    for (uint32_t n = 0; n < 3; n++)
        ids[n] = fail_once(n + 1);
    struct wall since = health().failing_since;
    rig_advance(&r, AFTER);
    fail_once(FAILURES_TO_DISABLE);
    assert_true(is_disabled(reason));
    e.disabled = false;
    e.disabled_reason = SPAN("");
    /* At once: the disabling has not ended its deliveries yet. */
    struct endpoint_op op = {.endpoint = &e, .recover_task = &task, .since = since};
    OK(rig_do(&r, &op.op, STORE_ENDPOINT_PUT));
    rig_turns(&r, 4);
    for (int n = 0; n < 3; n++)
        assert_int_equal(rig_state(&r, &ids[n], e.number), DELIVERY_SCHEDULED);
    assert_int_equal(rig_state(&r, &before, e.number), DELIVERY_DEAD);
    assert_false(is_disabled(reason));
    assert_int_equal(health().failing_since.us, 0);
    rig_close(&r);
}

/* While the task of the disabling still ends them, one after another. */
static void enabling_at_once_brings_back_what_is_still_being_ended(void **state)
{
    (void)state;
    enum { MANY = 3 * BATCH_MESSAGES_MAX };
    static struct id ids[BATCH_MESSAGES_MAX];
    const struct id task = id_random((struct wall){RIG_EPOCH});
    begin();
    for (int i = 0; i < MANY / BATCH_MESSAGES_MAX; i++)
        rig_send_all(&r, &a, ids, BATCH_MESSAGES_MAX);
    rig_disable(&r, &e, true);
    struct wall since = health().disabled_at;
    rig_advance(&r, 1);
    e.disabled = false;
    struct endpoint_op op = {.endpoint = &e, .recover_task = &task, .since = since};
    OK(rig_do(&r, &op.op, STORE_ENDPOINT_PUT));
    rig_advance(&r, US_PER_S);
    for (int i = 0; i < 1000 && store_endpoint_counts(r.s, e.number).waiting < MANY; i++)
        rig_turn(&r);
    assert_int_equal(store_endpoint_counts(r.s, e.number).waiting, MANY);
    assert_int_equal(store_endpoint_counts(r.s, e.number).dead, 0);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_fails_from_the_first_failure_to_the_next_success),
        cmocka_unit_test(what_the_breaker_needs_after_a_restart_is_kept),
        cmocka_unit_test(long_failure_disables_and_its_deliveries_are_dead),
        cmocka_unit_test(few_failures_do_not_disable_however_long_they_last),
        cmocka_unit_test(the_count_that_is_enough_outlives_a_restart),
        cmocka_unit_test(with_never_nothing_is_disabled),
        cmocka_unit_test(enabling_forgets_the_failure),
        cmocka_unit_test(a_change_that_may_cure_forgets_and_any_other_does_not),
        cmocka_unit_test(an_attempt_from_before_a_change_says_nothing),
        cmocka_unit_test(disabling_by_hand_keeps_when_and_deleting_keeps_nothing),
        cmocka_unit_test(one_call_enables_and_replays_what_died),
        cmocka_unit_test(enabling_at_once_brings_back_what_is_still_being_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
