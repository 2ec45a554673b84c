/* Reading statistics: hour by hour, past what cannot be read, a bounded piece at a time. */
#include "tests/store/world.h"

#include "store/stat.h"

#define ENDPOINT 7

static struct world w;

static int setup(void **state)
{
    (void)state;
    world_open(&w);
    world_begin(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

static uint32_t hour_of(unsigned n)
{
    return stat_hour((struct wall){WORLD_NOW}) + n;
}

static struct treekey key_of(unsigned n)
{
    struct treekey key = key_number(hour_of(n)), endpoint = key_number(ENDPOINT);
    memcpy(key.b + key.len, endpoint.b, endpoint.len);
    key.len += endpoint.len;
    return key;
}

static void put_hour(unsigned n)
{
    const struct stat_record row = {.stats.succeeded = 1};
    record_stat_encode(&row, &w.record);
    world_put(&w, TREE_STAT, key_of(n));
}

/* Attempts of so many hours, and how many pieces they were read in. */
static uint64_t read_hours(unsigned hours, unsigned *pieces)
{
    struct wall next = {hour_of(0) * HOUR_US}, until = {hour_of(hours - 1) * HOUR_US};
    struct endpoint_stats sum = {.succeeded = 0};
    *pieces = 0;
    do {
        struct store_read *r;
        WORLD_OK(store_read_begin(&w.s, &r));
        WORLD_OK(store_endpoint_stats(r, ENDPOINT, next, until, &sum, &next));
        store_read_end(&r);
        ++*pieces;
    } while (next.us);
    return sum.succeeded;
}

static void rows_that_cannot_be_read_are_passed_over(void **state)
{
    (void)state;
    unsigned pieces;
    struct treekey cut = key_of(3);
    for (unsigned n = 0; n < 5; n++)
        if (n != 3)
            put_hour(n);
    world_damage(&w, TREE_STAT, key_of(1));
    cut.b[4] = 1; /* behind the endpoint's own, which is not there */
    cut.len = 5;
    buf_text(&w.record, "x");
    world_put(&w, TREE_STAT, cut);
    world_commit(&w);
    assert_int_equal(read_hours(8, &pieces), 3); /* three more, of which there is nothing */
    assert_int_equal(pieces, 1);
    assert_int_equal(counter_get(&w.s.stats.corrupt), 1);
}

static void a_long_time_is_read_in_pieces(void **state)
{
    (void)state;
    const unsigned hours = READ_ROWS_MAX + 10;
    unsigned pieces;
    for (unsigned n = 0; n < hours; n++)
        put_hour(n);
    world_commit(&w);
    assert_int_equal(read_hours(hours, &pieces), hours);
    assert_int_equal(pieces, 2);
}

int main(void)
{
#define READ_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        READ_TEST(rows_that_cannot_be_read_are_passed_over),
        READ_TEST(a_long_time_is_read_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
