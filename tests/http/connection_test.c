/* Who may have how many connections, and how much of our memory: with real sockets. */
#include "tests/http/fixture.h"

#include <semaphore.h>

#define HOST "Host: h\r\n"
#define AUTHORIZED HOST "Authorization: Bearer admin\r\n\r\n"
#define LONG "GET /long HTTP/1.1\r\n" AUTHORIZED
#define HELLO "GET /hello HTTP/1.1\r\n" HOST "\r\n"
#define HUGE_BYTES (16 * 1024 * 1024) /* far more than the kernel takes from us */

static void reply_hello(struct request *req)
{
    struct buf body;
    buf_init(&body, 64);
    buf_text(&body, "{\"hello\":true}");
    request_reply(req, 200, &body);
}

static void reply_huge(struct request *req)
{
    static const char part[64 * 1024];
    struct buf body;
    buf_init(&body, REPLY_MAX);
    for (size_t n = 0; n < HUGE_BYTES; n += sizeof part)
        buf_bytes(&body, part, sizeof part);
    request_reply(req, 200, &body);
}

/* What the long list and the event behind it tell of their order. */
static struct {
    sem_t begun, go;
    _Atomic int lists, lists_before_event;
} order;

/* A list that takes more than its share of a turn; the first waits until the others have come. */
static void reply_long(struct request *req)
{
    if (atomic_fetch_add(&order.lists, 1) == 0) {
        sem_post(&order.begun);
        sem_wait(&order.go);
    }
    struct mono until = mono_add(clock_mono(), 6 * US_PER_MS);
    while (clock_mono().us < until.us)
        sched_yield();
    reply_hello(req);
}

static void take_event(struct request *req)
{
    atomic_store(&order.lists_before_event, atomic_load(&order.lists));
    reply_hello(req);
}

static const struct route routes[] = {
    {METHOD_GET, "/hello", ACCESS_PUBLIC, 0, reply_hello, "hello"},
    {METHOD_GET, "/huge", ACCESS_PUBLIC, 0, reply_huge, "huge"},
    {METHOD_GET, "/long", ACCESS_READ, 0, reply_long, "long"},
    {METHOD_POST, "/event", ACCESS_INGEST, 0, take_event, "event"},
};

static int serve_routes(void **state)
{
    (void)state;
    served = (struct route_table){routes, sizeof routes / sizeof routes[0], NULL};
    return 0;
}

/* Whether a request is answered 503 with Retry-After, and the connection closed. */
static bool is_told_to_come_back(int fd)
{
    assert_true(say(fd, SPAN(HELLO)));
    struct answer a = hear(fd, true);
    bool told = a.status == 503 && strstr(a.text, "Retry-After: 1\r\n") && is_closed(fd);
    answer_free(&a);
    return told;
}

static void wait_for_connections(const struct http_server *server, uint64_t most)
{
    while (counter_get(&http_server_stats(server)->connections) > most)
        sched_yield();
}

static void end_with_clients_gone(struct http_server *server)
{
    wait_for_connections(server, 0);
    stop_server(server);
}

static void one_address_cannot_take_every_connection(void **state)
{
    (void)state;
    struct http_settings settings = default_settings();
    settings.max_connections_per_address = 2;
    struct http_server *server = start_server(&settings);
    int first = dial(server), second = dial(server);
    expect(first, HELLO, 200);
    expect(second, HELLO, 200);
    int third = dial(server);
    assert_true(is_told_to_come_back(third));
    assert_int_equal(refused(server, REFUSED_CONNECTIONS), 1);
    assert_int_equal(refused(server, REFUSED_BUSY), 0);
    close(first);
    wait_for_connections(server, 1);
    int fourth = dial(server);
    expect(fourth, HELLO, 200);
    close(second);
    close(third);
    close(fourth);
    end_with_clients_gone(server);
}

static unsigned count_open(const int *fds, unsigned count)
{
    unsigned open = 0;
    for (unsigned i = 0; i < count; i++) {
        char byte;
        open += recv(fds[i], &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
    }
    return open;
}

static void a_newcomer_takes_the_place_of_an_address_that_has_more(void **state)
{
    (void)state;
    enum { ALL = 4 };
    struct http_settings settings = default_settings();
    settings.max_connections = ALL;
    struct http_server *server = start_server(&settings);
    int many[ALL];
    for (unsigned i = 0; i < ALL; i++) {
        many[i] = dial(server);
        expect(many[i], HELLO, 200);
    }
    int one_more = dial(server);
    assert_true(is_told_to_come_back(one_more));
    int other = dial_from(server, "127.0.0.2");
    expect(other, HELLO, 200);
    wait_for_connections(server, ALL);
    assert_int_equal(count_open(many, ALL), ALL - 1);
    expect(other, HELLO, 200);
    for (unsigned i = 0; i < ALL; i++)
        close(many[i]);
    close(one_more);
    close(other);
    end_with_clients_gone(server);
}

/* 2, 1 and 1: whoever comes next takes from the first address, and then all have the same. */
static void places_are_not_taken_from_who_has_no_more(void **state)
{
    (void)state;
    enum { ALL = 4 };
    static const char *const from[ALL] = {"127.0.0.1", "127.0.0.1", "127.0.0.2", "127.0.0.3"};
    struct http_settings settings = default_settings();
    settings.max_connections = ALL;
    struct http_server *server = start_server(&settings);
    int fds[ALL];
    for (unsigned i = 0; i < ALL; i++) {
        fds[i] = dial_from(server, from[i]);
        expect(fds[i], HELLO, 200);
    }
    int fourth = dial_from(server, "127.0.0.4");
    expect(fourth, HELLO, 200);
    wait_for_connections(server, ALL);
    assert_int_equal(count_open(fds, 2), 1);
    assert_int_equal(count_open(fds + 2, 2), 2);
    int fifth = dial_from(server, "127.0.0.5");
    assert_true(is_told_to_come_back(fifth));
    for (unsigned i = 0; i < ALL; i++)
        close(fds[i]);
    close(fourth);
    close(fifth);
    end_with_clients_gone(server);
}

/* Beyond those that are answered, a flood is closed without a word, and others still get in. */
static void a_flood_of_connections_leaves_room_for_others(void **state)
{
    (void)state;
    enum { ALL = 10, FLOOD = 500 };
    struct http_settings settings = default_settings();
    settings.max_connections = ALL;
    struct http_server *server = start_server(&settings);
    int flood[FLOOD];
    for (unsigned i = 0; i < FLOOD; i++)
        flood[i] = dial(server);
    int other = dial_from(server, "127.0.0.2");
    expect(other, HELLO, 200);
    for (unsigned i = 0; i < FLOOD; i++)
        close(flood[i]);
    close(other);
    end_with_clients_gone(server);
}

static void answers_that_nobody_reads_are_bounded_in_all(void **state)
{
    (void)state;
    enum { CLIENTS = REPLY_BYTES_MAX / HUGE_BYTES };
    struct http_settings settings = default_settings();
    struct http_server *server = start_server(&settings);
    int fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = dial(server);
        assert_true(say(fds[i], SPAN("GET /huge HTTP/1.1\r\n" HOST "\r\n")));
    }
    while (refused(server, REFUSED_BUSY) == 0)
        sched_yield();
    int small = dial(server);
    expect(small, HELLO, 200);
    close(small);
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
    end_with_clients_gone(server);
}

/* The idle connection ends when the stop has begun; only then is the other's answer read. */
static void *read_to_both_ends(void *fds)
{
    static char bytes[64 * 1024];
    for (int i = 0; i < 2; i++)
        while (recv(((int *)fds)[i], bytes, sizeof bytes, 0) > 0)
            continue;
    return NULL;
}

static void a_stop_does_not_wait_for_a_client_that_has_its_answer(void **state)
{
    (void)state;
    char first;
    struct http_settings settings = default_settings();
    struct http_server *server = start_server(&settings);
    int fds[] = {dial(server), dial(server)};
    expect(fds[0], HELLO, 200);
    assert_true(say(fds[1], SPAN("GET /huge HTTP/1.1\r\n" HOST "\r\n")));
    assert_int_equal(recv(fds[1], &first, 1, MSG_PEEK), 1);
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_to_both_ends, fds), 0);
    http_server_stop(server, 3600 * US_PER_S);
    assert_int_equal(counter_get(&http_server_stats(server)->connections), 0);
    pthread_join(reader, NULL);
    http_server_free(&server);
    close(fds[0]);
    close(fds[1]);
}

/* Nor do lists wait for longer than about a second: those of 6 ms are too many then. */
static void an_event_does_not_wait_behind_many_lists(void **state)
{
    (void)state;
    enum { LISTS = 200, TAUGHT = 8, LEAST = 64 };
    struct http_settings settings = default_settings();
    struct http_server *server = start_server(&settings);
    int fds[LISTS], first = dial(server), answered = 0;
    sem_init(&order.begun, 0, 0);
    sem_init(&order.go, 0, 1);
    for (int i = 0; i < TAUGHT; i++)
        expect(first, LONG, 200);
    sem_wait(&order.begun);
    close(first);
    order.lists = 0;
    for (int i = 0; i < LISTS; i++) {
        fds[i] = dial(server);
        assert_true(say(fds[i], SPAN(LONG)));
        if (i == 0)
            sem_wait(&order.begun);
    }
    int event = dial(server);
    assert_true(say(event, SPAN("POST /event HTTP/1.1\r\n" AUTHORIZED)));
    sem_post(&order.go);
    struct answer a = hear(event, true);
    assert_int_equal(a.status, 200);
    answer_free(&a);
    assert_in_range(order.lists_before_event, 1, LISTS - 1);
    for (int i = 0; i < LISTS; i++) {
        a = hear(fds[i], true);
        assert_true(a.status == 200 || a.status == 503);
        answered += a.status == 200;
        answer_free(&a);
        close(fds[i]);
    }
    assert_in_range(answered, LEAST, LISTS - 1);
    close(event);
    end_with_clients_gone(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_address_cannot_take_every_connection),
        cmocka_unit_test(a_newcomer_takes_the_place_of_an_address_that_has_more),
        cmocka_unit_test(places_are_not_taken_from_who_has_no_more),
        cmocka_unit_test(a_flood_of_connections_leaves_room_for_others),
        cmocka_unit_test(an_event_does_not_wait_behind_many_lists),
        cmocka_unit_test(answers_that_nobody_reads_are_bounded_in_all),
        cmocka_unit_test(a_stop_does_not_wait_for_a_client_that_has_its_answer),
    };
    return cmocka_run_group_tests(tests, serve_routes, NULL);
}
