/* The disk fails, is full, or was full: what is acknowledged then, what waits, and who hears of it.
 * The data file's descriptor is replaced under the store's feet, so that every page write fails. */
#include "tests/store/hand.h"

#include "store/reserve.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static struct rig r;
static struct app a;
static struct endpoint e;
static int good; /* a copy of the data file's descriptor */

static int data_fd(void)
{
    int fd;
    assert_int_equal(mdb_env_get_fd(r.s->env.mdb, &fd), 0);
    return fd;
}

static void begin(int64_t map_size)
{
    rig_make(&r);
    r.settings.map_size = map_size;
    r.settings.group_wait_us = 20000; /* what is submitted together meets in one batch */
    rig_start(&r);
    a = rig_app(&r, "one");
    e = rig_add_endpoint(&r, &a);
    good = dup(data_fd());
    assert_true(good >= 0);
}

static void replace_file(const char *path, int flags)
{
    int fd = open(path, flags);
    assert_true(fd >= 0);
    assert_true(dup2(fd, data_fd()) >= 0);
    close(fd);
}

static void repair_file(void)
{
    assert_true(dup2(good, data_fd()) >= 0);
    close(good);
}

static struct ingest_op ingest_of(struct ingest_item *item)
{
    item->message = rig_message("a", "{}");
    return (struct ingest_op){.org = a.org, .app = SPAN("one"), .count = 1, .items = item};
}

static void a_failed_commit_acknowledges_nothing_and_is_told_once(void **state)
{
    (void)state;
    char path[128];
    struct message *m;
    begin(64 << 20);
    struct id id = rig_send(&r, &a);
    unsigned heard = r.deliveries, wanted = r.done + 3;
    snprintf(path, sizeof path, "%s/data.mdb", r.dir);
    replace_file(path, O_RDONLY);
    struct outcome_op outcome = rig_outcome(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    struct ingest_item item = {0};
    struct ingest_op op = ingest_of(&item);
    struct endpoint_op removal = {.number = e.number};
    rig_submit(&r, &outcome.op, STORE_OUTCOME);
    rig_submit(&r, &op.op, STORE_INGEST);
    rig_submit(&r, &removal.op, STORE_ENDPOINT_DELETE);
    rig_await(&r, wanted);
    assert_int_equal(outcome.op.result, ERR_IO);
    assert_int_equal(op.op.result, ERR_IO);
    assert_int_equal(item.result, ERR_IO);
    assert_int_equal(removal.op.result, ERR_IO);
    assert_int_equal(store_submit(r.s, &op.op), ERR_IO);
    assert_int_equal(r.failures, 1);
    assert_int_equal(r.deliveries, heard);
    assert_int_equal(rig_state(&r, &id, e.number), DELIVERY_SCHEDULED);
    repair_file();
    rig_restart(&r);
    assert_int_equal(rig_load(&r, &item.message->id, &m), ERR_NOT_FOUND);
    assert_int_equal(rig_state(&r, &id, e.number), DELIVERY_SCHEDULED);
    message_unref(&item.message);
    rig_close(&r);
}

static void outcomes_wait_when_not_even_they_find_room(void **state)
{
    (void)state;
    begin(64 << 20);
    struct id id = rig_send(&r, &a);
    unsigned before = r.done;
    replace_file("/dev/full", O_WRONLY);
    struct outcome_op outcome = rig_outcome(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    struct ingest_item item = {0};
    struct ingest_op op = ingest_of(&item);
    struct expunge_op expunge = {.app = a.number, .message_count = 1, .messages = &id};
    rig_submit(&r, &outcome.op, STORE_OUTCOME);
    rig_submit(&r, &op.op, STORE_INGEST);
    rig_submit(&r, &expunge.op, STORE_EXPUNGE);
    rig_await(&r, before + 2);
    assert_int_equal(op.op.result, ERR_FULL);
    assert_int_equal(expunge.op.result, ERR_FULL);
    assert_int_equal(r.done, before + 2);
    assert_int_equal(rig_state(&r, &id, e.number), DELIVERY_SCHEDULED);
    repair_file();
    rig_await(&r, before + 3);
    OK(outcome.op.result);
    assert_int_equal(rig_state(&r, &id, e.number), DELIVERY_DELIVERED);
    assert_int_equal(r.failures, 0);
    message_unref(&item.message);
    rig_close(&r);
}

static void stopping_on_a_full_disk_gives_the_waiting_outcomes_back(void **state)
{
    (void)state;
    begin(64 << 20);
    struct id id = rig_send(&r, &a);
    replace_file("/dev/full", O_WRONLY);
    struct outcome_op outcome = rig_outcome(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    rig_submit(&r, &outcome.op, STORE_OUTCOME);
    store_stop(r.s);
    assert_int_equal(outcome.op.result, ERR_FULL);
    repair_file();
    rig_restart(&r);
    assert_int_equal(rig_state(&r, &id, e.number), DELIVERY_SCHEDULED);
    rig_close(&r);
}

static enum err send_payload(const char *payload)
{
    struct message *m = rig_message("a", payload);
    struct rig_ingest i = {.item.message = m};
    i.op = (struct ingest_op){.org = a.org, .app = SPAN("one"), .count = 1, .items = &i.item};
    i.op.op.kind = STORE_INGEST;
    i.op.op.owner = &r;
    i.op.op.done = rig_done;
    unsigned wanted = r.done + 1;
    enum err err = store_submit(r.s, &i.op.op);
    if (!err) {
        rig_await(&r, wanted);
        err = i.op.op.result;
    }
    message_unref(&m);
    return err;
}

/* The limit on a file's size stands for the end of the disk. */
static void ingest_ends_before_the_disk_does_and_outcomes_go_on(void **state)
{
    (void)state;
    static char payload[100000];
    struct stat file;
    struct rlimit before, limit;
    memset(payload, 'x', sizeof payload - 1);
    begin(64 << 20);
    struct id id = rig_send(&r, &a);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(fstat(good, &file), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = (rlim_t)file.st_size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    enum err err = ERR_OK;
    unsigned taken = 0;
    while (!err && taken < 200) {
        err = send_payload(payload);
        taken += !err;
    }
    enum delivery_state state_then = rig_conclude(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_RETRY);
    enum err again = send_payload(payload);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(err, ERR_FULL);
    assert_int_equal(again, ERR_FULL);
    assert_in_range(taken, 1, 40); /* of the reserve, a sixteenth of the map, most is left */
    assert_int_equal(state_then, DELIVERY_RETRYING);
    assert_int_equal(r.failures, 0);
    rig_turn(&r);
    OK(send_payload(payload));
    close(good);
    rig_close(&r);
}

static void a_store_works_without_anyone_listening(void **state)
{
    (void)state;
    const struct store_listener none = {0};
    begin(64 << 20);
    close(good);
    rig_stop(&r);
    OK(store_open(&r.settings, &r.s));
    OK(store_start(r.s, &none));
    struct id id = rig_send(&r, &a);
    rig_kill(&r, &id, &e);
    OK(rig_resend(&r, &id, e.number));
    rig_disable(&r, &e, true);
    rig_close(&r);
}

static void a_store_without_anyone_listening_refuses_all_the_same(void **state)
{
    (void)state;
    const struct store_listener none = {0};
    char path[128];
    begin(64 << 20);
    store_stop(r.s);
    OK(store_start(r.s, &none));
    snprintf(path, sizeof path, "%s/data.mdb", r.dir);
    replace_file(path, O_RDONLY);
    struct event_type type = {.org = a.org, .name = SPAN("t")};
    struct event_type_op op = {.type = &type};
    assert_int_equal(rig_do(&r, &op.op, STORE_EVENT_TYPE_PUT), ERR_IO);
    assert_int_equal(store_submit(r.s, &op.op), ERR_IO);
    repair_file();
    rig_restart(&r);
    rig_close(&r);
}

/* ---------------------------------------------------------------- one after another */

#define TOGETHER 60 /* fewer than are let in at any time */

/* Operations that the writer finds at once, since its own thread submits them. */
static struct together {
    struct store_op *ops[TOGETHER];
    enum store_op_kind kinds[TOGETHER];
    void (*first_done)(struct store_op *op); /* instead of rig_done */
} together;

static void submit_together(struct store_op *op)
{
    for (unsigned i = 0; i < TOGETHER && together.ops[i]; i++) {
        struct store_op *each = together.ops[i];
        each->kind = together.kinds[i];
        each->owner = &r;
        each->done = i == 0 && together.first_done ? together.first_done : rig_done;
        if (store_submit(r.s, each))
            abort();
    }
    rig_done(op);
}

static void meet(void)
{
    struct key_op first = {.key.id = {{9}}};
    unsigned wanted = r.done + 1;
    for (unsigned i = 0; i < TOGETHER && together.ops[i]; i++)
        wanted++;
    first.op.kind = STORE_KEY_REVOKE; /* of none: it changes nothing */
    first.op.owner = &r;
    first.op.done = submit_together;
    OK(store_submit(r.s, &first.op));
    rig_await(&r, wanted);
    together = (struct together){.ops = {NULL}};
}

static void what_is_behind_a_change_that_finds_no_room_is_refused_with_it(void **state)
{
    (void)state;
    begin(64 << 20);
    struct app apps[2] = {a, a};
    struct app_op ops[2] = {{.app = &apps[0]}, {.app = &apps[1]}};
    for (unsigned i = 0; i < 2; i++) {
        apps[i].name = SPAN("renamed");
        together.ops[i] = &ops[i].op;
        together.kinds[i] = STORE_APP_PUT;
    }
    replace_file("/dev/full", O_WRONLY);
    meet();
    assert_int_equal(ops[0].op.result, ERR_FULL);
    assert_int_equal(ops[1].op.result, ERR_FULL);
    assert_int_equal(r.failures, 0);
    repair_file();
    OK(rig_do(&r, &ops[0].op, STORE_APP_PUT));
    rig_close(&r);
}

static void repair_and_tell(struct store_op *op)
{
    repair_file();
    rig_done(op);
}

/* After a batch without room those that follow do no background work, which alone empties the
 * index. */
static void ingest_is_refused_while_nobody_makes_room_in_the_index(void **state)
{
    (void)state;
    enum { EACH = 3 };
    static struct ingest_item items[TOGETHER][EACH];
    struct ingest_op ops[TOGETHER];
    begin(64 << 20);
    store_stop(r.s);
    hand_small_index(&r, 4096);
    r.s->settings.group_wait_us = 0;
    rig_resume(&r);
    for (unsigned i = 0; i < TOGETHER; i++) {
        for (unsigned n = 0; n < EACH; n++)
            (void)ingest_of(&items[i][n]);
        ops[i] = (struct ingest_op){
            .org = a.org, .app = a.uid, .batch = true, .count = EACH, .items = items[i]};
        together.ops[i] = &ops[i].op;
        together.kinds[i] = STORE_INGEST;
    }
    replace_file("/dev/full", O_WRONLY);
    together.first_done = repair_and_tell;
    meet();
    unsigned before = 0, taken = 0, behind = 0;
    while (before < TOGETHER && ops[before].op.result == ERR_FULL)
        before++;
    while (before + taken < TOGETHER && !ops[before + taken].op.result)
        taken++;
    while (before + taken + behind < TOGETHER && ops[before + taken + behind].op.result == ERR_FULL)
        behind++;
    assert_int_equal(before + taken + behind, TOGETHER);
    assert_true(before > 0 && behind > 0);
    assert_int_equal(taken, before); /* as many as find room */
    assert_int_equal(items[TOGETHER - 1][0].result, ERR_FULL);
    rig_turns(&r, 20);
    (void)rig_send(&r, &a);
    assert_int_equal(counter_get(&store_stats(r.s)->accepted), taken * EACH + 1);
    for (unsigned i = 0; i < TOGETHER; i++)
        for (unsigned n = 0; n < EACH; n++)
            message_unref(&items[i][n].message);
    rig_close(&r);
}

/* ---------------------------------------------------------------- background work */

/* Two tables full of entries that have expired a second later: one of them is to be written out. */
static void fill_index(void)
{
    MDB_txn *txn;
    assert_int_equal(mdb_txn_begin(r.s->env.mdb, NULL, 0, &txn), 0);
    for (uint32_t n = 0; index_has_room(r.s->index, 1); n++) {
        struct treekey key = key_number(UINT32_MAX - n);
        OK(index_put(r.s->index, INDEX_APP_MESSAGE, key_span(&key), (struct span){0},
                     wall_add(r.now, US_PER_S)));
    }
    OK(index_flush(r.s->index, txn));
    assert_int_equal(mdb_txn_commit(txn), 0);
    index_committed(r.s->index);
}

static void an_index_that_finds_no_room_to_be_written_stops_ingest_alone(void **state)
{
    (void)state;
    begin(64 << 20);
    close(good);
    struct id id = rig_send(&r, &a);
    store_stop(r.s);
    hand_small_index(&r, 256 << 10);
    r.s->settings.group_wait_us = 0;
    fill_index();
    assert_int_equal(mdb_env_set_mapsize(r.s->env.mdb, env_end(&r.s->env)), 0);
    rig_resume(&r);
    assert_int_equal(send_payload("{}"), ERR_FULL);
    store_stop(r.s);
    assert_int_equal(r.failures, 0);
    assert_int_equal(mdb_env_set_mapsize(r.s->env.mdb, 64 << 20), 0);
    rig_resume(&r);
    rig_turn(&r); /* which waits for room in the index */
    OK(send_payload("{}"));
    assert_int_equal(rig_conclude(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED),
                     DELIVERY_DELIVERED);
    rig_advance(&r, 2 * US_PER_S);
    rig_close(&r);
}

/* A disk that fails is not asked for more, though nothing was lost yet. */
static void a_file_that_cannot_be_prepared_for_a_burst_ends_the_service(void **state)
{
    (void)state;
    enum { VALUE = 11 << 20, VALUES = 6 }; /* a file that is large enough to be written ahead */
    char path[128], *value = calloc(1, VALUE);
    MDB_txn *txn;
    bool more;
    assert_non_null(value);
    begin(INT64_C(1) << 30);
    store_stop(r.s);
    assert_int_equal(mdb_txn_begin(r.s->env.mdb, NULL, 0, &txn), 0);
    for (uint32_t n = 0; n < VALUES; n++) {
        struct treekey key = key_number(n);
        OK(tree_put(&r.s->env, txn, TREE_BODY, key_span(&key), span_of(value, VALUE), 0));
    }
    assert_int_equal(mdb_txn_commit(txn), 0);
    free(value);
    assert_true(reserve_wants(&r.s->env));
    snprintf(path, sizeof path, "%s/data.mdb", r.dir);
    replace_file(path, O_RDONLY);
    assert_int_equal(reserve_write(&r.s->env, &more), ERR_IO);
    rig_resume(&r);
    rig_await_failure(&r);
    struct ingest_item item = {0};
    struct ingest_op op = ingest_of(&item);
    assert_int_equal(store_submit(r.s, &op.op), ERR_IO);
    message_unref(&item.message);
    repair_file();
    rig_stop(&r);
    rig_remove(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_commit_acknowledges_nothing_and_is_told_once),
        cmocka_unit_test(outcomes_wait_when_not_even_they_find_room),
        cmocka_unit_test(stopping_on_a_full_disk_gives_the_waiting_outcomes_back),
        cmocka_unit_test(ingest_ends_before_the_disk_does_and_outcomes_go_on),
        cmocka_unit_test(a_store_works_without_anyone_listening),
        cmocka_unit_test(a_store_without_anyone_listening_refuses_all_the_same),
        cmocka_unit_test(what_is_behind_a_change_that_finds_no_room_is_refused_with_it),
        cmocka_unit_test(ingest_is_refused_while_nobody_makes_room_in_the_index),
        cmocka_unit_test(an_index_that_finds_no_room_to_be_written_stops_ingest_alone),
        cmocka_unit_test(a_file_that_cannot_be_prepared_for_a_burst_ends_the_service),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
