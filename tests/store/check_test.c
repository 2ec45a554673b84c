/* `check` finds what is planted, and nothing in a store that is right. */
#include "tests/store/world.h"

#include "store/codec.h"
#include "store/stat.h"

#define APP 7

static struct world w;
static struct id org, first, second, ep_id;
static char payload[5000];
static char findings[4096];

static void say(void *context, const char *finding)
{
    (void)context;
    size_t len = strlen(findings);
    snprintf(findings + len, sizeof findings - len, "%s\n", finding);
}

static uint64_t check(struct store *s)
{
    struct check_report report;
    findings[0] = '\0';
    WORLD_OK(store_check(s, say, NULL, &report));
    return report.errors;
}

static struct message sample_message(struct id id)
{
    return (struct message){
        .id = id,
        .app_number = APP,
        .expires = {WORLD_NOW + WORLD_DAY},
        .event_type = SPAN("invoice.paid"),
        .payload = span_of(payload, sizeof payload),
    };
}

static struct treekey stat_key(void)
{
    struct treekey hour = key_number(stat_hour(id_time(&first))), number = key_number(1);
    memcpy(hour.b + hour.len, number.b, number.len);
    hour.len += number.len;
    return hour;
}

static void put_stats(uint64_t success, uint64_t sending, uint64_t fail)
{
    struct stat_record row = {.stats.succeeded = 3};
    row.stats.deliveries[STAT_SUCCESS] = success;
    row.stats.deliveries[STAT_SENDING] = sending;
    row.stats.deliveries[STAT_FAIL] = fail;
    record_stat_encode(&row, &w.record);
    world_put(&w, TREE_STAT, stat_key());
}

/* One application, one endpoint, two messages: the first waits with a manual attempt beside it and
 * was tried once, the second is dead. */
static int setup(void **state)
{
    (void)state;
    world_open(&w);
    memset(payload, 'x', sizeof payload);
    org = world_id(0, 9);
    first = world_id(20, 1);
    second = world_id(40, 1);
    ep_id = world_id(8, 2);
    struct app a = {.id = world_id(4, 1), .number = APP, .org = org, .uid = SPAN("uid")};
    struct endpoint e = {
        .id = ep_id, .number = 1, .app = a.id, .app_number = APP, .org = org, .uid = SPAN("uid")};
    struct message m1 = sample_message(first), m2 = sample_message(second);
    m1.event_id = SPAN("evt-1");
    struct delivery waits = {.message = first,
                             .endpoint_number = 1,
                             .state = DELIVERY_RETRYING,
                             .due = {WORLD_NOW + 5},
                             .manual_due = {WORLD_NOW + 3}};
    struct delivery dead = {.message = second, .endpoint_number = 1, .state = DELIVERY_DEAD};
    struct attempt attempt = {.id = world_id(60, 1), .message = first, .endpoint_number = 1};
    struct event_type type = {.org = org, .name = SPAN("invoice.paid")};
    world_begin(&w);
    world_app(&w, &a);
    world_endpoint(&w, &e);
    world_message(&w, &m1);
    world_message(&w, &m2);
    world_delivery(&w, &waits, 1);
    world_delivery(&w, &dead, 0);
    record_due_encode(0, &w.record);
    world_put(&w, TREE_DUE, key_due(1, waits.manual_due, &first, TRIGGER_MANUAL));
    world_attempt(&w, &attempt);
    record_event_type_encode(&type, &w.record);
    world_put(&w, TREE_EVENT_TYPE, key_id_text(&org, type.name));
    put_stats(0, 1, 1);
    world_commit(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

static void a_store_that_is_right_has_no_findings(void **state)
{
    (void)state;
    struct check_report report;
    findings[0] = '\0';
    WORLD_OK(store_check(&w.s, say, NULL, &report));
    assert_string_equal(findings, "");
    assert_int_equal(report.errors, 0);
    assert_int_equal(report.messages, 2);
    assert_int_equal(report.deliveries, 2);
    assert_int_equal(report.attempts, 1);
    assert_int_equal(report.dead, 1);
    assert_int_equal(report.endpoints, 1);
    assert_int_equal(report.index_entries, 6);
}

/* The first message's delivery in a line or not, and a row for its place. */
static struct line_place place_in_line(bool in_line, bool held, bool row)
{
    struct line_place at = {.line = {7}, .ticket = first, .message = first};
    struct delivery d = {.message = first,
                         .endpoint_number = 1,
                         .state = DELIVERY_RETRYING,
                         .due = {WORLD_NOW + 5},
                         .manual_due = {WORLD_NOW + 3}};
    if (in_line) {
        memcpy(d.line, at.line, LINE_BYTES);
        d.ticket = first;
        d.held = held;
    }
    world_begin(&w);
    record_delivery_encode(&d, &w.record);
    world_put(&w, TREE_DELIVERY, key_id_number(&first, 1));
    if (row)
        world_put(&w, TREE_LINE, key_line(1, &at));
    assert_int_equal(mdb_txn_commit(w.txn), 0);
    return at;
}

static void what_stands_in_a_line_has_its_place_there(void **state)
{
    (void)state;
    static const struct {
        bool in_line, held, row;
        const char *finding; /* "": none */
    } cases[] = {
        {true, false, true, ""},
        {true, false, false, "a delivery's place in its line is not there"},
        {false, false, true, "stands in a line of endpoint number 1 that its delivery does not"},
        {true, true, true, "is the first of its line"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct line_place at = place_in_line(cases[i].in_line, cases[i].held, cases[i].row);
        uint64_t errors = check(&w.s);
        assert_int_equal(errors > 0, *cases[i].finding != 0);
        assert_non_null(strstr(findings, cases[i].finding));
        if (!cases[i].row)
            continue;
        world_begin(&w);
        world_del(&w, TREE_LINE, key_line(1, &at));
        assert_int_equal(mdb_txn_commit(w.txn), 0);
    }
}

static void put_first(const struct delivery *d)
{
    world_begin(&w);
    record_delivery_encode(d, &w.record);
    world_put(&w, TREE_DELIVERY, key_id_number(&first, 1));
    assert_int_equal(mdb_txn_commit(w.txn), 0);
}

static void what_is_finished_stands_in_no_line(void **state)
{
    (void)state;
    struct line_place at = place_in_line(true, false, true);
    struct delivery d = {.state = DELIVERY_DELIVERED, .ticket = first};
    memcpy(d.line, at.line, LINE_BYTES);
    put_first(&d);
    assert_true(check(&w.s) > 0);
    assert_non_null(strstr(findings, "is finished at endpoint number 1 and stands in a line"));
}

static void a_delivery_is_due_at_no_time_before_the_first(void **state)
{
    (void)state;
    const struct delivery cases[] = {
        {.state = DELIVERY_RETRYING, .due = {-1}, .manual_due = {WORLD_NOW + 3}},
        {.state = DELIVERY_RETRYING, .due = {WORLD_NOW + 5}, .manual_due = {-1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_first(&cases[i]);
        assert_true(check(&w.s) > 0);
        assert_non_null(strstr(findings, "to endpoint number 1 does not decode"));
    }
}

static void a_piece_of_body_too_many_is_found(void **state)
{
    (void)state;
    world_begin(&w);
    buf_text(&w.record, "x");
    world_put(&w, TREE_BODY, key_body(&first, 3));
    world_commit(&w);
    assert_int_equal(check(&w.s), 1);
    assert_non_null(strstr(findings, "has 4 pieces of body instead of 3"));
}

/* Each row of a store that is right, taken away or damaged. */
static struct treekey due_key(void)
{
    return key_due(1, (struct wall){WORLD_NOW + 5}, &first, TRIGGER_SCHEDULED);
}

static void every_missing_row_is_found(void **state)
{
    (void)state;
    struct id app = world_id(4, 1), attempt = world_id(60, 1);
    struct span id = span_of(first.b, ID_BYTES);
    struct span uid = SPAN("uid");
    const struct {
        enum tree tree;
        struct treekey key;
        bool silent; /* nothing else needs it */
    } rows[] = {
        {TREE_APP, key_id(&app), false},
        {TREE_APP_UID, key_id_text(&org, uid), false},
        {TREE_APP_ORG, key_id_id(&org, &app), false},
        {TREE_ENDPOINT, key_number(1), false},
        {TREE_ENDPOINT_ID, key_id(&ep_id), false},
        {TREE_ENDPOINT_UID, key_number_text(APP, uid), false},
        {TREE_ENDPOINT_APP, key_number_id(APP, &ep_id), false},
        {TREE_MESSAGE, key_id(&first), false},
        {TREE_BODY, key_body(&first, 1), false},
        {TREE_BODY, key_body(&first, 2), false},
        {TREE_DELIVERY, key_id_number(&first, 1), false},
        {TREE_DELIVERY, key_id_number(&second, 1), false},
        {TREE_DUE, due_key(), false},
        {TREE_DUE, key_due(1, (struct wall){WORLD_NOW + 3}, &first, TRIGGER_MANUAL), false},
        {TREE_DEAD, key_number_id(1, &second), false},
        {TREE_EXPIRY, key_expiry((struct wall){WORLD_NOW + WORLD_DAY}, EXPIRY_MESSAGE, id), false},
        {TREE_COUNT, key_number(1), false},
        {TREE_STAT, stat_key(), false},
        {TREE_ATTEMPT, key_id_id(&first, &attempt), true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct span key = key_span(&rows[i].key), value;
        world_begin(&w);
        WORLD_OK(tree_get(&w.s.env, w.txn, rows[i].tree, key, &value));
        struct buf kept;
        buf_init(&kept, 8192);
        buf_span(&kept, value);
        world_del(&w, rows[i].tree, rows[i].key);
        assert_int_equal(mdb_txn_commit(w.txn), 0);
        if ((check(&w.s) > 0) == rows[i].silent)
            fail_msg("row %zu missing: \"%s\"", i, findings);
        world_begin(&w);
        WORLD_OK(tree_put(&w.s.env, w.txn, rows[i].tree, key, buf_view(&kept), 0));
        assert_int_equal(mdb_txn_commit(w.txn), 0);
        buf_free(&kept);
        assert_int_equal(check(&w.s), 0);
    }
}

static void every_damaged_record_is_found(void **state)
{
    (void)state;
    struct id app = world_id(4, 1), attempt = world_id(60, 1);
    const struct {
        enum tree tree;
        struct treekey key;
    } rows[] = {
        {TREE_APP, key_id(&app)},
        {TREE_ENDPOINT, key_number(1)},
        {TREE_EVENT_TYPE, key_id_text(&org, SPAN("invoice.paid"))},
        {TREE_MESSAGE, key_id(&first)},
        {TREE_BODY, key_body(&first, 1)},
        {TREE_DELIVERY, key_id_number(&first, 1)},
        {TREE_DUE, due_key()},
        {TREE_DEAD, key_number_id(1, &second)},
        {TREE_COUNT, key_number(1)},
        {TREE_STAT, stat_key()},
        {TREE_ATTEMPT, key_id_id(&first, &attempt)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int again = 0; again < 2; again++) { /* the second time puts it right again */
            world_begin(&w);
            world_damage(&w, rows[i].tree, rows[i].key);
            assert_int_equal(mdb_txn_commit(w.txn), 0);
            if ((check(&w.s) > 0) == (again == 1))
                fail_msg("row %zu damaged %d: \"%s\"", i, again, findings);
        }
    }
}

static void a_result_needs_its_task_and_its_form(void **state)
{
    (void)state;
    struct id task = world_id(70, 1), app = world_id(4, 1);
    world_begin(&w);
    buf_text(&w.record, "damaged");
    world_put(&w, TREE_TASK_RESULT, key_id_id(&task, &app));
    world_commit(&w);
    assert_int_equal(check(&w.s), 2);
    assert_non_null(strstr(findings, "a row of a task's result does not decode"));
    assert_non_null(strstr(findings, "a task's result has no task"));
}

static void a_filter_needs_its_task_and_its_form(void **state)
{
    (void)state;
    struct id task = world_id(70, 1);
    world_begin(&w);
    buf_text(&w.record, "damaged");
    world_put(&w, TREE_TASK_FILTER, key_id(&task));
    world_commit(&w);
    assert_int_equal(check(&w.s), 2);
    assert_non_null(strstr(findings, "the filter of a task does not decode"));
    assert_non_null(strstr(findings, "a task's filter has no task"));
}

static void a_record_of_health_needs_its_endpoint_and_something_to_say(void **state)
{
    (void)state;
    const struct endpoint_health well = {.failures = 0}, sick = {.failing_since = {WORLD_NOW}};
    world_begin(&w);
    record_health_encode(&sick, &w.record);
    world_put(&w, TREE_HEALTH, key_number(1));
    world_commit(&w);
    assert_int_equal(check(&w.s), 0);
    world_begin(&w);
    record_health_encode(&well, &w.record);
    world_put(&w, TREE_HEALTH, key_number(1));
    record_health_encode(&sick, &w.record);
    world_put(&w, TREE_HEALTH, key_number(2));
    buf_text(&w.record, "damaged");
    world_put(&w, TREE_HEALTH, key_number(3));
    world_commit(&w);
    assert_int_equal(check(&w.s), 3);
    assert_non_null(strstr(findings, "the health of endpoint number 1 says nothing"));
    assert_non_null(strstr(findings, "a record of health belongs to no endpoint"));
    assert_non_null(strstr(findings, "the health of endpoint number 3 does not decode"));
}

static void rows_that_contradict_each_other_are_found(void **state)
{
    (void)state;
    world_begin(&w);
    struct delivery done = {.message = second, .endpoint_number = 1, .state = DELIVERY_DELIVERED};
    record_delivery_encode(&done, &w.record);
    world_put(&w, TREE_DELIVERY, key_id_number(&second, 1));
    put_stats(1, 1, 0);
    world_commit(&w);
    assert_int_equal(check(&w.s), 1);
    assert_non_null(strstr(findings, "is a dead letter"));
}

static void statistics_that_do_not_count_what_is_there_are_found(void **state)
{
    (void)state;
    world_begin(&w);
    put_stats(1, 1, 1);
    world_commit(&w);
    assert_int_equal(check(&w.s), 1);
    assert_non_null(strstr(findings, "are not those of its deliveries"));
    struct stat_record row = {.inexact = true};
    world_begin(&w);
    record_stat_encode(&row, &w.record);
    world_put(&w, TREE_STAT, stat_key());
    world_commit(&w);
    assert_int_equal(check(&w.s), 0);
}

static void a_message_without_an_index_entry_is_found_until_it_expires(void **state)
{
    (void)state;
    struct message m = sample_message(world_id(80, 1));
    world_begin(&w);
    record_message_encode(&m, &w.record);
    world_put(&w, TREE_MESSAGE, key_id(&m.id));
    for (unsigned i = 0; i < record_message_chunks(&m); i++) {
        record_body_encode(&m, i, &w.record);
        world_put(&w, TREE_BODY, key_body(&m.id, (uint16_t)i));
    }
    world_put(&w, TREE_EXPIRY, key_expiry(m.expires, EXPIRY_MESSAGE, span_of(m.id.b, ID_BYTES)));
    world_commit(&w);
    assert_int_equal(check(&w.s), 1);
    assert_non_null(strstr(findings, "the index does not lead to"));
    clock_fake((struct wall){WORLD_NOW + WORLD_DAY}, (struct mono){1});
    assert_int_equal(check(&w.s), 0);
}

static void an_expiry_that_moved_is_found(void **state)
{
    (void)state;
    uint8_t hour[4] = {0};
    struct treekey key =
        key_expiry((struct wall){WORLD_NOW}, EXPIRY_STAT, span_of(hour, sizeof hour));
    world_begin(&w);
    buf_u32(&w.record, hash_checksum(key_span(&key)));
    world_put(&w, TREE_EXPIRY, key);
    world_commit(&w);
    assert_int_equal(check(&w.s), 0);
    world_begin(&w);
    world_del(&w, TREE_EXPIRY, key);
    buf_u32(&w.record, hash_checksum(key_span(&key)));
    key.b[7] ^= 1;
    world_put(&w, TREE_EXPIRY, key);
    world_commit(&w);
    assert_int_equal(check(&w.s), 1);
    assert_non_null(strstr(findings, "does not match its checksum"));
}

/* A bound record under the key that it was bound to, and under another. */
static void a_record_that_moved_is_found(void **state)
{
    (void)state;
    const struct endpoint_health sick = {.failing_since = {WORLD_NOW}};
    struct treekey own = key_number(1), other = key_number(2);
    for (int moved = 0; moved < 2; moved++) {
        world_begin(&w);
        record_health_encode(&sick, &w.record);
        codec_bind(&w.record, key_span(moved ? &other : &own));
        world_put(&w, TREE_HEALTH, own);
        world_commit(&w);
        assert_int_equal(check(&w.s), moved);
    }
    assert_non_null(strstr(findings, "a record of health stands under another key"));
}

static void a_row_of_meta_under_another_name_is_found(void **state)
{
    (void)state;
    struct treekey name = {.len = 5};
    memcpy(name.b, "markt", name.len);
    world_begin(&w);
    buf_text(&w.record, "x");
    world_put(&w, TREE_META, name);
    world_commit(&w);
    assert_int_equal(check(&w.s), 1);
    assert_non_null(strstr(findings, "unknown name"));
}

static void an_expired_message_may_lose_its_payload_unless_it_is_held(void **state)
{
    (void)state;
    struct delivery done = {.message = first, .endpoint_number = 1, .state = DELIVERY_DELIVERED};
    world_begin(&w);
    world_del(&w, TREE_BODY, key_body(&first, 0));
    world_commit(&w);
    clock_fake((struct wall){WORLD_NOW + WORLD_DAY}, (struct mono){1});
    assert_int_equal(check(&w.s), 1); /* the retry would send it */
    assert_non_null(strstr(findings, "the payload of"));
    world_begin(&w);
    record_delivery_encode(&done, &w.record);
    world_put(&w, TREE_DELIVERY, key_id_number(&first, 1));
    world_del(&w, TREE_DUE, due_key());
    world_del(&w, TREE_DUE, key_due(1, (struct wall){WORLD_NOW + 3}, &first, TRIGGER_MANUAL));
    w.counts[1].waiting = 0;
    put_stats(1, 0, 1);
    world_commit(&w);
    assert_int_equal(check(&w.s), 0);
}

int main(void)
{
#define CHECK_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CHECK_TEST(a_store_that_is_right_has_no_findings),
        CHECK_TEST(what_stands_in_a_line_has_its_place_there),
        CHECK_TEST(what_is_finished_stands_in_no_line),
        CHECK_TEST(a_delivery_is_due_at_no_time_before_the_first),
        CHECK_TEST(a_piece_of_body_too_many_is_found),
        CHECK_TEST(every_missing_row_is_found),
        CHECK_TEST(every_damaged_record_is_found),
        CHECK_TEST(a_result_needs_its_task_and_its_form),
        CHECK_TEST(a_filter_needs_its_task_and_its_form),
        CHECK_TEST(a_record_of_health_needs_its_endpoint_and_something_to_say),
        CHECK_TEST(rows_that_contradict_each_other_are_found),
        CHECK_TEST(statistics_that_do_not_count_what_is_there_are_found),
        CHECK_TEST(a_message_without_an_index_entry_is_found_until_it_expires),
        CHECK_TEST(an_expiry_that_moved_is_found),
        CHECK_TEST(a_record_that_moved_is_found),
        CHECK_TEST(a_row_of_meta_under_another_name_is_found),
        CHECK_TEST(an_expired_message_may_lose_its_payload_unless_it_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
