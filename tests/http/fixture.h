/* A real server on port 0 with a store that the test completes by hand, and a client that writes
 * raw bytes. Included by tests only; every function is static to its test. */
#ifndef TESTS_HTTP_FIXTURE_H
#define TESTS_HTTP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/hash.h"
#include "http/server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))

/* ---------------------------------------------------------------- the store's side */

/* The calls of store.h that the HTTP layer makes. One operation is held at a time. */
static struct fake_store {
    _Atomic(struct store_op *) held;
    _Atomic int refuse_with;            /* enum err */
    _Atomic int portal_answer;          /* to who asks for a portal's token; enum err */
    _Atomic bool at_once;               /* complete inside store_submit … */
    void (*apply)(struct store_op *op); /* … after this, when set */
} fake;

enum err store_submit(struct store *s, struct store_op *op)
{
    (void)s;
    if (atomic_load(&fake.refuse_with))
        return (enum err)atomic_load(&fake.refuse_with);
    if (!atomic_load(&fake.at_once)) {
        atomic_store(&fake.held, op);
        return ERR_OK;
    }
    if (fake.apply)
        fake.apply(op);
    op->done(op);
    return ERR_OK;
}

/* Tokens are the names of their scopes; "app" belongs to the application of id_floor(1 s). */
enum err store_key_find(struct store *s, const uint8_t hash[32], struct api_key *out)
{
    (void)s;
    static const char *const names[] = {"admin", "ingest", "read", "app"};
    memset(out, 0, sizeof *out);
    for (unsigned i = 0; i < 4; i++) {
        uint8_t known[SHA256_BYTES];
        hash_sha256(span_text(names[i]), known);
        if (memcmp(known, hash, sizeof known) == 0) {
            out->scope = (enum key_scope)i;
            out->app = id_floor((struct wall){US_PER_S * 1600000000});
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

enum err store_portal_find(struct store *s, const struct id *app, const uint8_t hash[32],
                           struct wall now, struct portal_token *out)
{
    (void)s;
    (void)app;
    (void)hash;
    (void)now;
    (void)out;
    return (enum err)atomic_load(&fake.portal_answer);
}

/* Waits for an operation (the handler runs on the server's thread) and completes it. */
static UNUSED void complete_held(enum err result)
{
    struct store_op *op;
    while (!(op = atomic_exchange(&fake.held, NULL)))
        sched_yield();
    op->result = result;
    op->done(op);
}

/* ---------------------------------------------------------------- the server */

static struct http_settings default_settings(void)
{
    return (struct http_settings){
        .listen = "127.0.0.1:0",
        .threads = 1,
        .head_timeout_us = 60 * US_PER_S,
        .body_timeout_us = 60 * US_PER_S,
        .max_connections = 1000,
    };
}

/* The routes that are served; the test sets it before it starts a server. */
static struct route_table served;

static struct http_server *start_server(const struct http_settings *settings)
{
    struct http_server *server;
    fake.held = NULL;
    fake.refuse_with = ERR_OK;
    fake.portal_answer = ERR_NOT_FOUND;
    fake.at_once = false;
    assert_int_equal(http_server_new(settings, NULL, &served, 1, &server), ERR_OK);
    assert_int_equal(http_server_start(server), ERR_OK);
    return server;
}

/* What a client has closed may not have reached the server yet: it gets the time. */
static UNUSED void stop_server(struct http_server *server)
{
    http_server_stop(server, US_PER_S);
    assert_int_equal(counter_get(&http_server_stats(server)->connections), 0);
    http_server_free(&server);
}

static UNUSED int set_up(void **state)
{
    struct http_settings settings = default_settings();
    *state = start_server(&settings);
    return 0;
}

static UNUSED int tear_down(void **state)
{
    stop_server(*state);
    return 0;
}

static UNUSED uint64_t refused(const struct http_server *server, enum refusal why)
{
    return counter_get(&http_server_stats(server)->refused[why]);
}

/* ---------------------------------------------------------------- the client */

static int dial_from(const struct http_server *server, const char *source)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    const char *address = http_server_address(server);
    struct sockaddr_in sa = {.sin_family = AF_INET};
    sa.sin_port = htons((uint16_t)strtol(strrchr(address, ':') + 1, NULL, 10));
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(inet_pton(AF_INET, source, &from.sin_addr), 1);
    assert_int_equal(bind(fd, (const void *)&from, sizeof from), 0);
    assert_int_equal(connect(fd, (const void *)&sa, sizeof sa), 0);
    return fd;
}

static int dial(const struct http_server *server)
{
    return dial_from(server, "127.0.0.1");
}

/* False when the peer has closed. */
static bool say(int fd, struct span text)
{
    while (text.len > 0) {
        ssize_t n = send(fd, text.ptr, text.len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        text = span_skip(text, (size_t)n);
    }
    return true;
}

#define ANSWER_MAX (2 * 1024 * 1024)
struct answer {
    int status; /* 0: the connection was closed without an answer */
    size_t len;
    char *body; /* inside text */
    char *text; /* head and body, malloc'ed */
};

static UNUSED void answer_free(struct answer *a)
{
    free(a->text);
    a->text = NULL;
}

/* Reads one byte; false at the end of the stream. */
static bool hear_byte(int fd, char *c)
{
    ssize_t n = recv(fd, c, 1, 0);
    assert_true(n >= 0 || errno == ECONNRESET);
    return n == 1;
}

/* Reads exactly one answer, so that what follows it stays for the next call. */
static struct answer hear(int fd, bool has_body)
{
    struct answer a = {.text = malloc(ANSWER_MAX)};
    assert_non_null(a.text);
    size_t at = 0;
    a.text[0] = '\0';
    while (at < ANSWER_MAX - 1 && hear_byte(fd, a.text + at)) {
        a.text[++at] = '\0';
        if (at >= 4 && memcmp(a.text + at - 4, "\r\n\r\n", 4) == 0)
            break;
    }
    if (at == 0)
        return a;
    assert_memory_equal(a.text, "HTTP/1.1 ", 9);
    a.status = (int)strtol(a.text + 9, NULL, 10);
    a.body = a.text + at;
    const char *length = strstr(a.text, "Content-Length: ");
    a.len = has_body && length ? (size_t)strtol(length + 16, NULL, 10) : 0;
    assert_true(a.len < ANSWER_MAX - at);
    assert_true(a.len == 0 || recv(fd, a.body, a.len, MSG_WAITALL) == (ssize_t)a.len);
    a.body[a.len] = '\0';
    return a;
}

/* The stream ended, with nothing more to read. */
static UNUSED bool is_closed(int fd)
{
    char c;
    return !hear_byte(fd, &c);
}

/* Sends and expects a status; the connection stays open. */
static UNUSED void expect(int fd, const char *request, int status)
{
    assert_true(say(fd, span_text(request)));
    struct answer a = hear(fd, true);
    if (a.status != status)
        print_error("%s\n-> %s\n", request, a.text);
    assert_int_equal(a.status, status);
    answer_free(&a);
}

#endif
