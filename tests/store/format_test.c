/* A data directory is new, of this format, older, newer or damaged, and is never taken for one of
 * the others. */
#include "tests/store/older.h"

#include "store/format.h"

static struct rig r;

static void alter(void (*change)(MDB_txn *txn, MDB_dbi trees, void *context), void *context)
{
    older_alter(&r, change, context);
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
    const struct span *row = format;
    (void)trees;
    older_put_meta(txn, META_FORMAT, row->ptr, row->len);
}

static void cut_org(MDB_txn *txn, MDB_dbi trees, void *org)
{
    (void)trees;
    older_put_meta(txn, META_ORG, org, ID_BYTES - 1);
}

static void make_row_of_tree(MDB_txn *txn, MDB_dbi trees, void *name)
{
    MDB_val key = {strlen(name), name}, value = {3, "row"};
    older_drop_tree(txn, trees, name);
    assert_int_equal(mdb_put(txn, trees, &key, &value, 0), 0);
}

static void turn_tree_around(MDB_txn *txn, MDB_dbi trees, void *name)
{
    MDB_dbi tree;
    older_drop_tree(txn, trees, name);
    assert_int_equal(mdb_dbi_open(txn, name, MDB_CREATE | MDB_REVERSEKEY, &tree), 0);
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
        alter(older_drop_tree, names[i]);
        expect_refused(ERR_CORRUPT);
        expect_refused(ERR_CORRUPT); /* nothing was made meanwhile */
        rig_remove(&r);
    }
}

static void a_tree_of_another_kind_is_damage(void **state)
{
    (void)state;
    rig_open(&r);
    rig_stop(&r);
    alter(make_row_of_tree, "line");
    expect_refused(ERR_CORRUPT);
    rig_remove(&r);
    rig_open(&r);
    rig_stop(&r);
    alter(make_row_of_tree, "index_tail");
    expect_refused(ERR_CORRUPT);
    rig_remove(&r);
    rig_open(&r);
    rig_stop(&r);
    alter(turn_tree_around, "line");
    expect_refused(ERR_CORRUPT);
    rig_remove(&r);
}

static void put_other_proof(MDB_txn *txn, MDB_dbi trees, void *proof)
{
    (void)trees;
    older_put_meta(txn, META_SECRET, proof, 5);
}

/* It opens, and is not what every store has sealed. */
static void another_proof_of_the_main_secret_is_none(void **state)
{
    (void)state;
    static char other[] = {0, 'x', 'y', 'z', 0};
    rig_open(&r);
    rig_stop(&r);
    alter(put_other_proof, other);
    expect_refused(ERR_INVALID);
    rig_remove(&r);
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
    alter(older_make_1, org.b);
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
    alter(older_make_1, org.b);
    alter(drop_meta_row, META_MARKS);
    alter(drop_meta_row, META_ORG);
    rig_start(&r);
    struct app a = rig_app(&r, "one");
    (void)rig_send(&r, &a);
    rig_close(&r);
}

static void an_older_format_with_a_damaged_organisation_is_left_alone(void **state)
{
    (void)state;
    rig_open(&r);
    struct id org = store_default_org(r.s);
    rig_stop(&r);
    alter(older_make_1, org.b);
    alter(cut_org, org.b);
    expect_refused(ERR_CORRUPT);
    expect_refused(ERR_CORRUPT); /* it is not of the next format meanwhile */
    rig_remove(&r);
}

static void a_newer_format_and_one_that_never_was_are_left_alone(void **state)
{
    (void)state;
    static const uint8_t newer[4] = {0, 0, 0, STORE_FORMAT + 1}, none[4] = {0};
    static const uint8_t longer[5] = {0, 0, 0, STORE_FORMAT};
    struct {
        struct span row;
        enum err refused;
    } cases[] = {{span_of(newer, 4), ERR_VERSION},
                 {span_of(none, 4), ERR_CORRUPT},
                 {span_of(longer, 3), ERR_CORRUPT},
                 {span_of(longer, 5), ERR_CORRUPT}};
    rig_open(&r);
    rig_stop(&r);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        alter(put_format, &cases[i].row);
        expect_refused(cases[i].refused);
    }
    rig_remove(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_that_is_missing_is_damage_and_never_made_anew),
        cmocka_unit_test(a_tree_of_another_kind_is_damage),
        cmocka_unit_test(another_proof_of_the_main_secret_is_none),
        cmocka_unit_test(a_row_that_every_store_has_is_missed),
        cmocka_unit_test(an_older_format_is_brought_up_to_date_and_keeps_what_it_has),
        cmocka_unit_test(an_older_format_without_a_first_commit_is_brought_up_to_date),
        cmocka_unit_test(an_older_format_with_a_damaged_organisation_is_left_alone),
        cmocka_unit_test(a_newer_format_and_one_that_never_was_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
