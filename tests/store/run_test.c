/* One run on disk: its record, its rows, a walk over them, and their removal. */
#include "store/merge.h"
#include "store/run_cursor.h"
#include "store/run_writer.h"
#include "tests/store/index_fixture.h"

#define ENTRIES 400

static struct fixture f;
static struct run *run;

/* Key number n; odd numbers are not in the run. */
static struct span key_of(unsigned n, char out[8])
{
    return span_of(out, (size_t)snprintf(out, 8, "k%05u", n));
}

static void write_run(void)
{
    struct block_builder block;
    block_begin(&block);
    for (unsigned n = 0; n < ENTRIES; n++) {
        char key[8];
        struct index_entry e = {key_of(2 * n, key), SPAN("a value of some length"), {n + 1}};
        if (block_add(&block, &e))
            continue;
        assert_int_equal(run_writer_block(run, &f.ix->trees, f.txn, &block, &run->figures), ERR_OK);
        block_begin(&block);
        assert_true(block_add(&block, &e));
    }
    assert_int_equal(run_writer_block(run, &f.ix->trees, f.txn, &block, &run->figures), ERR_OK);
    run->figures.max_expires = (struct wall){ENTRIES};
    assert_int_equal(run_store(run, &f.ix->trees, f.txn, RUN_LIVE), ERR_OK);
}

/* The run between two neighbours in the same tree. */
static int setup(void **state)
{
    (void)state;
    fixture_open(&f, 8192, 4096);
    fixture_begin(&f);
    for (uint64_t number = 4; number <= 6; number++) {
        struct run *made = run_new(number, INDEX_EVENT_ID, 1);
        run_unref(&run);
        run = made;
        write_run();
    }
    run_unref(&run);
    run = run_new(5, INDEX_EVENT_ID, 1);
    char key[8];
    run_key_set(&run->figures.first, key_of(0, key));
    run_key_set(&run->figures.last, key_of(2 * ENTRIES - 2, key));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    run_unref(&run);
    fixture_abort(&f);
    fixture_close(&f);
    return 0;
}

static size_t rows_in(MDB_dbi tree)
{
    MDB_stat stat;
    assert_int_equal(mdb_stat(f.txn, tree, &stat), 0);
    return stat.ms_entries;
}

static void a_key_is_found_and_its_neighbours_are_not(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 2 * ENTRIES + 2; n++) {
        char key[8];
        struct index_entry e;
        enum err found = run_find(run, &f.ix->trees, f.txn, key_of(n, key), &e);
        assert_int_equal(found, n % 2 == 0 && n < 2 * ENTRIES ? ERR_OK : ERR_NOT_FOUND);
        if (!found)
            assert_int_equal(e.expires.us, n / 2 + 1);
    }
}

static void walk_from(struct run_cursor *c, unsigned n, bool backward)
{
    char key[8], expected[8];
    enum err e = run_cursor_seek(c, key_of(n, key), backward);
    unsigned at = backward ? n - n % 2 : n + n % 2;
    for (unsigned steps = 0; steps < 60 && at < 2 * ENTRIES; steps++) {
        assert_int_equal(e, ERR_OK);
        assert_true(span_eq(run_cursor_entry(c).key, key_of(at, expected)));
        e = run_cursor_step(c, backward);
        at += backward ? -2u : 2u;
    }
    if (at >= 2 * ENTRIES)
        assert_int_equal(e, ERR_NOT_FOUND);
}

static void a_walk_begins_anywhere_and_ends_at_the_run(void **state)
{
    (void)state;
    struct run_cursor c = {.run = run};
    assert_int_equal(mdb_cursor_open(f.txn, f.ix->trees.level[1], &c.rows), 0);
    for (unsigned n = 0; n < 2 * ENTRIES; n++) {
        walk_from(&c, n, false);
        walk_from(&c, n, true);
    }
    assert_int_equal(run_cursor_seek(&c, SPAN("a"), true), ERR_NOT_FOUND);
    assert_int_equal(run_cursor_seek(&c, SPAN("z"), false), ERR_NOT_FOUND);
    assert_int_equal(run_cursor_seek(&c, SPAN("z"), true), ERR_OK);
    mdb_cursor_close(c.rows);
}

/* Flips a bit in the second block of the run and says how many entries that block has. */
static unsigned damage_second_block(void)
{
    MDB_cursor *rows;
    struct run_row row = run_row(run->number, SPAN(""));
    MDB_val key = run_row_val(&row), value;
    assert_int_equal(mdb_cursor_open(f.txn, f.ix->trees.level[1], &rows), 0);
    assert_int_equal(mdb_cursor_get(rows, &key, &value, MDB_SET_RANGE), 0);
    assert_int_equal(mdb_cursor_get(rows, &key, &value, MDB_NEXT), 0);
    uint8_t copy[BLOCK_BYTES_MAX];
    memcpy(copy, value.mv_data, value.mv_size);
    copy[value.mv_size / 2] ^= 1;
    value.mv_data = copy;
    assert_int_equal(mdb_cursor_put(rows, &key, &value, MDB_CURRENT), 0);
    mdb_cursor_close(rows);
    return get_be16(copy + 5);
}

static void a_damaged_block_is_passed_over(void **state)
{
    (void)state;
    unsigned lost = damage_second_block();
    for (int backward = 0; backward < 2; backward++) {
        struct merge *m = merge_new(&f.ix->trees, f.txn, INDEX_EVENT_ID, 1, backward, true);
        assert_int_equal(merge_add_run(m, run), ERR_OK);
        assert_int_equal(merge_seek(m, backward ? SPAN("z") : SPAN("a")), ERR_OK);
        unsigned seen = 0;
        struct index_entry e;
        while (merge_next(m, &e) == ERR_OK)
            seen++;
        assert_int_equal(seen, ENTRIES - lost);
        merge_free(&m);
    }
    assert_true(atomic_load(&run->damage_reported));
}

static void rows_are_removed_in_slices_and_the_record_last(void **state)
{
    (void)state;
    struct filter *filter = filter_new(filter_size(3000));
    for (unsigned i = 0; i < run_filter_chunks(filter_bytes(filter)); i++)
        assert_int_equal(run_writer_filter(run, &f.ix->trees, f.txn, filter, i), ERR_OK);
    filter_unref(&filter);
    size_t before = rows_in(f.ix->trees.level[1]);
    bool gone = false;
    unsigned slices = 0, removed;
    while (!gone) {
        slices++;
        assert_int_equal(run_writer_remove(run, &f.ix->trees, f.txn, 2, &removed, &gone), ERR_OK);
        assert_true(removed <= 2);
        if (rows_in(f.ix->trees.filter) > 0)
            assert_int_equal(rows_in(f.ix->trees.run), 3);
    }
    assert_true(slices > before / 3 / 2);
    assert_int_equal(rows_in(f.ix->trees.level[1]), before / 3 * 2);
    assert_int_equal(rows_in(f.ix->trees.filter), 0);
    assert_int_equal(rows_in(f.ix->trees.run), 2);
}

static void a_record_comes_back_as_it_was(void **state)
{
    (void)state;
    run->figures = (struct run_figures){
        .entries = 1, .blocks = 2, .sum = 3, .filter_bytes = 8, .max_expires = WALL_NEVER};
    run_key_set(&run->figures.first, SPAN("a"));
    run_key_set(&run->figures.last, SPAN("bcd"));
    assert_int_equal(run_store(run, &f.ix->trees, f.txn, RUN_DOOMED), ERR_OK);
    struct run_row row = run_row(run->number, SPAN(""));
    MDB_val key = run_row_val(&row), value;
    assert_int_equal(mdb_get(f.txn, f.ix->trees.run, &key, &value), 0);
    struct run *back;
    enum run_state state_back;
    struct span key_bytes = span_of(key.mv_data, key.mv_size);
    assert_int_equal(
        run_decode(key_bytes, span_of(value.mv_data, value.mv_size), &back, &state_back), ERR_OK);
    assert_int_equal(state_back, RUN_DOOMED);
    assert_true(back->number == 5 && back->family == INDEX_EVENT_ID && back->level == 1);
    assert_memory_equal(&back->figures, &run->figures, sizeof run->figures);
    run_unref(&back);
    for (size_t len = 0; len < value.mv_size; len++)
        assert_int_equal(run_decode(key_bytes, span_of(value.mv_data, len), &back, &state_back),
                         ERR_CORRUPT);
}

static void a_filter_is_loaded_whole_or_not_at_all(void **state)
{
    (void)state;
    struct filter *filter = filter_new(filter_size(3000)), *loaded;
    for (size_t i = 0; i < filter_bytes(filter); i++)
        filter_data(filter)[i] = (uint8_t)i;
    run->figures.filter_bytes = (uint32_t)filter_bytes(filter);
    unsigned chunks = run_filter_chunks(filter_bytes(filter));
    assert_true(chunks > 1);
    for (unsigned i = 0; i < chunks; i++) {
        assert_int_equal(run_filter_load(run, &f.ix->trees, f.txn, &loaded), ERR_OK);
        assert_null(loaded);
        assert_int_equal(run_writer_filter(run, &f.ix->trees, f.txn, filter, i), ERR_OK);
    }
    assert_int_equal(run_filter_load(run, &f.ix->trees, f.txn, &loaded), ERR_OK);
    assert_non_null(loaded);
    assert_memory_equal(filter_data(loaded), filter_data(filter), filter_bytes(filter));
    filter_unref(&loaded);
    filter_unref(&filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_key_is_found_and_its_neighbours_are_not, setup, teardown),
        cmocka_unit_test_setup_teardown(a_walk_begins_anywhere_and_ends_at_the_run, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_damaged_block_is_passed_over, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_are_removed_in_slices_and_the_record_last, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_record_comes_back_as_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(a_filter_is_loaded_whole_or_not_at_all, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
