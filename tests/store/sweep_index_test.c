/* Every call that the index makes fails once, while tables fill, become runs, are merged, expire
 * and are read back: a batch that met the fault is aborted and put again, and in the end every
 * entry of a committed batch is there, and none of another. */
#include "tests/store/index_fixture.h"
#include "tests/store/sweep.h"

#define TABLE 8192
#define FILTERS 512 /* the older runs give theirs up */
#define BATCH 16
#define BATCHES 90
#define ROWS 60
#define SHORT_US (40 * US_PER_S) /* of every other batch; each takes a second */
#define LONG_US (3600 * US_PER_S)

#define FEW 16 /* keys that come again with every batch */
#define FEW_BATCHES 48

static struct fixture f;
static bool few;
static enum err shield(enum err e)
{
    fault_shield(true);
    return e;
}

/* A call of the index that may meet the fault. */
#define EXPOSED(call) (fault_shield(false), shield(call))

#define EXPECT(good, ...)            \
    do {                             \
        if (!(good))                 \
            SWEEP_FAIL(__VA_ARGS__); \
    } while (0)

static struct span key_of(uint32_t n, uint8_t out[16])
{
    n = few ? n % FEW : n;
    memset(out, 0, 16);
    put_be32(out, n % 3);
    put_be32(out + 4, n * UINT32_C(2654435761));
    put_be32(out + 8, n);
    return span_of(out, 16);
}

static struct wall expiry_of(unsigned batch)
{
    return wall_add(f.now, few || batch % 2 ? SHORT_US : LONG_US);
}

/* ---------------------------------------------------------------- a batch */

static enum err put_batch(unsigned batch)
{
    uint8_t key[16];
    enum err e = ERR_OK;
    for (uint32_t n = batch * BATCH; n < (batch + 1) * BATCH && !e; n++) {
        e = index_put(f.ix, INDEX_IDEMPOTENCY, key_of(n, key), span_of(key, 8), expiry_of(batch));
        if (!e)
            e = index_put(f.ix, INDEX_APP_MESSAGE, key_of(n, key), SPAN(""), expiry_of(batch));
    }
    return e;
}

/* A look-up in the batch, of one from long ago. */
static enum err look_back(unsigned batch)
{
    uint8_t key[16], value[INDEX_VALUE_MAX];
    size_t len;
    uint32_t n = batch / 4 * 2 * BATCH;
    enum err e = index_get(f.ix, f.txn, INDEX_IDEMPOTENCY, key_of(n, key), f.now, value, &len);
    EXPECT(e != ERR_NOT_FOUND || sweep_lies(), "%u is not found", n);
    return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? ERR_OK : e;
}

/* ERR_FULL: both tables are; the next batch makes room. */
static enum err write_batch(unsigned batch)
{
    bool more;
    enum err e = index_has_room(f.ix, 2 * BATCH) ? put_batch(batch) : ERR_FULL;
    if (!e && batch)
        e = look_back(batch - 1);
    enum err stepped = e && e != ERR_FULL ? e : index_step(f.ix, f.txn, f.now, ROWS, &more);
    if (!stepped)
        stepped = index_flush(f.ix, f.txn);
    return stepped ? stepped : e;
}

/* Until it is committed; a fault strikes once. */
static void commit_batch(unsigned batch)
{
    for (unsigned tries = 0; tries < 200; tries++) {
        fixture_begin(&f);
        enum err e = EXPOSED(write_batch(batch));
        if (e && !(e == ERR_FULL && f.ix->flushed)) {
            fixture_abort(&f);
            continue;
        }
        assert_int_equal(mdb_txn_commit(f.txn), 0);
        f.txn = NULL;
        index_committed(f.ix);
        if (!e)
            return;
    }
    EXPECT(false, "batch %u is never taken", batch);
}

/* ---------------------------------------------------------------- readers */

static enum err walk(struct index_view *view, MDB_txn *txn, bool backward, unsigned *count)
{
    uint8_t prefix[4];
    struct index_cursor *c = NULL;
    put_be32(prefix, 1);
    enum err e =
        index_cursor_open(view, txn, INDEX_APP_MESSAGE, span_of(prefix, 4), SPAN(""), backward, &c);
    for (*count = 0; !e; ++*count) {
        struct span key, value;
        e = index_cursor_next(c, &key, &value);
    }
    index_cursor_close(&c);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err read_all(MDB_txn *txn, unsigned *forward, unsigned *backward)
{
    struct index_view *view = index_view_open(f.ix);
    if (!view)
        return ERR_NO_MEMORY;
    enum err e = walk(view, txn, false, forward);
    if (!e)
        e = walk(view, txn, true, backward);
    index_view_close(&view);
    return e;
}

static void read_while_written(void)
{
    unsigned forward = 0, backward = 0;
    MDB_txn *txn;
    assert_int_equal(mdb_txn_begin(f.env, NULL, MDB_RDONLY, &txn), 0);
    enum err e = EXPOSED(read_all(txn, &forward, &backward));
    mdb_txn_abort(txn);
    EXPECT(e || forward == backward || sweep_lies(), "%u forward, %u backward", forward, backward);
}

/* As after a crash; a fault strikes once. */
static void read_back(void)
{
    index_close(&f.ix);
    while (!f.ix) {
        fixture_begin(&f);
        enum err e = EXPOSED(index_open_limited(f.txn, &f.limits, &f.ix));
        if (e) {
            assert_null(f.ix);
            mdb_txn_abort(f.txn);
        } else {
            assert_int_equal(mdb_txn_commit(f.txn), 0);
        }
        f.txn = NULL;
    }
}

/* ---------------------------------------------------------------- a trial */

static enum err check(uint64_t *entries)
{
    MDB_txn *txn;
    unsigned findings = 0;
    assert_int_equal(mdb_txn_begin(f.env, NULL, MDB_RDONLY, &txn), 0);
    enum err e = EXPOSED(index_check(f.ix, txn, fixture_finding, &findings, entries));
    mdb_txn_abort(txn);
    EXPECT(e || !findings || sweep_lies(), "%u findings", findings);
    return e;
}

static void expect_all(void)
{
    uint8_t key[16], value[INDEX_VALUE_MAX];
    size_t len;
    fixture_begin(&f);
    for (uint32_t n = 0; n < BATCHES * BATCH; n++) {
        if (n / BATCH % 2)
            continue; /* those may have expired */
        enum err e = index_get(f.ix, f.txn, INDEX_IDEMPOTENCY, key_of(n, key), f.now, value, &len);
        EXPECT(!e, "%u is lost", n);
        assert_memory_equal(value, key, 8);
    }
    fixture_abort(&f);
}

static void trial(void)
{
    uint64_t entries;
    fixture_open(&f, TABLE, FILTERS);
    sweep_begin();
    for (unsigned batch = 0; batch < BATCHES; batch++) {
        commit_batch(batch);
        fixture_advance(&f, US_PER_S);
        if (batch % 20 == 7)
            read_while_written();
        if (batch % 40 == 25)
            read_back();
    }
    (void)check(&entries);
    sweep_end();
    read_back();
    if (!sweep_lies())
        expect_all();
    assert_int_equal(check(&entries), ERR_OK);
    fixture_close(&f);
}

/* Keys that come again, in many runs, and then all runs expire. */
static void trial_of_few_keys(void)
{
    unsigned batch = 0;
    uint64_t entries;
    few = true;
    fixture_open(&f, TABLE, FILTERS);
    sweep_begin();
    for (; batch < FEW_BATCHES; batch++) {
        commit_batch(batch);
        fixture_advance(&f, US_PER_S / 2);
    }
    read_while_written();
    fixture_advance(&f, 2 * SHORT_US);
    commit_batch(batch);
    sweep_end();
    fixture_settle(&f);
    assert_int_equal(check(&entries), ERR_OK);
    for (unsigned i = 0; i < directory_count(f.ix->directory); i++)
        EXPECT(f.ix->directory->item[i].run->figures.max_expires.us > f.now.us, "a run is left");
    fixture_close(&f);
    few = false;
}

static int set_up(void **state)
{
    (void)state;
    fault_shield(true);
    log_setup(LOG_ERROR + 1, LOG_TEXT);
    return 0;
}

static void every_entry_of_a_committed_batch_is_there(void **state)
{
    (void)state;
    sweep_all("the index", trial);
    assert_int_equal(sweep.struck + 1, sweep.trials);
}

static void runs_of_the_same_keys_are_merged_and_expire(void **state)
{
    (void)state;
    sweep_all("few keys", trial_of_few_keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_entry_of_a_committed_batch_is_there),
        cmocka_unit_test(runs_of_the_same_keys_are_merged_and_expire),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
