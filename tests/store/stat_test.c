/* Statistics follow the deliveries, whatever happens to them, and the attempts. rig_close compares
 * them with the records. */
#include "tests/store/rig.h"

#include "store/stat.h"

static struct rig r;
static struct app a;
static struct endpoint e;

static void begin(void)
{
    rig_open(&r);
    a = rig_app(&r, "one");
    e = rig_add_endpoint(&r, &a);
}

static struct endpoint_stats stats(struct wall since, struct wall until)
{
    struct endpoint_stats sum = {.succeeded = 0};
    struct wall next = since;
    while (next.us || since.us) {
        struct store_read *read;
        OK(store_read_begin(r.s, &read));
        OK(store_endpoint_stats(read, e.number, since, until, &sum, &next));
        store_read_end(&read);
        since = next;
    }
    return sum;
}

static void expect(unsigned success, unsigned pending, unsigned fail, unsigned sending,
                   unsigned canceled)
{
    const unsigned wanted[STAT_CLASSES] = {success, pending, fail, sending, canceled};
    struct endpoint_stats s = stats((struct wall){RIG_EPOCH}, r.now);
    for (unsigned i = 0; i < STAT_CLASSES; i++)
        assert_int_equal(s.deliveries[i], wanted[i]);
}

static void a_delivery_is_counted_where_it_is(void **state)
{
    (void)state;
    begin();
    struct id id = rig_send(&r, &a), other = rig_send(&r, &a);
    expect(0, 2, 0, 0, 0);
    rig_conclude(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_RETRY);
    expect(0, 1, 0, 1, 0);
    rig_kill(&r, &id, &e);
    expect(0, 1, 1, 0, 0);
    OK(rig_resend(&r, &id, e.number));
    rig_conclude(&r, &id, &e, TRIGGER_MANUAL, OUTCOME_DEAD);
    expect(0, 1, 1, 0, 0);
    OK(rig_resend(&r, &id, e.number));
    rig_conclude(&r, &id, &e, TRIGGER_MANUAL, OUTCOME_DELIVERED);
    expect(1, 1, 0, 0, 0);
    struct expunge_op op = {.app = a.number, .message_count = 1, .messages = &other};
    OK(rig_do(&r, &op.op, STORE_EXPUNGE));
    expect(1, 0, 0, 0, 1);
    rig_restart(&r);
    expect(1, 0, 0, 0, 1);
    struct endpoint_stats s = stats((struct wall){RIG_EPOCH}, r.now);
    assert_int_equal(s.succeeded, 1);
    assert_int_equal(s.failed, 3);
    rig_close(&r);
}

static void a_delivery_made_by_hand_is_counted(void **state)
{
    (void)state;
    rig_open(&r);
    a = rig_app(&r, "one");
    struct id id = rig_send(&r, &a);
    e = rig_add_endpoint(&r, &a);
    OK(rig_resend(&r, &id, e.number));
    expect(0, 1, 0, 0, 0);
    rig_conclude(&r, &id, &e, TRIGGER_MANUAL, OUTCOME_DEAD);
    expect(0, 0, 1, 0, 0);
    rig_close(&r);
}

static void disabling_and_deleting_are_counted(void **state)
{
    (void)state;
    static struct id ids[50];
    begin();
    rig_send_all(&r, &a, ids, 50);
    rig_disable(&r, &e, true);
    rig_turns(&r, 3);
    expect(0, 0, 50, 0, 0);
    struct endpoint_op op = {.number = e.number};
    OK(rig_do(&r, &op.op, STORE_ENDPOINT_DELETE));
    rig_turns(&r, 3);
    expect(0, 0, 0, 0, 50);
    rig_close(&r);
}

static void hours_are_counted_apart(void **state)
{
    (void)state;
    begin();
    struct wall first = r.now;
    struct id id = rig_send(&r, &a);
    rig_advance(&r, 5 * HOUR_US);
    rig_send(&r, &a);
    rig_conclude(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    struct endpoint_stats early = stats(first, wall_add(first, HOUR_US));
    struct endpoint_stats late = stats(wall_add(first, 2 * HOUR_US), r.now);
    assert_int_equal(early.deliveries[STAT_SUCCESS], 1); /* by the time of its message */
    assert_int_equal(early.succeeded, 0);
    assert_int_equal(late.deliveries[STAT_SUCCESS], 0);
    assert_int_equal(late.deliveries[STAT_PENDING], 1);
    assert_int_equal(late.succeeded, 1); /* by its own */
    rig_close(&r);
}

static void endpoints_are_counted_apart(void **state)
{
    (void)state;
    begin();
    struct endpoint first = e, second = rig_add_endpoint(&r, &a);
    struct id id = rig_send(&r, &a);
    rig_conclude(&r, &id, &second, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    expect(0, 1, 0, 0, 0);
    e = second;
    expect(1, 0, 0, 0, 0);
    e = first;
    rig_close(&r);
}

static void what_has_expired_leaves_no_row(void **state)
{
    (void)state;
    static struct id ids[50];
    begin();
    rig_send_all(&r, &a, ids, 50);
    rig_conclude_all(&r, ids, 50, &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    assert_int_equal(rig_rows(&r, TREE_STAT), 1);
    rig_advance(&r, 31 * DAY_US);
    rig_turns(&r, 5);
    assert_int_equal(rig_rows(&r, TREE_STAT), 0);
    struct id id = rig_send(&r, &a);
    rig_advance(&r, 15 * DAY_US);
    rig_kill(&r, &id, &e);
    rig_advance(&r, 20 * DAY_US); /* the dead letter keeps its message, and so its row */
    rig_turns(&r, 5);
    assert_int_equal(rig_rows(&r, TREE_STAT), 2); /* the other is its attempt's */
    rig_advance(&r, 20 * DAY_US);
    rig_turns(&r, 5);
    assert_int_equal(rig_rows(&r, TREE_STAT), 0);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_delivery_is_counted_where_it_is),
        cmocka_unit_test(a_delivery_made_by_hand_is_counted),
        cmocka_unit_test(disabling_and_deleting_are_counted),
        cmocka_unit_test(hours_are_counted_apart),
        cmocka_unit_test(endpoints_are_counted_apart),
        cmocka_unit_test(what_has_expired_leaves_no_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
