/* The writer itself: order, refusal, stopping, no room, and being killed. */
#include "tests/store/rig.h"

#include <signal.h>
#include <sys/wait.h>

static void a_second_opening_of_the_directory_is_refused(void **state)
{
    (void)state;
    static struct rig r;
    struct store *second;
    rig_open(&r);
    assert_int_equal(store_open(&r.settings, &second), ERR_LOCKED);
    assert_null(second);
    pid_t child = fork();
    if (child == 0)
        _exit(store_open(&r.settings, &second));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), ERR_LOCKED);
    rig_close(&r);
}

static void data_of_a_newer_version_is_left_alone(void **state)
{
    (void)state;
    static struct rig r;
    static const uint8_t newer[4] = {0, 0, 0, STORE_FORMAT + 1};
    struct store *s;
    struct env env;
    MDB_txn *txn;
    rig_open(&r);
    rig_stop(&r);
    OK(env_open(&env, r.dir, r.settings.map_size, false));
    assert_int_equal(mdb_txn_begin(env.mdb, NULL, 0, &txn), 0);
    OK(tree_put(&env, txn, TREE_META, SPAN(META_FORMAT), span_of(newer, 4), 0));
    assert_int_equal(mdb_txn_commit(txn), 0);
    env_close(&env);
    assert_int_equal(store_open(&r.settings, &s), ERR_VERSION);
    rig_remove(&r);
}

static void stopping_completes_what_was_submitted_and_takes_no_more(void **state)
{
    (void)state;
    static struct rig r;
    enum { MANY = 60 }; /* fewer than are let in at any time */
    static struct rig_ingest i[MANY];
    rig_open(&r);
    struct app a = rig_app(&r, "one");
    unsigned before = r.done;
    for (int n = 0; n < MANY; n++) {
        i[n].item.message = rig_message("a", "{}");
        i[n].op =
            (struct ingest_op){.org = a.org, .app = SPAN("one"), .count = 1, .items = &i[n].item};
        rig_submit(&r, &i[n].op.op, STORE_INGEST);
    }
    store_stop(r.s);
    assert_int_equal(r.done - before, MANY);
    assert_int_equal(store_submit(r.s, &i[0].op.op), ERR_STOPPING);
    store_stop(r.s);
    for (int n = 0; n < MANY; n++) {
        assert_int_equal(i[n].op.op.result, ERR_OK);
        message_unref(&i[n].item.message);
    }
    rig_close(&r);
}

/* Nothing is applied while another has the transaction. */
static void more_than_may_wait_is_refused_as_busy(void **state)
{
    (void)state;
    static struct rig r;
    static struct ingest_op ops[WRITER_QUEUE_MAX + 1]; /* for nobody, so that they cost little */
    MDB_txn *txn;
    rig_open(&r);
    struct app a = rig_app(&r, "one");
    unsigned before = r.done;
    assert_int_equal(mdb_txn_begin(r.s->env.mdb, NULL, 0, &txn), 0);
    for (unsigned n = 0; n <= WRITER_QUEUE_MAX; n++) {
        ops[n] = (struct ingest_op){.org = a.org, .app = SPAN("nobody")};
        ops[n].op = (struct store_op){.kind = STORE_INGEST, .owner = &r, .done = rig_done};
        assert_int_equal(store_submit(r.s, &ops[n].op), n < WRITER_QUEUE_MAX ? ERR_OK : ERR_BUSY);
    }
    assert_int_equal(counter_get(&store_stats(r.s)->refused_busy), 1);
    assert_int_equal(r.done, before);
    mdb_txn_abort(txn);
    rig_await(&r, before + WRITER_QUEUE_MAX);
    assert_int_equal(ops[0].op.result, ERR_NOT_FOUND);
    rig_send(&r, &a);
    rig_close(&r);
}

static void a_message_meets_the_endpoints_that_were_submitted_before_it(void **state)
{
    (void)state;
    static struct rig r;
    rig_make(&r);
    r.settings.group_wait_us = 20000; /* all of it is in one inbox */
    rig_start(&r);
    struct app a = rig_app(&r, "one");
    struct endpoint first = rig_endpoint_new(&r, &a), second = rig_endpoint_new(&r, &a);
    struct endpoint_op put[2] = {{.endpoint = &first}, {.endpoint = &second}};
    struct message *m = rig_message("a", "{}");
    struct ingest_item item = {.message = m};
    struct ingest_op op = {.org = a.org, .app = SPAN("one"), .count = 1, .items = &item};
    unsigned wanted = r.done + 3;
    rig_submit(&r, &put[0].op, STORE_ENDPOINT_PUT);
    rig_submit(&r, &op.op, STORE_INGEST);
    rig_submit(&r, &put[1].op, STORE_ENDPOINT_PUT);
    rig_await(&r, wanted);
    assert_int_equal(r.deliveries, 1);
    assert_int_equal(r.delivered[0].endpoint, first.number);
    assert_int_equal(r.endpoints, 2);
    message_unref(&m);
    rig_close(&r);
}

/* ---------------------------------------------------------------- no room */

static void a_full_map_refuses_ingest_and_still_takes_outcomes(void **state)
{
    (void)state;
    static struct rig r;
    static char payload[100000];
    memset(payload, 'x', sizeof payload - 1);
    rig_make(&r);
    r.settings.map_size = 4 << 20;
    rig_start(&r);
    struct app a = rig_app(&r, "one");
    struct endpoint e = rig_add_endpoint(&r, &a);
    struct id first = rig_send(&r, &a), last = first;
    enum err err = ERR_OK;
    unsigned taken = 0;
    while (!err) {
        struct message *m = rig_message("a", payload);
        struct rig_ingest i = {.item.message = m};
        i.op = (struct ingest_op){.org = a.org, .app = SPAN("one"), .count = 1, .items = &i.item};
        i.op.op.kind = STORE_INGEST;
        i.op.op.owner = &r;
        i.op.op.done = rig_done;
        unsigned wanted = r.done + 1;
        err = store_submit(r.s, &i.op.op);
        if (!err) {
            rig_await(&r, wanted);
            err = i.op.op.result;
        }
        if (!err)
            last = m->id;
        taken += !err;
        message_unref(&m);
        assert_true(taken < 100);
    }
    assert_int_equal(err, ERR_FULL);
    assert_int_equal(r.deliveries, taken + 1);
    assert_int_equal(r.failures, 0);
    assert_int_equal(rig_conclude(&r, &first, &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED),
                     DELIVERY_DELIVERED);
    assert_int_equal(rig_conclude(&r, &last, &e, TRIGGER_SCHEDULED, OUTCOME_RETRY),
                     DELIVERY_RETRYING);
    rig_close(&r);
}

static void a_batch_that_does_not_fit_loses_its_ingest_and_keeps_its_outcomes(void **state)
{
    (void)state;
    static struct rig r;
    enum { BIG = 40 };
    static char payload[200000];
    static struct ingest_item items[BIG];
    memset(payload, 'x', sizeof payload - 1);
    rig_make(&r);
    r.settings.map_size = 4 << 20;
    r.settings.group_wait_us = 20000;
    rig_start(&r);
    struct app a = rig_app(&r, "one");
    struct endpoint e = rig_add_endpoint(&r, &a);
    struct id id = rig_send(&r, &a);
    struct outcome_op outcome = rig_outcome(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    struct ingest_op op = {
        .org = a.org, .app = SPAN("one"), .batch = true, .count = BIG, .items = items};
    for (int n = 0; n < BIG; n++)
        items[n].message = rig_message("a", payload);
    unsigned wanted = r.done + 2, before = r.deliveries;
    rig_submit(&r, &outcome.op, STORE_OUTCOME);
    rig_submit(&r, &op.op, STORE_INGEST);
    rig_await(&r, wanted);
    assert_int_equal(op.op.result, ERR_FULL);
    assert_int_equal(items[0].result, ERR_FULL);
    assert_int_equal(outcome.op.result, ERR_OK);
    assert_int_equal(rig_state(&r, &id, e.number), DELIVERY_DELIVERED);
    assert_int_equal(r.deliveries, before);
    assert_int_equal(counter_get(&store_stats(r.s)->accepted), 1);
    struct message *m;
    assert_int_equal(rig_load(&r, &items[0].message->id, &m), ERR_NOT_FOUND);
    rig_send(&r, &a); /* a small one still fits */
    for (int n = 0; n < BIG; n++)
        message_unref(&items[n].message);
    rig_close(&r);
}

/* A first start that a power cut ended: LMDB would refuse a file with half of its first pages. */
static void a_file_that_was_not_finished_is_made_again(void **state)
{
    (void)state;
    static struct rig r;
    char path[128];
    rig_make(&r);
    snprintf(path, sizeof path, "%s/data.new", r.dir);
    FILE *half = fopen(path, "w");
    assert_non_null(half);
    assert_true(fwrite("half of a page", 1, 14, half) == 14);
    assert_int_equal(fclose(half), 0);
    rig_start(&r);
    assert_int_equal(access(path, F_OK), -1);
    rig_close(&r);
}

/* ---------------------------------------------------------------- killed */

struct ledger {
    int fd;
    struct rig *r;
};

/* What was acknowledged goes into the pipe before anything else happens. */
static void ledger_done(struct store_op *op)
{
    struct ingest_op *ingest = (struct ingest_op *)op;
    struct ledger *l = op->owner;
    if (op->result == ERR_OK && write(l->fd, ingest->items[0].message->id.b, ID_BYTES) != ID_BYTES)
        _exit(1);
    rig_done(&(struct store_op){.owner = l->r});
}

static void serve_until_killed(struct rig *r, int fd)
{
    enum { WINDOW = 16 };
    static struct rig_ingest slots[WINDOW];
    struct ledger l = {fd, r};
    clock_real();
    rig_start(r);
    for (unsigned round = 0;; round++) {
        unsigned wanted = r->done + WINDOW;
        for (int n = 0; n < WINDOW; n++) {
            struct rig_ingest *i = &slots[n];
            message_unref(&i->item.message);
            i->item.message = rig_message("a", "{\"some\":\"payload\"}");
            i->op = (struct ingest_op){
                .org = store_default_org(r->s), .app = SPAN("one"), .count = 1, .items = &i->item};
            i->op.op.kind = STORE_INGEST;
            i->op.op.owner = &l;
            i->op.op.done = ledger_done;
            if (store_submit(r->s, &i->op.op))
                _exit(2);
        }
        rig_await(r, wanted);
    }
}

static void every_acknowledged_message_survives_a_kill(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct app a = rig_app(&r, "one");
    struct endpoint e = rig_add_endpoint(&r, &a);
    struct rng rng;
    rng_seed(&rng, 7);
    for (int round = 0; round < 5; round++) {
        int ends[2];
        struct id id;
        rig_stop(&r);
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            serve_until_killed(&r, ends[1]);
        }
        close(ends[1]);
        /* The kill comes after a random number of acknowledgements, whatever the child does then. */
        unsigned acknowledged = 0, fatal = 1 + (unsigned)(rng_next(&rng) % 300);
        static struct id ledger[100000];
        while (read(ends[0], id.b, ID_BYTES) == ID_BYTES && acknowledged < 100000) {
            ledger[acknowledged++] = id;
            if (acknowledged == fatal)
                kill(child, SIGKILL);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        close(ends[0]);
        assert_true(acknowledged >= fatal);
        rig_start(&r);
        for (unsigned i = 0; i < acknowledged; i++)
            assert_int_equal(rig_state(&r, &ledger[i], e.number), DELIVERY_SCHEDULED);
    }
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_opening_of_the_directory_is_refused),
        cmocka_unit_test(data_of_a_newer_version_is_left_alone),
        cmocka_unit_test(stopping_completes_what_was_submitted_and_takes_no_more),
        cmocka_unit_test(more_than_may_wait_is_refused_as_busy),
        cmocka_unit_test(a_message_meets_the_endpoints_that_were_submitted_before_it),
        cmocka_unit_test(a_full_map_refuses_ingest_and_still_takes_outcomes),
        cmocka_unit_test(a_batch_that_does_not_fit_loses_its_ingest_and_keeps_its_outcomes),
        cmocka_unit_test(a_file_that_was_not_finished_is_made_again),
        cmocka_unit_test(every_acknowledged_message_survives_a_kill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
