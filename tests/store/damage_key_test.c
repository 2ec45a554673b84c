/* Rows whose keys are damaged, some too long to be copied: whatever meets them removes them and
 * goes on, and leaves a store that agrees with itself. */
#include "tests/store/rig.h"

#define TOO_LONG 400 /* bytes of a key: more than TREE_KEY_MAX */

static struct rig r;
static struct app a;
static struct endpoint e;
static struct id id;

static void begin(void)
{
    rig_open(&r);
    a = rig_app(&r, "one");
    e = rig_add_endpoint(&r, &a);
    id = rig_send(&r, &a);
}

/* A row that begins as the ones of `prefix` do, behind them all, with so many bytes in its key. */
static void plant(enum tree tree, struct treekey prefix, size_t len)
{
    uint8_t key[TOO_LONG];
    MDB_txn *txn;
    assert_true(len <= sizeof key);
    memset(key, 0xff, sizeof key);
    memcpy(key, prefix.b, prefix.len);
    assert_int_equal(mdb_txn_begin(r.s->env.mdb, NULL, 0, &txn), 0);
    OK(tree_put(&r.s->env, txn, tree, span_of(key, len), SPAN("damaged"), 0));
    assert_int_equal(mdb_txn_commit(txn), 0);
}

static void delete_endpoint(void)
{
    struct endpoint_op op = {.number = e.number};
    OK(rig_do(&r, &op.op, STORE_ENDPOINT_DELETE));
    rig_turns(&r, 4);
}

static void delete_app(void)
{
    struct app_op op = {.id = a.id};
    OK(rig_do(&r, &op.op, STORE_APP_DELETE));
    rig_turns(&r, 6);
}

static void a_disabling_removes_damaged_due_rows(void **state)
{
    (void)state;
    begin();
    plant(TREE_DUE, key_number(e.number), TOO_LONG);
    plant(TREE_DUE, key_number(e.number), 30);
    rig_disable(&r, &e, true);
    rig_turns(&r, 4);
    assert_int_equal(rig_rows(&r, TREE_DUE), 0);
    assert_int_equal(rig_state(&r, &id, e.number), DELIVERY_DEAD);
    rig_close(&r);
}

static void a_deletion_removes_damaged_rows_of_its_endpoint(void **state)
{
    (void)state;
    begin();
    rig_kill(&r, &id, &e);
    const enum tree trees[] = {TREE_DUE, TREE_DEAD, TREE_LINE};
    for (unsigned i = 0; i < 3; i++) {
        plant(trees[i], key_number(e.number), TOO_LONG);
        plant(trees[i], key_number(e.number), 20);
    }
    delete_endpoint();
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(rig_rows(&r, trees[i]), 0);
    assert_int_equal(rig_state(&r, &id, e.number), DELIVERY_CANCELED);
    rig_close(&r);
}

static void the_deletion_of_an_application_removes_its_damaged_rows(void **state)
{
    (void)state;
    begin();
    plant(TREE_ENDPOINT_APP, key_number(a.number), TOO_LONG);
    plant(TREE_ENDPOINT_APP, key_number(a.number), 30);
    plant(TREE_CONSUMER, key_id(&a.id), 100);
    delete_app();
    assert_int_equal(rig_rows(&r, TREE_ENDPOINT_APP), 0);
    assert_int_equal(rig_rows(&r, TREE_CONSUMER), 0);
    assert_int_equal(rig_state(&r, &id, e.number), DELIVERY_CANCELED);
    rig_close(&r);
}

static void a_message_that_expires_takes_its_damaged_deliveries_with_it(void **state)
{
    (void)state;
    begin();
    rig_conclude(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    plant(TREE_DELIVERY, key_id(&id), TOO_LONG);
    plant(TREE_DELIVERY, key_id(&id), ID_BYTES + 9);
    plant(TREE_ATTEMPT, key_id(&id), ID_BYTES + 3);
    for (int day = 0; day < 40; day += 8) {
        rig_advance(&r, 8 * DAY_US);
        rig_turns(&r, 3);
    }
    assert_int_equal(rig_rows(&r, TREE_DELIVERY), 0);
    assert_int_equal(rig_rows(&r, TREE_ATTEMPT), 0);
    assert_int_equal(rig_rows(&r, TREE_MESSAGE), 0);
    rig_close(&r);
}

/* Nothing is checked at the end: the damaged row stays until its message expires. */
static void an_expunging_passes_damaged_deliveries(void **state)
{
    (void)state;
    struct message *m;
    begin();
    plant(TREE_DELIVERY, key_id(&id), ID_BYTES + 9);
    struct expunge_op op = {.app = a.number, .message_count = 1, .messages = &id};
    OK(rig_do(&r, &op.op, STORE_EXPUNGE));
    OK(rig_load(&r, &id, &m));
    assert_true(m->expunged);
    message_unref(&m);
    assert_int_equal(rig_state(&r, &id, e.number), DELIVERY_CANCELED);
    assert_int_equal(r.failures, 0);
    rig_stop(&r);
    rig_remove(&r);
}

static void damaged_portal_tokens_leave_when_one_is_made_or_ended(void **state)
{
    (void)state;
    begin();
    plant(TREE_PORTAL, key_id(&a.id), TOO_LONG);
    plant(TREE_PORTAL, key_id(&a.id), ID_BYTES + 32);
    struct portal_op op = {.token = {.org = a.org,
                                     .app = a.id,
                                     .hash = {1},
                                     .created = r.now,
                                     .expires = wall_add(r.now, DAY_US)}};
    OK(rig_do(&r, &op.op, STORE_PORTAL_PUT));
    assert_int_equal(rig_rows(&r, TREE_PORTAL), 1);
    plant(TREE_PORTAL, key_id(&a.id), TOO_LONG);
    struct portal_end_op end = {.app = a.id, .at = r.now};
    OK(rig_do(&r, &end.op, STORE_PORTAL_END));
    assert_int_equal(rig_rows(&r, TREE_PORTAL), 0);
    rig_close(&r);
}

/* Once it has ended. */
static uint64_t done_by(const struct id *task)
{
    const struct id org = store_default_org(r.s);
    struct task_info info;
    struct store_read *read;
    OK(store_read_begin(r.s, &read));
    OK(store_task_get(read, &org, task, &info));
    store_read_end(&read);
    assert_true(info.finished);
    return info.done;
}

/* Nothing is checked at the end: the damaged row of statistics stays. */
static void figures_pass_over_damaged_rows(void **state)
{
    (void)state;
    static const struct id none;
    begin();
    const struct id org = store_default_org(r.s);
    plant(TREE_APP_ORG, key_id_id(&org, &none), 50);
    plant(TREE_APP_ORG, key_id(&org), 30);
    plant(TREE_STAT, key_number(UINT32_MAX), 5);
    for (int types = 0; types < 2; types++) {
        struct aggregate_op op = {
            .org = org, .event_types = types, .until = r.now, .task = id_random(r.now)};
        OK(rig_do(&r, &op.op, STORE_AGGREGATE));
        rig_turns(&r, 6);
        assert_int_equal(done_by(&op.task), 1);
    }
    assert_int_equal(rig_rows(&r, TREE_APP_ORG), 1);
    assert_int_equal(r.failures, 0);
    rig_stop(&r);
    rig_remove(&r);
}

/* A damaged letter before a good one, and damaged ones behind it. */
static void bury(void)
{
    static const struct id none;
    rig_kill(&r, &id, &e);
    plant(TREE_DEAD, key_number_id(e.number, &none), 30);
    plant(TREE_DEAD, key_number(e.number), 20);
    plant(TREE_DEAD, key_number(e.number), TOO_LONG);
    assert_int_equal(rig_rows(&r, TREE_DEAD), 4);
}

static void a_recover_removes_damaged_letters(void **state)
{
    (void)state;
    struct due_row rows[64];
    begin();
    bury();
    struct recover_op op = {.endpoint = e.number, .task = id_random(r.now)};
    OK(rig_do(&r, &op.op, STORE_RECOVER));
    rig_turns(&r, 3);
    assert_int_equal(done_by(&op.task), 1);
    assert_int_equal(rig_due_rows(&r, e.number, rows), 1);
    assert_int_equal(id_cmp(&rows[0].message, &id), 0);
    assert_int_equal(rig_rows(&r, TREE_DEAD), 1);
    assert_int_equal(counter_get(&store_stats(r.s)->corrupt), 3);
    rig_close(&r);
}

static void a_replay_removes_damaged_letters(void **state)
{
    (void)state;
    begin();
    bury();
    struct dead_op op = {
        .verb = DEAD_REPLAY, .app = a.number, .endpoint = e.number, .task = id_random(r.now)};
    OK(rig_do(&r, &op.op, STORE_DEAD));
    rig_turns(&r, 3);
    assert_int_equal(rig_state(&r, &id, e.number), DELIVERY_SCHEDULED);
    assert_int_equal(rig_rows(&r, TREE_DEAD), 0);
    rig_close(&r);
}

/* What it had counts for nobody any more. */
static void figures_leave_out_an_application_that_goes_meanwhile(void **state)
{
    (void)state;
    begin();
    struct aggregate_op op = {
        .org = store_default_org(r.s), .until = r.now, .task = id_random(r.now)};
    struct aggregate_op types = op;
    types.task = id_random(r.now);
    types.event_types = true;
    struct app_op removal = {.id = a.id};
    unsigned wanted = r.done + 3;
    rig_submit(&r, &removal.op, STORE_APP_DELETE);
    rig_submit(&r, &op.op, STORE_AGGREGATE);
    rig_submit(&r, &types.op, STORE_AGGREGATE);
    rig_await(&r, wanted);
    OK(removal.op.result);
    rig_turns(&r, 6);
    assert_int_equal(done_by(&op.task) + done_by(&types.task), 0);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_disabling_removes_damaged_due_rows),
        cmocka_unit_test(a_deletion_removes_damaged_rows_of_its_endpoint),
        cmocka_unit_test(the_deletion_of_an_application_removes_its_damaged_rows),
        cmocka_unit_test(a_message_that_expires_takes_its_damaged_deliveries_with_it),
        cmocka_unit_test(an_expunging_passes_damaged_deliveries),
        cmocka_unit_test(damaged_portal_tokens_leave_when_one_is_made_or_ended),
        cmocka_unit_test(figures_pass_over_damaged_rows),
        cmocka_unit_test(a_recover_removes_damaged_letters),
        cmocka_unit_test(a_replay_removes_damaged_letters),
        cmocka_unit_test(figures_leave_out_an_application_that_goes_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
