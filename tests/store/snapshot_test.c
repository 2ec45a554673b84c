/* Snapshots: shared between threads, consistent, and no pin once ended. */
#include "tests/store/world.h"

#include "store/read.h"

#include <pthread.h>

#define THREADS 4
#define ROUNDS 200

static struct world w;

static int setup(void **state)
{
    (void)state;
    world_open(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

static struct treekey event_key(void)
{
    struct treekey key = key_number(1);
    key.len += 16;
    memset(key.b + 4, 0, 16);
    return key;
}

/* One transaction that leaves the same number in a tree and in the index. */
static void write_pair(uint32_t number)
{
    uint8_t value[4];
    world_begin(&w);
    buf_u32(&w.record, number);
    memcpy(value, w.record.ptr, sizeof value);
    world_put(&w, TREE_ENDPOINT_UID, event_key());
    world_index(&w, INDEX_EVENT_ID, event_key(), span_of(value, sizeof value));
    world_commit(&w);
}

/* What is in the tree is at least as new as what the view knows, which was opened before. */
static void *read_pairs(void *failures)
{
    struct treekey key = event_key();
    for (int i = 0; i < ROUNDS; i++) {
        struct store_read *r;
        if (store_read_begin(&w.s, &r)) {
            ++*(unsigned *)failures;
            continue;
        }
        uint32_t in_tree = 0, in_index = 0;
        uint8_t value[INDEX_VALUE_MAX];
        size_t len = 0;
        enum err e = read_number_at(r, TREE_ENDPOINT_UID, &key, &in_tree);
        enum err f = index_view_get(r->view, r->txn, INDEX_EVENT_ID, key_span(&key),
                                    (struct wall){WORLD_NOW}, value, &len);
        bool ok = !e && !f && read_as_number(span_of(value, len), &in_index);
        *(unsigned *)failures += !ok || in_tree < in_index || store_read_txn(r) == 0;
        store_read_end(&r);
    }
    return NULL;
}

static void snapshots_of_many_threads_are_consistent_while_commits_go_on(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    unsigned failures[THREADS] = {0};
    write_pair(1);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_pairs, &failures[i]), 0);
    for (uint32_t n = 2; n < ROUNDS; n++)
        write_pair(n);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(failures[i], 0);
    }
}

static void ended_snapshots_keep_their_slot_for_the_next_one(void **state)
{
    (void)state;
    MDB_envinfo before, after;
    struct store_read *r;
    WORLD_OK(store_read_begin(&w.s, &r));
    store_read_end(&r);
    mdb_env_info(w.s.env.mdb, &before);
    for (int i = 0; i < ROUNDS; i++) {
        WORLD_OK(store_read_begin(&w.s, &r));
        store_read_end(&r);
        assert_null(r);
    }
    mdb_env_info(w.s.env.mdb, &after);
    assert_int_equal(after.me_numreaders, before.me_numreaders);
}

static void more_snapshots_than_the_pool_keeps_can_be_open_at_once(void **state)
{
    (void)state;
    struct store_read *r[100];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 100; i++)
            WORLD_OK(store_read_begin(&w.s, &r[i]));
        for (int i = 0; i < 100; i++)
            store_read_end(&r[i]);
    }
}

static void an_ended_snapshot_pins_no_page(void **state)
{
    (void)state;
    struct store_read *r;
    WORLD_OK(store_read_begin(&w.s, &r));
    store_read_end(&r);
    write_pair(1);
    for (uint32_t n = 0; n < ROUNDS; n++)
        write_pair(n);
    MDB_envinfo settled, later;
    mdb_env_info(w.s.env.mdb, &settled);
    for (uint32_t n = 0; n < 20; n++)
        write_pair(n);
    mdb_env_info(w.s.env.mdb, &later);
    /* The tail of the index grows by a row a commit: a page at most in this time. A pinned snapshot
     * would cost several pages a commit. */
    assert_true(later.me_last_pgno <= settled.me_last_pgno + 4);
}

int main(void)
{
#define SNAPSHOT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        SNAPSHOT_TEST(snapshots_of_many_threads_are_consistent_while_commits_go_on),
        SNAPSHOT_TEST(ended_snapshots_keep_their_slot_for_the_next_one),
        SNAPSHOT_TEST(more_snapshots_than_the_pool_keeps_can_be_open_at_once),
        SNAPSHOT_TEST(an_ended_snapshot_pins_no_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
