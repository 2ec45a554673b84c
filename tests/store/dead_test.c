/* Dead letters and the tasks that move many deliveries: disabling, deleting, replay, purge,
 * recover. */
#include "tests/store/rig.h"

enum { MANY = 700 }; /* more than one step moves */

static struct rig r;
static struct app a;
static struct endpoint e;
static struct id ids[MANY];

static void begin(unsigned messages)
{
    rig_open(&r);
    a = rig_app(&r, "one");
    e = rig_add_endpoint(&r, &a);
    if (messages)
        rig_send_all(&r, &a, ids, messages);
}

static void kill_many(unsigned n)
{
    rig_conclude_all(&r, ids, n, &e, TRIGGER_SCHEDULED, OUTCOME_DEAD);
}

static unsigned in_state(unsigned n, enum delivery_state state)
{
    unsigned count = 0;
    for (unsigned i = 0; i < n; i++)
        count += rig_state(&r, &ids[i], e.number) == state;
    return count;
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

static void finish(const struct id *id)
{
    for (unsigned i = 0; i < 200 && !task_of(id).finished; i++)
        rig_turn(&r);
    assert_true(task_of(id).finished);
}

static struct dead_op by_filter(int verb)
{
    return (struct dead_op){.verb = verb, .app = a.number, .task = id_random(r.now)};
}

/* ---------------------------------------------------------------- disabling, deleting */

static void disabling_moves_all_that_is_unfinished_to_the_dead_letters(void **state)
{
    (void)state;
    struct delivery d;
    begin(MANY);
    rig_conclude(&r, &ids[0], &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    rig_conclude(&r, &ids[1], &e, TRIGGER_SCHEDULED, OUTCOME_RETRY);
    OK(rig_resend(&r, &ids[0], e.number));
    rig_disable(&r, &e, true);
    rig_restart(&r); /* wherever the task was */
    for (unsigned i = 0; i < 50 && store_endpoint_counts(r.s, e.number).waiting; i++)
        rig_turn(&r);
    rig_turns(&r, 2);
    assert_int_equal(in_state(MANY, DELIVERY_DEAD), MANY - 1);
    OK(rig_delivery_get(&r, &ids[1], e.number, &d));
    assert_int_equal(d.reason, REASON_ENDPOINT_DISABLED);
    OK(rig_delivery_get(&r, &ids[0], e.number, &d));
    assert_int_equal(d.state, DELIVERY_DELIVERED);
    assert_int_equal(d.manual_due.us, 0);
    assert_int_equal(store_endpoint_counts(r.s, e.number).dead, MANY - 1);
    rig_close(&r);
}

static void what_comes_after_an_endpoint_is_enabled_again_is_not_touched(void **state)
{
    (void)state;
    begin(MANY);
    /* All in one inbox, so that the task of the first has not ended when the last comes. */
    struct endpoint off = e, on = e;
    off.disabled = true;
    off.disabled_reason = SPAN("manual");
    OK(rig_put_endpoint(&r, &off));
    on.version = off.version;
    OK(rig_put_endpoint(&r, &on));
    struct id fresh = rig_send(&r, &a);
    for (unsigned i = 0; i < 50 && store_endpoint_counts(r.s, e.number).waiting > 1; i++)
        rig_turn(&r);
    rig_turns(&r, 3);
    assert_int_equal(in_state(MANY, DELIVERY_DEAD), MANY);
    assert_int_equal(rig_state(&r, &fresh, e.number), DELIVERY_SCHEDULED);
    rig_close(&r);
}

static void deleting_an_endpoint_cancels_its_deliveries_and_its_dead_letters(void **state)
{
    (void)state;
    begin(MANY);
    kill_many(10);
    struct outcome_op flying = rig_outcome(&r, &ids[20], &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    struct endpoint_op op = {.number = e.number};
    OK(rig_do(&r, &op.op, STORE_ENDPOINT_DELETE));
    assert_int_equal(rig_do(&r, &op.op, STORE_ENDPOINT_DELETE), ERR_NOT_FOUND);
    for (unsigned i = 0; i < 50 && counter_get(&store_stats(r.s)->waiting); i++)
        rig_turn(&r);
    rig_turns(&r, 2);
    assert_int_equal(in_state(MANY, DELIVERY_CANCELED), MANY);
    assert_int_equal(counter_get(&store_stats(r.s)->dead_waiting), 0);
    /* What was in flight reached its receiver all the same. */
    OK(rig_do(&r, &flying.op, STORE_OUTCOME));
    assert_int_equal(flying.state, DELIVERY_DELIVERED);
    rig_close(&r);
}

static void deleting_an_application_ends_all_its_endpoints(void **state)
{
    (void)state;
    begin(0);
    struct endpoint second = rig_add_endpoint(&r, &a);
    struct app other = rig_app(&r, "two");
    struct endpoint foreign = rig_add_endpoint(&r, &other);
    rig_send_all(&r, &a, ids, 100);
    struct id kept = rig_send(&r, &other);
    struct app_op op = {.id = a.id};
    OK(rig_do(&r, &op.op, STORE_APP_DELETE));
    rig_restart(&r);
    for (unsigned i = 0; i < 50 && counter_get(&store_stats(r.s)->waiting) > 1; i++)
        rig_turn(&r);
    rig_turns(&r, 2);
    assert_int_equal(in_state(100, DELIVERY_CANCELED), 100);
    assert_int_equal(rig_state(&r, &ids[5], second.number), DELIVERY_CANCELED);
    assert_int_equal(rig_state(&r, &kept, foreign.number), DELIVERY_SCHEDULED);
    struct store_read *read;
    struct endpoint *gone;
    OK(store_read_begin(r.s, &read));
    assert_int_equal(store_endpoint_load(read, e.number, &gone), ERR_NOT_FOUND);
    store_read_end(&read);
    rig_close(&r);
}

/* ---------------------------------------------------------------- replay and purge */

static void a_replayed_letter_begins_its_schedule_anew(void **state)
{
    (void)state;
    struct due_row rows[64];
    begin(2);
    rig_conclude(&r, &ids[0], &e, TRIGGER_SCHEDULED, OUTCOME_RETRY);
    kill_many(1);
    struct dead_op op = {.verb = DEAD_REPLAY,
                         .app = a.number,
                         .endpoint = e.number,
                         .messages = ids,
                         .message_count = 2};
    OK(rig_do(&r, &op.op, STORE_DEAD));
    assert_int_equal(r.dues, 1);
    assert_int_equal(rig_due_rows(&r, e.number, rows), 2);
    assert_int_equal(rows[0].tries, 0);
    struct delivery again;
    OK(rig_delivery_get(&r, &ids[0], e.number, &again));
    assert_int_equal(again.replayed.us, again.due.us);
    assert_true(again.replayed.us >= again.created.us);
    assert_int_equal(rig_dead_rows(&r, e.number), 0);
    assert_int_equal(rig_do(&r, &op.op, STORE_DEAD), ERR_NOT_FOUND);
    kill_many(1);
    rig_disable(&r, &e, true);
    assert_int_equal(rig_do(&r, &op.op, STORE_DEAD), ERR_DISABLED);
    rig_close(&r);
}

static void replaying_all_takes_every_letter_once(void **state)
{
    (void)state;
    begin(MANY);
    kill_many(MANY);
    struct dead_op op = by_filter(DEAD_REPLAY);
    OK(rig_do(&r, &op.op, STORE_DEAD));
    rig_restart(&r);
    finish(&op.task);
    assert_int_equal(task_of(&op.task).done, MANY);
    assert_int_equal(in_state(MANY, DELIVERY_SCHEDULED), MANY);
    assert_int_equal(rig_dead_rows(&r, e.number), 0);
    assert_int_equal(store_endpoint_counts(r.s, e.number).waiting, MANY);
    rig_close(&r);
}

static void a_replay_follows_the_disabling_before_it(void **state)
{
    (void)state;
    begin(MANY);
    struct endpoint on = e, off = e;
    off.disabled = true;
    off.disabled_reason = SPAN("manual");
    OK(rig_put_endpoint(&r, &off));
    on.version = off.version;
    OK(rig_put_endpoint(&r, &on));
    rig_advance(&r, 60 * US_PER_S); /* all letters died before the replay was asked for */
    for (unsigned i = 0; i < 50 && store_endpoint_counts(r.s, e.number).waiting; i++)
        rig_turn(&r);
    struct dead_op op = by_filter(DEAD_REPLAY);
    OK(rig_do(&r, &op.op, STORE_DEAD));
    finish(&op.task);
    rig_turns(&r, 3);
    assert_int_equal(in_state(MANY, DELIVERY_SCHEDULED), MANY);
    rig_close(&r);
}

static void a_filter_chooses_by_time_of_death_and_event_type(void **state)
{
    (void)state;
    begin(3);
    struct message *m = rig_message("b", "{}");
    struct rig_ingest i;
    OK(rig_ingest(&r, &a, m, NULL, NULL, &i));
    rig_kill(&r, &ids[0], &e);
    rig_advance(&r, US_PER_S);
    struct wall middle = r.now;
    rig_kill(&r, &ids[1], &e);
    rig_kill(&r, &m->id, &e);
    rig_advance(&r, US_PER_S);
    struct wall end = r.now;
    rig_kill(&r, &ids[2], &e);
    struct dead_op op = by_filter(DEAD_PURGE);
    op.since = middle;
    op.until = end;
    op.event_type = SPAN("a");
    OK(rig_do(&r, &op.op, STORE_DEAD));
    finish(&op.task);
    assert_int_equal(task_of(&op.task).done, 1);
    struct delivery d;
    OK(rig_delivery_get(&r, &ids[1], e.number, &d));
    assert_int_equal(d.state, DELIVERY_CANCELED);
    assert_int_equal(d.reason, REASON_CANCELED);
    assert_int_equal(rig_dead_rows(&r, e.number), 3);
    message_unref(&m);
    rig_close(&r);
}

/* ---------------------------------------------------------------- recover */

/* Makes the manual attempts that wait, all failing. */
static unsigned attempt_waiting(void)
{
    struct due_row rows[64];
    struct id waiting[64];
    unsigned count = rig_due_rows(&r, e.number, rows);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(rows[i].trigger, TRIGGER_MANUAL);
        waiting[i] = rows[i].message;
    }
    if (count)
        rig_conclude_all(&r, waiting, count, &e, TRIGGER_MANUAL, OUTCOME_RETRY);
    return count;
}

static void a_recover_asks_for_each_dead_letter_once_a_page_at_a_time(void **state)
{
    (void)state;
    enum { LETTERS = 200 };
    unsigned made = 0;
    begin(LETTERS);
    kill_many(LETTERS);
    struct recover_op op = {.endpoint = e.number, .task = id_random(r.now)};
    OK(rig_do(&r, &op.op, STORE_RECOVER));
    for (unsigned i = 0; i < 100 && !task_of(&op.task).finished; i++) {
        rig_turn(&r);
        unsigned now = attempt_waiting();
        assert_true(now <= 64);
        made += now;
        if (i == 1)
            rig_restart(&r);
    }
    rig_turns(&r, 2);
    made += attempt_waiting();
    assert_int_equal(made, LETTERS);
    assert_int_equal(task_of(&op.task).done, LETTERS);
    assert_int_equal(in_state(LETTERS, DELIVERY_DEAD), LETTERS);
    rig_close(&r);
}

static void a_recover_takes_what_failed_for_good_in_its_time_and_nothing_pending(void **state)
{
    (void)state;
    struct due_row rows[64];
    begin(1);
    rig_kill(&r, &ids[0], &e);
    rig_advance(&r, 10 * US_PER_S);
    struct wall since = r.now;
    struct id inside = rig_send(&r, &a), pending = rig_send(&r, &a);
    rig_kill(&r, &inside, &e);
    rig_conclude(&r, &pending, &e, TRIGGER_SCHEDULED, OUTCOME_RETRY);
    rig_advance(&r, 10 * US_PER_S);
    struct recover_op op = {
        .endpoint = e.number, .since = since, .until = r.now, .task = id_random(r.now)};
    struct id after = rig_send(&r, &a);
    rig_kill(&r, &after, &e);
    OK(rig_do(&r, &op.op, STORE_RECOVER));
    finish(&op.task);
    assert_int_equal(rig_due_rows(&r, e.number, rows), 2);
    for (int i = 0; i < 2; i++)
        assert_true(rows[i].trigger == TRIGGER_MANUAL ? !id_cmp(&rows[i].message, &inside)
                                                      : !id_cmp(&rows[i].message, &pending));
    assert_int_equal(task_of(&op.task).done, 1);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(disabling_moves_all_that_is_unfinished_to_the_dead_letters),
        cmocka_unit_test(what_comes_after_an_endpoint_is_enabled_again_is_not_touched),
        cmocka_unit_test(deleting_an_endpoint_cancels_its_deliveries_and_its_dead_letters),
        cmocka_unit_test(deleting_an_application_ends_all_its_endpoints),
        cmocka_unit_test(a_replayed_letter_begins_its_schedule_anew),
        cmocka_unit_test(replaying_all_takes_every_letter_once),
        cmocka_unit_test(a_replay_follows_the_disabling_before_it),
        cmocka_unit_test(a_filter_chooses_by_time_of_death_and_event_type),
        cmocka_unit_test(a_recover_asks_for_each_dead_letter_once_a_page_at_a_time),
        cmocka_unit_test(a_recover_takes_what_failed_for_good_in_its_time_and_nothing_pending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
