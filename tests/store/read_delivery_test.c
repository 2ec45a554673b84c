/* Reading deliveries: of a message, of an endpoint, dead ones, and pages of what is due. */
#include "tests/store/world.h"

#include "store/read.h"

#define APP 7
#define MESSAGES 6

static struct world w;
static struct store_read *r;

/* Six messages at 20 ms each, types a and b in turn, to the endpoints 1, 2 and 3. At endpoint 1 all
 * are due, a second apart; at 2 the even ones are dead; at 3 all are delivered. */
static int setup(void **state)
{
    (void)state;
    world_open(&w);
    world_begin(&w);
    for (uint32_t n = 1; n <= 3; n++) {
        struct endpoint e = {.id = world_id(20 * n, 50), .number = n, .app_number = APP};
        world_endpoint(&w, &e);
    }
    for (int i = 0; i < MESSAGES; i++) {
        struct id id = world_id(i * 20, 1);
        struct message m = {.id = id,
                            .app_number = APP,
                            .expires = {WORLD_NOW + WORLD_DAY},
                            .event_type = i % 2 ? SPAN("b") : SPAN("a")};
        struct delivery waits = {.message = id,
                                 .endpoint_number = 1,
                                 .state = DELIVERY_SCHEDULED,
                                 .due = {WORLD_NOW + i * US_PER_S}};
        struct delivery second = {.message = id, .endpoint_number = 2, .state = DELIVERY_DELIVERED};
        struct delivery third = {.message = id, .endpoint_number = 3, .state = DELIVERY_DELIVERED};
        if (i % 2 == 0) {
            second.state = DELIVERY_DEAD;
            second.reason = REASON_EXHAUSTED;
            second.finished.us = WORLD_NOW + i * US_PER_S;
        }
        world_message(&w, &m);
        world_delivery(&w, &waits, (uint16_t)i);
        world_delivery(&w, &second, 0);
        world_delivery(&w, &third, 0);
    }
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

static void expect_rows(const struct delivery *rows, const struct page_result *result,
                        uint32_t endpoint, const char *expected)
{
    char got[MESSAGES + 1] = "";
    for (unsigned i = 0; i < result->count; i++) {
        assert_int_equal(rows[i].endpoint_number, endpoint);
        got[i] = (char)('0' + (id_time(&rows[i].message).us - WORLD_NOW) / 20 / US_PER_MS);
    }
    assert_string_equal(got, expected);
}

static void a_delivery_knows_its_message_and_endpoint(void **state)
{
    (void)state;
    struct id id = world_id(40, 1);
    struct delivery d;
    WORLD_OK(store_delivery_get(r, &id, 2, &d));
    assert_memory_equal(&d.message, &id, ID_BYTES);
    assert_int_equal(d.endpoint_number, 2);
    assert_int_equal(d.state, DELIVERY_DEAD);
    assert_int_equal(store_delivery_get(r, &id, 4, &d), ERR_NOT_FOUND);
}

static void deliveries_of_a_message_are_paged_by_endpoint(void **state)
{
    (void)state;
    struct id id = world_id(40, 1), second = world_id(40, 50);
    struct delivery rows[PAGE_MAX];
    struct page_result result;
    struct page page = {.limit = 2};
    WORLD_OK(store_deliveries_of_message(r, &id, &page, rows, &result));
    assert_int_equal(result.count, 2);
    assert_int_equal(rows[0].endpoint_number, 1);
    assert_int_equal(rows[1].endpoint_number, 2);
    assert_true(result.more);
    assert_memory_equal(&result.last, &second, ID_BYTES);

    page.has_cursor = true;
    page.cursor = result.last;
    WORLD_OK(store_deliveries_of_message(r, &id, &page, rows, &result));
    assert_int_equal(result.count, 1);
    assert_int_equal(rows[0].endpoint_number, 3);
    assert_false(result.more);

    page.backward = true;
    WORLD_OK(store_deliveries_of_message(r, &id, &page, rows, &result));
    assert_int_equal(result.count, 1);
    assert_int_equal(rows[0].endpoint_number, 1);

    page.cursor = world_id(99, 99); /* an endpoint that does not exist */
    WORLD_OK(store_deliveries_of_message(r, &id, &page, rows, &result));
    assert_int_equal(result.count, 0);
}

static void deliveries_of_an_endpoint_are_filtered_by_state_and_message(void **state)
{
    (void)state;
    static const struct span b[] = {SPAN("b")};
    const struct message_filter all = {0}, of_b = {.event_type_count = 1, .event_types = b};
    struct delivery rows[PAGE_MAX];
    struct page_result result;
    struct page page = {.limit = PAGE_MAX};
    WORLD_OK(store_deliveries_of_endpoint(r, 2, &page, 0, &all, rows, &result));
    expect_rows(rows, &result, 2, "543210");
    WORLD_OK(store_deliveries_of_endpoint(r, 2, &page, 1 << DELIVERY_DEAD, &all, rows, &result));
    expect_rows(rows, &result, 2, "420");
    WORLD_OK(store_deliveries_of_endpoint(r, 2, &page, 1 << DELIVERY_DEAD | 1 << DELIVERY_DELIVERED,
                                          &of_b, rows, &result));
    expect_rows(rows, &result, 2, "531");
    WORLD_OK(store_deliveries_of_endpoint(r, 2, &page, 1 << DELIVERY_DEAD, &of_b, rows, &result));
    expect_rows(rows, &result, 2, "");
}

static void dead_letters_are_listed_newest_first_and_filtered_by_death(void **state)
{
    (void)state;
    struct delivery rows[PAGE_MAX];
    struct page_result result;
    struct page page = {.limit = PAGE_MAX};
    WORLD_OK(store_dead_list(r, 2, &page, &(struct dead_filter){0}, rows, &result));
    expect_rows(rows, &result, 2, "420");
    struct dead_filter f = {.since = {WORLD_NOW + 2 * US_PER_S},
                            .until = {WORLD_NOW + 4 * US_PER_S}};
    WORLD_OK(store_dead_list(r, 2, &page, &f, rows, &result));
    expect_rows(rows, &result, 2, "2");
    f = (struct dead_filter){.event_type = SPAN("invoice.paid")};
    WORLD_OK(store_dead_list(r, 2, &page, &f, rows, &result));
    expect_rows(rows, &result, 2, "420");
    f.event_type = SPAN("invoice.void");
    WORLD_OK(store_dead_list(r, 2, &page, &f, rows, &result));
    expect_rows(rows, &result, 2, "");
    WORLD_OK(store_dead_list(r, 1, &page, &(struct dead_filter){0}, rows, &result));
    expect_rows(rows, &result, 1, "");
}

static void an_index_entry_that_names_no_message_is_skipped(void **state)
{
    (void)state;
    struct delivery rows[PAGE_MAX];
    struct page_result result;
    const struct page page = {.limit = PAGE_MAX};
    struct treekey key = key_number(2);
    memset(key.b + key.len, 1, 3);
    key.len += 3;
    world_begin(&w);
    world_index(&w, INDEX_ENDPOINT_MESSAGE, key, (struct span){0});
    world_commit(&w);
    reopen();
    WORLD_OK(
        store_deliveries_of_endpoint(r, 2, &page, 0, &(struct message_filter){0}, rows, &result));
    expect_rows(rows, &result, 2, "543210");
    assert_int_equal(counter_get(&w.s.stats.corrupt), 1);
}

static void what_is_held_waits_for_the_first_of_its_line_if_there_is_one(void **state)
{
    (void)state;
    const struct delivery d = {
        .message = world_id(40, 1), .endpoint_number = 1, .held = true, .line = {7}};
    struct id first;
    WORLD_OK(store_delivery_waits_for(r, &d, &first));
    assert_true(id_is_zero(&first));
    world_begin(&w);
    struct line_place at = {.line = {7}, .ticket = world_id(0, 1), .message = world_id(20, 1)};
    world_put(&w, TREE_LINE, key_line(1, &at));
    world_commit(&w);
    reopen();
    WORLD_OK(store_delivery_waits_for(r, &d, &first));
    assert_int_equal(id_cmp(&first, &at.message), 0);
    world_begin(&w);
    world_put(&w, TREE_LINE, key_line_begin(1, at.line)); /* cut */
    world_commit(&w);
    reopen();
    assert_int_equal(store_delivery_waits_for(r, &d, &first), ERR_CORRUPT);
    assert_true(id_is_zero(&first));
}

/* ---------------------------------------------------------------- due */

static void a_due_page_ends_at_now_at_max_or_at_the_endpoint(void **state)
{
    (void)state;
    static const struct {
        uint32_t endpoint;
        int from, now; /* seconds */
        unsigned max, count;
        int next; /* -1: never */
    } cases[] = {
        {1, 0, 100, 64, 6, -1}, {1, 0, 2, 64, 3, 3},    {1, 0, 100, 2, 2, 2},
        {1, 2, 100, 64, 4, -1}, {1, 3, 2, 64, 0, 3},    {1, 0, -1, 64, 0, 0},
        {1, 9, 100, 64, 0, -1}, {2, 0, 100, 64, 0, -1}, {0, 0, 100, 64, 0, -1},
        {1, 0, 100, 6, 6, -1},  {1, 0, 100, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct due_row rows[64];
        unsigned count;
        struct wall next;
        WORLD_OK(store_due_page(
            r, cases[i].endpoint, (struct wall){WORLD_NOW + cases[i].from * US_PER_S},
            (struct wall){WORLD_NOW + cases[i].now * US_PER_S}, rows, cases[i].max, &count, &next));
        assert_int_equal(count, cases[i].count);
        assert_true(next.us ==
                    (cases[i].next < 0 ? INT64_MAX : WORLD_NOW + cases[i].next * US_PER_S));
        for (unsigned k = 0; k < count; k++) {
            assert_int_equal(rows[k].due.us, WORLD_NOW + (cases[i].from + (int)k) * US_PER_S);
            assert_int_equal(rows[k].tries, cases[i].from + (int)k);
        }
    }
}

static void a_damaged_due_row_is_delivered_as_if_never_tried(void **state)
{
    (void)state;
    struct id id = world_id(100, 1);
    world_begin(&w);
    world_damage(&w, TREE_DUE,
                 key_due(1, (struct wall){WORLD_NOW + 5 * US_PER_S}, &id, TRIGGER_SCHEDULED));
    world_commit(&w);
    reopen();
    struct due_row rows[64];
    unsigned count;
    struct wall next;
    WORLD_OK(store_due_page(r, 1, (struct wall){0}, (struct wall){WORLD_NOW + WORLD_DAY}, rows, 64,
                            &count, &next));
    assert_int_equal(count, 6);
    assert_memory_equal(&rows[5].message, &id, ID_BYTES);
    assert_int_equal(rows[5].tries, 0);
    assert_int_equal(counter_get(&w.s.stats.corrupt), 1);
}

int main(void)
{
#define READ_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        READ_TEST(a_delivery_knows_its_message_and_endpoint),
        READ_TEST(deliveries_of_a_message_are_paged_by_endpoint),
        READ_TEST(deliveries_of_an_endpoint_are_filtered_by_state_and_message),
        READ_TEST(dead_letters_are_listed_newest_first_and_filtered_by_death),
        READ_TEST(an_index_entry_that_names_no_message_is_skipped),
        READ_TEST(what_is_held_waits_for_the_first_of_its_line_if_there_is_one),
        READ_TEST(a_due_page_ends_at_now_at_max_or_at_the_endpoint),
        READ_TEST(a_damaged_due_row_is_delivered_as_if_never_tried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
