/* Readers beside the writer, meant for the thread sanitizer: the writer puts, freezes, writes out,
 * merges and drops while views are opened, read and closed. */
#include "tests/store/index_fixture.h"

#include <pthread.h>

#define READERS 3
#define BATCHES 900
#define BATCH 20

struct race {
    struct fixture f;
    atomic_uint committed; /* numbers below are committed */
    atomic_bool over;
};

static struct span key_of(uint32_t n, uint8_t out[8])
{
    memcpy(out, "app1", 4);
    put_be32(out + 4, n);
    return span_of(out, 8);
}

/* Every number committed before the view was opened is there once, in order. */
static const char *walk(struct race *r, struct index_view *v, MDB_txn *txn, uint32_t least,
                        bool backward)
{
    struct index_cursor *c;
    if (index_cursor_open(v, txn, INDEX_APP_MESSAGE, SPAN("app1"), SPAN(""), backward, &c))
        return "no cursor";
    const char *complaint = NULL;
    uint32_t seen = 0;
    struct span key, value;
    uint8_t expected[8], from[8];
    for (uint32_t last = 0; index_cursor_next(c, &key, &value) == ERR_OK; seen++) {
        uint32_t n = (uint32_t)((uint8_t)key.ptr[4] << 24 | (uint8_t)key.ptr[5] << 16 |
                                (uint8_t)key.ptr[6] << 8 | (uint8_t)key.ptr[7]);
        if (!span_eq(key, key_of(n, expected)) || !span_eq(value, key))
            complaint = "a wrong entry";
        if (seen > 0 && n != (backward ? last - 1 : last + 1))
            complaint = "a gap";
        last = n;
    }
    index_cursor_close(&c);
    if (seen < least)
        complaint = "an entry is missing";
    if (least > 0 && index_view_get(v, txn, INDEX_APP_MESSAGE, key_of(least - 1, from), r->f.now,
                                    (uint8_t[INDEX_VALUE_MAX]){0}, &(size_t){0}))
        complaint = "the last entry is not found";
    return complaint;
}

static void *read_until_over(void *arg)
{
    struct race *r = arg;
    const char *complaint = NULL;
    for (bool backward = false; !complaint && !atomic_load(&r->over); backward = !backward) {
        uint32_t least = atomic_load(&r->committed);
        struct index_view *v = index_view_open(r->f.ix);
        MDB_txn *txn;
        if (!v || mdb_txn_begin(r->f.env, NULL, MDB_RDONLY, &txn))
            return "no snapshot";
        complaint = walk(r, v, txn, least, backward);
        mdb_txn_abort(txn);
        index_view_close(&v);
    }
    return (void *)(uintptr_t)complaint;
}

static void write_batch(struct race *r, uint32_t from, int64_t lifetime_us)
{
    struct fixture *f = &r->f;
    fixture_begin(f);
    struct wall expires = wall_add(f->now, lifetime_us);
    for (uint32_t n = from; n < from + BATCH; n++) {
        uint8_t key[8];
        struct span k = key_of(n, key);
        assert_int_equal(index_put(f->ix, INDEX_APP_MESSAGE, k, k, expires), ERR_OK);
        assert_int_equal(index_put(f->ix, INDEX_EVENT_ID, k, k, expires), ERR_OK);
    }
    (void)fixture_step(f, 300);
    fixture_commit(f);
}

static void views_are_whole_while_the_writer_works(void **state)
{
    (void)state;
    struct race r = {.committed = 0};
    fixture_open(&r.f, 16384, 64 * 1024);
    pthread_t readers[READERS];
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_until_over, &r), 0);
    for (uint32_t batch = 0; batch < BATCHES; batch++) {
        write_batch(&r, batch * BATCH, INT64_C(1000) * US_PER_S);
        atomic_store(&r.committed, (batch + 1) * BATCH);
    }
    atomic_store(&r.over, true);
    for (int i = 0; i < READERS; i++) {
        void *complaint;
        assert_int_equal(pthread_join(readers[i], &complaint), 0);
        if (complaint)
            print_error("%s\n", (const char *)complaint);
        assert_null(complaint);
    }
    fixture_settle(&r.f);
    uint64_t entries;
    assert_int_equal(fixture_check(&r.f, &entries), 0);
    assert_int_equal(entries, 2 * BATCHES * BATCH);
    fixture_close(&r.f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_are_whole_while_the_writer_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
