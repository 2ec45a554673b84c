/* The dispatcher on the real store: what the receiver saw and what is on disk agree, also across a
 * stop in the middle. Every test ends with a check of the whole store. */
#include "dispatcher/dispatcher.h"
#include "receiver.h"
#include "tests/store/rig.h"

#include <signal.h>

struct fixture {
    struct rig rig;
    struct receiver receiver;
    struct dispatcher *dispatcher;
    struct dispatcher_settings settings;
    struct app app;
};

/* Begins (or begins again) to store and to deliver. */
static void go(struct fixture *f)
{
    OK(store_open(&f->rig.settings, &f->rig.s));
    OK(dispatcher_new(&f->settings, f->rig.s, &f->dispatcher));
    struct store_listener listener = dispatcher_listener(f->dispatcher);
    listener.failed = rig_failed;
    OK(store_start(f->rig.s, &listener));
    OK(dispatcher_start(f->dispatcher));
}

/* What is in flight ends, its outcome is stored. */
static void halt(struct fixture *f)
{
    dispatcher_stop(f->dispatcher);
    store_stop(f->rig.s);
    dispatcher_free(&f->dispatcher);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    rig_make(&f->rig);
    clock_real();
    f->rig.now = clock_wall();
    receiver_start(&f->receiver);
    f->settings = (struct dispatcher_settings){
        .threads = 2,
        .retry_schedule = {.count = 2, .us = {1000, 1000}},
        .request_timeout_us = 20 * US_PER_S,
        .connect_timeout_us = 5 * US_PER_S,
        .endpoint_max_in_flight = 8,
        .max_in_flight = 64,
        .drain_us = 20 * US_PER_S,
        .allow_subnets = "127.0.0.0/8",
        .user_agent = "Surehook/test",
    };
    go(f);
    f->app = rig_app(&f->rig, "shop");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->dispatcher)
        halt(f);
    receiver_stop(&f->receiver);
    rig_close(&f->rig);
    free(f);
    return 0;
}

static struct endpoint endpoint_at(struct fixture *f, const char *path)
{
    static char url[128];
    struct endpoint e = rig_endpoint_new(&f->rig, &f->app);
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", f->receiver.port, path);
    e.url = span_text(url);
    e.key_count = 1;
    dispatcher_secret_make(KEY_HMAC, &e.keys[0]);
    OK(rig_put_endpoint(&f->rig, &e));
    return e;
}

static void move_to(struct fixture *f, struct endpoint *e, const char *path)
{
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", f->receiver.port, path);
    e->url = span_text(url);
    OK(rig_put_endpoint(&f->rig, e));
}

static void every_message_reaches_every_endpoint_once(void **state)
{
    struct fixture *f = *state;
    static struct id ids[300];
    struct endpoint e[3];
    for (unsigned i = 0; i < 3; i++)
        e[i] = endpoint_at(f, "/status/200");
    rig_send_all(&f->rig, &f->app, ids, 300);
    receiver_wait_requests(&f->receiver, 900);
    dispatcher_stop(f->dispatcher);
    assert_int_equal(f->receiver.requests, 900);
    for (unsigned n = 0; n < 300; n++)
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(rig_state(&f->rig, &ids[n], e[i].number), DELIVERY_DELIVERED);
}

static void a_backlog_far_over_the_ready_list_is_delivered_once_each(void **state)
{
    struct fixture *f = *state;
    static struct id ids[BATCH_MESSAGES_MAX];
    struct endpoint e = endpoint_at(f, "/status/200");
    rig_send_all(&f->rig, &f->app, ids, BATCH_MESSAGES_MAX);
    rig_send_all(&f->rig, &f->app, ids, BATCH_MESSAGES_MAX);
    receiver_wait_requests(&f->receiver, 2 * BATCH_MESSAGES_MAX);
    dispatcher_stop(f->dispatcher);
    assert_int_equal(f->receiver.requests, 2 * BATCH_MESSAGES_MAX);
    assert_int_equal(store_endpoint_counts(f->rig.s, e.number).waiting, 0);
    const struct dispatcher_stats *stats = dispatcher_stats(f->dispatcher);
    assert_true(counter_get(&stats->pages) > 0);
    assert_int_equal(counter_get(&stats->in_flight), 0);
    assert_int_equal(counter_get(&stats->ready), 0);
}

static void what_keeps_failing_ends_in_the_dead_letter_queue_and_replays(void **state)
{
    struct fixture *f = *state;
    struct endpoint e = endpoint_at(f, "/status/500");
    struct id id = rig_send(&f->rig, &f->app);
    receiver_wait_requests(&f->receiver, 3);
    while (rig_dead_rows(&f->rig, e.number) == 0)
        rig_turn(&f->rig); /* the writer takes the outcome with one of its next commits */
    assert_int_equal(rig_state(&f->rig, &id, e.number), DELIVERY_DEAD);

    move_to(f, &e, "/status/200");
    struct dead_op replay = {
        .verb = DEAD_REPLAY, .endpoint = e.number, .messages = &id, .message_count = 1};
    OK(rig_do(&f->rig, &replay.op, STORE_DEAD));
    receiver_wait_requests(&f->receiver, 4);
    dispatcher_stop(f->dispatcher);
    assert_int_equal(rig_state(&f->rig, &id, e.number), DELIVERY_DELIVERED);
}

static void gone_disables_the_endpoint_for_good(void **state)
{
    struct fixture *f = *state;
    struct endpoint e = endpoint_at(f, "/status/410"), *stored;
    struct store_read *read;
    struct id id = rig_send(&f->rig, &f->app);
    receiver_wait_requests(&f->receiver, 1);
    dispatcher_stop(f->dispatcher);
    OK(store_read_begin(f->rig.s, &read));
    OK(store_endpoint_load(read, e.number, &stored));
    store_read_end(&read);
    assert_true(stored->disabled);
    assert_true(span_is(stored->disabled_reason, "gone"));
    endpoint_free(&stored);
    assert_int_equal(rig_state(&f->rig, &id, e.number), DELIVERY_DEAD);
}

static void a_stop_in_the_middle_loses_nothing(void **state)
{
    struct fixture *f = *state;
    static struct id ids[200];
    halt(f);
    store_close(&f->rig.s);
    f->settings.drain_us = 0;
    go(f);
    struct endpoint e = endpoint_at(f, "/hang");
    rig_send_all(&f->rig, &f->app, ids, 200);
    receiver_wait_requests(&f->receiver, 1);
    halt(f);
    store_close(&f->rig.s);

    f->settings.request_timeout_us = 200 * US_PER_MS; /* of those that hang before the move */
    go(f);
    move_to(f, &e, "/status/200");
    while (store_endpoint_counts(f->rig.s, e.number).waiting > 0)
        rig_turn(&f->rig);
    for (unsigned n = 0; n < 200; n++)
        assert_int_equal(rig_state(&f->rig, &ids[n], e.number), DELIVERY_DELIVERED);
}

static void a_resend_delivers_again(void **state)
{
    struct fixture *f = *state;
    struct endpoint e = endpoint_at(f, "/status/200");
    struct id id = rig_send(&f->rig, &f->app);
    while (rig_state(&f->rig, &id, e.number) != DELIVERY_DELIVERED)
        rig_turn(&f->rig);
    struct resend_op op = {.message = id, .endpoint = e.number};
    OK(rig_do(&f->rig, &op.op, STORE_RESEND));
    receiver_wait_requests(&f->receiver, 2);
    dispatcher_stop(f->dispatcher);
    struct delivery d;
    OK(rig_delivery_get(&f->rig, &id, e.number, &d));
    assert_true(d.manual_due.us == 0);
    assert_int_equal(f->receiver.requests, 2);
}

static void deleting_an_endpoint_forgets_its_lane(void **state)
{
    struct fixture *f = *state;
    struct endpoint e = endpoint_at(f, "/later");
    struct id id = rig_send(&f->rig, &f->app);
    receiver_wait_requests(&f->receiver, 1);
    struct endpoint_op op = {.number = e.number};
    OK(rig_do(&f->rig, &op.op, STORE_ENDPOINT_DELETE));
    rig_turns(&f->rig, 4);
    assert_int_equal(rig_state(&f->rig, &id, e.number), DELIVERY_CANCELED);
    dispatcher_stop(f->dispatcher);
    assert_int_equal(f->receiver.requests, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_message_reaches_every_endpoint_once),
        TEST(a_backlog_far_over_the_ready_list_is_delivered_once_each),
        TEST(what_keeps_failing_ends_in_the_dead_letter_queue_and_replays),
        TEST(gone_disables_the_endpoint_for_good),
        TEST(a_stop_in_the_middle_loses_nothing),
        TEST(a_resend_delivers_again),
        TEST(deleting_an_endpoint_forgets_its_lane),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
