/* Records that fail their checksum: each is passed over, answered safely or removed, and none stops
 * the writer. */
#include "tests/store/rig.h"

static struct rig r;
static struct app a;
static struct endpoint e;
static struct id id;

static void begin(void)
{
    rig_open(&r);
    a = rig_app(&r, "one");
    e = rig_add_endpoint(&r, &a);
    id = rig_send(&r, &a);
}

/* Nothing is checked at the end: the damage is still there. */
static void end(void)
{
    assert_int_equal(r.failures, 0);
    rig_stop(&r);
    rig_remove(&r);
}

static void write_row(enum tree tree, struct span key, struct span value)
{
    MDB_txn *txn;
    assert_int_equal(mdb_txn_begin(r.s->env.mdb, NULL, 0, &txn), 0);
    OK(tree_put(&r.s->env, txn, tree, key, value, 0));
    assert_int_equal(mdb_txn_commit(txn), 0);
}

static void damage(enum tree tree, struct treekey key)
{
    write_row(tree, key_span(&key), SPAN("\1not what was written"));
}

static void a_damaged_answer_is_not_taken_for_a_new_key(void **state)
{
    (void)state;
    begin();
    struct event_type type = {.org = a.org, .name = SPAN("t")};
    struct event_type_op op = {.type = &type};
    op.op.idempotency = (struct idempotency){.used = true, .key = {1}, .lifetime_us = DAY_US};
    op.op.answer_status = 201;
    buf_init(&op.op.answer, 100);
    buf_span(&op.op.answer, SPAN("{}"));
    OK(rig_do(&r, &op.op, STORE_EVENT_TYPE_PUT));
    struct treekey key = {.len = sizeof op.op.idempotency.key};
    memcpy(key.b, op.op.idempotency.key, key.len);
    damage(TREE_ANSWER, key);
    assert_int_equal(rig_do(&r, &op.op, STORE_EVENT_TYPE_PUT), ERR_CORRUPT);
    buf_free(&op.op.answer);
    end();
}

static void a_damaged_message_keeps_its_event_id_in_a_batch(void **state)
{
    (void)state;
    struct rig_ingest i;
    begin();
    struct message *first = rig_message("a", "{}");
    first->event_id = SPAN("order-1");
    OK(rig_ingest(&r, &a, first, NULL, NULL, &i));
    damage(TREE_MESSAGE, key_id(&first->id));
    struct ingest_item items[2] = {{.message = rig_message("a", "{}")},
                                   {.message = rig_message("a", "{}")}};
    items[1].message->event_id = SPAN("order-1");
    struct ingest_op op = {
        .org = a.org, .app = SPAN("one"), .batch = true, .count = 2, .items = items};
    OK(rig_do(&r, &op.op, STORE_INGEST));
    OK(items[0].result);
    assert_int_equal(items[1].result, ERR_CONFLICT);
    assert_int_equal(id_cmp(&items[1].existing, &first->id), 0);
    message_unref(&first);
    message_unref(&items[0].message);
    message_unref(&items[1].message);
    end();
}

static void the_claim_of_a_damaged_delivery_is_not_taken_again(void **state)
{
    (void)state;
    struct due_row rows[64];
    begin();
    rig_conclude(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    OK(rig_resend(&r, &id, e.number));
    struct outcome_op op = rig_outcome(&r, &id, &e, TRIGGER_MANUAL, OUTCOME_DEAD);
    damage(TREE_DELIVERY, key_id_number(&id, e.number));
    OK(rig_do(&r, &op.op, STORE_OUTCOME));
    assert_int_equal(rig_due_rows(&r, e.number, rows), 0);
    end();
}

/* Three messages in the one line of a FIFO endpoint. */
static void begin_line(struct id ids[3])
{
    rig_open(&r);
    a = rig_app(&r, "one");
    e = rig_endpoint_new(&r, &a);
    e.ordering = ORDERING_FIFO;
    OK(rig_put_endpoint(&r, &e));
    rig_send_all(&r, &a, ids, 3);
}

static void assert_due(const struct id *message)
{
    struct due_row rows[64];
    assert_int_equal(rig_due_rows(&r, e.number, rows), 1);
    assert_int_equal(id_cmp(&rows[0].message, message), 0);
}

static void a_damaged_delivery_does_not_stop_its_line(void **state)
{
    (void)state;
    struct id ids[3];
    begin_line(ids);
    struct outcome_op first = rig_outcome(&r, &ids[0], &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    damage(TREE_DELIVERY, key_id_number(&ids[0], e.number));
    damage(TREE_DELIVERY, key_id_number(&ids[1], e.number));
    OK(rig_do(&r, &first.op, STORE_OUTCOME));
    rig_turns(&r, 3);
    assert_due(&ids[1]); /* it was held, and is sent all the same */
    rig_conclude(&r, &ids[1], &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    assert_due(&ids[2]);
    end();
}

static void a_damaged_place_does_not_stop_its_line(void **state)
{
    (void)state;
    struct id ids[3];
    begin_line(ids);
    const uint8_t line[LINE_BYTES] = {0};
    struct treekey key = key_line_begin(e.number, line);
    write_row(TREE_LINE, key_span(&key), (struct span){0});
    struct line_place nobody = {.ticket = {{1}}, .message = {{1}}};
    key = key_line(e.number, &nobody);
    write_row(TREE_LINE, key_span(&key), (struct span){0});
    rig_conclude(&r, &ids[0], &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    assert_due(&ids[1]);
    end();
}

static void a_counter_does_not_fall_below_zero(void **state)
{
    (void)state;
    begin();
    rig_conclude(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    damage(TREE_DELIVERY, key_id_number(&id, e.number));
    struct outcome_op op = {.verdict = OUTCOME_DELIVERED, .due = r.now};
    op.attempt = (struct attempt){.message = id, .endpoint = e.id, .endpoint_number = e.number};
    OK(rig_do(&r, &op.op, STORE_OUTCOME));
    assert_int_equal(store_endpoint_counts(r.s, e.number).waiting, 0);
    assert_int_equal(counter_get(&store_stats(r.s)->waiting), 0);
    end();
}

static void what_a_deleted_endpoint_had_is_not_counted_again(void **state)
{
    (void)state;
    struct delivery d;
    begin();
    struct endpoint_op op = {.number = e.number};
    OK(rig_do(&r, &op.op, STORE_ENDPOINT_DELETE));
    rig_turns(&r, 4);
    damage(TREE_DELIVERY, key_id_number(&id, e.number)); /* it reads as unfinished */
    for (int day = 0; day < 70; day += 10) {
        rig_advance(&r, 10 * DAY_US);
        rig_turns(&r, 3);
    }
    assert_int_equal(rig_delivery_get(&r, &id, e.number, &d), ERR_NOT_FOUND);
    assert_int_equal(counter_get(&store_stats(r.s)->waiting), 0);
    rig_close(&r);
}

static void a_damaged_attempt_is_left_out_when_its_message_is_renewed(void **state)
{
    (void)state;
    struct id attempts[3];
    begin();
    for (int i = 0; i < 3; i++) {
        struct outcome_op op = rig_outcome(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_RETRY);
        OK(rig_do(&r, &op.op, STORE_OUTCOME));
        attempts[i] = op.attempt.id;
    }
    damage(TREE_ATTEMPT, key_id_id(&id, &attempts[1]));
    rig_advance(&r, 30 * DAY_US + 1800 * US_PER_S);
    rig_turns(&r, 2);
    rig_advance(&r, 2 * 3600 * US_PER_S); /* beyond the slack of the index */
    rig_turns(&r, 2);
    assert_int_equal(rig_attempts(&r, e.number), 2);
    assert_int_equal(rig_state(&r, &id, e.number), DELIVERY_RETRYING);
    end();
}

static void a_damaged_key_can_be_revoked(void **state)
{
    (void)state;
    struct key_op op = {.key = {.id = {{7}}, .hash = {7}}};
    struct api_key found;
    begin();
    op.key.org = a.org;
    OK(rig_do(&r, &op.op, STORE_KEY_PUT));
    damage(TREE_KEY, key_id(&op.key.id));
    rig_restart(&r);
    assert_int_equal(store_key_find(r.s, op.key.hash, &found), ERR_NOT_FOUND);
    OK(rig_do(&r, &op.op, STORE_KEY_REVOKE));
    assert_int_equal(rig_do(&r, &op.op, STORE_KEY_REVOKE), ERR_NOT_FOUND);
    rig_close(&r);
}

static void an_endpoint_that_cannot_be_read_is_not_half_deleted(void **state)
{
    (void)state;
    begin();
    damage(TREE_ENDPOINT, key_number(e.number));
    struct endpoint_op op = {.number = e.number};
    assert_int_equal(rig_do(&r, &op.op, STORE_ENDPOINT_DELETE), ERR_CORRUPT);
    unsigned before = r.deliveries;
    rig_send(&r, &a);
    assert_int_equal(r.deliveries, before + 1);
    end();
}

static void damaged_keys_of_any_length_leave_the_expiry_tree(void **state)
{
    (void)state;
    char bytes[400] = {0};
    MDB_txn *txn;
    struct span value;
    begin();
    for (size_t len = 1; len < sizeof bytes; len += 57)
        write_row(TREE_EXPIRY, span_of(bytes, len), SPAN(""));
    rig_advance(&r, 2 * 3600 * US_PER_S);
    rig_turns(&r, 2);
    assert_int_equal(mdb_txn_begin(r.s->env.mdb, NULL, MDB_RDONLY, &txn), 0);
    for (size_t len = 1; len < sizeof bytes; len += 57)
        assert_int_equal(tree_get(&r.s->env, txn, TREE_EXPIRY, span_of(bytes, len), &value),
                         ERR_NOT_FOUND);
    mdb_txn_abort(txn);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_answer_is_not_taken_for_a_new_key),
        cmocka_unit_test(a_damaged_message_keeps_its_event_id_in_a_batch),
        cmocka_unit_test(the_claim_of_a_damaged_delivery_is_not_taken_again),
        cmocka_unit_test(a_damaged_delivery_does_not_stop_its_line),
        cmocka_unit_test(a_damaged_place_does_not_stop_its_line),
        cmocka_unit_test(a_counter_does_not_fall_below_zero),
        cmocka_unit_test(what_a_deleted_endpoint_had_is_not_counted_again),
        cmocka_unit_test(a_damaged_attempt_is_left_out_when_its_message_is_renewed),
        cmocka_unit_test(a_damaged_key_can_be_revoked),
        cmocka_unit_test(an_endpoint_that_cannot_be_read_is_not_half_deleted),
        cmocka_unit_test(damaged_keys_of_any_length_leave_the_expiry_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
