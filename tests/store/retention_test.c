/* What leaves, what waits, and what is kept. */
#include "tests/store/rig.h"

static struct rig r;
static struct app a;
static struct endpoint e;

static void begin(void)
{
    rig_open(&r);
    a = rig_app(&r, "one");
    e = rig_add_endpoint(&r, &a);
}

static bool is_kept(const struct id *id)
{
    struct message *m;
    enum err err = rig_load(&r, id, &m);
    message_unref(&m);
    assert_true(err == ERR_OK || err == ERR_NOT_FOUND);
    return err == ERR_OK;
}

/* Later by `us`, in steps that let the writer see each moment. */
static void pass(int64_t us)
{
    rig_advance(&r, us);
    rig_turns(&r, 2);
}

static unsigned listed_messages(void)
{
    struct delivery rows[PAGE_MAX];
    const struct page page = {.limit = PAGE_MAX};
    const struct message_filter filter = {0};
    struct page_result result;
    struct store_read *read;
    OK(store_read_begin(r.s, &read));
    OK(store_deliveries_of_endpoint(read, e.number, &page, 0, &filter, rows, &result));
    store_read_end(&read);
    return result.count;
}

static void a_delivered_message_leaves_with_all_that_belongs_to_it(void **state)
{
    (void)state;
    static char payload[20000];
    struct delivery d;
    memset(payload, 'x', sizeof payload - 1);
    begin();
    struct message *m = rig_message("a", payload);
    struct rig_ingest i;
    OK(rig_ingest(&r, &a, m, NULL, NULL, &i));
    struct id id = m->id;
    message_unref(&m);
    rig_conclude(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_RETRY);
    rig_conclude(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    pass(29 * DAY_US);
    assert_true(is_kept(&id));
    pass(2 * DAY_US);
    assert_false(is_kept(&id));
    assert_int_equal(rig_delivery_get(&r, &id, e.number, &d), ERR_NOT_FOUND);
    assert_int_equal(listed_messages(), 0);
    assert_int_equal(counter_get(&store_stats(r.s)->expired), 1);
    rig_close(&r); /* whose check finds no row without its message */
}

static void a_message_may_ask_for_its_own_retention(void **state)
{
    (void)state;
    begin();
    struct message *m = rig_message("a", "{}");
    struct rig_ingest i;
    m->retention_us = DAY_US;
    OK(rig_ingest(&r, &a, m, NULL, NULL, &i));
    struct id brief = m->id, normal = rig_send(&r, &a);
    rig_conclude(&r, &brief, &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    message_unref(&m);
    pass(2 * DAY_US);
    assert_false(is_kept(&brief));
    assert_true(is_kept(&normal));
    rig_close(&r);
}

static void an_unfinished_message_is_kept_and_stays_listed(void **state)
{
    (void)state;
    begin();
    struct id id = rig_send(&r, &a);
    for (int day = 0; day < 40; day += 10)
        pass(10 * DAY_US);
    pass(2 * 3600 * US_PER_S); /* beyond the slack of the index */
    assert_true(is_kept(&id));
    assert_int_equal(listed_messages(), 1);
    rig_conclude(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    pass(2 * DAY_US);
    assert_false(is_kept(&id));
    rig_close(&r);
}

static void a_dead_letter_keeps_its_payload_for_the_retention_after_its_death(void **state)
{
    (void)state;
    begin();
    struct id id = rig_send(&r, &a);
    pass(20 * DAY_US);
    rig_kill(&r, &id, &e);
    pass(25 * DAY_US);
    assert_true(is_kept(&id));
    assert_int_equal(rig_dead_rows(&r, e.number), 1);
    pass(6 * DAY_US);
    assert_false(is_kept(&id));
    assert_int_equal(rig_dead_rows(&r, e.number), 0);
    assert_int_equal(store_endpoint_counts(r.s, e.number).dead, 0);
    rig_close(&r);
}

static unsigned listed_attempts(void)
{
    struct attempt *rows[PAGE_MAX];
    struct page page = {.limit = PAGE_MAX};
    const struct attempt_filter filter = {.status = -1};
    struct page_result result = {.more = true};
    unsigned listed = 0;
    while (result.more) {
        struct store_read *read;
        OK(store_read_begin(r.s, &read));
        OK(store_attempts_of_endpoint(read, e.number, &page, &filter, false, rows, &result));
        store_read_end(&read);
        page.has_cursor = true;
        page.cursor = result.last;
        listed += result.count;
        for (unsigned i = 0; i < result.count; i++)
            attempt_free(&rows[i]);
    }
    return listed;
}

/* Attempts that nothing claims are recorded and change nothing else. */
static void add_attempts(const struct id *id, unsigned n)
{
    static struct outcome_op ops[2000];
    unsigned wanted = r.done + n;
    for (unsigned i = 0; i < n; i++) {
        ops[i] = rig_outcome(&r, id, &e, TRIGGER_SCHEDULED, OUTCOME_RETRY);
        ops[i].due = (struct wall){1};
        rig_submit(&r, &ops[i].op, STORE_OUTCOME);
    }
    rig_await(&r, wanted);
}

static void a_message_with_many_attempts_is_renewed_in_steps(void **state)
{
    (void)state;
    enum { MANY = 4 * STEP_ROWS_MAX - 100 };
    begin();
    struct id id = rig_send(&r, &a);
    add_attempts(&id, MANY);
    rig_advance(&r, 30 * DAY_US + 1800 * US_PER_S);
    rig_turn(&r);
    rig_restart(&r); /* in the middle */
    rig_turns(&r, 4);
    pass(2 * 3600 * US_PER_S); /* beyond the slack of the index: only what was renewed is listed */
    assert_int_equal(listed_messages(), 1);
    assert_int_equal(listed_attempts(), MANY);
    rig_close(&r);
}

static void many_messages_leave_in_steps(void **state)
{
    (void)state;
    enum { MANY = 600 };
    static struct id ids[MANY];
    begin();
    rig_send_all(&r, &a, ids, MANY);
    rig_conclude_all(&r, ids, MANY, &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    uint64_t commits = counter_get(&store_stats(r.s)->commits);
    rig_advance(&r, 31 * DAY_US);
    for (int i = 0; i < 50 && is_kept(&ids[MANY - 1]); i++)
        rig_turn(&r);
    assert_int_equal(counter_get(&store_stats(r.s)->expired), MANY);
    assert_true(counter_get(&store_stats(r.s)->commits) - commits >= 4 * MANY / STEP_ROWS_MAX);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_delivered_message_leaves_with_all_that_belongs_to_it),
        cmocka_unit_test(a_message_may_ask_for_its_own_retention),
        cmocka_unit_test(an_unfinished_message_is_kept_and_stays_listed),
        cmocka_unit_test(a_dead_letter_keeps_its_payload_for_the_retention_after_its_death),
        cmocka_unit_test(a_message_with_many_attempts_is_renewed_in_steps),
        cmocka_unit_test(many_messages_leave_in_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
