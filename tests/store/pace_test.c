/* Replays of dead letters at a chosen rate: the pace alone, and the task that keeps it. */
#include "store/pace.h"
#include "tests/store/rig.h"

/* ---------------------------------------------------------------- the pace */

static struct wall after(int64_t us)
{
    return wall_add((struct wall){RIG_EPOCH}, us);
}

static struct task paced(uint32_t rate)
{
    struct task t = {.rate = rate};
    pace_begin(&t, after(0));
    return t;
}

static uint64_t release_all(struct task *t, struct wall now)
{
    uint64_t released = 0;
    for (; pace_allows(t, now); released++)
        pace_take(t, now);
    return released;
}

static void without_a_rate_nothing_is_held_back(void **state)
{
    (void)state;
    struct task t = paced(0);
    assert_true(pace_is_due(&t, after(0)));
    for (int i = 0; i < 1000; i++) {
        assert_true(pace_allows(&t, after(0)));
        pace_take(&t, after(0));
    }
}

static void every_rate_is_kept_over_a_minute_in_portions(void **state)
{
    (void)state;
    static const uint32_t rates[] = {1, 2, 9, 10, 11, 25, 100, 999, 12345, RATE_MAX};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct task t = paced(rates[i]);
        uint64_t released = 0, steps = 0, expected = 60 * (uint64_t)rates[i];
        for (int64_t us; (us = pace_due_at(&t).us - RIG_EPOCH) < 60 * US_PER_S;) {
            assert_true(pace_is_due(&t, after(us)));
            if (us > 0)
                assert_false(pace_is_due(&t, after(us - 1)));
            released += release_all(&t, after(us));
            steps++;
        }
        assert_in_range(released, expected - expected / 100, expected + expected / 100 + 1);
        assert_true(steps <= 601);
    }
}

static void what_a_long_pause_kept_back_is_not_made_up_for(void **state)
{
    (void)state;
    struct task t = paced(100);
    assert_int_equal(release_all(&t, after(500 * US_PER_MS)), 51);
    assert_int_equal(release_all(&t, after(3600 * US_PER_S)), 101);
}

static void a_clock_that_is_set_back_stops_nothing(void **state)
{
    (void)state;
    struct task t = paced(100);
    release_all(&t, after(0));
    struct wall earlier = after(-3600 * US_PER_S);
    assert_true(pace_is_due(&t, earlier));
    assert_int_equal(release_all(&t, earlier), 1);
    assert_false(pace_is_due(&t, earlier));
    assert_true(pace_due_at(&t).us <= earlier.us + 100 * US_PER_MS);
}

/* ---------------------------------------------------------------- the task */

enum { LETTERS = 300, RATE = 100 };

static struct rig r;
static struct app a;
static struct endpoint e;
static struct id ids[LETTERS];

static void begin(void)
{
    rig_open(&r);
    a = rig_app(&r, "one");
    e = rig_add_endpoint(&r, &a);
    rig_send_all(&r, &a, ids, LETTERS);
    rig_conclude_all(&r, ids, LETTERS, &e, TRIGGER_SCHEDULED, OUTCOME_DEAD);
    assert_int_equal(store_endpoint_counts(r.s, e.number).dead, LETTERS);
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

static struct id replay(uint32_t endpoint)
{
    struct dead_op op = {.verb = DEAD_REPLAY,
                         .app = a.number,
                         .endpoint = endpoint,
                         .rate = RATE,
                         .task = id_random(r.now)};
    OK(rig_do(&r, &op.op, STORE_DEAD));
    rig_turns(&r, 5);
    return op.task;
}

/* So many tenths of a second pass, each with turns of the writer. */
static void pass(unsigned tenths)
{
    while (tenths--) {
        rig_advance(&r, 100 * US_PER_MS);
        rig_turns(&r, 3);
    }
}

static void a_replay_releases_at_its_rate_and_says_how_far_it_is(void **state)
{
    (void)state;
    begin();
    struct id task = replay(e.number);
    pass(10);
    assert_in_range(task_of(&task).done, RATE - 10, RATE + 11);
    assert_int_equal(store_endpoint_counts(r.s, e.number).waiting, task_of(&task).done);
    assert_int_equal(task_of(&task).done + store_endpoint_counts(r.s, e.number).dead, LETTERS);
    pass(10);
    assert_in_range(task_of(&task).done, 2 * RATE - 10, 2 * RATE + 11);
    assert_false(task_of(&task).finished);
    pass(12);
    assert_true(task_of(&task).finished);
    assert_int_equal(task_of(&task).done, LETTERS);
    for (unsigned i = 0; i < LETTERS; i++)
        assert_int_equal(rig_state(&r, &ids[i], e.number), DELIVERY_SCHEDULED);
    rig_close(&r);
}

static void it_goes_on_at_its_rate_after_a_restart(void **state)
{
    (void)state;
    begin();
    struct id task = replay(0);
    pass(10);
    uint64_t done = task_of(&task).done;
    rig_stop(&r);
    rig_advance(&r, 3600 * US_PER_S);
    rig_start(&r);
    rig_turns(&r, 3);
    assert_in_range(task_of(&task).done, done, done + RATE + 1);
    pass(20);
    assert_true(task_of(&task).finished);
    assert_int_equal(task_of(&task).done, LETTERS);
    rig_close(&r);
}

static void it_holds_no_other_task_of_its_application_back(void **state)
{
    (void)state;
    begin();
    struct endpoint other = rig_add_endpoint(&r, &a);
    struct id task = replay(e.number), late = rig_send(&r, &a);
    rig_disable(&r, &other, true);
    rig_turns(&r, 5);
    assert_int_equal(rig_state(&r, &late, other.number), DELIVERY_DEAD);
    assert_false(task_of(&task).finished);
    rig_close(&r);
}

static void many_go_side_by_side(void **state)
{
    (void)state;
    enum { TASKS = 20 };
    struct id tasks[TASKS];
    uint64_t done = 0;
    begin();
    for (unsigned i = 0; i < TASKS; i++)
        tasks[i] = replay(e.number);
    pass(2); /* in a tenth of the time that one of them takes */
    for (unsigned i = 0; i < TASKS; i++) {
        assert_true(task_of(&tasks[i]).done > 0);
        done += task_of(&tasks[i]).done;
    }
    assert_int_equal(done, LETTERS);
    rig_close(&r);
}

static void disabling_the_endpoint_leaves_it_the_letters_that_remain(void **state)
{
    (void)state;
    begin();
    struct id task = replay(e.number);
    pass(5);
    rig_disable(&r, &e, true);
    pass(3);
    assert_true(task_of(&task).finished);
    assert_in_range(task_of(&task).done, 1, LETTERS - 1);
    assert_int_equal(store_endpoint_counts(r.s, e.number).dead, LETTERS);
    assert_int_equal(store_endpoint_counts(r.s, e.number).waiting, 0);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_rate_nothing_is_held_back),
        cmocka_unit_test(every_rate_is_kept_over_a_minute_in_portions),
        cmocka_unit_test(what_a_long_pause_kept_back_is_not_made_up_for),
        cmocka_unit_test(a_clock_that_is_set_back_stops_nothing),
        cmocka_unit_test(a_replay_releases_at_its_rate_and_says_how_far_it_is),
        cmocka_unit_test(it_goes_on_at_its_rate_after_a_restart),
        cmocka_unit_test(it_holds_no_other_task_of_its_application_back),
        cmocka_unit_test(many_go_side_by_side),
        cmocka_unit_test(disabling_the_endpoint_leaves_it_the_letters_that_remain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
