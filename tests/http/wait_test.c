/* Requests that wait for something that is not the store's answer: each end that a wait can have. */
#include "tests/http/fixture.h"

#define HOST "Host: test\r\n\r\n"
#define GET(path) SPAN("GET /api/v1/" path " HTTP/1.1\r\n" HOST)

/* What the routes did, for the test's thread. */
static struct {
    _Atomic(struct request *) waiting; /* the last that began to wait */
    atomic_uint began, ended;
    atomic_uint refused; /* waits that were not to be had */
} seen;

struct sleeper {
    struct store_op op; /* first */
    unsigned rounds;    /* waits still to come */
    struct mono until;
};

static void reply(struct request *req, struct sleeper *s)
{
    struct buf body;
    buf_init(&body, 64);
    buf_printf(&body, "{\"left\":%u}", s->rounds);
    request_reply(req, 200, &body);
}

static void look_again(struct request *req, struct store_op *op);

static void look(struct request *req, struct sleeper *s)
{
    if (s->rounds == 0 || clock_mono().us >= s->until.us) {
        reply(req, s);
    } else if (request_wait(req, s->until, &s->op, look_again)) {
        s->rounds--;
        atomic_store(&seen.waiting, req);
        atomic_fetch_add(&seen.began, 1);
    } else {
        atomic_fetch_add(&seen.refused, 1);
        reply(req, s);
    }
}

static void look_again(struct request *req, struct store_op *op)
{
    atomic_fetch_add(&seen.ended, 1);
    look(req, (struct sleeper *)op);
}

static void begin(struct request *req, unsigned rounds, int64_t us)
{
    struct sleeper *s = request_alloc(req, sizeof *s);
    assert_non_null(s);
    *s = (struct sleeper){.rounds = rounds, .until = mono_add(clock_mono(), us)};
    look(req, s);
}

static void sleep_long(struct request *req)
{
    begin(req, 1, 3600 * US_PER_S);
}

static void sleep_twice(struct request *req)
{
    begin(req, 2, 3600 * US_PER_S);
}

static void sleep_short(struct request *req)
{
    begin(req, 3, 20 * US_PER_MS);
}

static void hello(struct request *req)
{
    struct buf body;
    buf_init(&body, 64);
    buf_text(&body, "{}");
    request_reply(req, 200, &body);
}

static const struct route routes[] = {
    {METHOD_GET, "/api/v1/long", ACCESS_PUBLIC, 0, sleep_long, "long"},
    {METHOD_GET, "/api/v1/twice", ACCESS_PUBLIC, 0, sleep_twice, "twice"},
    {METHOD_GET, "/api/v1/short", ACCESS_PUBLIC, 0, sleep_short, "short"},
    {METHOD_GET, "/api/v1/hello", ACCESS_PUBLIC, 0, hello, "hello"},
};

static int serve(void **state)
{
    served = (struct route_table){routes, sizeof routes / sizeof *routes, NULL};
    atomic_store(&seen.began, 0);
    atomic_store(&seen.ended, 0);
    atomic_store(&seen.refused, 0);
    return set_up(state);
}

/* Every client has closed; so does the server. */
static void let_go(const struct http_server *server)
{
    while (counter_get(&http_server_stats(server)->connections) > 0)
        sched_yield();
}

static int leave(void **state)
{
    let_go(*state);
    return tear_down(state);
}

/* The request that began to wait as the n-th. */
static struct request *nth_waiting(unsigned n)
{
    while (atomic_load(&seen.began) < n)
        sched_yield();
    return atomic_load(&seen.waiting);
}

static void expect_left(int fd, const char *body)
{
    struct answer a = hear(fd, true);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, body);
    answer_free(&a);
}

static void one_that_is_woken_goes_on_and_others_wait(void **state)
{
    int first = dial(*state), second = dial(*state);
    assert_true(say(first, GET("long")));
    struct request *one = nth_waiting(1);
    assert_true(say(second, GET("long")));
    struct request *two = nth_waiting(2);
    int third = dial(*state);
    expect(third, "GET /api/v1/hello HTTP/1.1\r\n" HOST, 200);
    close(third);
    request_wake(two);
    expect_left(second, "{\"left\":0}");
    assert_int_equal(atomic_load(&seen.ended), 1);
    request_wake(one);
    expect_left(first, "{\"left\":0}");
    expect(first, "GET /api/v1/hello HTTP/1.1\r\n" HOST, 200);
    close(first);
    close(second);
}

static void one_that_was_woken_may_wait_again(void **state)
{
    int fd = dial(*state);
    assert_true(say(fd, GET("twice")));
    request_wake(nth_waiting(1));
    struct request *again = nth_waiting(2);
    assert_int_equal(atomic_load(&seen.ended), 1);
    request_wake(again);
    expect_left(fd, "{\"left\":0}");
    assert_int_equal(atomic_load(&seen.ended), 2);
    close(fd);
}

static void a_wait_ends_at_its_moment(void **state)
{
    int fd = dial(*state);
    assert_true(say(fd, GET("short")));
    expect_left(fd, "{\"left\":2}");
    close(fd);
}

static void a_client_that_leaves_ends_its_wait_and_gets_no_other(void **state)
{
    int fd = dial(*state);
    assert_true(say(fd, GET("twice")));
    nth_waiting(1);
    close(fd);
    let_go(*state);
    assert_int_equal(atomic_load(&seen.refused), 1);
    assert_int_equal(atomic_load(&seen.began), 1);
}

static void a_client_that_has_said_all_is_answered_at_once(void **state)
{
    int fd = dial(*state);
    assert_true(say(fd, GET("long")));
    nth_waiting(1);
    shutdown(fd, SHUT_WR);
    expect_left(fd, "{\"left\":0}");
    close(fd);
}

static void a_stop_ends_every_wait_with_its_answer(void **state)
{
    (void)state;
    served = (struct route_table){routes, sizeof routes / sizeof *routes, NULL};
    atomic_store(&seen.began, 0);
    atomic_store(&seen.refused, 0);
    struct http_settings settings = default_settings();
    struct http_server *server = start_server(&settings);
    int fd[20];
    for (unsigned i = 0; i < 20; i++) {
        fd[i] = dial(server);
        assert_true(say(fd[i], GET("twice")));
        nth_waiting(i + 1);
    }
    http_server_stop(server, 60 * US_PER_S);
    for (unsigned i = 0; i < 20; i++) {
        struct answer a = hear(fd[i], true);
        assert_int_equal(a.status, 200);
        assert_string_equal(a.body, "{\"left\":1}");
        assert_non_null(strstr(a.text, "Connection: close\r\n"));
        answer_free(&a);
        assert_true(is_closed(fd[i]));
        close(fd[i]);
    }
    assert_int_equal(atomic_load(&seen.refused), 20);
    http_server_free(&server);
}

int main(void)
{
#define WITH_SERVER(f) cmocka_unit_test_setup_teardown(f, serve, leave)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(one_that_is_woken_goes_on_and_others_wait),
        WITH_SERVER(one_that_was_woken_may_wait_again),
        WITH_SERVER(a_wait_ends_at_its_moment),
        WITH_SERVER(a_client_that_leaves_ends_its_wait_and_gets_no_other),
        WITH_SERVER(a_client_that_has_said_all_is_answered_at_once),
        cmocka_unit_test(a_stop_ends_every_wait_with_its_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
