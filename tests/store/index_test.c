/* The index by its contract: batches, visibility, expiry, fullness, crashes, views, bounds. */
#include "tests/store/index_fixture.h"

#include "base/rand.h"

#define TABLE 8192
#define FILTERS (64 * 1024)
#define STEP 200

static struct fixture f;
static uint8_t value[INDEX_VALUE_MAX];
static size_t value_len;

static int setup(void **state)
{
    (void)state;
    fixture_open(&f, TABLE, FILTERS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

static struct span key_of(uint32_t n, uint8_t out[16])
{
    memset(out, 0, 16);
    put_be32(out, n * UINT32_C(2654435761));
    put_be32(out + 4, n);
    return span_of(out, 16);
}

static enum err put(uint32_t n, const char *text, int64_t lifetime_us)
{
    uint8_t key[16];
    return index_put(f.ix, INDEX_IDEMPOTENCY, key_of(n, key), span_text(text),
                     wall_add(f.now, lifetime_us));
}

static enum err get(uint32_t n)
{
    uint8_t key[16];
    return index_get(f.ix, f.txn, INDEX_IDEMPOTENCY, key_of(n, key), f.now, value, &value_len);
}

/* A view and a transaction of this moment, asked once. */
static enum err see(uint32_t n)
{
    uint8_t key[16];
    MDB_txn *txn;
    struct index_view *v = index_view_open(f.ix);
    assert_int_equal(mdb_txn_begin(f.env, NULL, MDB_RDONLY, &txn), 0);
    enum err e =
        index_view_get(v, txn, INDEX_IDEMPOTENCY, key_of(n, key), f.now, value, &value_len);
    mdb_txn_abort(txn);
    index_view_close(&v);
    return e;
}

/* A batch of numbers, committed; with a step when `rows` is not 0. */
static void put_range(uint32_t from, uint32_t to, int64_t lifetime_us, unsigned rows)
{
    fixture_begin(&f);
    for (uint32_t n = from; n < to; n++)
        assert_int_equal(put(n, "v", lifetime_us), ERR_OK);
    if (rows)
        (void)fixture_step(&f, rows);
    fixture_commit(&f);
}

/* So many numbers, in batches that leave the work its time. */
static void put_many(uint32_t from, uint32_t count, int64_t lifetime_us)
{
    for (uint32_t n = from; n < from + count; n += 20)
        put_range(n, n + 20, lifetime_us, STEP);
}

static void expect_all(uint32_t from, uint32_t count)
{
    fixture_begin(&f);
    for (uint32_t n = from; n < from + count; n++)
        assert_int_equal(get(n), ERR_OK);
    fixture_abort(&f);
}

static unsigned runs(void)
{
    return directory_count(f.ix->directory);
}

static size_t rows_in(MDB_dbi tree)
{
    MDB_stat stat;
    MDB_txn *txn;
    assert_int_equal(mdb_txn_begin(f.env, NULL, MDB_RDONLY, &txn), 0);
    assert_int_equal(mdb_stat(txn, tree, &stat), 0);
    mdb_txn_abort(txn);
    return stat.ms_entries;
}

static size_t rows_of_runs(void)
{
    size_t rows = rows_in(f.ix->trees.filter) + rows_in(f.ix->trees.run);
    for (unsigned level = 0; level < INDEX_LEVELS; level++)
        rows += rows_in(f.ix->trees.level[level]);
    return rows;
}

/* ------------------------------------------------ batches */

static void an_entry_is_found_by_its_batch_at_once_and_by_views_after_the_commit(void **state)
{
    (void)state;
    fixture_begin(&f);
    assert_int_equal(get(1), ERR_NOT_FOUND);
    assert_int_equal(put(1, "one", US_PER_S), ERR_OK);
    assert_int_equal(get(1), ERR_OK);
    assert_true(span_is(span_of(value, value_len), "one"));
    assert_int_equal(see(1), ERR_NOT_FOUND);
    fixture_commit(&f);
    assert_int_equal(see(1), ERR_OK);
}

static void an_aborted_batch_leaves_nothing(void **state)
{
    (void)state;
    fixture_begin(&f);
    assert_int_equal(put(1, "one", US_PER_S), ERR_OK);
    fixture_abort(&f);
    assert_int_equal(see(1), ERR_NOT_FOUND);
    fixture_begin(&f);
    assert_int_equal(get(1), ERR_NOT_FOUND);
    assert_int_equal(put(2, "two", US_PER_S), ERR_OK);
    fixture_commit(&f);
    fixture_reopen(&f);
    assert_int_equal(see(1), ERR_NOT_FOUND);
    assert_int_equal(see(2), ERR_OK);
}

static void the_newest_value_wins_in_a_batch_and_after_it(void **state)
{
    (void)state;
    fixture_begin(&f);
    assert_int_equal(put(1, "old", US_PER_S), ERR_OK);
    assert_int_equal(put(1, "new", US_PER_S), ERR_OK);
    assert_int_equal(get(1), ERR_OK);
    assert_true(span_is(span_of(value, value_len), "new"));
    fixture_commit(&f);
    assert_int_equal(see(1), ERR_OK);
    assert_true(span_is(span_of(value, value_len), "new"));
}

static void an_entry_dies_at_its_expiry_and_zero_means_never(void **state)
{
    (void)state;
    put_range(1, 2, US_PER_S, 0);
    fixture_begin(&f);
    assert_int_equal(
        index_put(f.ix, INDEX_IDEMPOTENCY, SPAN("for ever"), SPAN(""), (struct wall){0}), ERR_OK);
    fixture_commit(&f);
    fixture_advance(&f, US_PER_S - 1);
    assert_int_equal(see(1), ERR_OK);
    fixture_advance(&f, 1);
    assert_int_equal(see(1), ERR_NOT_FOUND);
    fixture_advance(&f, INT64_C(1000000) * US_PER_S);
    fixture_begin(&f);
    assert_int_equal(
        index_get(f.ix, f.txn, INDEX_IDEMPOTENCY, SPAN("for ever"), f.now, value, &value_len),
        ERR_OK);
    fixture_abort(&f);
}

static void two_full_tables_refuse_until_a_step_made_room(void **state)
{
    (void)state;
    uint32_t n = 0;
    for (enum err e = ERR_OK; !e;) {
        fixture_begin(&f);
        bool promised = index_has_room(f.ix, 1);
        e = put(n, "v", US_PER_S);
        assert_true(e == ERR_OK || (e == ERR_FULL && !promised));
        n += e == ERR_OK;
        fixture_commit(&f);
    }
    assert_true(n > 100);
    fixture_settle(&f);
    fixture_begin(&f);
    assert_true(index_has_room(f.ix, 1));
    assert_int_equal(put(n, "v", US_PER_S), ERR_OK);
    fixture_commit(&f);
    expect_all(0, n + 1);
}

static void a_batch_that_spans_two_tables_aborts_and_commits_as_one(void **state)
{
    (void)state;
    uint32_t n = 0;
    for (int turn = 0; turn < 2; turn++) {
        fixture_begin(&f);
        for (n = 0; !f.ix->following; n++)
            assert_int_equal(put(n, "v", US_PER_S), ERR_OK);
        assert_int_equal(get(0), ERR_OK);
        assert_int_equal(get(n - 1), ERR_OK);
        if (turn == 0)
            fixture_abort(&f);
        else
            fixture_commit(&f);
        assert_int_equal(see(0), turn == 0 ? ERR_NOT_FOUND : ERR_OK);
        assert_int_equal(see(n - 1), turn == 0 ? ERR_NOT_FOUND : ERR_OK);
    }
    fixture_settle(&f);
    fixture_reopen(&f);
    expect_all(0, n);
}

/* ------------------------------------------------ runs */

static void entries_move_through_runs_of_every_level_and_stay_found(void **state)
{
    (void)state;
    const uint32_t count = 20000;
    put_many(0, count, INT64_C(1000) * US_PER_S);
    fixture_settle(&f);
    assert_int_equal(f.ix->directory->item[runs() - 1].run->level, INDEX_LEVELS - 1);
    assert_true(runs() < 3 * INDEX_MERGE_RUNS);
    expect_all(0, count);
    uint64_t entries;
    assert_int_equal(fixture_check(&f, &entries), 0);
    assert_int_equal(entries, count);
    fixture_reopen(&f);
    expect_all(0, count);
}

static void short_lived_entries_never_reach_a_run(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 2000; n += 20) {
        put_range(n, n + 20, US_PER_MS, STEP);
        fixture_advance(&f, US_PER_MS);
    }
    fixture_settle(&f);
    assert_int_equal(runs(), 0);
    assert_int_equal(rows_of_runs(), 0);
    assert_true(rows_in(f.ix->trees.tail) < 2000 / 20);
}

static void runs_that_expired_as_a_whole_are_removed_with_all_their_rows(void **state)
{
    (void)state;
    put_many(0, 1000, US_PER_S);
    fixture_settle(&f);
    assert_true(runs() > 0 && rows_of_runs() > runs());
    fixture_advance(&f, 2 * US_PER_S);
    fixture_settle(&f);
    assert_int_equal(runs(), 0);
    assert_int_equal(rows_of_runs(), 0);
}

static void a_table_of_expired_entries_becomes_no_run(void **state)
{
    (void)state;
    uint32_t n = 0;
    fixture_close(&f);
    fixture_open(&f, 256 * 1024, FILTERS); /* thousands of entries: more than a block looks at */
    for (; !f.ix->frozen; n += 20)
        put_range(n, n + 20, US_PER_S, 0);
    put_range(n, n + 20, INT64_C(1000) * US_PER_S, 0);
    fixture_advance(&f, 2 * US_PER_S);
    fixture_settle(&f);
    assert_true(n > 2048);
    assert_null(f.ix->frozen);
    assert_int_equal(rows_of_runs(), 0);
    expect_all(n, 20);
}

/* As they would be found if merging never kept pace: so many runs, and they may be empty. */
static void plant_runs(unsigned count)
{
    fixture_begin(&f);
    for (unsigned n = 1; n <= count; n++) {
        struct run *run = run_new(n, INDEX_IDEMPOTENCY, 0);
        assert_non_null(run);
        assert_int_equal(run_store(run, &f.ix->trees, f.txn, RUN_LIVE), ERR_OK);
        run_unref(&run);
    }
    assert_int_equal(mdb_txn_commit(f.txn), 0);
    f.txn = NULL;
    fixture_reopen(&f);
}

static void a_full_level_takes_no_run_until_some_are_merged(void **state)
{
    (void)state;
    uint32_t n = 0;
    uint64_t entries;
    plant_runs(4 * INDEX_MERGE_RUNS);
    for (; !f.ix->frozen; n += 20)
        put_range(n, n + 20, INT64_C(1000) * US_PER_S, 0);
    fixture_begin(&f);
    (void)fixture_step(&f, STEP);
    assert_null(f.ix->job[0]);
    assert_non_null(f.ix->job[1]);
    fixture_commit(&f);
    assert_true(runs() < 4 * INDEX_MERGE_RUNS);
    fixture_settle(&f);
    assert_null(f.ix->frozen);
    expect_all(0, n);
    assert_int_equal(fixture_check(&f, &entries), 0);
}

static void the_tail_holds_only_what_is_in_memory(void **state)
{
    (void)state;
    put_many(0, 4000, US_PER_S);
    fixture_settle(&f);
    /* Each batch of twenty is one record, and a table holds fewer than two hundred entries. */
    assert_true(rows_in(f.ix->trees.tail) <= 1 + 2 * 200 / 20);
}

static void a_view_keeps_the_rows_of_its_runs_until_it_closes(void **state)
{
    (void)state;
    put_many(0, 500, INT64_C(1000) * US_PER_S);
    struct index_view *v = index_view_open(f.ix);
    assert_non_null(v);
    put_many(500, 3000, INT64_C(1000) * US_PER_S);
    fixture_settle(&f);
    /* The transaction begins long after the view, when its runs were merged away. */
    MDB_txn *txn;
    assert_int_equal(mdb_txn_begin(f.env, NULL, MDB_RDONLY, &txn), 0);
    uint8_t key[16];
    for (uint32_t n = 0; n < 500; n++)
        assert_int_equal(
            index_view_get(v, txn, INDEX_IDEMPOTENCY, key_of(n, key), f.now, value, &value_len),
            ERR_OK);
    assert_int_equal(
        index_view_get(v, txn, INDEX_IDEMPOTENCY, key_of(600, key), f.now, value, &value_len),
        ERR_NOT_FOUND);
    mdb_txn_abort(txn);
    assert_non_null(f.ix->doomed);
    index_view_close(&v);
    fixture_settle(&f);
    assert_null(f.ix->doomed);
}

static void filters_in_memory_stay_within_their_bound(void **state)
{
    (void)state;
    fixture_close(&f);
    const size_t bound = 4096;
    fixture_open(&f, TABLE, bound);
    for (uint32_t n = 0; n < 4000; n += 20) {
        put_range(n, n + 20, INT64_C(1000) * US_PER_S, STEP);
        assert_true(f.ix->directory->filter_bytes <= bound);
    }
    expect_all(0, 4000);
    fixture_reopen(&f);
    assert_true(f.ix->directory->filter_bytes > 0 && f.ix->directory->filter_bytes <= bound);
    expect_all(0, 4000);
}

/* ------------------------------------------------ crashes */

static void a_crash_at_any_slice_loses_nothing_and_leaves_no_row_behind(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 9);
    uint32_t n = 0;
    for (unsigned turn = 0; turn < 150; turn++) {
        for (unsigned batches = (unsigned)(rng_next(&rng) % 8); batches > 0; batches--) {
            uint32_t to = index_has_room(f.ix, 20) ? n + 20 : n;
            put_range(n, to, INT64_C(1000) * US_PER_S, 20 + (unsigned)(rng_next(&rng) % 60));
            n = to;
        }
        fixture_begin(&f);
        (void)fixture_step(&f, 1 + (unsigned)(rng_next(&rng) % 100));
        fixture_reopen(&f);
    }
    assert_true(n > 1000);
    expect_all(0, n);
    fixture_settle(&f);
    uint64_t entries;
    assert_int_equal(fixture_check(&f, &entries), 0);
    expect_all(0, n);
    fixture_advance(&f, INT64_C(2000) * US_PER_S);
    fixture_settle(&f);
    assert_int_equal(rows_of_runs(), 0);
}

static void an_aborted_step_is_done_again(void **state)
{
    (void)state;
    uint32_t n = 0;
    for (unsigned turn = 0; turn < 400; turn++) {
        if (index_has_room(f.ix, 20)) {
            put_range(n, n + 20, INT64_C(1000) * US_PER_S, 60);
            n += 20;
        }
        fixture_begin(&f);
        (void)fixture_step(&f, 60);
        (void)fixture_step(&f, 60);
        if (turn % 3)
            fixture_abort(&f);
        else
            fixture_commit(&f);
    }
    expect_all(0, n);
    fixture_settle(&f);
    expect_all(0, n);
    uint64_t entries;
    assert_int_equal(fixture_check(&f, &entries), 0);
    assert_int_equal(entries, n);
}

/* ------------------------------------------------ damage */

static void flip_first(MDB_dbi tree, size_t skip)
{
    MDB_txn *txn;
    MDB_cursor *c;
    MDB_val key, data;
    uint8_t copy[INLINE_BYTES_MAX];
    assert_int_equal(mdb_txn_begin(f.env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_cursor_open(txn, tree, &c), 0);
    assert_int_equal(mdb_cursor_get(c, &key, &data, MDB_FIRST), 0);
    for (; skip > 0; skip--)
        assert_int_equal(mdb_cursor_get(c, &key, &data, MDB_NEXT), 0);
    memcpy(copy, data.mv_data, data.mv_size);
    copy[data.mv_size - 1] ^= 0x40;
    data.mv_data = copy;
    assert_int_equal(mdb_cursor_put(c, &key, &data, MDB_CURRENT), 0);
    mdb_cursor_close(c);
    assert_int_equal(mdb_txn_commit(txn), 0);
}

static void the_check_finds_a_flipped_bit_in_every_tree_and_opening_survives_it(void **state)
{
    (void)state;
    put_many(0, 300, US_PER_S);
    fixture_settle(&f);
    put_many(300, 40, US_PER_S);
    uint64_t entries;
    assert_true(runs() > 0);
    assert_int_equal(fixture_check(&f, &entries), 0);
    const MDB_dbi trees[] = {f.ix->trees.level[0], f.ix->trees.filter, f.ix->trees.tail,
                             f.ix->trees.run};
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) {
        size_t skip = trees[i] == f.ix->trees.tail ? 1 : 0;
        flip_first(trees[i], skip);
        assert_true(fixture_check(&f, &entries) > 0);
        fixture_reopen(&f);
        assert_true(fixture_check(&f, &entries) > 0);
        flip_first(trees[i], skip);
        fixture_reopen(&f);
        assert_int_equal(fixture_check(&f, &entries), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_entry_is_found_by_its_batch_at_once_and_by_views_after_the_commit),
        TEST(an_aborted_batch_leaves_nothing),
        TEST(the_newest_value_wins_in_a_batch_and_after_it),
        TEST(an_entry_dies_at_its_expiry_and_zero_means_never),
        TEST(two_full_tables_refuse_until_a_step_made_room),
        TEST(a_batch_that_spans_two_tables_aborts_and_commits_as_one),
        TEST(entries_move_through_runs_of_every_level_and_stay_found),
        TEST(short_lived_entries_never_reach_a_run),
        TEST(runs_that_expired_as_a_whole_are_removed_with_all_their_rows),
        TEST(a_table_of_expired_entries_becomes_no_run),
        TEST(a_full_level_takes_no_run_until_some_are_merged),
        TEST(the_tail_holds_only_what_is_in_memory),
        TEST(a_view_keeps_the_rows_of_its_runs_until_it_closes),
        TEST(filters_in_memory_stay_within_their_bound),
        TEST(a_crash_at_any_slice_loses_nothing_and_leaves_no_row_behind),
        TEST(an_aborted_step_is_done_again),
        TEST(the_check_finds_a_flipped_bit_in_every_tree_and_opening_survives_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
