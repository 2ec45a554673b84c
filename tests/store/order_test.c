/* Strict order: what an ordered endpoint may be sent, after each thing that can happen to what
 * waits before it. */
#include "tests/store/rig.h"

#include "store/order.h"

static struct rig r;
static struct app a;
static struct endpoint e;
static struct id ids[16];

static struct endpoint add_endpoint(enum ordering ordering)
{
    struct endpoint fresh = rig_endpoint_new(&r, &a);
    fresh.ordering = ordering;
    OK(rig_put_endpoint(&r, &fresh));
    return fresh;
}

static void begin(enum ordering ordering)
{
    rig_open(&r);
    a = rig_app(&r, "one");
    e = add_endpoint(ordering);
}

static struct id send_at(const char *key, struct wall deliver_at)
{
    struct message *m = rig_message("a", "{\"n\":1}");
    struct rig_ingest i;
    m->ordering_key = span_text(key);
    m->deliver_at = deliver_at;
    OK(rig_ingest(&r, &a, m, NULL, NULL, &i));
    struct id id = m->id;
    message_unref(&m);
    return id;
}

static struct id send(const char *key)
{
    return send_at(key, (struct wall){0});
}

static void send_many(const char *key, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        ids[i] = send(key);
}

/* The same as the dispatcher would, once the due time has come. */
static enum delivery_state conclude(const struct id *message, int verdict)
{
    struct outcome_op op = rig_outcome(&r, message, &e, TRIGGER_SCHEDULED, verdict);
    op.urgent = true;
    OK(rig_do(&r, &op.op, STORE_OUTCOME));
    return op.state;
}

static void deliver(const struct id *message)
{
    assert_int_equal(conclude(message, OUTCOME_DELIVERED), DELIVERY_DELIVERED);
}

static bool is_due(const struct id *message)
{
    struct due_row rows[64];
    unsigned n = rig_due_rows(&r, e.number, rows);
    for (unsigned i = 0; i < n; i++)
        if (id_cmp(&rows[i].message, message) == 0 && rows[i].trigger == TRIGGER_SCHEDULED)
            return true;
    return false;
}

static bool is_held(const struct id *message)
{
    struct delivery d;
    OK(rig_delivery_get(&r, message, e.number, &d));
    if (d.held)
        assert_int_equal(d.state, DELIVERY_SCHEDULED);
    return d.held;
}

static void assert_only_due(const struct id *message)
{
    struct due_row rows[64];
    assert_int_equal(rig_due_rows(&r, e.number, rows), 1);
    assert_memory_equal(rows[0].message.b, message->b, ID_BYTES);
}

static void change_to(enum ordering ordering)
{
    e.ordering = ordering;
    OK(rig_put_endpoint(&r, &e));
    rig_turns(&r, 3);
}

static void replay(const struct id *messages, unsigned n)
{
    struct dead_op op = {
        .verb = DEAD_REPLAY, .endpoint = e.number, .messages = messages, .message_count = n};
    OK(rig_do(&r, &op.op, STORE_DEAD));
}

/* ---------------------------------------------------------------- the line itself */

static void a_line_is_told_by_option_and_key(void **state)
{
    (void)state;
    uint8_t none[LINE_BYTES] = {0}, x[LINE_BYTES], y[LINE_BYTES];
    assert_false(order_line(ORDERING_NONE, SPAN("k"), x));
    assert_false(order_line(ORDERING_KEY, SPAN(""), x));
    assert_true(order_line(ORDERING_KEY, SPAN("k"), x));
    assert_true(order_line(ORDERING_KEY, SPAN("l"), y));
    assert_memory_not_equal(x, y, LINE_BYTES);
    assert_true(order_line(ORDERING_FIFO, SPAN("k"), x));
    assert_true(order_line(ORDERING_FIFO, SPAN(""), y));
    assert_memory_equal(x, none, LINE_BYTES);
    assert_memory_equal(y, none, LINE_BYTES);
}

static void the_next_of_a_key_waits_for_the_end_of_the_one_before(void **state)
{
    (void)state;
    begin(ORDERING_KEY);
    send_many("k", 3);
    assert_only_due(&ids[0]);
    assert_int_equal(r.deliveries, 1); /* handed over */
    assert_int_equal(store_endpoint_counts(r.s, e.number).waiting, 3);
    unsigned heard = r.dues;
    deliver(&ids[0]);
    assert_only_due(&ids[1]);
    assert_int_equal(r.dues, heard + 1);
    assert_int_equal(conclude(&ids[1], OUTCOME_DEAD), DELIVERY_DEAD);
    assert_only_due(&ids[2]);
    deliver(&ids[2]);
    assert_int_equal(store_endpoint_counts(r.s, e.number).waiting, 0);
    ids[3] = send("k");
    assert_only_due(&ids[3]);
    rig_close(&r);
}

static void a_retried_message_holds_its_key_alone(void **state)
{
    (void)state;
    begin(ORDERING_KEY);
    send_many("k", 2);
    struct id other = send("l"), loose[2] = {send(NULL), send(NULL)};
    assert_int_equal(conclude(&ids[0], OUTCOME_RETRY), DELIVERY_RETRYING);
    assert_true(is_held(&ids[1]));
    assert_true(is_due(&other) && is_due(&loose[0]) && is_due(&loose[1]));
    rig_advance(&r, 6 * US_PER_S);
    deliver(&ids[0]);
    assert_true(is_due(&ids[1]));
    rig_close(&r);
}

static void a_fifo_endpoint_is_one_key(void **state)
{
    (void)state;
    begin(ORDERING_FIFO);
    ids[0] = send("k"), ids[1] = send(NULL), ids[2] = send("l");
    for (unsigned i = 0; i < 3; i++) {
        assert_only_due(&ids[i]);
        deliver(&ids[i]);
    }
    rig_close(&r);
}

static void an_endpoint_without_the_option_knows_no_order(void **state)
{
    (void)state;
    begin(ORDERING_NONE);
    send_many("k", 3);
    for (unsigned i = 0; i < 3; i++)
        assert_true(is_due(&ids[i]));
    rig_close(&r);
}

static void each_endpoint_has_lines_of_its_own(void **state)
{
    (void)state;
    begin(ORDERING_KEY);
    struct endpoint first = e;
    e = add_endpoint(ORDERING_KEY);
    send_many("k", 2);
    assert_only_due(&ids[0]);
    deliver(&ids[0]);
    assert_only_due(&ids[1]);
    e = first;
    assert_only_due(&ids[0]);
    rig_close(&r);
}

static void the_messages_of_one_request_go_in_their_order(void **state)
{
    (void)state;
    begin(ORDERING_FIFO);
    rig_send_all(&r, &a, ids, 8);
    for (unsigned i = 0; i < 8; i++) {
        assert_only_due(&ids[i]);
        deliver(&ids[i]);
    }
    rig_close(&r);
}

static void a_delayed_message_holds_its_key_until_its_time(void **state)
{
    (void)state;
    begin(ORDERING_KEY);
    struct wall later = wall_add(r.now, 3600 * US_PER_S);
    ids[0] = send_at("k", later);
    ids[1] = send("k");
    assert_only_due(&ids[0]);
    deliver(&ids[0]);
    assert_only_due(&ids[1]);
    ids[2] = send_at("k", later);
    deliver(&ids[1]); /* its turn comes before its time */
    struct due_row rows[64];
    assert_int_equal(rig_due_rows(&r, e.number, rows), 1);
    assert_int_equal(rows[0].due.us, later.us);
    rig_close(&r);
}

static void what_is_held_tells_for_whom(void **state)
{
    (void)state;
    begin(ORDERING_KEY);
    send_many("k", 3);
    for (unsigned i = 0; i < 3; i++) {
        struct store_read *read;
        struct delivery d;
        struct id first;
        OK(rig_delivery_get(&r, &ids[i], e.number, &d));
        OK(store_read_begin(r.s, &read));
        OK(store_delivery_waits_for(read, &d, &first));
        store_read_end(&read);
        assert_true(i == 0 ? id_is_zero(&first) : id_cmp(&first, &ids[0]) == 0);
    }
    rig_close(&r);
}

/* ---------------------------------------------------------------- what ends one */

static void the_order_survives_a_restart(void **state)
{
    (void)state;
    begin(ORDERING_KEY);
    send_many("k", 3);
    assert_int_equal(conclude(&ids[0], OUTCOME_RETRY), DELIVERY_RETRYING);
    rig_restart(&r);
    assert_only_due(&ids[0]);
    ids[3] = send("k");
    for (unsigned i = 0; i < 4; i++) {
        assert_only_due(&ids[i]);
        deliver(&ids[i]);
        rig_restart(&r);
    }
    rig_close(&r);
}

static void a_resend_goes_at_once_and_a_success_lets_the_next_go(void **state)
{
    (void)state;
    begin(ORDERING_KEY);
    send_many("k", 4);
    OK(rig_resend(&r, &ids[1], e.number));
    struct outcome_op op = rig_outcome(&r, &ids[1], &e, TRIGGER_MANUAL, OUTCOME_DELIVERED);
    OK(rig_do(&r, &op.op, STORE_OUTCOME));
    assert_only_due(&ids[0]); /* it was not the first: the first still is */
    OK(rig_resend(&r, &ids[0], e.number));
    op = rig_outcome(&r, &ids[0], &e, TRIGGER_MANUAL, OUTCOME_DELIVERED);
    OK(rig_do(&r, &op.op, STORE_OUTCOME));
    assert_only_due(&ids[2]);
    rig_close(&r);
}

static void an_expunged_message_lets_the_next_go(void **state)
{
    (void)state;
    begin(ORDERING_KEY);
    send_many("k", 3);
    struct expunge_op op = {.app = a.number, .messages = &ids[1], .message_count = 1};
    OK(rig_do(&r, &op.op, STORE_EXPUNGE));
    assert_only_due(&ids[0]);
    op = (struct expunge_op){.app = a.number, .messages = &ids[0], .message_count = 1};
    OK(rig_do(&r, &op.op, STORE_EXPUNGE));
    assert_only_due(&ids[2]);
    rig_close(&r);
}

static void an_outcome_that_comes_late_moves_nobody_twice(void **state)
{
    (void)state;
    begin(ORDERING_KEY);
    send_many("k", 3);
    struct outcome_op op = rig_outcome(&r, &ids[0], &e, TRIGGER_SCHEDULED, OUTCOME_RETRY);
    deliver(&ids[0]);
    assert_only_due(&ids[1]);
    OK(rig_do(&r, &op.op, STORE_OUTCOME));
    assert_only_due(&ids[1]);
    rig_close(&r);
}

static void an_outcome_of_before_a_replay_does_not_move_what_is_held(void **state)
{
    (void)state;
    begin(ORDERING_KEY);
    send_many("k", 2);
    struct outcome_op late = rig_outcome(&r, &ids[0], &e, TRIGGER_SCHEDULED, OUTCOME_RETRY);
    conclude(&ids[0], OUTCOME_DEAD);
    replay(ids, 1); /* at the same moment: it has the due time of before */
    OK(rig_do(&r, &late.op, STORE_OUTCOME));
    assert_true(is_held(&ids[0]));
    deliver(&ids[1]);
    assert_only_due(&ids[0]);
    rig_close(&r);
}

/* ---------------------------------------------------------------- dead letters */

static void a_replayed_letter_goes_behind_what_its_key_has(void **state)
{
    (void)state;
    begin(ORDERING_KEY);
    send_many("k", 4);
    conclude(&ids[0], OUTCOME_DEAD);
    conclude(&ids[1], OUTCOME_DEAD);
    replay(ids, 2);
    assert_true(is_held(&ids[0]) && is_held(&ids[1]));
    ids[4] = send("k");
    static const unsigned order[] = {2, 3, 0, 1, 4};
    for (unsigned i = 0; i < 5; i++) {
        assert_only_due(&ids[order[i]]);
        deliver(&ids[order[i]]);
        rig_restart(&r);
    }
    rig_close(&r);
}

static void letters_replayed_by_a_task_keep_the_order_of_their_messages(void **state)
{
    (void)state;
    begin(ORDERING_FIFO);
    send_many(NULL, 3);
    for (unsigned i = 0; i < 3; i++)
        conclude(&ids[i], OUTCOME_DEAD);
    struct dead_op op = {.verb = DEAD_REPLAY, .endpoint = e.number, .task = id_random(r.now)};
    OK(rig_do(&r, &op.op, STORE_DEAD));
    rig_turns(&r, 2);
    for (unsigned i = 0; i < 3; i++) {
        assert_only_due(&ids[i]);
        deliver(&ids[i]);
    }
    rig_close(&r);
}

/* ---------------------------------------------------------------- changes of the endpoint */

static void switched_off_all_that_waits_goes(void **state)
{
    (void)state;
    begin(ORDERING_KEY);
    send_many("k", 3);
    change_to(ORDERING_NONE);
    ids[3] = send("k");
    for (unsigned i = 0; i < 4; i++)
        assert_true(is_due(&ids[i]) && !is_held(&ids[i]));
    rig_close(&r);
}

static void switched_on_only_what_comes_then_is_ordered(void **state)
{
    (void)state;
    begin(ORDERING_NONE);
    send_many("k", 2);
    change_to(ORDERING_KEY);
    ids[2] = send("k");
    ids[3] = send("k");
    assert_true(is_due(&ids[0]) && is_due(&ids[1]) && is_due(&ids[2]));
    assert_true(is_held(&ids[3]));
    rig_close(&r);
}

static void from_fifo_to_key_the_older_of_a_key_go_first(void **state)
{
    (void)state;
    begin(ORDERING_FIFO);
    ids[0] = send("k"), ids[1] = send("l"), ids[2] = send("k"), ids[3] = send(NULL);
    change_to(ORDERING_KEY);
    ids[4] = send("l");
    assert_true(is_due(&ids[0]) && is_due(&ids[1]) && is_due(&ids[3]));
    assert_true(is_held(&ids[2]) && is_held(&ids[4]));
    deliver(&ids[1]);
    assert_true(is_due(&ids[4]) && is_held(&ids[2]));
    rig_close(&r);
}

static void from_key_to_fifo_what_is_due_goes_and_the_rest_waits(void **state)
{
    (void)state;
    begin(ORDERING_KEY);
    ids[0] = send("k"), ids[1] = send("k"), ids[2] = send("l");
    change_to(ORDERING_FIFO);
    ids[3] = send("m");
    assert_true(is_due(&ids[0]) && is_due(&ids[2]));
    deliver(&ids[2]);
    assert_only_due(&ids[0]);
    deliver(&ids[0]);
    assert_only_due(&ids[1]);
    deliver(&ids[1]);
    assert_only_due(&ids[3]);
    rig_close(&r);
}

static void while_lines_are_rearranged_nobody_is_let_go(void **state)
{
    (void)state;
    begin(ORDERING_KEY);
    ids[0] = send("k"), ids[1] = send("k"), ids[2] = send("l"), ids[3] = send("l");
    struct outcome_op outcome = rig_outcome(&r, &ids[2], &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    struct endpoint_op put = {.endpoint = &e};
    unsigned wanted = r.done + 2;
    e.ordering = ORDERING_FIFO;
    rig_submit(&r, &put.op, STORE_ENDPOINT_PUT);
    rig_submit(&r, &outcome.op, STORE_OUTCOME); /* before the first step of the change */
    rig_await(&r, wanted);
    rig_turns(&r, 3);
    static const unsigned order[] = {0, 1, 3};
    for (unsigned i = 0; i < 3; i++) {
        assert_only_due(&ids[order[i]]);
        deliver(&ids[order[i]]);
    }
    rig_close(&r);
}

static void a_change_cut_short_by_a_stop_is_taken_up_again(void **state)
{
    (void)state;
    enum { MANY = 900 }; /* more than one step moves */
    static struct id many[MANY];
    begin(ORDERING_FIFO);
    rig_send_all(&r, &a, many, MANY);
    e.ordering = ORDERING_NONE;
    OK(rig_put_endpoint(&r, &e));
    rig_restart(&r);
    rig_turns(&r, 12);
    for (unsigned i = 0; i < MANY; i++)
        assert_false(is_held(&many[i]));
    rig_close(&r);
}

static void disabled_all_that_waits_is_dead(void **state)
{
    (void)state;
    begin(ORDERING_KEY);
    send_many("k", 5);
    ids[5] = send("l");
    assert_int_equal(conclude(&ids[0], OUTCOME_RETRY), DELIVERY_RETRYING);
    rig_disable(&r, &e, true);
    rig_disable(&r, &e, false);
    ids[6] = send("k");
    rig_turns(&r, 3);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(rig_state(&r, &ids[i], e.number), DELIVERY_DEAD);
    assert_only_due(&ids[6]);
    rig_close(&r);
}

static void disabled_while_its_lines_change_all_that_waits_is_dead(void **state)
{
    (void)state;
    begin(ORDERING_KEY);
    ids[0] = send("k"), ids[1] = send("k"), ids[2] = send("l"), ids[3] = send("l");
    e.ordering = ORDERING_FIFO;
    rig_disable(&r, &e, true);
    rig_turns(&r, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(rig_state(&r, &ids[i], e.number), DELIVERY_DEAD);
    assert_int_equal(store_endpoint_counts(r.s, e.number).waiting, 0);
    rig_close(&r);
}

static void deleted_all_that_waits_is_canceled(void **state)
{
    (void)state;
    begin(ORDERING_KEY);
    send_many("k", 5);
    struct endpoint_op op = {.number = e.number};
    OK(rig_do(&r, &op.op, STORE_ENDPOINT_DELETE));
    rig_turns(&r, 3);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(rig_state(&r, &ids[i], e.number), DELIVERY_CANCELED);
    rig_close(&r);
}

/* ---------------------------------------------------------------- large fan-outs */

/* More endpoints than a message reaches in its own commit; the last one, `e`, is ordered. */
static void begin_large(void)
{
    begin(ORDERING_NONE);
    for (unsigned i = 0; i < 1200; i++)
        e = add_endpoint(i < 1199 ? ORDERING_NONE : ORDERING_FIFO);
}

/* A large message, one for the last endpoint alone, and another large one, together. */
static void send_mixed(struct id sent[3])
{
    struct rig_ingest ops[3];
    unsigned wanted = r.done + 3;
    for (unsigned i = 0; i < 3; i++) {
        ops[i] = (struct rig_ingest){.item.message = rig_message("a", "{}")};
        ops[i].item.message->only_endpoint = i == 1 ? e.number : 0;
        ops[i].op =
            (struct ingest_op){.org = a.org, .app = a.uid, .count = 1, .items = &ops[i].item};
        rig_submit(&r, &ops[i].op.op, STORE_INGEST);
    }
    rig_await(&r, wanted);
    for (unsigned i = 0; i < 3; i++) {
        sent[i] = ops[i].item.message->id;
        message_unref(&ops[i].item.message);
    }
}

static void large_fan_outs_reorder_nothing(void **state)
{
    (void)state;
    begin_large();
    rig_send_all(&r, &a, ids, 6);
    rig_restart(&r); /* the fan-outs go on in the order of their messages */
    send_mixed(ids + 6);
    rig_turns(&r, 4);
    for (unsigned i = 0; i < 9; i++) {
        assert_only_due(&ids[i]);
        deliver(&ids[i]);
    }
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_told_by_option_and_key),
        cmocka_unit_test(the_next_of_a_key_waits_for_the_end_of_the_one_before),
        cmocka_unit_test(a_retried_message_holds_its_key_alone),
        cmocka_unit_test(a_fifo_endpoint_is_one_key),
        cmocka_unit_test(an_endpoint_without_the_option_knows_no_order),
        cmocka_unit_test(each_endpoint_has_lines_of_its_own),
        cmocka_unit_test(the_messages_of_one_request_go_in_their_order),
        cmocka_unit_test(a_delayed_message_holds_its_key_until_its_time),
        cmocka_unit_test(what_is_held_tells_for_whom),
        cmocka_unit_test(the_order_survives_a_restart),
        cmocka_unit_test(a_resend_goes_at_once_and_a_success_lets_the_next_go),
        cmocka_unit_test(an_expunged_message_lets_the_next_go),
        cmocka_unit_test(an_outcome_that_comes_late_moves_nobody_twice),
        cmocka_unit_test(an_outcome_of_before_a_replay_does_not_move_what_is_held),
        cmocka_unit_test(a_replayed_letter_goes_behind_what_its_key_has),
        cmocka_unit_test(letters_replayed_by_a_task_keep_the_order_of_their_messages),
        cmocka_unit_test(switched_off_all_that_waits_goes),
        cmocka_unit_test(switched_on_only_what_comes_then_is_ordered),
        cmocka_unit_test(from_fifo_to_key_the_older_of_a_key_go_first),
        cmocka_unit_test(from_key_to_fifo_what_is_due_goes_and_the_rest_waits),
        cmocka_unit_test(while_lines_are_rearranged_nobody_is_let_go),
        cmocka_unit_test(a_change_cut_short_by_a_stop_is_taken_up_again),
        cmocka_unit_test(disabled_all_that_waits_is_dead),
        cmocka_unit_test(disabled_while_its_lines_change_all_that_waits_is_dead),
        cmocka_unit_test(deleted_all_that_waits_is_canceled),
        cmocka_unit_test(large_fan_outs_reorder_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
