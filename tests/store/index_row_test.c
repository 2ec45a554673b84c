/* Every row of a filled index is spoiled in turn, with a checksum that is right, too: index_check
 * finds it, but for a bit too many in a filter, which is harmless, and nothing is read that was not
 * written. */
#include "tests/store/index_fixture.h"

#include "base/hash.h"
#include "base/log.h"
#include "store/block.h"
#include "store/codec.h"

#define TABLE 8192
#define FILTERS (8 * 1024)
#define BATCH 16
#define BATCHES 60
/* Of the bytes that are changed. One thread alone runs: the thread sanitizer has little to see. */
#ifdef __SANITIZE_THREAD__
#define STRIDE 50
#else
#define STRIDE 5
#endif
#define ROWS_MAX 512

static struct fixture f;
static struct row {
    MDB_dbi tree;
    MDB_val key, value;
} rows[ROWS_MAX];
static unsigned row_count;

static struct span key_of(uint32_t n, uint8_t out[16])
{
    memset(out, 0, 16);
    put_be32(out, n % 3);
    put_be32(out + 4, n * UINT32_C(2654435761));
    put_be32(out + 8, n);
    return span_of(out, 16);
}

static void fill(void)
{
    for (uint32_t batch = 0; batch < BATCHES; batch++) {
        while (!index_has_room(f.ix, 2 * BATCH)) {
            fixture_begin(&f);
            (void)fixture_step(&f, 60);
            fixture_commit(&f);
        }
        fixture_begin(&f);
        for (uint32_t n = batch * BATCH; n < (batch + 1) * BATCH; n++) {
            uint8_t key[16];
            struct span k = key_of(n, key);
            struct wall expires = wall_add(f.now, (1 + batch) * US_PER_S * 1000);
            assert_int_equal(index_put(f.ix, INDEX_IDEMPOTENCY, k, span_of(key, 8), expires), 0);
            assert_int_equal(index_put(f.ix, INDEX_APP_MESSAGE, k, SPAN(""), expires), 0);
        }
        (void)fixture_step(&f, 60);
        fixture_commit(&f);
    }
}

static MDB_val copy(MDB_val v)
{
    void *bytes = malloc(v.mv_size + 1);
    assert_non_null(bytes);
    memcpy(bytes, v.mv_data, v.mv_size);
    return (MDB_val){v.mv_size, bytes};
}

/* Of the tail the first row is the mark: without it more is read back than there need be. */
static void load_tree(MDB_txn *txn, MDB_dbi tree)
{
    MDB_cursor *c;
    MDB_val key, value;
    assert_int_equal(mdb_cursor_open(txn, tree, &c), 0);
    while (mdb_cursor_get(c, &key, &value, MDB_NEXT) == 0) {
        if (tree == f.ix->trees.tail && get_be64(key.mv_data) == 0)
            continue;
        assert_true(row_count < ROWS_MAX);
        rows[row_count++] = (struct row){tree, copy(key), copy(value)};
    }
    mdb_cursor_close(c);
}

static void replace(const struct row *old, struct row fresh)
{
    MDB_txn *txn;
    MDB_val key = old->key;
    assert_int_equal(mdb_txn_begin(f.env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_del(txn, old->tree, &key, NULL), 0);
    assert_int_equal(mdb_put(txn, fresh.tree, &fresh.key, &fresh.value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
}

static bool exists(MDB_dbi tree, MDB_val key)
{
    for (unsigned i = 0; i < row_count; i++)
        if (rows[i].tree == tree && rows[i].key.mv_size == key.mv_size &&
            memcmp(rows[i].key.mv_data, key.mv_data, key.mv_size) == 0)
            return true;
    return false;
}

/* What is found of one that is written may only be what was written. */
static void look(void)
{
    uint8_t key[16], value[INDEX_VALUE_MAX];
    size_t len;
    fixture_begin(&f);
    for (uint32_t n = 0; n < BATCHES * BATCH; n += 37) {
        enum err e = index_get(f.ix, f.txn, INDEX_IDEMPOTENCY, key_of(n, key), f.now, value, &len);
        assert_true(e == ERR_OK || e == ERR_NOT_FOUND);
    }
    fixture_abort(&f);
}

static bool spoil(const struct row *row, MDB_val key, MDB_val value)
{
    uint64_t entries;
    const struct row spoiled = {row->tree, key, value};
    replace(row, spoiled);
    bool found = fixture_check(&f, &entries) > 0;
    look();
    replace(&spoiled, *row);
    return found;
}

/* The checksum of what stands behind it. */
static void seal(uint8_t *record, size_t len)
{
    uint32_t sum = hash_checksum(span_of(record + CODEC_HEAD, len - CODEC_HEAD));
    put_be32(record + 1, sum);
}

/* Others have nothing but their checksum to say what they should be. */
static bool is_level(MDB_dbi tree)
{
    for (unsigned level = 0; level < INDEX_LEVELS; level++)
        if (tree == f.ix->trees.level[level])
            return true;
    return false;
}

static void every_changed_byte_is_found(void **state)
{
    (void)state;
    for (unsigned i = 0; i < row_count; i++) {
        const struct row *row = &rows[i];
        for (size_t at = 0; at < row->value.mv_size; at += STRIDE) {
            MDB_val damaged = copy(row->value), sealed = copy(row->value);
            ((uint8_t *)damaged.mv_data)[at] ^= 1;
            if (!spoil(row, row->key, damaged))
                fail_msg("row %u, byte %zu: not found", i, at);
            ((uint8_t *)sealed.mv_data)[at] ^= 1;
            seal(sealed.mv_data, sealed.mv_size);
            if (!spoil(row, row->key, sealed) && at >= CODEC_HEAD && is_level(row->tree))
                fail_msg("row %u, byte %zu, sealed: not found", i, at);
            free(damaged.mv_data);
            free(sealed.mv_data);
        }
    }
}

static void every_changed_key_is_found(void **state)
{
    (void)state;
    for (unsigned i = 0; i < row_count; i++) {
        MDB_val key = copy(rows[i].key);
        uint8_t *bytes = key.mv_data;
        bytes[key.mv_size - 1] ^= 1;
        if (!exists(rows[i].tree, key) && !spoil(&rows[i], key, rows[i].value))
            fail_msg("row %u of tree %u under another key: not found", i, rows[i].tree);
        bytes[key.mv_size - 1] ^= 1;
        bytes[key.mv_size++] = 0;
        if (!spoil(&rows[i], key, rows[i].value))
            fail_msg("row %u under a longer key: not found", i);
        key.mv_size = 5;
        if (!spoil(&rows[i], key, rows[i].value))
            fail_msg("row %u under a short key: not found", i);
        free(key.mv_data);
    }
}

/* In a run it would be: the tail has the family before the key. */
static void a_key_that_is_too_long_is_found(void **state)
{
    (void)state;
    static struct block_builder block;
    char key[BLOCK_KEY_MAX];
    memset(key, 'k', sizeof key);
    block_begin(&block);
    const struct index_entry entry = {span_of(key, sizeof key), SPAN("v"), WALL_NEVER};
    assert_true(block_add(&block, &entry));
    struct span sealed = block_seal(&block);
    unsigned i = 0;
    while (!is_level(rows[i].tree))
        assert_true(++i < row_count);
    const MDB_val value = {sealed.len, (void *)(uintptr_t)sealed.ptr};
    assert_true(spoil(&rows[i], rows[i].key, value));
}

static int set_up(void **state)
{
    MDB_txn *txn;
    (void)state;
    log_setup(LOG_ERROR + 1, LOG_TEXT);
    fixture_open(&f, TABLE, FILTERS);
    fill();
    const struct index_trees *t = &f.ix->trees;
    assert_int_equal(mdb_txn_begin(f.env, NULL, MDB_RDONLY, &txn), 0);
    load_tree(txn, t->run);
    load_tree(txn, t->filter);
    for (unsigned level = 0; level < INDEX_LEVELS; level++)
        load_tree(txn, t->level[level]);
    load_tree(txn, t->tail);
    mdb_txn_abort(txn);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < row_count; i++) {
        free(rows[i].key.mv_data);
        free(rows[i].value.mv_data);
    }
    fixture_close(&f);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_changed_byte_is_found),
        cmocka_unit_test(every_changed_key_is_found),
        cmocka_unit_test(a_key_that_is_too_long_is_found),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
