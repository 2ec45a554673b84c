/* The end of an attempt: what it moves, and what it finds when something else came first. */
#include "tests/store/rig.h"

static struct rig r;
static struct app a;
static struct endpoint e;
static struct id id;

/* One application, one endpoint, one message that is due. */
static void begin(void)
{
    rig_open(&r);
    a = rig_app(&r, "one");
    e = rig_add_endpoint(&r, &a);
    id = rig_send(&r, &a);
}

static void expect_counts(uint64_t waiting, uint64_t dead)
{
    struct endpoint_counts counts = store_endpoint_counts(r.s, e.number);
    assert_int_equal(counts.waiting, waiting);
    assert_int_equal(counts.dead, dead);
    assert_int_equal(counter_get(&store_stats(r.s)->waiting), waiting);
    assert_int_equal(counter_get(&store_stats(r.s)->dead_waiting), dead);
}

static void a_success_ends_the_delivery(void **state)
{
    (void)state;
    struct due_row rows[64];
    begin();
    expect_counts(1, 0);
    assert_int_equal(rig_conclude(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED),
                     DELIVERY_DELIVERED);
    assert_int_equal(rig_due_rows(&r, e.number, rows), 0);
    assert_int_equal(rig_attempts(&r, e.number), 1);
    expect_counts(0, 0);
    rig_close(&r);
}

static void a_failure_is_due_again_at_the_time_it_was_given(void **state)
{
    (void)state;
    struct due_row rows[64];
    begin();
    assert_int_equal(rig_conclude(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_RETRY),
                     DELIVERY_RETRYING);
    assert_int_equal(rig_due_rows(&r, e.number, rows), 1);
    assert_int_equal(rows[0].due.us, r.now.us + 5 * US_PER_S);
    assert_int_equal(rows[0].tries, 1);
    assert_int_equal(rig_conclude(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_RETRY),
                     DELIVERY_RETRYING);
    assert_int_equal(rig_due_rows(&r, e.number, rows), 1);
    assert_int_equal(rows[0].tries, 2);
    expect_counts(1, 0);
    rig_restart(&r);
    assert_int_equal(rig_due_rows(&r, e.number, rows), 1);
    assert_int_equal(rig_attempts(&r, e.number), 2);
    expect_counts(1, 0);
    rig_close(&r);
}

static void the_last_failure_makes_a_dead_letter(void **state)
{
    (void)state;
    struct due_row rows[64];
    struct delivery d;
    begin();
    rig_kill(&r, &id, &e);
    assert_int_equal(rig_due_rows(&r, e.number, rows), 0);
    assert_int_equal(rig_dead_rows(&r, e.number), 1);
    OK(rig_delivery_get(&r, &id, e.number, &d));
    assert_int_equal(d.reason, REASON_EXHAUSTED);
    expect_counts(0, 1);
    rig_close(&r);
}

static void an_endpoint_that_is_gone_is_disabled_once(void **state)
{
    (void)state;
    begin();
    struct id other = rig_send(&r, &a);
    struct outcome_op ops[] = {rig_outcome(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_RETRY),
                               rig_outcome(&r, &other, &e, TRIGGER_SCHEDULED, OUTCOME_RETRY)};
    unsigned changes = r.endpoints;
    for (int i = 0; i < 2; i++) {
        ops[i].disable_endpoint = true;
        OK(rig_do(&r, &ops[i].op, STORE_OUTCOME));
        assert_int_equal(ops[i].state, DELIVERY_DEAD);
        assert_int_equal(r.endpoints, changes + 1);
    }
    expect_counts(0, 2);
    rig_close(&r);
}

static void an_outcome_of_nothing_is_not_found(void **state)
{
    (void)state;
    begin();
    struct outcome_op op = rig_outcome(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    op.attempt.message = id_random(r.now);
    assert_int_equal(rig_do(&r, &op.op, STORE_OUTCOME), ERR_NOT_FOUND);
    rig_close(&r);
}

static void an_attempt_claimed_before_a_replay_fails_without_touching_the_new_schedule(void **state)
{
    (void)state;
    struct due_row rows[64];
    begin();
    struct outcome_op old = rig_outcome(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_DEAD);
    rig_kill(&r, &id, &e);
    rig_advance(&r, US_PER_S);
    struct dead_op replay = {.verb = DEAD_REPLAY,
                             .app = a.number,
                             .endpoint = e.number,
                             .messages = &id,
                             .message_count = 1};
    OK(rig_do(&r, &replay.op, STORE_DEAD));
    OK(rig_do(&r, &old.op, STORE_OUTCOME));
    assert_int_equal(old.state, DELIVERY_SCHEDULED);
    assert_int_equal(rig_due_rows(&r, e.number, rows), 1);
    assert_int_equal(rows[0].due.us, r.now.us);
    /* But what the receiver has, it has. */
    old.verdict = OUTCOME_DELIVERED;
    OK(rig_do(&r, &old.op, STORE_OUTCOME));
    assert_int_equal(old.state, DELIVERY_DELIVERED);
    assert_int_equal(rig_due_rows(&r, e.number, rows), 0);
    expect_counts(0, 0);
    rig_close(&r);
}

static void a_receiver_that_is_gone_disables_its_endpoint_and_its_deliveries(void **state)
{
    (void)state;
    begin();
    struct id other = rig_send(&r, &a);
    struct outcome_op op = rig_outcome(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_DEAD);
    op.reason = REASON_ENDPOINT_DISABLED;
    op.disable_endpoint = true;
    OK(rig_do(&r, &op.op, STORE_OUTCOME));
    rig_turns(&r, 2);
    struct store_read *read;
    struct endpoint *stored;
    OK(store_read_begin(r.s, &read));
    OK(store_endpoint_load(read, e.number, &stored));
    store_read_end(&read);
    assert_true(stored->disabled);
    assert_true(span_is(stored->disabled_reason, "gone"));
    endpoint_free(&stored);
    assert_int_equal(rig_state(&r, &id, e.number), DELIVERY_DEAD);
    assert_int_equal(rig_state(&r, &other, e.number), DELIVERY_DEAD);
    unsigned before = r.deliveries;
    rig_send(&r, &a);
    assert_int_equal(r.deliveries, before);
    rig_close(&r);
}

static void a_410_of_an_address_that_the_endpoint_left_does_not_disable_it(void **state)
{
    (void)state;
    begin();
    struct outcome_op op = rig_outcome(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_DEAD);
    op.attempt.url = SPAN("http://former.example/");
    op.reason = REASON_ENDPOINT_DISABLED;
    op.disable_endpoint = true;
    OK(rig_do(&r, &op.op, STORE_OUTCOME));
    unsigned before = r.deliveries;
    rig_send(&r, &a);
    assert_int_equal(r.deliveries, before + 1);
    rig_close(&r);
}

static void a_failure_at_a_disabled_endpoint_is_not_retried(void **state)
{
    (void)state;
    struct delivery d;
    begin();
    struct outcome_op op = rig_outcome(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_RETRY);
    rig_disable(&r, &e, true);
    OK(rig_do(&r, &op.op, STORE_OUTCOME));
    assert_int_equal(op.state, DELIVERY_DEAD);
    OK(rig_delivery_get(&r, &id, e.number, &d));
    assert_int_equal(d.reason, REASON_ENDPOINT_DISABLED);
    rig_close(&r);
}

/* ---------------------------------------------------------------- manual attempts */

static void a_manual_success_delivers_and_cancels_the_pending_retry(void **state)
{
    (void)state;
    struct due_row rows[64];
    begin();
    rig_conclude(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_RETRY);
    OK(rig_resend(&r, &id, e.number));
    assert_int_equal(r.dues, 1);
    assert_int_equal(rig_due_rows(&r, e.number, rows), 2);
    assert_int_equal(rows[0].trigger, TRIGGER_MANUAL);
    assert_int_equal(rig_conclude(&r, &id, &e, TRIGGER_MANUAL, OUTCOME_DELIVERED),
                     DELIVERY_DELIVERED);
    assert_int_equal(rig_due_rows(&r, e.number, rows), 0);
    expect_counts(0, 0);
    rig_close(&r);
}

static void a_manual_failure_leaves_the_state_as_it_was(void **state)
{
    (void)state;
    struct due_row rows[64];
    begin();
    rig_conclude(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_RETRY);
    OK(rig_resend(&r, &id, e.number));
    assert_int_equal(rig_conclude(&r, &id, &e, TRIGGER_MANUAL, OUTCOME_RETRY), DELIVERY_RETRYING);
    assert_int_equal(rig_due_rows(&r, e.number, rows), 1);
    assert_int_equal(rows[0].trigger, TRIGGER_SCHEDULED);
    assert_int_equal(rows[0].tries, 1);
    rig_close(&r);
}

static void a_manual_success_takes_the_delivery_out_of_the_dead_letters(void **state)
{
    (void)state;
    begin();
    rig_kill(&r, &id, &e);
    OK(rig_resend(&r, &id, e.number));
    assert_int_equal(rig_dead_rows(&r, e.number), 1);
    rig_conclude(&r, &id, &e, TRIGGER_MANUAL, OUTCOME_DELIVERED);
    assert_int_equal(rig_dead_rows(&r, e.number), 0);
    expect_counts(0, 0);
    rig_close(&r);
}

static void a_resend_makes_a_delivery_where_there_was_none(void **state)
{
    (void)state;
    begin();
    struct endpoint late = rig_add_endpoint(&r, &a);
    OK(rig_resend(&r, &id, late.number));
    assert_int_equal(rig_state(&r, &id, late.number), DELIVERY_NONE);
    assert_int_equal(rig_resend(&r, &id, late.number), ERR_IN_FLIGHT);
    assert_int_equal(rig_conclude(&r, &id, &late, TRIGGER_MANUAL, OUTCOME_RETRY), DELIVERY_NONE);
    OK(rig_resend(&r, &id, late.number));
    assert_int_equal(rig_conclude(&r, &id, &late, TRIGGER_MANUAL, OUTCOME_DELIVERED),
                     DELIVERY_DELIVERED);
    rig_close(&r);
}

static void a_resend_is_refused_where_it_could_not_be_made(void **state)
{
    (void)state;
    begin();
    struct app b = rig_app(&r, "two");
    struct endpoint foreign = rig_add_endpoint(&r, &b);
    struct id unknown = id_random(r.now);
    assert_int_equal(rig_resend(&r, &unknown, e.number), ERR_NOT_FOUND);
    assert_int_equal(rig_resend(&r, &id, 999), ERR_NOT_FOUND);
    assert_int_equal(rig_resend(&r, &id, foreign.number), ERR_NOT_FOUND);
    struct resend_op flying = {.message = id, .endpoint = e.number, .in_flight = true};
    assert_int_equal(rig_do(&r, &flying.op, STORE_RESEND), ERR_IN_FLIGHT);
    rig_disable(&r, &e, true);
    assert_int_equal(rig_resend(&r, &id, e.number), ERR_DISABLED);
    rig_close(&r);
}

static void a_resend_need_not_wait_once_the_outcome_is_stored(void **state)
{
    (void)state;
    begin();
    struct resend_op flying = {.message = id, .endpoint = e.number, .in_flight = true};
    assert_int_equal(rig_do(&r, &flying.op, STORE_RESEND), ERR_IN_FLIGHT);
    rig_conclude(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_RETRY);
    OK(rig_do(&r, &flying.op, STORE_RESEND));
    assert_int_equal(rig_do(&r, &flying.op, STORE_RESEND), ERR_IN_FLIGHT);
    rig_conclude(&r, &id, &e, TRIGGER_MANUAL, OUTCOME_DELIVERED);
    OK(rig_do(&r, &flying.op, STORE_RESEND));
    rig_close(&r);
}

static void a_resend_waits_for_an_attempt_that_outlived_its_endpoints_disabling(void **state)
{
    (void)state;
    begin();
    rig_disable(&r, &e, true);
    rig_disable(&r, &e, false);
    assert_int_equal(rig_state(&r, &id, e.number), DELIVERY_DEAD);
    struct resend_op flying = {.message = id, .endpoint = e.number, .in_flight = true};
    assert_int_equal(rig_do(&r, &flying.op, STORE_RESEND), ERR_IN_FLIGHT);
    flying.in_flight = false;
    OK(rig_do(&r, &flying.op, STORE_RESEND));
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_success_ends_the_delivery),
        cmocka_unit_test(a_failure_is_due_again_at_the_time_it_was_given),
        cmocka_unit_test(the_last_failure_makes_a_dead_letter),
        cmocka_unit_test(an_endpoint_that_is_gone_is_disabled_once),
        cmocka_unit_test(an_outcome_of_nothing_is_not_found),
        cmocka_unit_test(
            an_attempt_claimed_before_a_replay_fails_without_touching_the_new_schedule),
        cmocka_unit_test(a_receiver_that_is_gone_disables_its_endpoint_and_its_deliveries),
        cmocka_unit_test(a_410_of_an_address_that_the_endpoint_left_does_not_disable_it),
        cmocka_unit_test(a_failure_at_a_disabled_endpoint_is_not_retried),
        cmocka_unit_test(a_manual_success_delivers_and_cancels_the_pending_retry),
        cmocka_unit_test(a_manual_failure_leaves_the_state_as_it_was),
        cmocka_unit_test(a_manual_success_takes_the_delivery_out_of_the_dead_letters),
        cmocka_unit_test(a_resend_makes_a_delivery_where_there_was_none),
        cmocka_unit_test(a_resend_is_refused_where_it_could_not_be_made),
        cmocka_unit_test(a_resend_need_not_wait_once_the_outcome_is_stored),
        cmocka_unit_test(a_resend_waits_for_an_attempt_that_outlived_its_endpoints_disabling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
