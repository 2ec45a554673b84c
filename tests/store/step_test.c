/* What one batch leaves to the next: work that may be cut at any row ends as if it had been done at
 * once, and what has no room waits and is not forgotten. */
#include "tests/store/hand.h"

static struct rig r;
static struct app a;
static struct batch b;

static struct endpoint endpoint(enum ordering ordering)
{
    struct endpoint e = rig_endpoint_new(&r, &a);
    e.ordering = ordering;
    OK(rig_put_endpoint(&r, &e));
    return e;
}

static void begin(void)
{
    rig_open(&r);
    a = rig_app(&r, "one");
}

/* What was done by hand agrees with itself. */
static void end(void)
{
    hand_end(&r, &b);
    rig_start(&r);
    rig_close(&r);
}

/* ---------------------------------------------------------------- a row at a time */

static void what_expires_may_leave_row_by_row(void **state)
{
    (void)state;
    static const enum tree trees[] = {TREE_MESSAGE, TREE_DELIVERY, TREE_ATTEMPT, TREE_STAT,
                                      TREE_EXPIRY};
    unsigned steps = 0;
    begin();
    for (unsigned i = 0; i < 3; i++) {
        struct endpoint e = endpoint(ORDERING_NONE);
        struct id id = rig_send(&r, &a); /* to those so far */
        rig_conclude(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_RETRY);
        struct expunge_op op = {.app = a.number, .message_count = 1, .messages = &id};
        OK(rig_do(&r, &op.op, STORE_EXPUNGE)); /* and nothing holds it */
    }
    hand_begin(&r, &b);
    rig_advance(&r, 31 * DAY_US);
    while (hand_expire(&r, &b, 1).us <= r.now.us)
        steps++;
    assert_true(steps >= 6 + 3 + 3); /* deliveries, attempts, hours of the endpoints */
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++)
        assert_int_equal(rig_rows(&r, trees[i]), 0);
    end();
}

static void a_disabling_may_go_row_by_row(void **state)
{
    (void)state;
    enum { MANY = 5 };
    struct id ids[MANY];
    unsigned steps = 0;
    begin();
    struct endpoint e = endpoint(ORDERING_FIFO);
    rig_send_all(&r, &a, ids, MANY);
    hand_begin(&r, &b);
    e.disabled = true;
    struct endpoint_op op = {.endpoint = &e};
    hand_do(&r, &b, &op.op, STORE_ENDPOINT_PUT);
    while (hand_step(&r, &b, 1))
        steps++;
    assert_true(steps >= MANY);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(rig_state(&r, &ids[i], e.number), DELIVERY_DEAD);
    assert_int_equal(rig_dead_rows(&r, e.number), MANY);
    end();
}

/* What has a rate does not stand in the order of its application's tasks, so it waits by itself. */
static void a_replay_at_a_rate_waits_for_a_disabling(void **state)
{
    (void)state;
    begin();
    struct endpoint e = endpoint(ORDERING_NONE);
    struct id letter = rig_send(&r, &a);
    rig_conclude(&r, &letter, &e, TRIGGER_SCHEDULED, OUTCOME_DEAD);
    struct id last = rig_send(&r, &a);
    hand_begin(&r, &b);
    struct endpoint_op put = {.endpoint = &e};
    e.disabled = true;
    hand_do(&r, &b, &put.op, STORE_ENDPOINT_PUT);
    e.disabled = false;
    hand_do(&r, &b, &put.op, STORE_ENDPOINT_PUT);
    struct dead_op replay = {.app = a.number, .endpoint = e.number, .rate = 1000, .task = {{1}}};
    hand_do(&r, &b, &replay.op, STORE_DEAD);
    rig_advance(&r, US_PER_S);
    hand_step(&r, &b, STEP_ROWS_MAX);
    assert_int_equal(rig_state(&r, &last, e.number), DELIVERY_DEAD);
    assert_int_equal(rig_state(&r, &letter, e.number), DELIVERY_DEAD);
    hand_step(&r, &b, STEP_ROWS_MAX);
    assert_int_equal(rig_state(&r, &letter, e.number), DELIVERY_SCHEDULED);
    end();
}

/* ---------------------------------------------------------------- behind a fan-out */

static bool waits(struct store_op *op, enum store_op_kind kind)
{
    op->kind = kind;
    return operation_waits(&b, op);
}

static void only_what_a_fan_out_must_not_see_waits_for_it(void **state)
{
    (void)state;
    const struct app fresh = {.id = {{7}}, .uid = SPAN("fresh")};
    begin();
    struct endpoint e = endpoint(ORDERING_KEY);
    struct app plain = rig_app(&r, "plain");
    struct endpoint loose = rig_add_endpoint(&r, &plain);
    hand_begin(&r, &b);
    struct id left = hand_send(&r, &b, &a);
    assert_true(tasks_fan_out(b.tasks));

    struct portal_op portal = {.token = {.org = a.org, .app = a.id}};
    assert_false(waits(&portal.op, STORE_PORTAL_PUT));
    portal.create = &fresh;
    portal.token.app = fresh.id;
    assert_true(waits(&portal.op, STORE_PORTAL_PUT));
    struct outcome_op outcome = {.verdict = OUTCOME_RETRY};
    assert_false(waits(&outcome.op, STORE_OUTCOME));
    outcome.disable_endpoint = true;
    assert_true(waits(&outcome.op, STORE_OUTCOME));
    struct endpoint_op put = {.endpoint = &e};
    assert_true(waits(&put.op, STORE_ENDPOINT_PUT));
    struct resend_op resend = {.message = left, .endpoint = e.number};
    assert_false(waits(&resend.op, STORE_RESEND));
    struct ingest_op ordered = {.org = a.org, .app = a.uid};
    assert_true(waits(&ordered.op, STORE_INGEST));

    /* Where nothing is ordered a message passes the fan-outs of others. */
    struct ingest_item item = {.message = rig_message("a", "{}")};
    struct ingest_op pass = {.org = a.org, .app = plain.uid, .count = 1, .items = &item};
    assert_false(waits(&pass.op, STORE_INGEST));
    hand_do(&r, &b, &pass.op, STORE_INGEST);
    assert_int_equal(rig_state(&r, &item.message->id, loose.number), DELIVERY_SCHEDULED);
    message_unref(&item.message);

    while (hand_step(&r, &b, STEP_ROWS_MAX))
        ;
    assert_int_equal(rig_state(&r, &left, e.number), DELIVERY_SCHEDULED);
    assert_false(tasks_fan_out(b.tasks));
    end();
}

/* ---------------------------------------------------------------- no room in the index */

/* Leaves room for `entries` at most. What it puts has expired a second later. */
static void fill_index(unsigned entries)
{
    static uint32_t n;
    OK(batch_begin(&b, r.now));
    while (index_has_room(r.s->index, entries + 1)) {
        struct treekey key = key_number(UINT32_MAX - n++);
        OK(index_put(r.s->index, INDEX_APP_MESSAGE, key_span(&key), (struct span){0},
                     wall_add(r.now, US_PER_S)));
    }
    hand_commit(&b);
}

static void write_index_out(void)
{
    for (bool more = true; more;) {
        OK(batch_begin(&b, r.now));
        OK(index_step(r.s->index, b.txn, r.now, STEP_ROWS_MAX, &more));
        hand_commit(&b);
    }
}

static void expect_postponed(void)
{
    struct wall next = hand_expire(&r, &b, STEP_ROWS_MAX);
    assert_int_equal(next.us, wall_add(r.now, 10 * US_PER_S).us);
    rig_advance(&r, 10 * US_PER_S);
}

static void a_renewal_without_room_in_the_index_is_put_off_and_made_whole(void **state)
{
    (void)state;
    struct message *m = rig_message("a", "{}"), *found[1];
    struct rig_ingest i;
    struct endpoint endpoints[8];
    struct delivery deliveries[2];
    const struct page page = {.limit = 2};
    const struct message_filter all = {0};
    struct page_result result;
    struct store_read *read;
    begin();
    for (unsigned n = 0; n < 8; n++)
        endpoints[n] = endpoint(ORDERING_NONE);
    m->event_id = SPAN("event");
    OK(rig_ingest(&r, &a, m, NULL, NULL, &i));
    hand_begin(&r, &b);
    hand_small_index(&r, 4096);
    rig_advance(&r, 30 * DAY_US);
    fill_index(0);
    expect_postponed(); /* before it began, */
    expect_postponed();
    write_index_out();
    fill_index(2);
    expect_postponed(); /* and behind its first entries */
    expect_postponed();
    write_index_out();
    assert_true(hand_expire(&r, &b, STEP_ROWS_MAX).us > r.now.us);
    rig_advance(&r, 2 * 3600 * US_PER_S); /* beyond the slack: only what was renewed is found */
    hand_end(&r, &b);
    rig_start(&r);
    OK(store_read_begin(r.s, &read));
    for (unsigned n = 0; n < 8; n++) {
        OK(store_deliveries_of_endpoint(read, endpoints[n].number, &page, 0, &all, deliveries,
                                        &result));
        assert_int_equal(result.count, 1);
    }
    OK(store_message_list(read, a.number, &page, &all, false, found, &result));
    assert_int_equal(result.count, 1);
    message_unref(&found[0]);
    OK(store_message_get(read, a.number, SPAN("event"), false, &found[0]));
    message_unref(&found[0]);
    store_read_end(&read);
    message_unref(&m);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_expires_may_leave_row_by_row),
        cmocka_unit_test(a_disabling_may_go_row_by_row),
        cmocka_unit_test(a_replay_at_a_rate_waits_for_a_disabling),
        cmocka_unit_test(only_what_a_fan_out_must_not_see_waits_for_it),
        cmocka_unit_test(a_renewal_without_room_in_the_index_is_put_off_and_made_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
