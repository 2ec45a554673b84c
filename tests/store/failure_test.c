/* The disk fails, is full, or was full: what is acknowledged then, what waits, and who hears of it.
 * The data file's descriptor is replaced under the store's feet, so that every page write fails. */
#include "tests/store/rig.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_commit_acknowledges_nothing_and_is_told_once),
        cmocka_unit_test(outcomes_wait_when_not_even_they_find_room),
        cmocka_unit_test(stopping_on_a_full_disk_gives_the_waiting_outcomes_back),
        cmocka_unit_test(ingest_ends_before_the_disk_does_and_outcomes_go_on),
        cmocka_unit_test(a_store_works_without_anyone_listening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
