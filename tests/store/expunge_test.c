/* Payloads and responses that were deleted on request are gone; the record of what happened, and
 * what belongs to others, stays. */
#include "tests/store/rig.h"

enum { MANY = 150 }; /* several pages of a purge */

static struct rig r;
static struct app a;
static struct endpoint e;

static void begin(void)
{
    rig_open(&r);
    a = rig_app(&r, "one");
    e = rig_add_endpoint(&r, &a);
}

static enum err expunge(uint32_t app, const struct id *messages, unsigned count)
{
    struct expunge_op op = {.app = app, .message_count = count, .messages = messages};
    return rig_do(&r, &op.op, STORE_EXPUNGE);
}

static bool has_payload(const struct id *id)
{
    struct message *m;
    OK(rig_load(&r, id, &m));
    bool has = !m->expunged;
    assert_int_equal(has, m->payload.len > 0);
    assert_true(span_is(m->event_type, "a"));
    message_unref(&m);
    return has;
}

static void an_expunged_message_keeps_its_head_and_loses_its_payload(void **state)
{
    (void)state;
    static char payload[20000];
    struct due_row rows[64];
    struct delivery d;
    memset(payload, 'x', sizeof payload - 1);
    begin();
    struct message *m = rig_message("a", payload);
    struct rig_ingest i;
    OK(rig_ingest(&r, &a, m, NULL, NULL, &i));
    struct id id = m->id;
    message_unref(&m);
    OK(expunge(a.number + 1, &id, 1));
    assert_true(has_payload(&id));
    OK(expunge(a.number, &id, 1));
    assert_false(has_payload(&id));
    OK(rig_delivery_get(&r, &id, e.number, &d));
    assert_int_equal(d.state, DELIVERY_CANCELED);
    assert_int_equal(d.reason, REASON_MESSAGE_EXPUNGED);
    assert_int_equal(rig_due_rows(&r, e.number, rows), 0);
    assert_int_equal(rig_resend(&r, &id, e.number), ERR_NOT_FOUND);
    rig_close(&r);
}

static void several_go_together_and_those_that_are_gone_are_passed_over(void **state)
{
    (void)state;
    struct id ids[4];
    begin();
    rig_send_all(&r, &a, ids, 3);
    ids[3] = ids[2];
    ids[2] = id_random(r.now);
    OK(expunge(a.number, ids, 3));
    assert_false(has_payload(&ids[0]) || has_payload(&ids[1]));
    assert_true(has_payload(&ids[3]));
    OK(expunge(a.number, NULL, 0));
    rig_close(&r);
}

static void an_attempt_loses_its_response_and_nothing_else(void **state)
{
    (void)state;
    struct store_read *read;
    struct attempt *attempt;
    struct delivery d;
    begin();
    struct id id = rig_send(&r, &a);
    rig_conclude(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    OK(rig_delivery_get(&r, &id, e.number, &d));
    struct expunge_op op = {
        .app = a.number + 1, .message_count = 1, .messages = &id, .attempt = d.last_attempt};
    assert_int_equal(rig_do(&r, &op.op, STORE_EXPUNGE), ERR_NOT_FOUND);
    op.app = a.number;
    OK(rig_do(&r, &op.op, STORE_EXPUNGE));
    OK(store_read_begin(r.s, &read));
    OK(store_attempt_get(read, &id, &d.last_attempt, true, &attempt));
    store_read_end(&read);
    assert_int_equal(attempt->response.len, 0);
    assert_int_equal(attempt->status, 200);
    assert_int_equal(attempt->endpoint_number, e.number);
    attempt_free(&attempt);
    assert_true(has_payload(&id));
    op.attempt = id_random(r.now);
    assert_int_equal(rig_do(&r, &op.op, STORE_EXPUNGE), ERR_NOT_FOUND);
    rig_close(&r);
}

static struct task_info task_of(const struct id *id)
{
    struct store_read *read;
    struct task_info info;
    OK(store_read_begin(r.s, &read));
    OK(store_task_get(read, &a.org, id, &info));
    store_read_end(&read);
    return info;
}

static void all_of_an_application_go_in_steps_over_restarts(void **state)
{
    (void)state;
    static struct id ids[MANY];
    for (int restarts = 0; restarts < 2; restarts++) {
        begin();
        struct app other = rig_app(&r, "two");
        struct id kept = rig_send(&r, &other);
        rig_send_all(&r, &a, ids, MANY);
        OK(expunge(a.number, ids, 1));
        rig_advance(&r, US_PER_S);
        struct expunge_all_op op = {.app = a.number, .task = id_random(r.now)};
        OK(rig_do(&r, &op.op, STORE_EXPUNGE_ALL));
        rig_advance(&r, US_PER_S);
        struct id later = rig_send(&r, &a);
        for (unsigned i = 0; i < MANY && !task_of(&op.task).finished; i++) {
            rig_turn(&r);
            if (restarts)
                rig_restart(&r);
        }
        assert_true(task_of(&op.task).finished);
        assert_int_equal(task_of(&op.task).done, MANY - 1);
        assert_string_equal(task_of(&op.task).kind, "application.purge_content");
        for (unsigned i = 0; i < MANY; i++) {
            assert_false(has_payload(&ids[i]));
            assert_int_equal(rig_state(&r, &ids[i], e.number), DELIVERY_CANCELED);
        }
        assert_true(has_payload(&kept) && has_payload(&later));
        rig_close(&r);
    }
}

static unsigned left(const struct id *ids, unsigned messages, unsigned endpoints)
{
    unsigned n = 0;
    for (unsigned i = 0; i < messages; i++)
        for (uint32_t k = 0; k < endpoints; k++)
            n += rig_state(&r, &ids[i], e.number + k) != DELIVERY_CANCELED;
    return n;
}

static void more_deliveries_than_a_commit_holds_end_in_steps(void **state)
{
    (void)state;
    enum { MESSAGES = 250, ENDPOINTS = 20 };
    static struct id ids[MESSAGES];
    begin();
    for (unsigned i = 1; i < ENDPOINTS; i++)
        rig_add_endpoint(&r, &a);
    rig_send_all(&r, &a, ids, MESSAGES);
    rig_turn(&r);
    OK(expunge(a.number, ids, MESSAGES));
    for (unsigned i = 0; i < MESSAGES; i++)
        assert_false(has_payload(&ids[i]));
    rig_restart(&r);
    for (unsigned i = 0; i < MESSAGES && left(ids, MESSAGES, ENDPOINTS); i++)
        rig_turn(&r);
    assert_int_equal(left(ids, MESSAGES, ENDPOINTS), 0);
    rig_close(&r);
}

static void a_purge_ends_a_message_in_steps_over_restarts(void **state)
{
    (void)state;
    enum { MESSAGES = 3, ENDPOINTS = 400 };
    struct id ids[MESSAGES];
    begin();
    for (unsigned i = 1; i < ENDPOINTS; i++)
        rig_add_endpoint(&r, &a);
    rig_send_all(&r, &a, ids, MESSAGES);
    rig_turns(&r, 3);
    rig_advance(&r, US_PER_S);
    struct expunge_all_op op = {.app = a.number, .task = id_random(r.now)};
    OK(rig_do(&r, &op.op, STORE_EXPUNGE_ALL));
    for (unsigned i = 0; i < 100 && !task_of(&op.task).finished; i++) {
        rig_turn(&r);
        rig_restart(&r);
    }
    assert_int_equal(task_of(&op.task).done, MESSAGES);
    assert_int_equal(left(ids, MESSAGES, ENDPOINTS), 0);
    rig_close(&r);
}

static void a_message_for_one_endpoint_reaches_no_other(void **state)
{
    (void)state;
    struct delivery d;
    begin();
    struct endpoint other = rig_add_endpoint(&r, &a);
    struct span filter = SPAN("b");
    e.filters = &filter;
    e.filter_count = 1;
    OK(rig_put_endpoint(&r, &e));
    struct message *m = rig_message("a", "{}");
    struct rig_ingest i;
    m->only_endpoint = e.number;
    OK(rig_ingest(&r, &a, m, NULL, NULL, &i));
    assert_int_equal(rig_state(&r, &m->id, e.number), DELIVERY_SCHEDULED);
    assert_int_equal(rig_delivery_get(&r, &m->id, other.number, &d), ERR_NOT_FOUND);
    rig_advance(&r, US_PER_S);
    struct replay_op replay = {.endpoint = other.number, .missing = true, .task = id_random(r.now)};
    OK(rig_do(&r, &replay.op, STORE_REPLAY));
    while (!task_of(&replay.task).finished)
        rig_turn(&r);
    assert_int_equal(task_of(&replay.task).done, 0);
    rig_disable(&r, &e, true);
    assert_int_equal(rig_ingest(&r, &a, m, NULL, NULL, &i), ERR_DISABLED);
    m->only_endpoint = other.number + 100;
    assert_int_equal(rig_ingest(&r, &a, m, NULL, NULL, &i), ERR_NOT_FOUND);
    message_unref(&m);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_expunged_message_keeps_its_head_and_loses_its_payload),
        cmocka_unit_test(several_go_together_and_those_that_are_gone_are_passed_over),
        cmocka_unit_test(an_attempt_loses_its_response_and_nothing_else),
        cmocka_unit_test(all_of_an_application_go_in_steps_over_restarts),
        cmocka_unit_test(more_deliveries_than_a_commit_holds_end_in_steps),
        cmocka_unit_test(a_purge_ends_a_message_in_steps_over_restarts),
        cmocka_unit_test(a_message_for_one_endpoint_reaches_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
