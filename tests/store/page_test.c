/* The walker of all lists: cursor, direction, bounds, budget; over a tree and over the index. */
#include "tests/store/world.h"

#include "store/page.h"
#include "store/read.h"

#define APP 7
#define ROWS 10
#define STEP_MS 20 /* between two rows */

static struct world w;
static struct store_read *r;

static enum err take(void *context, struct span suffix, struct span value, void *row)
{
    (void)value;
    if (!read_as_id(suffix, row))
        return ERR_CORRUPT;
    return !context || page_has(context, id_time(row)) ? ERR_OK : ERR_NOT_FOUND;
}

static struct treekey prefix;

/* Ids in the tree and in the index, with neighbours of other prefixes around them. */
static int setup(void **state)
{
    (void)state;
    world_open(&w);
    world_begin(&w);
    for (uint32_t app = APP - 1; app <= APP + 1; app++)
        for (int i = 0; i < ROWS; i++) {
            struct id id = world_id(i * STEP_MS, 1);
            world_put(&w, TREE_DEAD, key_number_id(app, &id));
            world_index(&w, INDEX_APP_MESSAGE, key_number_id(app, &id), (struct span){0});
        }
    world_commit(&w);
    WORLD_OK(store_read_begin(&w.s, &r));
    prefix = key_number(APP);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_read_end(&r);
    world_close(&w);
    return 0;
}

struct page_case {
    const char *name;
    struct page page;
    int cursor;        /* row; -1: none */
    int before, after; /* the moment of a row; -1: none */
    bool descending;
    const char *rows; /* expected, one digit a row */
    bool more;
};

static void run_case(const struct page_case *t, int source)
{
    struct page page = t->page;
    page.limit = page.limit ? page.limit : 3;
    if (t->cursor >= 0) {
        page.has_cursor = true;
        page.cursor = world_id(t->cursor * STEP_MS, 1);
    }
    if (t->before >= 0)
        page.before.us = WORLD_NOW + t->before * STEP_MS * US_PER_MS;
    if (t->after >= 0)
        page.after.us = WORLD_NOW + t->after * STEP_MS * US_PER_MS;
    struct page_list list = {
        .source = source ? PAGE_INDEX : PAGE_TREE,
        .tree = TREE_DEAD,
        .family = INDEX_APP_MESSAGE,
        .prefix = &prefix,
        .descending = t->descending,
        .timed = true,
        .take = take,
        .context = &page,
        .row_size = sizeof(struct id),
    };
    struct id rows[PAGE_MAX];
    struct page_result result;
    WORLD_OK(page_walk(r, &list, &page, rows, &result));
    char got[ROWS + 1] = "";
    for (unsigned i = 0; i < result.count; i++)
        got[i] = (char)('0' + (id_time(&rows[i]).us - WORLD_NOW) / STEP_MS / US_PER_MS);
    if (strcmp(got, t->rows) != 0 || result.more != t->more)
        fail_msg("%s (source %d): \"%s\" more %d", t->name, source, got, result.more);
}

static void pages_hold_the_rows_that_the_request_asks_for(void **state)
{
    (void)state;
    static const struct page_case cases[] = {
        {"first, up", {0}, -1, -1, -1, false, "012", true},
        {"first, down", {0}, -1, -1, -1, true, "987", true},
        {"flipped up", {.ascending = true}, -1, -1, -1, true, "012", true},
        {"flipped down", {.ascending = true}, -1, -1, -1, false, "987", true},
        {"next, up", {0}, 2, -1, -1, false, "345", true},
        {"next, down", {0}, 7, -1, -1, true, "654", true},
        {"last, up", {0}, 6, -1, -1, false, "789", false},
        {"last, down", {0}, 3, -1, -1, true, "210", false},
        {"beyond the end", {0}, 9, -1, -1, false, "", false},
        {"back, up", {.backward = true}, 6, -1, -1, false, "345", true},
        {"back, down", {.backward = true}, 3, -1, -1, true, "654", true},
        {"back to the front", {.backward = true}, 7, -1, -1, true, "98", false},
        {"back at the front", {.backward = true}, 9, -1, -1, true, "", false},
        {"back without a cursor", {.backward = true}, -1, -1, -1, true, "210", true},
        {"before", {0}, -1, 5, -1, true, "432", true},
        {"before, then next", {0}, 3, 5, -1, true, "210", false},
        {"before all", {0}, -1, 0, -1, true, "", false},
        {"after alone", {0}, -1, -1, 3, true, "654", true},
        {"after alone, near the end", {0}, -1, -1, 8, true, "9", false},
        {"after the end", {0}, -1, -1, 100, true, "", false},
        {"after and before", {0}, -1, 7, 3, true, "654", false},
        {"after, then next", {0}, 5, -1, 3, true, "4", false},
        {"after, then back", {.backward = true}, 5, -1, 3, true, "876", true},
        {"all", {.limit = 250}, -1, -1, -1, true, "9876543210", false},
        {"exactly all", {.limit = 10}, -1, -1, -1, true, "9876543210", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int source = 0; source < 2; source++)
            run_case(&cases[i], source);
}

static void time_bounds_are_exclusive(void **state)
{
    (void)state;
    struct page page = {.before = {20}, .after = {10}};
    assert_false(page_has(&page, (struct wall){10}));
    assert_true(page_has(&page, (struct wall){11}));
    assert_true(page_has(&page, (struct wall){19}));
    assert_false(page_has(&page, (struct wall){20}));
    assert_true(page_has(&(struct page){0}, (struct wall){20}));
}

/* ---------------------------------------------------------------- budget */

static enum err take_none(void *context, struct span suffix, struct span value, void *row)
{
    (void)suffix;
    (void)value;
    (void)row;
    ++*(unsigned *)context;
    return ERR_NOT_FOUND;
}

static void a_list_that_finds_nothing_stops_and_tells_where_to_go_on(void **state)
{
    (void)state;
    world_begin(&w);
    for (int i = 0; i < 2 * READ_ROWS_MAX + 10; i++) {
        struct id id = world_id(i * 4, 2);
        world_put(&w, TREE_DEAD, key_number_id(APP + 5, &id));
    }
    world_commit(&w);
    store_read_end(&r);
    WORLD_OK(store_read_begin(&w.s, &r));
    prefix = key_number(APP + 5);
    unsigned looked = 0, pages = 0;
    struct page_list list = {
        .source = PAGE_TREE,
        .tree = TREE_DEAD,
        .prefix = &prefix,
        .take = take_none,
        .context = &looked,
        .row_size = sizeof(struct id),
    };
    struct page page = {.limit = 1};
    struct id row;
    struct page_result result;
    do {
        unsigned before = looked;
        WORLD_OK(page_walk(r, &list, &page, &row, &result));
        assert_int_equal(result.count, 0);
        assert_true(looked - before <= READ_ROWS_MAX);
        page.has_cursor = true;
        page.cursor = result.last;
        pages++;
    } while (result.more);
    assert_int_equal(looked, 2 * READ_ROWS_MAX + 10);
    assert_int_equal(pages, 3);
}

static enum err take_broken(void *context, struct span suffix, struct span value, void *row)
{
    unsigned *taken = context;
    (void)suffix;
    (void)value;
    if (++*taken == 3)
        return ERR_IO;
    *(void **)row = malloc(1);
    return ERR_OK;
}

static void drop(void *row)
{
    free(*(void **)row);
}

static void an_error_leaves_no_row_behind(void **state)
{
    (void)state;
    unsigned taken = 0;
    struct page_list list = {
        .source = PAGE_TREE,
        .tree = TREE_DEAD,
        .prefix = &prefix,
        .take = take_broken,
        .drop = drop,
        .context = &taken,
        .row_size = sizeof(void *),
    };
    struct page page = {.limit = 5};
    void *rows[5];
    struct page_result result;
    assert_int_equal(page_walk(r, &list, &page, rows, &result), ERR_IO);
    assert_int_equal(result.count, 0);
}

static void a_prefix_of_the_highest_number_is_walked_from_its_end(void **state)
{
    (void)state;
    struct id id = world_id(0, 3), row;
    world_begin(&w);
    world_put(&w, TREE_DEAD, key_number_id(UINT32_MAX, &id));
    world_commit(&w);
    store_read_end(&r);
    WORLD_OK(store_read_begin(&w.s, &r));
    prefix = key_number(UINT32_MAX);
    struct page_list list = {
        .source = PAGE_TREE,
        .tree = TREE_DEAD,
        .prefix = &prefix,
        .descending = true,
        .take = take,
        .row_size = sizeof row,
    };
    struct page page = {.limit = 1};
    struct page_result result;
    WORLD_OK(page_walk(r, &list, &page, &row, &result));
    assert_int_equal(result.count, 1);
    assert_memory_equal(&row, &id, sizeof id);
}

int main(void)
{
#define PAGE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        PAGE_TEST(pages_hold_the_rows_that_the_request_asks_for),
        PAGE_TEST(time_bounds_are_exclusive),
        PAGE_TEST(a_list_that_finds_nothing_stops_and_tells_where_to_go_on),
        PAGE_TEST(an_error_leaves_no_row_behind),
        PAGE_TEST(a_prefix_of_the_highest_number_is_walked_from_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
