/* Replays: each message of the window that is wanted, once, whatever happens meanwhile. */
#include "tests/store/rig.h"

enum { MANY = 300 }; /* several pages of attempts */

static struct rig r;
static struct app a;
static struct endpoint e;
static struct id ids[MANY];

static void begin(void)
{
    rig_open(&r);
    a = rig_app(&r, "one");
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

/* Makes every attempt that waits, then lets the writer go on. */
static void make_attempts(int verdict, unsigned counts[MANY])
{
    for (unsigned i = 0; i < MANY; i++) {
        struct delivery d;
        if (id_is_zero(&ids[i]) || rig_delivery_get(&r, &ids[i], e.number, &d) || !d.manual_due.us)
            continue;
        rig_conclude(&r, &ids[i], &e, TRIGGER_MANUAL, verdict);
        counts[i]++;
    }
    rig_turn(&r);
}

static void run(struct replay_op *op, int verdict, unsigned counts[MANY], bool restarts)
{
    OK(rig_do(&r, &op->op, STORE_REPLAY));
    memset(counts, 0, MANY * sizeof *counts);
    for (unsigned i = 0; i < 100 && !task_of(&op->task).finished; i++) {
        make_attempts(verdict, counts);
        if (restarts)
            rig_restart(&r);
    }
    assert_true(task_of(&op->task).finished);
    make_attempts(verdict, counts);
}

static struct replay_op missing(void)
{
    return (struct replay_op){
        .endpoint = e.number, .missing = true, .status_class = -1, .task = id_random(r.now)};
}

static struct replay_op by_state(unsigned states)
{
    return (struct replay_op){
        .endpoint = e.number, .states = states, .status_class = -1, .task = id_random(r.now)};
}

static void what_an_endpoint_never_got_is_sent_to_it_once(void **state)
{
    (void)state;
    unsigned counts[MANY];
    for (int restarts = 0; restarts < 2; restarts++) {
        begin();
        rig_send_all(&r, &a, ids, MANY - 10);
        e = rig_add_endpoint(&r, &a);
        rig_send_all(&r, &a, ids + MANY - 10, 10);
        rig_advance(&r, US_PER_S);
        struct replay_op op = missing();
        run(&op, OUTCOME_DELIVERED, counts, restarts);
        for (unsigned i = 0; i < MANY - 10; i++) {
            assert_int_equal(counts[i], 1);
            assert_int_equal(rig_state(&r, &ids[i], e.number), DELIVERY_DELIVERED);
        }
        for (unsigned i = MANY - 10; i < MANY; i++) {
            assert_int_equal(counts[i], 0);
            assert_int_equal(rig_state(&r, &ids[i], e.number), DELIVERY_SCHEDULED);
        }
        assert_int_equal(task_of(&op.task).done, MANY - 10);
        assert_string_equal(task_of(&op.task).kind, "endpoint.replay");
        struct replay_op again = missing();
        run(&again, OUTCOME_DELIVERED, counts, false);
        assert_int_equal(task_of(&again.task).done, 0);
        rig_close(&r);
    }
}

static void only_what_the_endpoint_takes_in_its_window_is_missing(void **state)
{
    (void)state;
    unsigned counts[MANY];
    static const char *const types[] = {"wanted", "other", "wanted", "wanted"};
    begin();
    memset(ids, 0, sizeof ids);
    for (unsigned i = 0; i < 4; i++) {
        struct message *m = rig_message(types[i], "{}");
        struct rig_ingest ingest;
        OK(rig_ingest(&r, &a, m, NULL, NULL, &ingest));
        ids[i] = m->id;
        message_unref(&m);
        rig_advance(&r, US_PER_S);
    }
    struct expunge_op expunge = {.app = a.number, .message_count = 1, .messages = &ids[3]};
    OK(rig_do(&r, &expunge.op, STORE_EXPUNGE));
    struct span filter = SPAN("wanted");
    e = rig_endpoint_new(&r, &a);
    e.filters = &filter;
    e.filter_count = 1;
    OK(rig_put_endpoint(&r, &e));
    struct replay_op op = missing();
    op.since = id_time(&ids[0]);
    run(&op, OUTCOME_DEAD, counts, false);
    assert_int_equal(counts[0], 0);
    assert_int_equal(counts[1], 0);
    assert_int_equal(counts[2], 1);
    assert_int_equal(counts[3], 0);
    assert_int_equal(rig_state(&r, &ids[2], e.number), DELIVERY_NONE);
    rig_close(&r);
}

static void what_an_endpoint_got_is_sent_again_by_state(void **state)
{
    (void)state;
    unsigned counts[MANY];
    begin();
    e = rig_add_endpoint(&r, &a);
    rig_send_all(&r, &a, ids, MANY);
    rig_conclude_all(&r, ids, 150, &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    rig_conclude_all(&r, ids + 150, 100, &e, TRIGGER_SCHEDULED, OUTCOME_DEAD);
    rig_advance(&r, US_PER_S);
    struct replay_op both = by_state(1u << DELIVERY_DELIVERED | 1u << DELIVERY_DEAD);
    run(&both, OUTCOME_DELIVERED, counts, true);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(counts[i], i < 250);
    assert_int_equal(task_of(&both.task).done, 250);
    assert_string_equal(task_of(&both.task).kind, "endpoint.bulk-replay");
    struct replay_op dead = by_state(1u << DELIVERY_DEAD);
    run(&dead, OUTCOME_DELIVERED, counts, false);
    assert_int_equal(task_of(&dead.task).done, 0);
    rig_close(&r);
}

static void a_replay_can_ask_for_types_and_for_a_class_of_status(void **state)
{
    (void)state;
    unsigned counts[MANY];
    static const char *const types[] = {"one", "two", "three", "one"};
    begin();
    e = rig_add_endpoint(&r, &a);
    memset(ids, 0, sizeof ids);
    for (unsigned i = 0; i < 4; i++) {
        struct message *m = rig_message(types[i], "{}");
        struct rig_ingest ingest;
        OK(rig_ingest(&r, &a, m, NULL, NULL, &ingest));
        ids[i] = m->id;
        message_unref(&m);
    }
    rig_conclude_all(&r, ids, 3, &e, TRIGGER_SCHEDULED, OUTCOME_DEAD);
    rig_conclude_all(&r, ids + 3, 1, &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    rig_advance(&r, US_PER_S);
    const struct span wanted[] = {SPAN("one"), SPAN("three")};
    struct replay_op op = by_state(1u << DELIVERY_DELIVERED | 1u << DELIVERY_DEAD);
    op.filter = (struct message_filter){.event_type_count = 2, .event_types = wanted};
    op.status_class = 500;
    run(&op, OUTCOME_DELIVERED, counts, true);
    assert_int_equal(counts[0], 1);
    assert_int_equal(counts[1], 0);
    assert_int_equal(counts[2], 1);
    assert_int_equal(counts[3], 0);
    rig_close(&r);
}

static void messages_that_come_after_the_request_are_not_replayed(void **state)
{
    (void)state;
    unsigned counts[MANY];
    begin();
    e = rig_add_endpoint(&r, &a);
    memset(ids, 0, sizeof ids);
    rig_advance(&r, US_PER_S);
    struct replay_op op = by_state(1u << DELIVERY_SCHEDULED);
    op.until = wall_add(r.now, DAY_US);
    OK(rig_do(&r, &op.op, STORE_REPLAY));
    ids[0] = rig_send(&r, &a);
    for (unsigned i = 0; i < 20 && !task_of(&op.task).finished; i++)
        rig_turn(&r);
    memset(counts, 0, sizeof counts);
    make_attempts(OUTCOME_DELIVERED, counts);
    assert_int_equal(counts[0], 0);
    rig_close(&r);
}

static void a_disabled_endpoint_is_refused_and_ends_a_replay(void **state)
{
    (void)state;
    begin();
    rig_send_all(&r, &a, ids, MANY);
    e = rig_add_endpoint(&r, &a);
    rig_advance(&r, US_PER_S);
    struct replay_op op = missing(), refused = missing(), unknown = missing();
    OK(rig_do(&r, &op.op, STORE_REPLAY));
    rig_disable(&r, &e, true);
    rig_turns(&r, 3);
    assert_true(task_of(&op.task).finished);
    assert_int_equal(rig_do(&r, &refused.op, STORE_REPLAY), ERR_DISABLED);
    unknown.endpoint = 999;
    assert_int_equal(rig_do(&r, &unknown.op, STORE_REPLAY), ERR_NOT_FOUND);
    rig_close(&r);
}

static void what_a_disabling_ended_before_an_attempt_is_still_missing(void **state)
{
    (void)state;
    unsigned counts[MANY];
    begin();
    memset(ids, 0, sizeof ids);
    rig_send_all(&r, &a, ids, 3);
    e = rig_add_endpoint(&r, &a);
    rig_advance(&r, US_PER_S);
    struct replay_op op = missing();
    OK(rig_do(&r, &op.op, STORE_REPLAY));
    rig_turn(&r);
    rig_conclude(&r, &ids[0], &e, TRIGGER_MANUAL, OUTCOME_DEAD); /* this one came */
    rig_disable(&r, &e, true);
    rig_turns(&r, 3);
    rig_disable(&r, &e, false);
    rig_turns(&r, 3);
    struct replay_op again = missing();
    run(&again, OUTCOME_DELIVERED, counts, false);
    assert_int_equal(task_of(&again.task).done, 2);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(counts[i], i > 0);
    rig_close(&r);
}

/* ---------------------------------------------------------------- lists */

static unsigned list(const struct page *page, const struct task_query *query,
                     struct task_info rows[PAGE_MAX], struct page_result *result)
{
    struct store_read *read;
    OK(store_read_begin(r.s, &read));
    OK(store_task_list(read, &a.org, page, query, rows, result));
    store_read_end(&read);
    return result->count;
}

static bool is_replay(const char *kind)
{
    return strcmp(kind, "endpoint.replay") == 0;
}

static void tasks_are_listed_newest_first_by_what_is_asked_for(void **state)
{
    (void)state;
    struct task_info rows[PAGE_MAX];
    struct page_result result;
    struct id tasks[5];
    begin();
    e = rig_add_endpoint(&r, &a);
    for (unsigned i = 0; i < 5; i++) {
        rig_advance(&r, US_PER_S);
        struct replay_op op = i % 2 ? missing() : by_state(1u << DELIVERY_DEAD);
        tasks[i] = op.task;
        OK(rig_do(&r, &op.op, STORE_REPLAY));
        rig_turns(&r, 3);
    }
    struct page page = {.limit = 2};
    struct task_query query = {0};
    assert_int_equal(list(&page, &query, rows, &result), 2);
    assert_true(result.more);
    assert_memory_equal(&rows[0].id, &tasks[4], ID_BYTES);
    page = (struct page){.limit = 10, .has_cursor = true, .cursor = rows[1].id};
    assert_int_equal(list(&page, &query, rows, &result), 3);
    assert_memory_equal(&rows[2].id, &tasks[0], ID_BYTES);
    page = (struct page){.limit = 10, .ascending = true};
    query.kind = SPAN("endpoint.bulk-replay");
    assert_int_equal(list(&page, &query, rows, &result), 3);
    assert_memory_equal(&rows[0].id, &tasks[0], ID_BYTES);
    query = (struct task_query){.shown = is_replay};
    assert_int_equal(list(&page, &query, rows, &result), 2);
    query = (struct task_query){.status = TASK_RUNNING};
    assert_int_equal(list(&page, &query, rows, &result), 0);
    query = (struct task_query){.app = id_random(r.now)};
    assert_int_equal(list(&page, &query, rows, &result), 0);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_endpoint_never_got_is_sent_to_it_once),
        cmocka_unit_test(only_what_the_endpoint_takes_in_its_window_is_missing),
        cmocka_unit_test(what_an_endpoint_got_is_sent_again_by_state),
        cmocka_unit_test(a_replay_can_ask_for_types_and_for_a_class_of_status),
        cmocka_unit_test(messages_that_come_after_the_request_are_not_replayed),
        cmocka_unit_test(a_disabled_endpoint_is_refused_and_ends_a_replay),
        cmocka_unit_test(what_a_disabling_ended_before_an_attempt_is_still_missing),
        cmocka_unit_test(tasks_are_listed_newest_first_by_what_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
