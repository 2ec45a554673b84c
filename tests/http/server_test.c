/* The server from outside: what a client sees on the wire, with real sockets and real
 * libmicrohttpd. */
#include "tests/http/sample_routes.h"

#define HOST "Host: h\r\n"
#define AUTHORIZED(name) HOST "Authorization: Bearer " name "\r\n\r\n"

static void a_get_is_answered_with_json(void **state)
{
    int fd = dial(*state);
    assert_true(say(fd, SPAN("GET /api/v1/hello HTTP/1.1\r\n" HOST "\r\n")));
    struct answer a = hear(fd, true);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "{\"hello\":true}");
    assert_non_null(strstr(a.text, "Content-Type: application/json\r\n"));
    answer_free(&a);
    close(fd);
}

static void a_connection_serves_many_requests(void **state)
{
    int fd = dial(*state);
    for (int i = 0; i < 100; i++) {
        expect(fd, "GET /api/v1/hello HTTP/1.1\r\n" HOST "\r\n", 200);
        expect(fd, "POST /api/v1/echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi", 200);
    }
    close(fd);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    int fd = dial(*state);
    assert_true(say(fd, SPAN("POST /api/v1/echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\none"
                             "POST /api/v1/echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\ntwo"
                             "POST /api/v1/echo HTTP/1.1\r\n" HOST
                             "Transfer-Encoding: chunked\r\n\r\n5\r\nthree\r\n0\r\n\r\n")));
    static const char *const wanted[] = {"one", "two", "three"};
    for (int i = 0; i < 3; i++) {
        struct answer a = hear(fd, true);
        assert_string_equal(a.body, wanted[i]);
        answer_free(&a);
    }
    close(fd);
}

static void a_trailing_slash_makes_no_difference(void **state)
{
    int fd = dial(*state);
    expect(fd, "GET /api/v1/hello/ HTTP/1.1\r\n" HOST "\r\n", 200);
    expect(fd, "GET /api/v1/hello/?a=1 HTTP/1.1\r\n" HOST "\r\n", 200);
    close(fd);
}

static void an_absolute_target_is_understood(void **state)
{
    int fd = dial(*state);
    expect(fd, "GET http://h/api/v1/hello HTTP/1.1\r\n" HOST "\r\n", 200);
    close(fd);
}

static void an_unknown_route_is_404_in_json(void **state)
{
    int fd = dial(*state);
    assert_true(say(fd, SPAN("GET /nothing HTTP/1.1\r\n" HOST "\r\n")));
    struct answer a = hear(fd, true);
    assert_int_equal(a.status, 404);
    assert_non_null(strstr(a.body, "\"code\":\"not_found\""));
    answer_free(&a);
    close(fd);
}

static void a_wrong_method_is_405_and_names_the_right_ones(void **state)
{
    int fd = dial(*state);
    assert_true(say(fd, SPAN("DELETE /api/v1/echo HTTP/1.1\r\n" HOST "\r\n")));
    struct answer a = hear(fd, true);
    assert_int_equal(a.status, 405);
    assert_non_null(strstr(a.text, "Allow: POST, PUT\r\n"));
    assert_non_null(strstr(a.body, "\"code\":\"method_not_allowed\""));
    answer_free(&a);
    expect(fd, "BREW /api/v1/echo HTTP/1.1\r\n" HOST "\r\n", 405);
    close(fd);
}

static void head_has_the_head_of_get_and_no_body(void **state)
{
    int fd = dial(*state);
    assert_true(say(fd, SPAN("HEAD /api/v1/hello HTTP/1.1\r\n" HOST "\r\n")));
    struct answer a = hear(fd, false);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.text, "Content-Length: 14\r\n"));
    answer_free(&a);
    expect(fd, "GET /api/v1/hello HTTP/1.1\r\n" HOST "\r\n", 200);
    close(fd);
}

static void a_post_without_length_has_an_empty_body(void **state)
{
    int fd = dial(*state);
    assert_true(say(fd, SPAN("POST /api/v1/echo HTTP/1.1\r\n" HOST "\r\n")));
    struct answer a = hear(fd, true);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.len, 0);
    answer_free(&a);
    close(fd);
}

static void a_malformed_escape_in_the_path_is_400(void **state)
{
    int fd = dial(*state);
    expect(fd, "GET /api/v1/app/%zz HTTP/1.1\r\n" HOST "Authorization: Bearer admin\r\n\r\n", 400);
    expect(fd, "GET /api/v1/app/a%00b HTTP/1.1\r\n" HOST "Authorization: Bearer admin\r\n\r\n",
           400);
    close(fd);
}

static void path_parameters_are_decoded(void **state)
{
    int fd = dial(*state);
    assert_true(say(fd, SPAN("GET /api/v1/app/a%2Fb+c HTTP/1.1\r\n" HOST
                             "Authorization: Bearer admin\r\n\r\n")));
    struct answer a = hear(fd, true);
    assert_string_equal(a.body, "a/b+c");
    answer_free(&a);
    close(fd);
}

/* ---------------------------------------------------------------- bounds */

static void a_body_announced_over_its_bound_is_413_at_once_and_closes(void **state)
{
    int fd = dial(*state);
    expect(fd, "POST /api/v1/echo HTTP/1.1\r\n" HOST "Content-Length: 1001\r\n\r\n", 413);
    assert_true(is_closed(fd));
    assert_int_equal(refused(*state, REFUSED_TOO_LARGE), 1);
    close(fd);
}

static void a_client_that_sends_its_too_large_body_first_still_reads_the_413(void **state)
{
    int fd = dial(*state);
    static char body[4 * 1024 * 1024];
    memset(body, 'x', sizeof body);
    assert_true(
        say(fd, SPAN("PUT /api/v1/echo HTTP/1.1\r\n" HOST "Content-Length: 4194304\r\n\r\n")));
    assert_true(say(fd, span_of(body, sizeof body)));
    struct answer a = hear(fd, true);
    assert_int_equal(a.status, 413);
    answer_free(&a);
    close(fd);
}

static void a_body_for_a_route_without_one_is_413(void **state)
{
    int fd = dial(*state);
    expect(fd, "GET /api/v1/hello HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx", 413);
    close(fd);
}

static void a_large_body_arrives_whole(void **state)
{
    int fd = dial(*state);
    static char body[MESSAGE_BODY_MAX];
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)('a' + i % 26);
    assert_true(
        say(fd, SPAN("PUT /api/v1/echo HTTP/1.1\r\n" HOST "Content-Length: 1048576\r\n\r\n")));
    assert_true(say(fd, span_of(body, sizeof body)));
    struct answer a = hear(fd, true);
    assert_int_equal(a.len, sizeof body);
    assert_memory_equal(a.body, body, sizeof body);
    answer_free(&a);
    close(fd);
}

static void a_continue_is_sent_when_the_head_is_accepted_and_not_when_it_is_refused(void **state)
{
    int fd = dial(*state);
    assert_true(say(fd, SPAN("POST /api/v1/echo HTTP/1.1\r\n" HOST
                             "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")));
    struct answer a = hear(fd, false);
    assert_int_equal(a.status, 100);
    answer_free(&a);
    expect(fd, "hi", 200);
    expect(fd,
           "POST /api/v1/echo HTTP/1.1\r\n" HOST
           "Expect: 100-continue\r\nContent-Length: 2000\r\n\r\n",
           413);
    close(fd);
}

static void a_route_of_messages_has_the_bound_of_the_settings(void **state)
{
    (void)state;
    struct http_settings settings = default_settings();
    settings.max_body = 10;
    struct http_server *server = start_server(&settings);
    int fd = dial(server);
    expect(fd, "PUT /api/v1/echo HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n0123456789", 200);
    expect(fd, "PUT /api/v1/echo HTTP/1.1\r\n" HOST "Content-Length: 11\r\n\r\n", 413);
    close(fd);
    stop_server(server);
}

/* Nine bodies of 16 MiB do not fit the budget of 128 MiB: at least one is refused, and what the
 * others hold comes back afterwards. */
static void bodies_over_the_budget_of_all_are_refused_with_503(void **state)
{
    (void)state;
    enum { CLIENTS = 9, SIZE = 16 * 1024 * 1024 };
    static char body[SIZE];
    struct http_settings settings = default_settings();
    settings.max_body = SIZE;
    struct http_server *server = start_server(&settings);
    int fds[CLIENTS], refusals = 0;
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = dial(server);
        assert_true(say(
            fds[i], SPAN("PUT /api/v1/echo HTTP/1.1\r\n" HOST "Content-Length: 16777216\r\n\r\n")));
        say(fds[i], span_of(body, SIZE - 1));
    }
    for (int i = 0; i < CLIENTS; i++) {
        say(fds[i], SPAN("x"));
        struct answer a = hear(fds[i], false);
        assert_true(a.status == 200 || a.status == 503);
        if (a.status == 503) {
            assert_non_null(strstr(a.text, "Retry-After: 1\r\n"));
            refusals++;
        }
        answer_free(&a);
        close(fds[i]);
    }
    assert_in_range(refusals, 1, 3);
    assert_int_equal(refused(server, REFUSED_BUSY), refusals);
    int fd = dial(server);
    expect(fd, "PUT /api/v1/echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi", 200);
    close(fd);
    stop_server(server);
}

/* ---------------------------------------------------------------- idempotency */

/* The identity that the route shows for a request. */
static void identity(int fd, const char *path, const char *key, const char *token, char out[64])
{
    char request[512];
    snprintf(request, sizeof request,
             "POST %s HTTP/1.1\r\n" HOST "Authorization: Bearer %s\r\nIdempotency-Key: %s\r\n\r\n",
             path, token, key);
    assert_true(say(fd, span_text(request)));
    struct answer a = hear(fd, true);
    assert_int_equal(a.status, 200);
    snprintf(out, 64, "%s", a.body);
    answer_free(&a);
}

static void an_idempotency_identity_is_of_token_path_query_and_key(void **state)
{
    int fd = dial(*state);
    char first[64], other[64];
    identity(fd, "/api/v1/app/a/msg", "k", "admin", first);
    identity(fd, "/api/v1/app/a/msg/", "k", "admin", other);
    assert_string_equal(first, other);
    identity(fd, "/api/v1/app/b/msg", "k", "admin", other);
    assert_string_not_equal(first, other);
    identity(fd, "/api/v1/app/a/msg?q=1", "k", "admin", other);
    assert_string_not_equal(first, other);
    identity(fd, "/api/v1/app/a/msg", "l", "admin", other);
    assert_string_not_equal(first, other);
    identity(fd, "/api/v1/app/a/msg", "k", "ingest", other);
    assert_string_not_equal(first, other);
    close(fd);
}

static void automatic_keys_live_minutes_and_explicit_ones_hours(void **state)
{
    int fd = dial(*state);
    char text[64];
    identity(fd, "/api/v1/app/a/msg", "auto_1", "admin", text);
    assert_non_null(strstr(text, " 600000000"));
    identity(fd, "/api/v1/app/a/msg", "mine", "admin", text);
    assert_non_null(strstr(text, " 43200000000"));
    close(fd);
}

static void a_malformed_idempotency_key_is_400(void **state)
{
    int fd = dial(*state);
    expect(fd, "POST /api/v1/app/a/msg HTTP/1.1\r\nIdempotency-Key: a b\r\n" AUTHORIZED("admin"),
           400);
    expect(fd, "POST /api/v1/app/a/msg HTTP/1.1\r\nIdempotency-Key: \r\n" AUTHORIZED("admin"), 400);
    close(fd);
}

/* ---------------------------------------------------------------- waiting for the store */

static void a_request_waits_for_the_store(void **state)
{
    int fd = dial(*state);
    for (int i = 0; i < 20; i++) {
        assert_true(say(fd, SPAN("POST /api/v1/wait HTTP/1.1\r\n" HOST "\r\n")));
        complete_held(ERR_OK);
        struct answer a = hear(fd, true);
        assert_int_equal(a.status, 202);
        answer_free(&a);
    }
    close(fd);
}

static void other_connections_are_served_meanwhile(void **state)
{
    int waiting = dial(*state), other = dial(*state);
    assert_true(say(waiting, SPAN("POST /api/v1/wait HTTP/1.1\r\n" HOST "\r\n")));
    expect(other, "GET /api/v1/hello HTTP/1.1\r\n" HOST "\r\n", 200);
    complete_held(ERR_NOT_FOUND);
    struct answer a = hear(waiting, true);
    assert_int_equal(a.status, 404);
    assert_non_null(strstr(a.body, "Entity not found"));
    answer_free(&a);
    close(waiting);
    close(other);
}

static void an_operation_that_completes_at_once_is_answered(void **state)
{
    atomic_store(&fake.at_once, true);
    int fd = dial(*state);
    for (int i = 0; i < 20; i++)
        expect(fd, "POST /api/v1/wait HTTP/1.1\r\n" HOST "\r\n", 202);
    close(fd);
}

static void a_refusal_of_the_store_asks_to_come_back(void **state)
{
    int fd = dial(*state);
    atomic_store(&fake.refuse_with, ERR_BUSY);
    assert_true(say(fd, SPAN("POST /api/v1/wait HTTP/1.1\r\n" HOST "\r\n")));
    struct answer a = hear(fd, true);
    assert_int_equal(a.status, 503);
    assert_non_null(strstr(a.text, "Retry-After: 1\r\n"));
    answer_free(&a);
    atomic_store(&fake.refuse_with, ERR_FULL);
    assert_true(say(fd, SPAN("POST /api/v1/wait HTTP/1.1\r\n" HOST "\r\n")));
    a = hear(fd, true);
    assert_int_equal(a.status, 507);
    assert_non_null(strstr(a.text, "Retry-After: 1\r\n"));
    answer_free(&a);
    close(fd);
}

static void a_client_that_left_while_waiting_harms_nobody(void **state)
{
    int gone = dial(*state);
    assert_true(say(gone, SPAN("POST /api/v1/wait HTTP/1.1\r\n" HOST "\r\n")));
    while (!atomic_load(&fake.held))
        sched_yield();
    close(gone);
    complete_held(ERR_OK);
    int fd = dial(*state);
    expect(fd, "GET /api/v1/hello HTTP/1.1\r\n" HOST "\r\n", 200);
    close(fd);
}

/* The idle connection ends when the stop has begun; only then is the held operation completed. */
static void *complete_when_closed(void *idle)
{
    char c;
    while (recv(*(int *)idle, &c, 1, 0) > 0)
        continue;
    complete_held(ERR_OK);
    return NULL;
}

static void a_stop_waits_for_the_store_and_answers(void **state)
{
    (void)state;
    struct http_settings settings = default_settings();
    struct http_server *server = start_server(&settings);
    int idle = dial(server), fd = dial(server);
    expect(idle, "GET /api/v1/hello HTTP/1.1\r\n" HOST "\r\n", 200);
    assert_true(say(fd, SPAN("POST /api/v1/wait HTTP/1.1\r\n" HOST "\r\n")));
    while (!atomic_load(&fake.held))
        sched_yield();
    pthread_t completer;
    assert_int_equal(pthread_create(&completer, NULL, complete_when_closed, &idle), 0);
    http_server_stop(server, 60 * US_PER_S);
    struct answer a = hear(fd, true);
    assert_int_equal(a.status, 202);
    assert_non_null(strstr(a.text, "Connection: close\r\n"));
    assert_true(is_closed(fd));
    answer_free(&a);
    pthread_join(completer, NULL);
    http_server_free(&server);
    close(idle);
    close(fd);
}

/* ---------------------------------------------------------------- deadlines and connections */

static void an_unfinished_head_is_cut_off(void **state)
{
    (void)state;
    struct http_settings settings = default_settings();
    settings.head_timeout_us = 20 * US_PER_MS;
    struct http_server *server = start_server(&settings);
    int silent = dial(server), slow = dial(server);
    assert_true(say(slow, SPAN("GET /api/v1/hello HTTP/1.1\r\nHo")));
    assert_true(is_closed(silent));
    assert_true(is_closed(slow));
    assert_int_equal(refused(server, REFUSED_TIMEOUT), 2);
    close(silent);
    close(slow);
    stop_server(server);
}

/* Activity does not help: the deadline is absolute. */
static void a_dripping_body_is_cut_off(void **state)
{
    (void)state;
    struct http_settings settings = default_settings();
    settings.body_timeout_us = 50 * US_PER_MS;
    struct http_server *server = start_server(&settings);
    int fd = dial(server);
    assert_true(
        say(fd, SPAN("POST /api/v1/echo HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n")));
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    unsigned sent = 0;
    while (poll(&poll_fd, 1, 1) == 0 && sent < 999) {
        if (!say(fd, SPAN("x")))
            break;
        sent++;
    }
    assert_true(sent < 999);
    assert_true(is_closed(fd));
    close(fd);
    stop_server(server);
}

static void exactly_128_concurrent_connections_are_served(void **state)
{
    int fds[128];
    for (int i = 0; i < 128; i++)
        fds[i] = dial(*state);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 128; i++)
            assert_true(say(
                fds[i], SPAN("POST /api/v1/echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi")));
        for (int i = 0; i < 128; i++) {
            struct answer a = hear(fds[i], true);
            assert_int_equal(a.status, 200);
            answer_free(&a);
        }
    }
    for (int i = 0; i < 128; i++)
        close(fds[i]);
}

static void several_threads_share_one_port(void **state)
{
    (void)state;
    struct http_settings settings = default_settings();
    settings.threads = 3;
    struct http_server *server = start_server(&settings);
    int fds[24];
    for (int i = 0; i < 24; i++) {
        fds[i] = dial(server);
        expect(fds[i], "GET /api/v1/large HTTP/1.1\r\n" HOST "\r\n", 200);
    }
    for (int i = 0; i < 24; i++)
        close(fds[i]);
    stop_server(server);
}

static void an_unusable_address_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        enum err wanted;
    } rows[] = {
        {"", ERR_INVALID},        {"127.0.0.1", ERR_INVALID},   {"127.0.0.1:", ERR_INVALID},
        {"[::1:80", ERR_INVALID}, {"127.0.0.1:x", ERR_INVALID}, {"192.0.2.1:0", ERR_CONFLICT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_settings settings = default_settings();
        settings.listen = rows[i].address;
        struct http_server *server = NULL;
        assert_int_equal(http_server_new(&settings, NULL, NULL, 0, &server), rows[i].wanted);
        assert_null(server);
    }
}

int main(void)
{
#define WITH_SERVER(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_get_is_answered_with_json),
        WITH_SERVER(a_connection_serves_many_requests),
        WITH_SERVER(pipelined_requests_are_answered_in_order),
        WITH_SERVER(a_trailing_slash_makes_no_difference),
        WITH_SERVER(an_absolute_target_is_understood),
        WITH_SERVER(an_unknown_route_is_404_in_json),
        WITH_SERVER(a_wrong_method_is_405_and_names_the_right_ones),
        WITH_SERVER(head_has_the_head_of_get_and_no_body),
        WITH_SERVER(a_post_without_length_has_an_empty_body),
        WITH_SERVER(a_malformed_escape_in_the_path_is_400),
        WITH_SERVER(path_parameters_are_decoded),
        WITH_SERVER(a_body_announced_over_its_bound_is_413_at_once_and_closes),
        WITH_SERVER(a_client_that_sends_its_too_large_body_first_still_reads_the_413),
        WITH_SERVER(a_body_for_a_route_without_one_is_413),
        WITH_SERVER(a_large_body_arrives_whole),
        WITH_SERVER(a_continue_is_sent_when_the_head_is_accepted_and_not_when_it_is_refused),
        cmocka_unit_test(bodies_over_the_budget_of_all_are_refused_with_503),
        cmocka_unit_test(a_route_of_messages_has_the_bound_of_the_settings),
        WITH_SERVER(an_idempotency_identity_is_of_token_path_query_and_key),
        WITH_SERVER(automatic_keys_live_minutes_and_explicit_ones_hours),
        WITH_SERVER(a_malformed_idempotency_key_is_400),
        WITH_SERVER(a_request_waits_for_the_store),
        WITH_SERVER(other_connections_are_served_meanwhile),
        WITH_SERVER(an_operation_that_completes_at_once_is_answered),
        WITH_SERVER(a_refusal_of_the_store_asks_to_come_back),
        WITH_SERVER(a_client_that_left_while_waiting_harms_nobody),
        cmocka_unit_test(a_stop_waits_for_the_store_and_answers),
        cmocka_unit_test(an_unfinished_head_is_cut_off),
        cmocka_unit_test(a_dripping_body_is_cut_off),
        WITH_SERVER(exactly_128_concurrent_connections_are_served),
        cmocka_unit_test(several_threads_share_one_port),
        cmocka_unit_test(an_unusable_address_is_refused),
    };
    return cmocka_run_group_tests(tests, serve_samples, NULL);
}
