/* Every call that a read makes fails once: the read says so, or shows what it shows without the
 * fault. Of a record that is rotten or missing it says so, or leaves the record out: it never shows
 * another one. */
#include "tests/store/hand.h"
#include "tests/store/sweep_reading.h"

static struct reading reading; /* the one under trial */

/* ---------------------------------------------------------------- a trial */

static void judge(enum err e, uint64_t shown)
{
    if (sweep.way == FAULT_WAYS) {
        if (e)
            SWEEP_FAIL("%s", err_text(e));
        reading.good = shown;
    }
    bool partly = reading.kind == FIGURE || (reading.kind == ROWS && !(shown & ~reading.good));
    if (!e && shown != reading.good && !(partly && sweep_lies()))
        SWEEP_FAIL("shows %llx, not %llx", (unsigned long long)shown,
                   (unsigned long long)reading.good);
}

static void trial(void)
{
    struct store_read *r = NULL;
    uint64_t shown = 0;
    fault_shield(false);
    sweep_begin();
    enum err e = store_read_begin(sweep.r.s, &r);
    if (!e)
        e = reading.read(r, &shown);
    store_read_end(&r);
    sweep_end();
    fault_shield(true);
    judge(e, shown);
}

/* ---------------------------------------------------------------- tests */

static void a_read_shows_what_is_there_or_says_that_it_cannot(void **state)
{
    (void)state;
    for (size_t i = 0; i < READINGS; i++) {
        reading = readings[i].reading;
        sweep_all(readings[i].name, trial);
        readings[i].reading = reading; /* with what is good */
    }
}

/* Takes the entries from memory into runs, table by table, and each is small. */
static void write_index_out(void)
{
    struct store *s = sweep.r.s;
    for (int table = 0; table < 8; table++) {
        hand_small_index(&sweep.r, 4096);
        for (bool more = true; more;) {
            MDB_txn *txn;
            assert_int_equal(mdb_txn_begin(s->env.mdb, NULL, 0, &txn), 0);
            OK(index_step(s->index, txn, sweep.r.now, STEP_ROWS_MAX, &more));
            OK(index_flush(s->index, txn));
            assert_int_equal(mdb_txn_commit(txn), 0);
            index_committed(s->index);
        }
    }
    assert_true(directory_count(s->index->directory) > 0);
}

static void a_read_shows_the_same_when_the_index_is_on_the_disk(void **state)
{
    (void)state;
    write_index_out();
    for (size_t i = 0; i < READINGS; i++) {
        reading = readings[i].reading;
        sweep_all(readings[i].name, trial);
        if (reading.good != readings[i].reading.good)
            fail_msg("%s", readings[i].name);
    }
}

/* Behind every row one whose key is longer; how many. */
static unsigned plant_damaged_keys(void)
{
    MDB_txn *txn;
    unsigned planted = 0;
    const struct env *env = &sweep.r.s->env;
    assert_int_equal(mdb_txn_begin(env->mdb, NULL, 0, &txn), 0);
    for (int t = TREE_META + 1; t < TREES; t++) {
        MDB_cursor *c;
        struct span key = {0}, value;
        struct treekey longer = {.len = 0};
        OK(tree_cursor(env, txn, (enum tree)t, &c));
        for (enum err e = tree_walk(c, MDB_FIRST, &key, &value); !e;
             e = tree_walk(c, MDB_NEXT, &key, &value)) {
            if (span_eq(key, key_span(&longer)))
                continue;
            OK(key_copy(key, &longer));
            longer.b[longer.len++] = 0;
            OK(tree_put(env, txn, (enum tree)t, key_span(&longer), SPAN("damaged"), 0));
            planted++;
        }
        mdb_cursor_close(c);
    }
    assert_int_equal(mdb_txn_commit(txn), 0);
    return planted;
}

static void rows_with_damaged_keys_show_nothing(void **state)
{
    (void)state;
    assert_true(plant_damaged_keys() > 50);
    for (size_t i = 0; i < READINGS; i++) {
        struct store_read *r;
        uint64_t shown = 0;
        OK(store_read_begin(sweep.r.s, &r));
        enum err e = readings[i].reading.read(r, &shown);
        store_read_end(&r);
        if (e && e != ERR_CORRUPT)
            fail_msg("%s: %s", readings[i].name, err_text(e));
        if (!e && readings[i].reading.kind != FIGURE && (shown & ~readings[i].reading.good))
            fail_msg("%s shows what is not there", readings[i].name);
    }
}

/* An application is gone and its endpoints are not; one message went to many that never were. What
 * a task asks for it has, too. */
static void damage(void)
{
    const struct delivery d = {.state = DELIVERY_DELIVERED};
    const struct task_filter filter = {.status_class = -1};
    const struct env *env = &sweep.r.s->env;
    struct treekey key = key_id(&world.app.id);
    struct buf record;
    MDB_txn *txn;
    buf_init(&record, INLINE_BYTES_MAX);
    assert_int_equal(mdb_txn_begin(env->mdb, NULL, 0, &txn), 0);
    OK(tree_del(env, txn, TREE_APP, key_span(&key)));
    record_task_filter_encode(&filter, &record);
    key = key_id(&world.usage);
    OK(tree_put(env, txn, TREE_TASK_FILTER, key_span(&key), buf_view(&record), 0));
    buf_clear(&record);
    record_delivery_encode(&d, &record);
    for (uint32_t number = 100; number < 120; number++) {
        key = key_id_number(&world.message[DONE], number);
        OK(tree_put(env, txn, TREE_DELIVERY, key_span(&key), buf_view(&record), 0));
    }
    assert_int_equal(mdb_txn_commit(txn), 0);
    buf_free(&record);
}

static void a_check_of_damage_says_it_or_that_it_cannot(void **state)
{
    (void)state;
    damage();
    reading = (struct reading){check, FIGURE, 0};
    sweep_all("a check of damage", trial);
    assert_true(reading.good > 20);
}

/* ---------------------------------------------------------------- the group */

static int set_up(void **state)
{
    (void)state;
    world_fill();
    OK(store_open(&sweep.r.settings, &sweep.r.s));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_close(&sweep.r.s);
    print_message("%u of %u\n", sweep.struck, sweep.trials);
    sweep_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_shows_what_is_there_or_says_that_it_cannot),
        cmocka_unit_test(a_read_shows_the_same_when_the_index_is_on_the_disk),
        cmocka_unit_test(rows_with_damaged_keys_show_nothing),
        cmocka_unit_test(a_check_of_damage_says_it_or_that_it_cannot),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
