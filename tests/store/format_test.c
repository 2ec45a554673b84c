/* A data directory is new, of this format, older, newer or damaged, and is never taken for one of
 * the others. */
#include "tests/store/rig.h"

#include "store/format.h"

static struct rig r;

/* Does something to the stopped store's trees. */
static void alter(void (*change)(MDB_txn *txn, MDB_dbi trees, void *context), void *context)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi trees;
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, TREES + 64), 0);
    assert_int_equal(mdb_env_set_mapsize(env, (size_t)r.settings.map_size), 0);
    assert_int_equal(mdb_env_open(env, r.dir, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &trees), 0);
    change(txn, trees, context);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void drop_tree(MDB_txn *txn, MDB_dbi trees, void *name)
{
    MDB_dbi tree;
    (void)trees;
    assert_int_equal(mdb_dbi_open(txn, name, 0, &tree), 0);
    assert_int_equal(mdb_drop(txn, tree, 1), 0);
}

static void drop_meta_row(MDB_txn *txn, MDB_dbi trees, void *name)
{
    MDB_dbi meta;
    MDB_val key = {strlen(name), name};
    (void)trees;
    assert_int_equal(mdb_dbi_open(txn, "meta", 0, &meta), 0);
    assert_int_equal(mdb_del(txn, meta, &key, NULL), 0);
}

static void put_format(MDB_txn *txn, MDB_dbi trees, void *format)
{
    MDB_dbi meta;
    MDB_val key = {sizeof META_FORMAT - 1, META_FORMAT}, value = {4, format};
    (void)trees;
    assert_int_equal(mdb_dbi_open(txn, "meta", 0, &meta), 0);
    assert_int_equal(mdb_put(txn, meta, &key, &value, 0), 0);
}

/* What an older program left: fewer trees, a bare organisation, no marks before the first commit. */
static void make_format_1(MDB_txn *txn, MDB_dbi trees, void *org)
{
    static uint8_t one[4] = {0, 0, 0, 1};
    static char *const later[] = {"health", "line", "consumer", "portal"};
    MDB_dbi meta;
    MDB_val key = {sizeof META_ORG - 1, META_ORG}, value = {ID_BYTES, org};
    for (size_t i = 0; i < sizeof later / sizeof *later; i++)
        drop_tree(txn, trees, later[i]);
    put_format(txn, trees, one);
    assert_int_equal(mdb_dbi_open(txn, "meta", 0, &meta), 0);
    assert_int_equal(mdb_put(txn, meta, &key, &value, 0), 0);
}

static void expect_refused(enum err wanted)
{
    struct store *s;
    assert_int_equal(store_open(&r.settings, &s), wanted);
    assert_null(s);
}

/* Every bit of a tree's name counts: LMDB keeps names without a checksum. */
static void a_tree_that_is_missing_is_damage_and_never_made_anew(void **state)
{
    (void)state;
#define TREE_TEXT(name, text) text,
    static char *const names[] = {TREE_LIST(TREE_TEXT) "index_tail", "index_run", "index_level_1"};
#undef TREE_TEXT
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        rig_open(&r);
        (void)rig_app(&r, "one");
        rig_stop(&r);
        alter(drop_tree, names[i]);
        expect_refused(ERR_CORRUPT);
        expect_refused(ERR_CORRUPT); /* nothing was made meanwhile */
        rig_remove(&r);
    }
}

static void a_row_that_every_store_has_is_missed(void **state)
{
    (void)state;
    static char *const rows[] = {META_FORMAT, META_MARKS, META_ORG};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rig_open(&r);
        rig_stop(&r);
        alter(drop_meta_row, rows[i]);
        expect_refused(ERR_CORRUPT);
        rig_remove(&r);
    }
}

static void an_older_format_is_brought_up_to_date_and_keeps_what_it_has(void **state)
{
    (void)state;
    rig_open(&r);
    struct app a = rig_app(&r, "one");
    struct endpoint e = rig_add_endpoint(&r, &a);
    struct id message = rig_send(&r, &a), org = store_default_org(r.s);
    rig_stop(&r);
    alter(make_format_1, org.b);
    r.settings.as_is = true;
    expect_refused(ERR_VERSION);
    r.settings.as_is = false;
    rig_start(&r);
    struct id kept = store_default_org(r.s);
    assert_int_equal(id_cmp(&kept, &org), 0);
    assert_int_equal(rig_state(&r, &message, e.number), DELIVERY_SCHEDULED);
    rig_disable(&r, &e, true); /* its health has a tree to stand in */
    rig_restart(&r);
    r.settings.as_is = true;
    rig_restart(&r); /* now it is of this format */
    rig_close(&r);
}

static void an_older_format_without_a_first_commit_is_brought_up_to_date(void **state)
{
    (void)state;
    rig_open(&r);
    struct id org = store_default_org(r.s);
    rig_stop(&r);
    alter(make_format_1, org.b);
    alter(drop_meta_row, META_MARKS);
    alter(drop_meta_row, META_ORG);
    rig_start(&r);
    struct app a = rig_app(&r, "one");
    (void)rig_send(&r, &a);
    rig_close(&r);
}

static void a_newer_format_and_one_that_never_was_are_left_alone(void **state)
{
    (void)state;
    static uint8_t newer[4] = {0, 0, 0, STORE_FORMAT + 1}, none[4] = {0};
    rig_open(&r);
    rig_stop(&r);
    alter(put_format, newer);
    expect_refused(ERR_VERSION);
    alter(put_format, none);
    expect_refused(ERR_CORRUPT);
    rig_remove(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_that_is_missing_is_damage_and_never_made_anew),
        cmocka_unit_test(a_row_that_every_store_has_is_missed),
        cmocka_unit_test(an_older_format_is_brought_up_to_date_and_keeps_what_it_has),
        cmocka_unit_test(an_older_format_without_a_first_commit_is_brought_up_to_date),
        cmocka_unit_test(a_newer_format_and_one_that_never_was_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
