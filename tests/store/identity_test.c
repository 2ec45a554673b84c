/* The identity of an event: within its application it makes one message, whoever sends it. */
#include "tests/store/rig.h"

struct sent {
    struct ingest_op op;
    struct ingest_item items[3];
    unsigned count;
};

/* One item for each name; `body` is what the event says. */
static enum err send_events(struct rig *r, const struct app *a, const char *names, const char *body,
                            bool batch, struct sent *s)
{
    *s = (struct sent){.count = (unsigned)strlen(names)};
    for (unsigned n = 0; n < s->count; n++) {
        struct idempotency *i = &s->items[n].identity;
        *i = (struct idempotency){.used = true, .lifetime_us = IDEMPOTENCY_KEPT_S * US_PER_S};
        i->key[0] = (uint8_t)names[n];
        snprintf((char *)i->body, sizeof i->body, "%s", body);
        s->items[n].message = rig_message("a", "{}");
    }
    s->op = (struct ingest_op){
        .org = a->org, .app = a->uid, .batch = batch, .count = s->count, .items = s->items};
    s->op.op.answer_status = 202;
    return rig_do(r, &s->op.op, STORE_INGEST);
}

static void drop(struct sent *s)
{
    for (unsigned n = 0; n < s->count; n++)
        message_unref(&s->items[n].message);
}

static bool same(const struct id *a, const struct id *b)
{
    return id_cmp(a, b) == 0;
}

static void an_event_that_comes_again_is_answered_with_the_first_message(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct app a = rig_app(&r, "one");
    rig_add_endpoint(&r, &a);
    struct sent first, again;
    OK(send_events(&r, &a, "x", "body", false, &first));
    assert_false(first.op.op.replayed);
    for (int round = 0; round < 2; round++) {
        rig_advance(&r, US_PER_S);
        OK(send_events(&r, &a, "x", "other", false, &again));
        assert_true(again.op.op.replayed && again.items[0].replayed);
        assert_true(same(&again.items[0].existing, &first.items[0].message->id));
        assert_int_equal(again.items[0].existing_created.us, first.items[0].message->created.us);
        drop(&again);
        if (round == 0) {
            assert_int_equal(r.deliveries, 1);
            rig_restart(&r);
        }
    }
    rig_advance(&r, IDEMPOTENCY_KEPT_S * US_PER_S);
    OK(send_events(&r, &a, "x", "body", false, &again));
    assert_false(again.op.op.replayed);
    drop(&again);
    drop(&first);
    rig_close(&r);
}

static void applications_do_not_share_identities(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct app a = rig_app(&r, "one"), b = rig_app(&r, "two");
    struct sent s;
    OK(send_events(&r, &a, "x", "body", false, &s));
    drop(&s);
    OK(send_events(&r, &b, "x", "body", false, &s));
    assert_false(s.op.op.replayed);
    drop(&s);
    rig_close(&r);
}

static void within_a_batch_the_first_of_an_identity_wins(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct app a = rig_app(&r, "one");
    struct sent s, again;
    OK(send_events(&r, &a, "xyx", "body", true, &s));
    assert_false(s.op.op.replayed);
    assert_false(s.items[0].replayed || s.items[1].replayed);
    assert_true(s.items[2].replayed);
    assert_true(same(&s.items[2].existing, &s.items[0].message->id));
    assert_int_equal(counter_get(&store_stats(r.s)->accepted), 2);
    OK(send_events(&r, &a, "yz", "body", true, &again));
    assert_true(again.items[0].replayed && !again.items[1].replayed);
    assert_true(same(&again.items[0].existing, &s.items[1].message->id));
    drop(&again);
    drop(&s);
    rig_close(&r);
}

static void another_body_of_an_identity_is_a_mismatch_when_asked_for(void **state)
{
    (void)state;
    static struct rig r;
    rig_make(&r);
    r.settings.idempotency_conflict = true;
    rig_start(&r);
    struct app a = rig_app(&r, "one");
    struct sent s;
    OK(send_events(&r, &a, "x", "body", false, &s));
    drop(&s);
    assert_int_equal(send_events(&r, &a, "x", "other", false, &s), ERR_MISMATCH);
    drop(&s);
    OK(send_events(&r, &a, "xy", "other", true, &s));
    assert_int_equal(s.items[0].result, ERR_MISMATCH);
    assert_int_equal(s.items[1].result, ERR_OK);
    drop(&s);
    OK(send_events(&r, &a, "x", "body", false, &s));
    assert_true(s.op.op.replayed);
    drop(&s);
    rig_close(&r);
}

static void another_body_of_a_stored_answer_is_a_mismatch_when_asked_for(void **state)
{
    (void)state;
    static struct rig r;
    rig_make(&r);
    r.settings.idempotency_conflict = true;
    rig_start(&r);
    for (int again = 0; again < 2; again++) {
        struct event_type type = {.org = store_default_org(r.s),
                                  .name = again ? SPAN("second") : SPAN("first")};
        struct event_type_op op = {.type = &type, .op.answer_status = 201};
        op.op.idempotency = (struct idempotency){
            .used = true, .key = "k", .body = {(uint8_t)again}, .lifetime_us = DAY_US};
        buf_init(&op.op.answer, 100);
        assert_int_equal(rig_do(&r, &op.op, STORE_EVENT_TYPE_PUT), again ? ERR_MISMATCH : ERR_OK);
        buf_free(&op.op.answer);
    }
    struct id org = store_default_org(r.s);
    struct event_type *type;
    struct store_read *read;
    OK(store_read_begin(r.s, &read));
    assert_int_equal(store_event_type_get(read, &org, SPAN("second"), &type), ERR_NOT_FOUND);
    store_read_end(&read);
    assert_int_equal(counter_get(&store_stats(r.s)->conflicts), 1);
    rig_close(&r);
}

/* Writes an entry of a form that this program does not know. */
static void plant(struct rig *r, enum index_family family, const struct treekey *key)
{
    MDB_txn *txn;
    store_stop(r->s);
    assert_int_equal(mdb_txn_begin(r->s->env.mdb, NULL, 0, &txn), 0);
    OK(index_put(r->s->index, family, key_span(key), SPAN("unknown"), WALL_NEVER));
    OK(index_flush(r->s->index, txn));
    assert_int_equal(mdb_txn_commit(txn), 0);
    index_committed(r->s->index);
    rig_restart(r);
}

/* Whatever was accepted under it is not accepted again. */
static void an_entry_that_cannot_be_read_refuses_its_event_alone(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct app a = rig_app(&r, "one");
    struct treekey identity = key_number(a.number), event = key_number(a.number);
    identity.b[identity.len] = 'x';
    identity.len += sizeof((struct idempotency *)0)->key;
    memset(identity.b + 5, 0, identity.len - 5);
    hash_128(SPAN("order-1"), event.b + event.len);
    event.len += 16;
    plant(&r, INDEX_IDEMPOTENCY, &identity);
    plant(&r, INDEX_EVENT_ID, &event);
    struct sent s;
    assert_int_equal(send_events(&r, &a, "x", "body", false, &s), ERR_CORRUPT);
    drop(&s);
    OK(send_events(&r, &a, "yx", "body", true, &s));
    assert_int_equal(s.items[0].result, ERR_OK);
    assert_int_equal(s.items[1].result, ERR_CORRUPT);
    drop(&s);
    struct message *m = rig_message("a", "{}");
    struct rig_ingest i;
    m->event_id = SPAN("order-1");
    assert_int_equal(rig_ingest(&r, &a, m, NULL, NULL, &i), ERR_CONFLICT);
    message_unref(&m);
    assert_int_equal(counter_get(&store_stats(r.s)->accepted), 1);
    assert_int_equal(counter_get(&store_stats(r.s)->corrupt), 3);
    assert_int_equal(r.failures, 0);
    rig_close(&r);
}

static void a_key_that_met_a_known_identity_keeps_its_message(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct app a = rig_app(&r, "one");
    struct sent first, s;
    OK(send_events(&r, &a, "x", "body", false, &first));
    const struct idempotency key = {.used = true, .key = "k", .lifetime_us = US_PER_S};
    for (int round = 0; round < 2; round++) {
        s = (struct sent){.count = 1};
        s.items[0].message = rig_message("a", "{}");
        s.items[0].identity = first.items[0].identity;
        s.items[0].identity.used = round == 0; /* then the key alone is known */
        s.op = (struct ingest_op){.org = a.org, .app = a.uid, .count = 1, .items = s.items};
        s.op.op.idempotency = key;
        s.op.op.answer_status = 202;
        OK(rig_do(&r, &s.op.op, STORE_INGEST));
        assert_true(s.op.op.replayed);
        assert_true(same(&s.items[0].existing, &first.items[0].message->id));
        drop(&s);
    }
    drop(&first);
    rig_close(&r);
}

static void the_time_of_a_first_message_that_is_gone_is_in_its_id(void **state)
{
    (void)state;
    static struct rig r;
    rig_make(&r);
    r.settings.message_retention_us = US_PER_S;
    rig_start(&r);
    struct app a = rig_app(&r, "one");
    struct sent first, again;
    OK(send_events(&r, &a, "x", "body", false, &first));
    rig_advance(&r, 3600 * US_PER_S);
    rig_turns(&r, 3);
    OK(send_events(&r, &a, "x", "body", false, &again));
    assert_true(again.items[0].replayed);
    struct wall in_id = id_time(&first.items[0].message->id);
    assert_int_equal(again.items[0].existing_created.us, in_id.us);
    drop(&again);
    drop(&first);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_that_comes_again_is_answered_with_the_first_message),
        cmocka_unit_test(applications_do_not_share_identities),
        cmocka_unit_test(within_a_batch_the_first_of_an_identity_wins),
        cmocka_unit_test(another_body_of_an_identity_is_a_mismatch_when_asked_for),
        cmocka_unit_test(another_body_of_a_stored_answer_is_a_mismatch_when_asked_for),
        cmocka_unit_test(an_entry_that_cannot_be_read_refuses_its_event_alone),
        cmocka_unit_test(a_key_that_met_a_known_identity_keeps_its_message),
        cmocka_unit_test(the_time_of_a_first_message_that_is_gone_is_in_its_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
