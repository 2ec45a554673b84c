/* Every row of a filled store is spoiled in turn: its key longer, shorter or another, its value
 * longer, cut or another. `check` finds each, but for what every start looks at: the format and the
 * proof of the main secret. */
#include "tests/store/sweep_world.h"

#define KEY_ROOM 600
#define VALUE_ROOM 40000
#define ROWS_MAX 4000

struct row {
    enum tree tree;
    struct span key, value;
};

static struct row rows[ROWS_MAX];
static unsigned row_count;

static uint64_t findings(void)
{
    struct check_report report;
    OK(store_check(sweep.r.s, sweep_ignore, NULL, &report));
    return report.errors;
}

static struct span copy(struct span s)
{
    char *bytes = malloc(s.len + 1);
    assert_non_null(bytes);
    if (s.len)
        memcpy(bytes, s.ptr, s.len);
    return span_of(bytes, s.len);
}

static void load_tree(MDB_txn *txn, enum tree tree)
{
    MDB_cursor *c;
    struct span key = {0}, value;
    OK(tree_cursor(&sweep.r.s->env, txn, tree, &c));
    for (enum err e = tree_walk(c, MDB_FIRST, &key, &value); !e;
         e = tree_walk(c, MDB_NEXT, &key, &value)) {
        if (span_is(key, META_FORMAT) || span_is(key, META_SECRET))
            continue;
        assert_true(row_count < ROWS_MAX);
        rows[row_count++] = (struct row){tree, copy(key), copy(value)};
    }
    mdb_cursor_close(c);
}

/* One row in the place of another. */
static void replace(const struct row *old, const struct row *fresh)
{
    MDB_txn *txn;
    const struct env *env = &sweep.r.s->env;
    assert_int_equal(mdb_txn_begin(env->mdb, NULL, 0, &txn), 0);
    OK(tree_del(env, txn, old->tree, old->key));
    OK(tree_put(env, txn, fresh->tree, fresh->key, fresh->value, 0));
    assert_int_equal(mdb_txn_commit(txn), 0);
}

static bool exists(enum tree tree, struct span key)
{
    for (unsigned i = 0; i < row_count; i++)
        if (rows[i].tree == tree && span_eq(rows[i].key, key))
            return true;
    return false;
}

static unsigned spoil(const struct row *row, struct span key, struct span value, const char *how)
{
    const struct row spoiled = {row->tree, key, value};
    if (!span_eq(key, row->key) && exists(row->tree, key))
        return 0;
    replace(row, &spoiled);
    bool found = findings() > 0;
    replace(&spoiled, row);
    if (!found)
        print_error("tree %d, key of %zu bytes, value of %zu: %s is not found\n", row->tree,
                    row->key.len, row->value.len, how);
    return !found;
}

static unsigned spoil_all_ways(const struct row *row)
{
    static char bytes[VALUE_ROOM];
    struct span key = row->key, value = row->value;
    unsigned missed = 0;
    assert_true(key.len + 1 < KEY_ROOM && value.len + 1 < VALUE_ROOM);
    memcpy(bytes, key.ptr, key.len);
    bytes[key.len] = 0;
    missed += spoil(row, span_of(bytes, key.len + 1), value, "a longer key");
    missed += spoil(row, span_of(bytes, key.len - 1), value, "a shorter key");
    bytes[key.len - 1] ^= 1;
    missed += spoil(row, span_of(bytes, key.len), value, "another key");
    memcpy(bytes, value.ptr, value.len);
    bytes[value.len] = 0;
    missed += spoil(row, key, span_of(bytes, value.len + 1), "a longer value");
    if (value.len == 0)
        return missed;
    missed += spoil(row, key, span_of(bytes, value.len - 1), "a shorter value");
    bytes[value.len - 1] ^= 1;
    return missed + spoil(row, key, span_of(bytes, value.len), "another value");
}

static void every_spoiled_row_is_found(void **state)
{
    (void)state;
    unsigned missed = 0;
    for (unsigned i = 0; i < row_count; i++)
        missed += spoil_all_ways(&rows[i]);
    assert_int_equal(missed, 0);
    assert_int_equal(findings(), 0);
}

static int set_up(void **state)
{
    MDB_txn *txn;
    (void)state;
    world_fill();
    OK(store_open(&sweep.r.settings, &sweep.r.s));
    assert_int_equal(mdb_txn_begin(sweep.r.s->env.mdb, NULL, MDB_RDONLY, &txn), 0);
    for (int t = 0; t < TREES; t++)
        load_tree(txn, (enum tree)t);
    mdb_txn_abort(txn);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < row_count; i++) {
        free((void *)(uintptr_t)rows[i].key.ptr);
        free((void *)(uintptr_t)rows[i].value.ptr);
    }
    store_close(&sweep.r.s);
    sweep_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spoiled_row_is_found),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
