/* The receiver that misbehaves does what its table says, or nothing that is tested with it means
 * anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/chaos.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST \
    "POST /hook HTTP/1.1\r\nHost: x\r\nwebhook-id: msg_1\r\nContent-Length: 4\r\n\r\nbody"

struct fixture {
    struct chaos *chaos;
    struct chaos_behaviour behaviour;
    unsigned told;
    char method[16], path[16], id[16], body[16];
    int fd;
};

static unsigned on_victim(void *context, const struct received *r)
{
    struct fixture *f = context;
    const char *id = receiver_header(r, "Webhook-Id");
    f->told++;
    if (!r->method)
        return 0;
    snprintf(f->method, sizeof f->method, "%s", r->method);
    snprintf(f->path, sizeof f->path, "%s", r->path);
    snprintf(f->id, sizeof f->id, "%s", id ? id : "none");
    snprintf(f->body, sizeof f->body, "%.*s", SPAN_ARG(r->body));
    return 0;
}

/* A connection to a receiver that behaves like this. */
static void go(struct fixture *f, struct chaos_behaviour behaviour)
{
    char address[LISTEN_ADDRESS_MAX];
    f->behaviour = behaviour;
    f->chaos = chaos_new(on_victim, f);
    assert_non_null(f->chaos);
    assert_int_equal(chaos_listen(f->chaos, "127.0.0.1:0", &f->behaviour, address), ERR_OK);
    assert_int_equal(chaos_start(f->chaos), ERR_OK);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port =
                                 htons((uint16_t)strtoul(strrchr(address, ':') + 1, NULL, 10)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    f->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(f->fd, (struct sockaddr *)&to, sizeof to), 0);
}

static void say(struct fixture *f, const char *text)
{
    assert_int_equal(send(f->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What comes until the end of the connection or `most` bytes. */
static size_t hear(struct fixture *f, char *heard, size_t most)
{
    size_t len = 0;
    for (ssize_t n; len < most && (n = recv(f->fd, heard + len, most - len, 0)) > 0;)
        len += (size_t)n;
    heard[len] = 0;
    return len;
}

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    close(f->fd);
    chaos_stop(&f->chaos);
    free(f);
    return 0;
}

static void a_whole_request_is_told_before_the_misbehaviour(void **state)
{
    struct fixture *f = *state;
    char heard[8];
    go(f, (struct chaos_behaviour){.opening = SPAN("bye"), .end = CHAOS_CLOSE});
    say(f, REQUEST);
    assert_int_equal(hear(f, heard, 7), 3);
    assert_string_equal(heard, "bye");
    chaos_stop(&f->chaos); /* now nothing is told any more */
    assert_int_equal(f->told, 1);
    assert_string_equal(f->method, "POST");
    assert_string_equal(f->path, "/hook");
    assert_string_equal(f->id, "msg_1");
    assert_string_equal(f->body, "body");
}

static void pieces_follow_the_opening_as_often_as_told(void **state)
{
    struct fixture *f = *state;
    char heard[64];
    go(f, (struct chaos_behaviour){
              .opening = SPAN("a:"), .piece = SPAN("bc"), .pieces = 3, .end = CHAOS_CLOSE});
    say(f, REQUEST);
    hear(f, heard, sizeof heard - 1);
    assert_string_equal(heard, "a:bcbcbc");
}

static void a_pause_comes_before_each_piece(void **state)
{
    struct fixture *f = *state;
    char heard[64];
    const struct mono begun = clock_mono();
    go(f, (struct chaos_behaviour){.opening = SPAN("a:"),
                                   .piece = SPAN("bc"),
                                   .pieces = 3,
                                   .pause_us = 10 * US_PER_MS,
                                   .end = CHAOS_CLOSE});
    say(f, REQUEST);
    hear(f, heard, sizeof heard - 1);
    assert_string_equal(heard, "a:bcbcbc");
    assert_true(clock_mono().us - begun.us >= 40 * US_PER_MS);
}

static void a_flood_keeps_its_pattern_and_does_not_end(void **state)
{
    struct fixture *f = *state;
    enum { MANY = 1 << 20 };
    char *heard = malloc(MANY + 1);
    go(f, (struct chaos_behaviour){
              .opening = SPAN("a:"), .piece = SPAN("0123456789"), .pieces = UINT64_MAX});
    say(f, REQUEST);
    assert_int_equal(hear(f, heard, MANY), MANY);
    for (size_t i = 2; i < MANY; i++)
        assert_int_equal(heard[i], '0' + (int)((i - 2) % 10));
    free(heard);
}

static void a_reset_is_a_reset(void **state)
{
    struct fixture *f = *state;
    char byte;
    go(f, (struct chaos_behaviour){.cue = CHAOS_ON_ACCEPT, .end = CHAOS_RESET});
    assert_int_equal(recv(f->fd, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
}

static void half_a_handshake_needs_no_request(void **state)
{
    struct fixture *f = *state;
    char heard[8];
    go(f, (struct chaos_behaviour){.cue = CHAOS_ON_BYTES, .opening = SPAN("half")});
    say(f, "\x16");
    assert_int_equal(hear(f, heard, 4), 4);
    const struct chaos_figures seen = chaos_figures(f->chaos, 0);
    assert_int_equal(seen.connections, 1);
    assert_int_equal(seen.begun, 1);
}

static void every_gentle_behaviour_can_be_chosen_and_is_explained(void **state)
{
    (void)state;
    assert_string_equal(chaos_choices[0], "none");
    for (size_t i = 0; i < chaos_gentle_count; i++) {
        assert_string_equal(chaos_choices[i + 1], chaos_gentle[i].name);
        assert_true(strlen(chaos_gentle[i].help) > 0);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(chaos_gentle[k].name, chaos_gentle[i].name);
    }
    assert_null(chaos_choices[chaos_gentle_count + 1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_whole_request_is_told_before_the_misbehaviour),
        TEST(pieces_follow_the_opening_as_often_as_told),
        TEST(a_pause_comes_before_each_piece),
        TEST(a_flood_keeps_its_pattern_and_does_not_end),
        TEST(a_reset_is_a_reset),
        TEST(half_a_handshake_needs_no_request),
        cmocka_unit_test(every_gentle_behaviour_can_be_chosen_and_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
