/* Steps of tasks, each called by itself: with room for one row they do a little and leave the rest;
 * without what they are for they end; what fails is said. */
#include "tests/store/hand.h"
#include "tests/store/sweep.h"

#define GONE 99 /* a number that nobody has */

typedef enum err step_function(struct batch *b, struct task *t, unsigned limit);

static struct rig *const r = &sweep.r;
static struct batch b;
static struct app a;
static struct endpoint e;

static void begin(enum ordering ordering)
{
    fault_shield(true);
    rig_open(r);
    a = rig_app(r, "one");
    e = rig_endpoint_new(r, &a);
    e.ordering = ordering;
    OK(rig_put_endpoint(r, &e));
}

static void end(void)
{
    hand_end(r, &b);
    rig_remove(r);
}

static void step_one_row(step_function *step, struct task *t)
{
    OK(batch_begin(&b, r->now));
    OK(step(&b, t, b.rows + 1));
    OK(batch_commit(&b));
}

static void dead_letters_are_looked_for_endpoint_by_endpoint(void **state)
{
    (void)state;
    begin(ORDERING_NONE);
    struct endpoint last = rig_add_endpoint(r, &a);
    struct id id = rig_send(r, &a);
    rig_kill(r, &id, &last);
    hand_begin(r, &b);
    struct task t = {.kind = TASK_DEAD_PURGE, .app_number = a.number, .created = r->now};
    step_one_row(dead_step, &t);
    assert_int_equal(t.cursor_number, e.number + 1); /* which has no letter */
    for (unsigned i = 0; i < 4 && !t.finished; i++)
        step_one_row(dead_step, &t);
    assert_true(t.finished);
    assert_int_equal(t.done, 1);
    assert_int_equal(rig_state(r, &id, last.number), DELIVERY_CANCELED);
    rig_check(r);
    end();
}

static struct id send(const char *key)
{
    struct message *m = rig_message("a", "{}");
    struct rig_ingest i;
    m->ordering_key = span_text(key);
    OK(rig_ingest(r, &a, m, NULL, NULL, &i));
    struct id id = m->id;
    message_unref(&m);
    return id;
}

/* As if its record were another's: it stands nowhere, and its place stays behind. */
static void lose(const struct id *message)
{
    const struct delivery d = {.state = DELIVERY_DELIVERED};
    struct treekey key = key_id_number(message, e.number);
    struct buf record;
    MDB_txn *txn;
    buf_init(&record, INLINE_BYTES_MAX);
    record_delivery_encode(&d, &record);
    assert_int_equal(mdb_txn_begin(r->s->env.mdb, NULL, 0, &txn), 0);
    OK(tree_put(&r->s->env, txn, TREE_DELIVERY, key_span(&key), buf_view(&record), 0));
    assert_int_equal(mdb_txn_commit(txn), 0);
    buf_free(&record);
}

static void lines_flow_one_by_one(void **state)
{
    (void)state;
    struct due_row rows[64];
    begin(ORDERING_KEY);
    const struct id firsts[] = {send("x"), send("y")};
    (void)send("x");
    (void)send("y");
    hand_begin(r, &b);
    lose(&firsts[0]);
    lose(&firsts[1]);
    struct task t = {.kind = TASK_ORDER_FLOW, .endpoint = e.number};
    for (unsigned flowing = 0; flowing < 3; flowing++) {
        assert_false(t.finished);
        assert_int_equal(rig_due_rows(r, e.number, rows), 2 + flowing); /* those of the lost stay */
        step_one_row(order_flow_step, &t);
    }
    assert_true(t.finished);
    end();
}

static void a_step_for_what_is_gone_ends_its_task(void **state)
{
    (void)state;
    begin(ORDERING_NONE);
    struct id id = rig_send(r, &a), expunged = rig_send(r, &a);
    struct expunge_op op = {.app = a.number, .message_count = 1, .messages = &expunged};
    OK(rig_do(r, &op.op, STORE_EXPUNGE));
    (void)rig_add_endpoint(r, &a); /* a fan-out would reach it */
    hand_begin(r, &b);
    const struct {
        step_function *step;
        struct task task;
    } cases[] = {
        {order_change_step, {.kind = TASK_ORDER_CHANGED, .endpoint = GONE}},
        {order_flow_step, {.kind = TASK_ORDER_FLOW, .endpoint = GONE}},
        {recover_step, {.kind = TASK_RECOVER, .endpoint = GONE}},
        {fanout_step, {.kind = TASK_FANOUT, .app_number = a.number, .message = {{7}}}},
        {fanout_step, {.kind = TASK_FANOUT, .app_number = GONE, .message = id}},
        {fanout_step, {.kind = TASK_FANOUT, .app_number = a.number, .message = expunged}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct task t = cases[i].task;
        t.cursor_number = e.number;
        OK(batch_begin(&b, r->now));
        OK(cases[i].step(&b, &t, 100));
        if (!t.finished || b.rows)
            fail_msg("case %zu: %u rows", i, b.rows);
        batch_abort(&b);
    }
    end();
}

static void nothing_is_asked_for_while_a_disabling_goes_on(void **state)
{
    (void)state;
    begin(ORDERING_NONE);
    struct id id = rig_send(r, &a);
    hand_begin(r, &b);
    const struct task disabling = {
        .kind = TASK_ENDPOINT_DISABLED, .app_number = a.number, .endpoint = e.number};
    OK(batch_begin(&b, r->now));
    OK(tasks_add(&b, &disabling));
    OK(batch_commit(&b));
    struct resend_op op = {.message = id, .endpoint = e.number};
    OK(batch_begin(&b, r->now));
    assert_int_equal(resend_apply(&b, &op), ERR_BUSY);
    assert_int_equal(b.rows, 0);
    batch_abort(&b);
    end();
}

/* ---------------------------------------------------------------- every call fails once */

static struct {
    step_function *step;
    struct task task;
} swept;

/* Not every place is passed again: room that a batch made is kept. */
static void trial(void)
{
    struct task t = swept.task;
    unsigned before = sweep.struck;
    OK(batch_begin(&b, r->now));
    fault_shield(false);
    sweep_begin();
    enum err said = swept.step(&b, &t, 100);
    fault_shield(true);
    sweep_end();
    batch_abort(&b);
    if (sweep.way == FAULT_WAYS)
        OK(said);
    else if (sweep.struck > before && !sweep_lies() && !batch_broken_by(said))
        SWEEP_FAIL("%s", err_text(said));
}

static void what_fails_in_a_step_breaks_its_batch(void **state)
{
    (void)state;
    begin(ORDERING_NONE);
    struct id dead = rig_send(r, &a), asked = rig_send(r, &a);
    rig_kill(r, &dead, &e);
    rig_kill(r, &asked, &e);
    OK(rig_resend(r, &asked, e.number));
    (void)rig_add_endpoint(r, &a);
    hand_begin(r, &b);
    swept.step = fanout_step;
    swept.task = (struct task){
        .kind = TASK_FANOUT, .app_number = a.number, .message = dead, .cursor_number = e.number};
    sweep_all("a fan-out", trial);
    swept.step = recover_step;
    swept.task = (struct task){.kind = TASK_RECOVER, .endpoint = e.number, .message = asked};
    sweep_all("a recover that waits", trial);
    swept.task.message = (struct id){{0}};
    sweep_all("a recover", trial);
    assert_true(sweep.struck > 10);
    rig_check(r);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dead_letters_are_looked_for_endpoint_by_endpoint),
        cmocka_unit_test(lines_flow_one_by_one),
        cmocka_unit_test(a_step_for_what_is_gone_ends_its_task),
        cmocka_unit_test(nothing_is_asked_for_while_a_disabling_goes_on),
        cmocka_unit_test(what_fails_in_a_step_breaks_its_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
