/* Consumers of pollers: where they stand survives, only grows, and is forgotten in time. */
#include "tests/store/rig.h"

static struct rig r;
static struct app a;
static const uint8_t one[CONSUMER_NAME] = {1}, two[CONSUMER_NAME] = {2};

static void begin(void)
{
    rig_open(&r);
    a = rig_app(&r, "one");
}

static enum err move(const uint8_t name[CONSUMER_NAME], const struct id *position, bool seek)
{
    struct consumer_op op = {.app = a.id, .position = *position, .seek = seek};
    memcpy(op.name, name, CONSUMER_NAME);
    return rig_do(&r, &op.op, STORE_CONSUMER_PUT);
}

static enum err get(const uint8_t name[CONSUMER_NAME], struct consumer *c, bool *fades)
{
    struct store_read *read;
    OK(store_read_begin(r.s, &read));
    enum err e = store_consumer_get(read, &a.id, name, r.now, c, fades);
    store_read_end(&read);
    return e;
}

static bool stands_at(const uint8_t name[CONSUMER_NAME], const struct id *position)
{
    struct consumer c;
    bool fades;
    OK(get(name, &c, &fades));
    return id_cmp(&c.position, position) == 0;
}

static bool is_known(const uint8_t name[CONSUMER_NAME])
{
    struct consumer c;
    bool fades;
    enum err e = get(name, &c, &fades);
    assert_true(e == ERR_OK || e == ERR_NOT_FOUND);
    return e == ERR_OK;
}

static void consumers_stand_apart_and_survive_a_restart(void **state)
{
    (void)state;
    begin();
    struct id first = rig_send(&r, &a), second = rig_send(&r, &a);
    assert_false(is_known(one));
    OK(move(one, &first, false));
    OK(move(two, &second, false));
    rig_restart(&r);
    assert_true(stands_at(one, &first) && stands_at(two, &second));
    OK(move(one, &second, false));
    assert_true(stands_at(one, &second));
    rig_close(&r);
}

static void a_position_goes_back_and_ahead_by_a_seek_alone(void **state)
{
    (void)state;
    begin();
    struct id first = rig_send(&r, &a), second = rig_send(&r, &a);
    struct id future = id_floor(wall_add(r.now, DAY_US));
    OK(move(one, &second, false));
    OK(move(one, &second, false));
    assert_int_equal(move(one, &first, false), ERR_STALE);
    assert_int_equal(move(one, &future, false), ERR_INVALID);
    assert_true(stands_at(one, &second));
    OK(move(one, &first, true));
    assert_true(stands_at(one, &first));
    OK(move(one, &future, true));
    OK(move(one, &future, false));
    assert_true(stands_at(one, &future));
    rig_close(&r);
}

static void an_application_has_so_many_and_no_more(void **state)
{
    (void)state;
    begin();
    uint8_t name[CONSUMER_NAME] = {9};
    struct id first = rig_send(&r, &a);
    for (unsigned i = 0; i < CONSUMERS_MAX; i++) {
        memcpy(name + 1, &i, sizeof i);
        OK(move(name, &first, false));
    }
    assert_int_equal(move(one, &first, true), ERR_CONFLICT);
    OK(move(name, &first, false));
    struct app other = rig_app(&r, "two");
    struct consumer_op op = {.app = other.id, .position = first};
    OK(rig_do(&r, &op.op, STORE_CONSUMER_PUT));
    rig_close(&r);
}

static void one_that_is_used_is_kept_and_another_is_forgotten(void **state)
{
    (void)state;
    begin();
    struct id first = rig_send(&r, &a);
    struct consumer c;
    bool fades;
    OK(move(one, &first, false));
    OK(move(two, &first, false));
    OK(get(one, &c, &fades));
    assert_false(fades);
    rig_advance(&r, 20 * DAY_US);
    OK(get(one, &c, &fades));
    assert_true(fades);
    OK(move(one, &first, false));
    OK(get(one, &c, &fades));
    assert_false(fades);
    rig_advance(&r, 11 * DAY_US);
    rig_turns(&r, 3);
    assert_true(is_known(one));
    assert_false(is_known(two));
    rig_advance(&r, 20 * DAY_US);
    rig_turns(&r, 3);
    assert_false(is_known(one));
    assert_int_equal(rig_rows(&r, TREE_CONSUMER), 0);
    rig_close(&r);
}

static void they_go_with_their_application(void **state)
{
    (void)state;
    begin();
    struct id first = rig_send(&r, &a);
    struct app other = rig_app(&r, "two");
    struct consumer_op theirs = {.app = other.id, .position = first};
    OK(rig_do(&r, &theirs.op, STORE_CONSUMER_PUT));
    OK(move(one, &first, false));
    OK(move(two, &first, false));
    struct app_op gone = {.id = a.id};
    OK(rig_do(&r, &gone.op, STORE_APP_DELETE));
    assert_int_equal(move(one, &first, true), ERR_NOT_FOUND);
    rig_turns(&r, 3);
    assert_int_equal(rig_rows(&r, TREE_CONSUMER), 1);
    rig_check(&r);
    rig_restart(&r);
    rig_advance(&r, 31 * DAY_US);
    rig_turns(&r, 3);
    assert_int_equal(rig_rows(&r, TREE_CONSUMER), 0);
    rig_close(&r);
}

static void drop_row(enum tree tree)
{
    MDB_txn *txn;
    MDB_cursor *c;
    MDB_val key, value;
    assert_int_equal(mdb_txn_begin(r.s->env.mdb, NULL, 0, &txn), 0);
    assert_int_equal(mdb_cursor_open(txn, r.s->env.tree[tree], &c), 0);
    assert_int_equal(mdb_cursor_get(c, &key, &value, MDB_LAST), 0);
    assert_int_equal(mdb_cursor_del(c, 0), 0);
    mdb_cursor_close(c);
    assert_int_equal(mdb_txn_commit(txn), 0);
}

static void silent(void *context, const char *finding)
{
    (void)context;
    (void)finding;
}

static uint64_t findings(void)
{
    struct check_report report;
    OK(store_check(r.s, silent, NULL, &report));
    return report.errors;
}

static void a_check_misses_expiry_and_application(void **state)
{
    (void)state;
    begin();
    struct id nowhere = {{0}};
    OK(move(one, &nowhere, true));
    store_stop(r.s);
    assert_int_equal(findings(), 0);
    drop_row(TREE_EXPIRY);
    assert_int_equal(findings(), 1);
    rig_stop(&r);
    rig_remove(&r);

    begin();
    OK(move(one, &nowhere, true));
    store_stop(r.s);
    drop_row(TREE_APP);
    drop_row(TREE_APP_ORG);
    drop_row(TREE_APP_UID);
    assert_int_equal(findings(), 1);
    rig_stop(&r);
    rig_remove(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(consumers_stand_apart_and_survive_a_restart),
        cmocka_unit_test(a_position_goes_back_and_ahead_by_a_seek_alone),
        cmocka_unit_test(an_application_has_so_many_and_no_more),
        cmocka_unit_test(one_that_is_used_is_kept_and_another_is_forgotten),
        cmocka_unit_test(they_go_with_their_application),
        cmocka_unit_test(a_check_misses_expiry_and_application),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
