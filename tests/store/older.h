/* A stopped store whose trees are not what this program leaves: older, newer or damaged. */
#ifndef TESTS_STORE_OLDER_H
#define TESTS_STORE_OLDER_H

#include "tests/store/rig.h"

/* Does something to its trees. */
static inline void older_alter(const struct rig *r,
                               void (*change)(MDB_txn *txn, MDB_dbi trees, void *context),
                               void *context)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi trees;
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, TREES + 64), 0);
    assert_int_equal(mdb_env_set_mapsize(env, (size_t)r->settings.map_size), 0);
    assert_int_equal(mdb_env_open(env, r->dir, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &trees), 0);
    change(txn, trees, context);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static inline void older_drop_tree(MDB_txn *txn, MDB_dbi trees, void *name)
{
    MDB_dbi tree;
    (void)trees;
    assert_int_equal(mdb_dbi_open(txn, name, 0, &tree), 0);
    assert_int_equal(mdb_drop(txn, tree, 1), 0);
}

static inline void older_put_meta(MDB_txn *txn, const char *name, const void *bytes, size_t len)
{
    MDB_dbi meta;
    MDB_val key = {strlen(name), (void *)(uintptr_t)name}, value = {len, (void *)(uintptr_t)bytes};
    assert_int_equal(mdb_dbi_open(txn, "meta", 0, &meta), 0);
    assert_int_equal(mdb_put(txn, meta, &key, &value, 0), 0);
}

/* What format 1 was: fewer trees, a bare organisation, no marks before the first commit. */
static inline void older_make_1(MDB_txn *txn, MDB_dbi trees, void *org)
{
    static const uint8_t one[4] = {0, 0, 0, 1};
    static char *const later[] = {"health", "line", "consumer", "portal"};
    for (size_t i = 0; i < sizeof later / sizeof *later; i++)
        older_drop_tree(txn, trees, later[i]);
    older_put_meta(txn, META_FORMAT, one, sizeof one);
    older_put_meta(txn, META_ORG, org, ID_BYTES);
}

#endif
