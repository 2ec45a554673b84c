/* An index in an environment of its own, with small tables, and batches written as one call. */
#ifndef TESTS_STORE_INDEX_FIXTURE_H
#define TESTS_STORE_INDEX_FIXTURE_H

#include "store/index_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char dir[64];
    MDB_env *env;
    MDB_txn *txn; /* of the running batch */
    struct index *ix;
    struct index_limits limits;
    struct wall now;
};

static inline void fixture_connect(struct fixture *f)
{
    assert_int_equal(mdb_env_create(&f->env), 0);
    assert_int_equal(mdb_env_set_mapsize(f->env, (size_t)1 << 30), 0);
    assert_int_equal(mdb_env_set_maxdbs(f->env, INDEX_TREES), 0);
    assert_int_equal(mdb_env_open(f->env, f->dir, MDB_NOTLS | MDB_NOSYNC, 0600), 0);
    assert_int_equal(mdb_txn_begin(f->env, NULL, 0, &f->txn), 0);
    assert_int_equal(index_open_limited(f->txn, &f->limits, &f->ix), ERR_OK);
    assert_int_equal(mdb_txn_commit(f->txn), 0);
    f->txn = NULL;
}

/* As after a crash when a batch is running: what did not commit is gone. */
static inline void fixture_disconnect(struct fixture *f)
{
    if (f->txn)
        mdb_txn_abort(f->txn);
    f->txn = NULL;
    index_close(&f->ix);
    mdb_env_close(f->env);
    f->env = NULL;
}

static inline void fixture_reopen(struct fixture *f)
{
    fixture_disconnect(f);
    fixture_connect(f);
}

static inline void fixture_open(struct fixture *f, size_t table_bytes, size_t filter_bytes_max)
{
    *f = (struct fixture){.dir = "/tmp/index_test_XXXXXX",
                          .limits = {table_bytes, filter_bytes_max},
                          .now = {INT64_C(1700000000) * US_PER_S}};
    assert_non_null(mkdtemp(f->dir));
    clock_fake(f->now, (struct mono){1});
    fixture_connect(f);
}

static inline void fixture_close(struct fixture *f)
{
    fixture_disconnect(f);
    char path[96];
    (void)snprintf(path, sizeof path, "%s/data.mdb", f->dir);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof path, "%s/lock.mdb", f->dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(f->dir), 0);
    clock_real();
}

static inline void fixture_begin(struct fixture *f)
{
    assert_int_equal(mdb_txn_begin(f->env, NULL, 0, &f->txn), 0);
}

static inline void fixture_commit(struct fixture *f)
{
    assert_int_equal(index_flush(f->ix, f->txn), ERR_OK);
    assert_int_equal(mdb_txn_commit(f->txn), 0);
    f->txn = NULL;
    index_committed(f->ix);
}

static inline void fixture_abort(struct fixture *f)
{
    mdb_txn_abort(f->txn);
    f->txn = NULL;
    index_aborted(f->ix);
}

/* One step in the running batch. */
static inline bool fixture_step(struct fixture *f, unsigned rows)
{
    bool more;
    assert_int_equal(index_step(f->ix, f->txn, f->now, rows, &more), ERR_OK);
    return more;
}

/* Steps, each in a batch of its own, until nothing is left to do. */
static inline void fixture_settle(struct fixture *f)
{
    bool more = true;
    for (unsigned turn = 0; more; turn++) {
        assert_true(turn < 10000);
        fixture_begin(f);
        more = fixture_step(f, 100);
        fixture_commit(f);
    }
}

static inline void fixture_advance(struct fixture *f, int64_t us)
{
    f->now = wall_add(f->now, us);
    clock_fake(f->now, (struct mono){1});
}

static inline void fixture_finding(void *context, const char *finding)
{
    (void)finding;
    ++*(unsigned *)context;
}

/* Findings of the check, and what it saw. */
static inline unsigned fixture_check(struct fixture *f, uint64_t *entries)
{
    unsigned findings = 0;
    MDB_txn *txn;
    assert_int_equal(mdb_txn_begin(f->env, NULL, MDB_RDONLY, &txn), 0);
    assert_int_equal(index_check(f->ix, txn, fixture_finding, &findings, entries), ERR_OK);
    mdb_txn_abort(txn);
    return findings;
}

#endif
