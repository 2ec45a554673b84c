/* Reading applications, endpoints, event types, keys and tasks. */
#include "tests/store/world.h"

#include "store/read.h"

static struct world w;
static struct store_read *r;
static struct id org, other_org;

static struct app sample_app(uint8_t n, struct span uid)
{
    return (struct app){
        .id = world_id(n, n), .number = n, .org = org, .uid = uid, .name = SPAN("name")};
}

static struct endpoint sample_endpoint(uint32_t number, uint32_t app, struct span uid)
{
    return (struct endpoint){.id = world_id(20 * number, 50),
                             .number = number,
                             .app_number = app,
                             .org = org,
                             .uid = uid,
                             .url = SPAN("https://example.com/")};
}

static void put_event_type(struct span name, bool archived)
{
    struct event_type t = {.org = org, .name = name, .archived = archived};
    record_event_type_encode(&t, &w.record);
    world_put(&w, TREE_EVENT_TYPE, key_id_text(&org, name));
}

static int setup(void **state)
{
    (void)state;
    world_open(&w);
    org = world_id(0, 200);
    other_org = world_id(0, 201);
    world_begin(&w);
    for (uint8_t n = 1; n <= 3; n++) {
        struct app a = sample_app(n, n == 2 ? SPAN("two") : (struct span){0});
        world_app(&w, &a);
    }
    for (uint32_t n = 1; n <= 4; n++) {
        struct endpoint e = sample_endpoint(n, n == 4 ? 2 : 1, n == 2 ? SPAN("two") : SPAN(""));
        world_endpoint(&w, &e);
    }
    put_event_type(SPAN("a.old"), true);
    put_event_type(SPAN("b.new"), false);
    put_event_type(SPAN("c.new"), false);
    world_commit(&w);
    WORLD_OK(store_read_begin(&w.s, &r));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_read_end(&r);
    world_close(&w);
    return 0;
}

static void reopen(void)
{
    store_read_end(&r);
    WORLD_OK(store_read_begin(&w.s, &r));
}

static struct span text_of(const struct id *id, const char *prefix)
{
    static char text[ID_MAX + 1];
    return span_of(text, id_format(id, prefix, text));
}

/* ---------------------------------------------------------------- applications */

static void an_application_is_found_by_id_and_by_uid(void **state)
{
    (void)state;
    struct id second = world_id(2, 2);
    struct app *a;
    WORLD_OK(store_app_get(r, &org, text_of(&second, ID_APP), &a));
    assert_int_equal(a->number, 2);
    app_free(&a);
    WORLD_OK(store_app_get(r, &org, SPAN("two"), &a));
    assert_int_equal(a->number, 2);
    app_free(&a);
}

static void an_application_of_another_organisation_does_not_exist(void **state)
{
    (void)state;
    struct id second = world_id(2, 2);
    struct app *a;
    assert_int_equal(store_app_get(r, &other_org, text_of(&second, ID_APP), &a), ERR_NOT_FOUND);
    assert_null(a);
    assert_int_equal(store_app_get(r, &other_org, SPAN("two"), &a), ERR_NOT_FOUND);
}

static void references_of_any_form_are_answered(void **state)
{
    (void)state;
    static char longest[4096];
    memset(longest, 'x', sizeof longest);
    const struct span refs[] = {
        SPAN(""),
        SPAN("app_"),
        SPAN("app_!!!!!!!!!!!!!!!!!!!!!!!!!!!"),
        SPAN("three"),
        SPAN("ep_"),
        span_of(longest, UID_MAX),
        span_of(longest, UID_MAX + 1),
        span_of(longest, sizeof longest),
    };
    for (size_t i = 0; i < sizeof refs / sizeof refs[0]; i++) {
        struct app *a;
        struct endpoint *e;
        struct event_type *t;
        assert_int_equal(store_app_get(r, &org, refs[i], &a), ERR_NOT_FOUND);
        assert_int_equal(store_endpoint_get(r, 1, refs[i], &e), ERR_NOT_FOUND);
        assert_int_equal(store_event_type_get(r, &org, refs[i], &t), ERR_NOT_FOUND);
    }
}

static void applications_are_listed_ascending(void **state)
{
    (void)state;
    struct app *rows[PAGE_MAX];
    struct page page = {.limit = 2};
    struct page_result result;
    WORLD_OK(store_app_list(r, &org, &page, rows, &result));
    assert_int_equal(result.count, 2);
    assert_true(result.more);
    assert_int_equal(rows[0]->number, 1);
    assert_int_equal(rows[1]->number, 2);
    for (unsigned i = 0; i < result.count; i++)
        app_free(&rows[i]);
    WORLD_OK(store_app_list(r, &other_org, &page, rows, &result));
    assert_int_equal(result.count, 0);
    assert_false(result.more);
}

static void a_damaged_application_is_skipped_in_lists_and_corrupt_in_gets(void **state)
{
    (void)state;
    struct id second = world_id(2, 2);
    world_begin(&w);
    world_damage(&w, TREE_APP, key_id(&second));
    world_commit(&w);
    reopen();
    struct app *a;
    assert_int_equal(store_app_get(r, &org, SPAN("two"), &a), ERR_CORRUPT);
    assert_null(a);
    assert_int_equal(counter_get(&w.s.stats.corrupt), 1);
    struct app *rows[PAGE_MAX];
    struct page page = {.limit = 5};
    struct page_result result;
    WORLD_OK(store_app_list(r, &org, &page, rows, &result));
    assert_int_equal(result.count, 2);
    assert_int_equal(rows[0]->number, 1);
    assert_int_equal(rows[1]->number, 3);
    for (unsigned i = 0; i < result.count; i++)
        app_free(&rows[i]);
}

/* ---------------------------------------------------------------- endpoints */

static void an_endpoint_is_found_within_its_application_only(void **state)
{
    (void)state;
    struct id second = world_id(40, 50);
    struct endpoint *e;
    WORLD_OK(store_endpoint_get(r, 1, text_of(&second, ID_ENDPOINT), &e));
    assert_int_equal(e->number, 2);
    endpoint_free(&e);
    WORLD_OK(store_endpoint_get(r, 1, SPAN("two"), &e));
    assert_int_equal(e->number, 2);
    endpoint_free(&e);
    assert_int_equal(store_endpoint_get(r, 2, text_of(&second, ID_ENDPOINT), &e), ERR_NOT_FOUND);
    assert_null(e);
    assert_int_equal(store_endpoint_get(r, 2, SPAN("two"), &e), ERR_NOT_FOUND);
}

static void endpoints_are_listed_descending(void **state)
{
    (void)state;
    struct endpoint *rows[PAGE_MAX];
    struct page page = {.limit = 5};
    struct page_result result;
    WORLD_OK(store_endpoint_list(r, 1, &page, rows, &result));
    assert_int_equal(result.count, 3);
    for (unsigned i = 0; i < result.count; i++) {
        assert_int_equal(rows[i]->number, 3 - i);
        endpoint_free(&rows[i]);
    }
}

static void see(void *context, uint32_t number, struct wall first_due)
{
    int64_t *seen = context;
    seen[number] = first_due.us;
}

static void every_endpoint_is_told_with_its_first_due_time(void **state)
{
    (void)state;
    world_begin(&w);
    struct delivery late = {.message = world_id(1, 9), .endpoint_number = 2, .due = {2000}};
    struct delivery soon = {.message = world_id(2, 9), .endpoint_number = 2, .due = {1000}};
    struct delivery gone = {.message = world_id(2, 9), .endpoint_number = 9, .due = {1}};
    world_delivery(&w, &late, 0);
    world_delivery(&w, &soon, 0);
    world_delivery(&w, &gone, 0);
    world_commit(&w);
    reopen();
    int64_t seen[16] = {0};
    WORLD_OK(store_each_endpoint(r, see, seen));
    assert_int_equal(seen[1], INT64_MAX);
    assert_int_equal(seen[2], 1000);
    assert_int_equal(seen[3], INT64_MAX);
    assert_int_equal(seen[4], INT64_MAX);
    assert_int_equal(seen[9], 0);
}

/* ---------------------------------------------------------------- the rest */

static void event_types_are_listed_by_name_archived_ones_on_request(void **state)
{
    (void)state;
    struct event_type *rows[PAGE_MAX];
    struct page page = {.limit = 1};
    struct page_result result;
    WORLD_OK(store_event_type_list(r, &org, &page, (struct span){0}, false, rows, &result));
    assert_int_equal(result.count, 1);
    assert_true(span_is(rows[0]->name, "b.new"));
    assert_true(result.more);
    event_type_free(&rows[0]);
    WORLD_OK(store_event_type_list(r, &org, &page, SPAN("b.new"), false, rows, &result));
    assert_true(span_is(rows[0]->name, "c.new"));
    assert_false(result.more);
    event_type_free(&rows[0]);
    WORLD_OK(store_event_type_list(r, &org, &page, (struct span){0}, true, rows, &result));
    assert_true(span_is(rows[0]->name, "a.old"));
    event_type_free(&rows[0]);
    static const char name[EVENT_TYPE_MAX + 1] = "b"; /* longer than any */
    WORLD_OK(
        store_event_type_list(r, &org, &page, span_of(name, sizeof name), false, rows, &result));
    assert_int_equal(result.count, 0);
    assert_false(result.more);
}

static void keys_are_listed_oldest_first(void **state)
{
    (void)state;
    world_begin(&w);
    for (uint8_t n = 40; n > 0; n--) {
        struct api_key k = {.id = world_id(20 * n, 1), .org = org};
        k.hash[0] = n;
        record_key_encode(&k, &w.record);
        world_put(&w, TREE_KEY, key_id(&k.id));
    }
    world_commit(&w);
    reopen();
    struct api_key *keys;
    size_t count;
    WORLD_OK(store_key_list(r, &keys, &count));
    assert_int_equal(count, 40);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(keys[i].hash[0], i + 1);
    free(keys);
}

static void a_task_is_seen_by_its_organisation_only(void **state)
{
    (void)state;
    struct task task = {
        .id = world_id(5, 5), .kind = TASK_RECOVER, .org = org, .finished = true, .done = 12};
    world_begin(&w);
    record_task_encode(&task, &w.record);
    world_put(&w, TREE_TASK, key_id(&task.id));
    world_commit(&w);
    reopen();
    struct task_info info;
    WORLD_OK(store_task_get(r, &org, &task.id, &info));
    assert_string_equal(info.kind, "endpoint.recover");
    assert_true(info.finished);
    assert_int_equal(info.done, 12);
    assert_int_equal(store_task_get(r, &other_org, &task.id, &info), ERR_NOT_FOUND);
}

static void count_in_order(void *context, const struct task_result *row)
{
    assert_int_equal(row->deliveries, ++*(unsigned *)context);
}

static void a_long_result_is_handed_out_in_pieces(void **state)
{
    (void)state;
    const unsigned rows = READ_ROWS_MAX + 5;
    struct id task = world_id(5, 5);
    struct task_result_place at = {.event_type = ""};
    unsigned seen = 0;
    bool more;
    world_begin(&w);
    for (unsigned n = 1; n <= rows; n++) {
        const struct task_result row = {.deliveries = n};
        struct id app = world_id(4 * n, 1);
        record_task_result_encode(&row, &w.record);
        world_put(&w, TREE_TASK_RESULT, key_id_id(&task, &app));
    }
    world_commit(&w);
    reopen();
    WORLD_OK(store_task_results(r, &task, &at, count_in_order, &seen, &more));
    assert_int_equal(seen, READ_ROWS_MAX);
    assert_true(more);
    WORLD_OK(store_task_results(r, &task, &at, count_in_order, &seen, &more));
    assert_int_equal(seen, rows);
    assert_false(more);
}

static void a_snapshot_does_not_see_what_was_committed_after_it(void **state)
{
    (void)state;
    struct app later = sample_app(9, SPAN("nine")), *a;
    uint64_t before = store_read_txn(r);
    world_begin(&w);
    world_app(&w, &later);
    world_commit(&w);
    assert_int_equal(store_app_get(r, &org, SPAN("nine"), &a), ERR_NOT_FOUND);
    reopen();
    assert_true(store_read_txn(r) > before);
    WORLD_OK(store_app_get(r, &org, SPAN("nine"), &a));
    app_free(&a);
}

int main(void)
{
#define READ_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        READ_TEST(an_application_is_found_by_id_and_by_uid),
        READ_TEST(an_application_of_another_organisation_does_not_exist),
        READ_TEST(references_of_any_form_are_answered),
        READ_TEST(applications_are_listed_ascending),
        READ_TEST(a_damaged_application_is_skipped_in_lists_and_corrupt_in_gets),
        READ_TEST(an_endpoint_is_found_within_its_application_only),
        READ_TEST(endpoints_are_listed_descending),
        READ_TEST(every_endpoint_is_told_with_its_first_due_time),
        READ_TEST(event_types_are_listed_by_name_archived_ones_on_request),
        READ_TEST(keys_are_listed_oldest_first),
        READ_TEST(a_task_is_seen_by_its_organisation_only),
        READ_TEST(a_long_result_is_handed_out_in_pieces),
        READ_TEST(a_snapshot_does_not_see_what_was_committed_after_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
