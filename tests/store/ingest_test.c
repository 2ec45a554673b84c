/* Accepting: durable, once, and to every endpoint that asks for it. */
#include "tests/store/rig.h"

static void what_was_acknowledged_is_there_after_a_restart(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct app a = rig_app(&r, "one");
    struct endpoint e = rig_add_endpoint(&r, &a);
    struct id id = rig_send(&r, &a);
    assert_int_equal(r.deliveries, 1);
    assert_int_equal(r.delivered[0].endpoint, e.number);
    rig_restart(&r);
    struct message *m;
    OK(rig_load(&r, &id, &m));
    assert_true(span_is(m->payload, "{\"n\":1}"));
    message_unref(&m);
    assert_int_equal(rig_state(&r, &id, e.number), DELIVERY_SCHEDULED);
    struct due_row rows[64];
    assert_int_equal(rig_due_rows(&r, e.number, rows), 1);
    assert_int_equal(store_endpoint_counts(r.s, e.number).waiting, 1);
    assert_int_equal(counter_get(&store_stats(r.s)->waiting), 1);
    rig_close(&r);
}

static void a_message_without_endpoints_is_stored(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct app a = rig_app(&r, "one");
    struct id id = rig_send(&r, &a);
    struct message *m;
    OK(rig_load(&r, &id, &m));
    message_unref(&m);
    assert_int_equal(r.deliveries, 0);
    rig_close(&r);
}

static void a_long_payload_keeps_every_byte(void **state)
{
    (void)state;
    static struct rig r;
    static char payload[300001];
    rig_open(&r);
    struct app a = rig_app(&r, "one");
    for (size_t i = 0; i + 1 < sizeof payload; i++)
        payload[i] = (char)('a' + (i * i) % 26);
    struct message *m = rig_message("a", payload), *stored;
    struct rig_ingest i;
    OK(rig_ingest(&r, &a, m, NULL, NULL, &i));
    OK(rig_load(&r, &m->id, &stored));
    assert_true(span_eq(m->payload, stored->payload));
    message_unref(&m);
    message_unref(&stored);
    rig_close(&r);
}

static void an_unknown_application_or_one_out_of_reach_is_not_found(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct app a = rig_app(&r, "one"), b = rig_app(&r, "two");
    struct message *m = rig_message("a", "{}");
    struct ingest_item item = {.message = m};
    struct ingest_op op = {.org = a.org, .app = SPAN("three"), .count = 1, .items = &item};
    assert_int_equal(rig_do(&r, &op.op, STORE_INGEST), ERR_NOT_FOUND);
    op.app = SPAN("one");
    op.only_app = b.id;
    assert_int_equal(rig_do(&r, &op.op, STORE_INGEST), ERR_NOT_FOUND);
    op.only_app = a.id;
    assert_int_equal(rig_do(&r, &op.op, STORE_INGEST), ERR_OK);
    op.org = id_random(r.now);
    assert_int_equal(rig_do(&r, &op.op, STORE_INGEST), ERR_NOT_FOUND);
    op.org = a.org;
    char text[ID_MAX + 1];
    op.app = span_of(text, id_format(&a.id, ID_APP, text));
    assert_int_equal(rig_do(&r, &op.op, STORE_INGEST), ERR_OK);
    message_unref(&m);
    rig_close(&r);
}

static void ids_grow_over_a_restart_and_a_clock_that_steps_back(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct app a = rig_app(&r, "one");
    struct id first = rig_send(&r, &a);
    rig_advance(&r, -3600 * US_PER_S);
    rig_restart(&r);
    struct id second = rig_send(&r, &a);
    assert_true(id_cmp(&second, &first) > 0);
    rig_close(&r);
}

/* ---------------------------------------------------------------- idempotency */

static void a_repeated_key_answers_with_the_first_message_even_after_a_restart(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct app a = rig_app(&r, "one");
    struct message *m = rig_message("a", "{}"), *again = rig_message("a", "{}");
    struct rig_ingest i;
    OK(rig_ingest(&r, &a, m, "key", "body", &i));
    assert_false(i.op.op.replayed);
    OK(rig_ingest(&r, &a, again, "key", "body", &i));
    assert_true(i.op.op.replayed);
    assert_true(id_cmp(&i.item.existing, &m->id) == 0);
    rig_restart(&r);
    OK(rig_ingest(&r, &a, again, "key", "other", &i));
    assert_true(i.op.op.replayed);
    assert_int_equal(i.op.op.answer_status, 202);
    assert_true(id_cmp(&i.item.existing, &m->id) == 0);
    rig_advance(&r, 13 * 3600 * US_PER_S);
    OK(rig_ingest(&r, &a, again, "key", "body", &i));
    assert_false(i.op.op.replayed);
    message_unref(&m);
    message_unref(&again);
    rig_close(&r);
}

static void another_body_under_the_same_key_is_a_mismatch_when_asked_for(void **state)
{
    (void)state;
    static struct rig r;
    rig_make(&r);
    r.settings.idempotency_conflict = true;
    rig_start(&r);
    struct app a = rig_app(&r, "one");
    struct message *m = rig_message("a", "{}");
    struct rig_ingest i;
    OK(rig_ingest(&r, &a, m, "key", "body", &i));
    assert_int_equal(rig_ingest(&r, &a, m, "key", "other", &i), ERR_MISMATCH);
    OK(rig_ingest(&r, &a, m, "key", "body", &i));
    assert_true(i.op.op.replayed);
    message_unref(&m);
    rig_close(&r);
}

static void duplicates_in_one_batch_become_one_message(void **state)
{
    (void)state;
    static struct rig r;
    rig_make(&r);
    r.settings.group_wait_us = 20000; /* both are in the inbox before the writer looks */
    rig_start(&r);
    struct app a = rig_app(&r, "one");
    struct rig_ingest i[2] = {0};
    struct message *m[2];
    unsigned wanted = r.done + 2;
    for (int n = 0; n < 2; n++) {
        m[n] = rig_message("a", "{}");
        i[n].item.message = m[n];
        i[n].op =
            (struct ingest_op){.org = a.org, .app = SPAN("one"), .count = 1, .items = &i[n].item};
        i[n].op.op.idempotency = (struct idempotency){.used = true, .lifetime_us = US_PER_S};
        rig_submit(&r, &i[n].op.op, STORE_INGEST);
    }
    rig_await(&r, wanted);
    assert_false(i[0].op.op.replayed);
    assert_true(i[1].op.op.replayed);
    assert_true(id_cmp(&i[1].item.existing, &m[0]->id) == 0);
    assert_int_equal(counter_get(&store_stats(r.s)->accepted), 1);
    message_unref(&m[0]);
    message_unref(&m[1]);
    rig_close(&r);
}

static void render_ids(struct ingest_op *op, struct buf *answer)
{
    for (unsigned i = 0; i < op->count; i++)
        buf_bytes(answer, op->items[i].message->id.b, ID_BYTES);
}

static void a_batch_is_one_commit_with_a_result_for_each(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct app a = rig_app(&r, "one");
    rig_add_endpoint(&r, &a);
    struct ingest_item items[3] = {0};
    for (int n = 0; n < 3; n++) {
        items[n].message = rig_message("a", "{}");
        items[n].message->event_id = n == 1 ? SPAN("other") : SPAN("same");
    }
    struct ingest_op op = {.org = a.org,
                           .app = SPAN("one"),
                           .batch = true,
                           .render = render_ids,
                           .count = 3,
                           .items = items};
    op.op.idempotency = (struct idempotency){.used = true, .lifetime_us = US_PER_S, .key = "batch"};
    op.op.answer_status = 202;
    buf_init(&op.op.answer, 4096);
    OK(rig_do(&r, &op.op, STORE_INGEST));
    assert_int_equal(items[0].result, ERR_OK);
    assert_int_equal(items[1].result, ERR_OK);
    assert_int_equal(items[2].result, ERR_CONFLICT);
    assert_true(id_cmp(&items[2].existing, &items[0].message->id) == 0);
    assert_int_equal(r.deliveries, 2);
    struct id first = items[0].message->id;
    OK(rig_do(&r, &op.op, STORE_INGEST));
    assert_true(op.op.replayed);
    assert_memory_equal(op.op.answer.ptr, first.b, ID_BYTES);
    assert_int_equal(op.op.answer_status, 202);
    for (int n = 0; n < 3; n++)
        message_unref(&items[n].message);
    buf_free(&op.op.answer);
    rig_close(&r);
}

/* ---------------------------------------------------------------- event ids */

static void an_event_id_is_taken_for_as_long_as_its_message_is_kept(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct app a = rig_app(&r, "one"), b = rig_app(&r, "two");
    struct message *m = rig_message("a", "{}"), *again = rig_message("a", "{}");
    struct rig_ingest i;
    m->event_id = again->event_id = SPAN("order-1");
    OK(rig_ingest(&r, &a, m, NULL, NULL, &i));
    assert_int_equal(rig_ingest(&r, &a, again, NULL, NULL, &i), ERR_CONFLICT);
    assert_true(id_cmp(&i.item.existing, &m->id) == 0);
    OK(rig_ingest(&r, &b, again, NULL, NULL, &i)); /* unique per application */
    rig_restart(&r);
    assert_int_equal(rig_ingest(&r, &a, again, NULL, NULL, &i), ERR_CONFLICT);
    rig_advance(&r, 31 * DAY_US);
    rig_turns(&r, 2);
    OK(rig_ingest(&r, &a, again, NULL, NULL, &i));
    message_unref(&m);
    message_unref(&again);
    rig_close(&r);
}

/* ---------------------------------------------------------------- fan-out */

static void only_enabled_endpoints_that_match_get_a_delivery(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct app a = rig_app(&r, "one"), b = rig_app(&r, "two");
    struct endpoint all = rig_add_endpoint(&r, &a), typed = rig_endpoint_new(&r, &a);
    struct endpoint channel = rig_endpoint_new(&r, &a), off = rig_endpoint_new(&r, &a);
    struct span type = SPAN("invoice.paid");
    typed.filter_count = 1;
    typed.filters = &type;
    channel.channel_count = 1;
    channel.channels[0] = SPAN("eu");
    off.disabled = true;
    off.disabled_reason = SPAN("manual");
    OK(rig_put_endpoint(&r, &typed));
    OK(rig_put_endpoint(&r, &channel));
    OK(rig_put_endpoint(&r, &off));
    rig_add_endpoint(&r, &b);
    rig_send(&r, &a);
    assert_int_equal(r.deliveries, 1);
    assert_int_equal(r.delivered[0].endpoint, all.number);
    struct message *m = rig_message("invoice.paid", "{}");
    m->channel_count = 1;
    m->channels[0] = SPAN("eu");
    struct rig_ingest i;
    OK(rig_ingest(&r, &a, m, NULL, NULL, &i));
    assert_int_equal(r.deliveries, 4);
    assert_int_equal(r.delivered[2].endpoint, typed.number);
    assert_int_equal(r.delivered[3].endpoint, channel.number);
    message_unref(&m);
    rig_close(&r);
}

static void a_large_fan_out_reaches_the_endpoints_of_its_moment_in_steps(void **state)
{
    (void)state;
    static struct rig r;
    enum { MANY = 1300 };
    static struct endpoint made[MANY];
    static struct endpoint_op ops[MANY];
    rig_open(&r);
    struct app a = rig_app(&r, "one");
    unsigned wanted = r.done + MANY;
    for (int n = 0; n < MANY; n++) {
        made[n] = rig_endpoint_new(&r, &a);
        ops[n] = (struct endpoint_op){.endpoint = &made[n]};
        rig_submit(&r, &ops[n].op, STORE_ENDPOINT_PUT);
    }
    rig_await(&r, wanted);
    /* The message and an endpoint that comes right behind it. */
    struct message *m = rig_message("a", "{}");
    struct ingest_item item = {.message = m};
    struct ingest_op op = {.org = a.org, .app = SPAN("one"), .count = 1, .items = &item};
    struct endpoint late = rig_endpoint_new(&r, &a);
    struct endpoint_op late_op = {.endpoint = &late};
    wanted = r.done + 2;
    rig_submit(&r, &op.op, STORE_INGEST);
    rig_submit(&r, &late_op.op, STORE_ENDPOINT_PUT);
    rig_await(&r, wanted);
    assert_true(r.deliveries < MANY);
    assert_int_equal(counter_get(&store_stats(r.s)->waiting), MANY);
    for (int n = 0; n < MANY; n += 100)
        assert_int_equal(rig_state(&r, &m->id, made[n].number), DELIVERY_SCHEDULED);
    assert_int_equal(rig_state(&r, &m->id, made[MANY - 1].number), DELIVERY_SCHEDULED);
    struct delivery d;
    assert_int_equal(rig_delivery_get(&r, &m->id, late.number, &d), ERR_NOT_FOUND);
    assert_int_equal(r.deliveries + r.dues, MANY);
    message_unref(&m);
    rig_close(&r);
}

/* ---------------------------------------------------------------- delayed */

static void a_delayed_message_is_due_at_its_time_and_not_handed_over(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct app a = rig_app(&r, "one");
    struct endpoint e = rig_add_endpoint(&r, &a);
    struct message *m = rig_message("a", "{}"), *stored;
    struct rig_ingest i;
    m->deliver_at = wall_add(r.now, 3600 * US_PER_S);
    OK(rig_ingest(&r, &a, m, NULL, NULL, &i));
    assert_int_equal(r.deliveries, 0);
    assert_int_equal(r.dues, 1);
    assert_int_equal(r.due[0].due.us, m->deliver_at.us);
    struct due_row rows[64];
    assert_int_equal(rig_due_rows(&r, e.number, rows), 1);
    assert_int_equal(rows[0].due.us, m->deliver_at.us);
    rig_restart(&r);
    OK(rig_load(&r, &m->id, &stored));
    assert_int_equal(stored->deliver_at.us, m->deliver_at.us);
    message_unref(&stored);
    message_unref(&m);
    rig_close(&r);
}

static void a_message_whose_time_has_passed_is_handed_over(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct app a = rig_app(&r, "one");
    rig_add_endpoint(&r, &a);
    struct message *m = rig_message("a", "{}");
    struct rig_ingest i;
    m->deliver_at = wall_add(r.now, -1);
    OK(rig_ingest(&r, &a, m, NULL, NULL, &i));
    assert_int_equal(r.deliveries, 1);
    assert_int_equal(r.delivered[0].due.us, r.now.us);
    message_unref(&m);
    rig_close(&r);
}

/* ---------------------------------------------------------------- with its application */

static struct app described(struct rig *r, const char *uid)
{
    return (struct app){.id = id_random(r->now),
                        .org = store_default_org(r->s),
                        .uid = span_text(uid),
                        .name = SPAN("made"),
                        .created = r->now};
}

static enum err send_with_app(struct rig *r, const struct app *described, struct message *m)
{
    struct ingest_item item = {.message = m};
    struct ingest_op op = {.org = described->org,
                           .app = described->uid,
                           .create = described,
                           .count = 1,
                           .items = &item};
    return rig_do(r, &op.op, STORE_INGEST);
}

static void a_message_makes_its_application_once(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct app first = described(&r, "new"), second = described(&r, "new");
    struct message *m = rig_message("a", "{}"), *n = rig_message("a", "{}"), *o;
    OK(send_with_app(&r, &first, m));
    OK(send_with_app(&r, &second, n));
    assert_memory_equal(m->app.b, first.id.b, ID_BYTES);
    assert_memory_equal(n->app.b, first.id.b, ID_BYTES);
    assert_int_equal(m->app_number, n->app_number);
    rig_restart(&r);
    struct store_read *read;
    struct app *found;
    OK(store_read_begin(r.s, &read));
    OK(store_app_get(read, &first.org, SPAN("new"), &found));
    store_read_end(&read);
    assert_true(span_is(found->name, "made"));
    struct endpoint e = rig_add_endpoint(&r, found);
    o = rig_message("a", "{}");
    OK(send_with_app(&r, &second, o));
    assert_int_equal(rig_state(&r, &o->id, e.number), DELIVERY_SCHEDULED);
    app_free(&found);
    message_unref(&m);
    message_unref(&n);
    message_unref(&o);
    rig_close(&r);
}

static void what_follows_in_the_same_batch_sees_the_new_application(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct app a = described(&r, "new"), again = described(&r, "new");
    struct message *m[2] = {rig_message("a", "{}"), rig_message("a", "{}")};
    struct ingest_item items[2] = {{.message = m[0]}, {.message = m[1]}};
    struct ingest_op ops[2];
    struct app_op put = {.app = &again};
    unsigned wanted = r.done + 3;
    for (int i = 0; i < 2; i++) {
        ops[i] = (struct ingest_op){
            .org = a.org, .app = a.uid, .create = i ? NULL : &a, .count = 1, .items = &items[i]};
        rig_submit(&r, &ops[i].op, STORE_INGEST);
    }
    rig_submit(&r, &put.op, STORE_APP_PUT);
    rig_await(&r, wanted);
    OK(ops[0].op.result);
    OK(ops[1].op.result);
    assert_int_equal(put.op.result, ERR_CONFLICT);
    message_unref(&m[0]);
    message_unref(&m[1]);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_acknowledged_is_there_after_a_restart),
        cmocka_unit_test(a_message_without_endpoints_is_stored),
        cmocka_unit_test(a_long_payload_keeps_every_byte),
        cmocka_unit_test(an_unknown_application_or_one_out_of_reach_is_not_found),
        cmocka_unit_test(ids_grow_over_a_restart_and_a_clock_that_steps_back),
        cmocka_unit_test(a_repeated_key_answers_with_the_first_message_even_after_a_restart),
        cmocka_unit_test(another_body_under_the_same_key_is_a_mismatch_when_asked_for),
        cmocka_unit_test(duplicates_in_one_batch_become_one_message),
        cmocka_unit_test(a_batch_is_one_commit_with_a_result_for_each),
        cmocka_unit_test(an_event_id_is_taken_for_as_long_as_its_message_is_kept),
        cmocka_unit_test(only_enabled_endpoints_that_match_get_a_delivery),
        cmocka_unit_test(a_large_fan_out_reaches_the_endpoints_of_its_moment_in_steps),
        cmocka_unit_test(a_delayed_message_is_due_at_its_time_and_not_handed_over),
        cmocka_unit_test(a_message_whose_time_has_passed_is_handed_over),
        cmocka_unit_test(a_message_makes_its_application_once),
        cmocka_unit_test(what_follows_in_the_same_batch_sees_the_new_application),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
