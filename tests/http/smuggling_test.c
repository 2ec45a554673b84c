/* Ambiguous requests against a real server: a refusal or nothing, and then the connection ends, so
 * that no byte of it can be taken for a second request. */
#include "tests/http/sample_routes.h"

#define POST "POST /api/v1/echo HTTP/1.1\r\n"
#define HOST "Host: h\r\n"
/* What a smuggler hides; were it served, there would be a second answer. */
#define HIDDEN "GET /api/v1/hello HTTP/1.1\r\nHost: h\r\n\r\n"

static const struct {
    const char *name;
    struct span bytes;
} attacks[] = {
#define ATTACK(name, text) \
    {                      \
        name, SPAN(text)   \
    }
    ATTACK("both lengths",
           POST HOST "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    ATTACK("both lengths, the other way round",
           POST HOST "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n" HIDDEN),
    ATTACK("two lengths", POST HOST "Content-Length: 0\r\nContent-Length: 41\r\n\r\n" HIDDEN),
    ATTACK("the same length twice",
           POST HOST "Content-Length: 0\r\nContent-Length: 0\r\n\r\n" HIDDEN),
    ATTACK("a list of lengths", POST HOST "Content-Length: 0, 0\r\n\r\n" HIDDEN),
    ATTACK("a signed length", POST HOST "Content-Length: +0\r\n\r\n" HIDDEN),
    ATTACK("a negative length", POST HOST "Content-Length: -1\r\n\r\n" HIDDEN),
    ATTACK("a hexadecimal length", POST HOST "Content-Length: 0x0\r\n\r\n" HIDDEN),
    ATTACK("an overflowing length",
           POST HOST "Content-Length: 18446744073709551616\r\n\r\n" HIDDEN),
    ATTACK("an empty length", POST HOST "Content-Length: \r\n\r\n" HIDDEN),
    ATTACK("a length with a space in its name", POST HOST "Content-Length : 41\r\n\r\n" HIDDEN),
    ATTACK("a coding with a space in its name",
           POST HOST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    ATTACK("two codings", POST HOST
           "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" HIDDEN),
    ATTACK("a list of codings",
           POST HOST "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    ATTACK("an unknown coding", POST HOST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" HIDDEN),
    ATTACK("a coding with a vertical tab", POST HOST "Transfer-Encoding: \x0b"
                                                     "chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    ATTACK("a coding in HTTP/1.0", "POST /api/v1/echo HTTP/1.0\r\n" HOST
                                   "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
                                   "0\r\n\r\n" HIDDEN),
    ATTACK("no host", POST "\r\n" HIDDEN),
    ATTACK("two hosts", POST HOST "Host: other\r\n\r\n" HIDDEN),
    ATTACK("a control byte in a value", POST HOST "X: a\x01"
                                                  "b\r\n\r\n" HIDDEN),
    ATTACK("a name that is no token", POST HOST "X{Y}: v\r\n\r\n" HIDDEN),
    ATTACK("another version", "POST /api/v1/echo HTTP/1.2\r\n" HOST "\r\n" HIDDEN),
    ATTACK("a chunk size that is no number",
           POST HOST "Transfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n" HIDDEN),
    ATTACK("a negative chunk size",
           POST HOST "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" HIDDEN),
    ATTACK("an overflowing chunk size",
           POST HOST "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n" HIDDEN),
    ATTACK("a chunk longer than its size",
           POST HOST "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n" HIDDEN),
    ATTACK("a space in the target", "GET /api/v1/hello /x HTTP/1.1\r\n" HOST "\r\n" HIDDEN),
    ATTACK("two spaces before the version", "GET /api/v1/hello  HTTP/1.1\r\n" HOST "\r\n" HIDDEN),
    ATTACK("bare line feeds", "GET /api/v1/hello HTTP/1.1\nHost: h\n\n" HIDDEN),
    ATTACK("one bare line feed", "GET /api/v1/hello HTTP/1.1\r\n" HOST "X: y\n\r\n" HIDDEN),
    ATTACK("a bare carriage return",
           "GET /api/v1/hello HTTP/1.1\r\n" HOST "X: a\rY: b\r\n\r\n" HIDDEN),
    ATTACK("a folded value", "GET /api/v1/hello HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n" HIDDEN),
    ATTACK("a folded coding", POST HOST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    ATTACK("a folded first line", POST " X: a\r\n" HOST "\r\n" HIDDEN),
    ATTACK("a line without a colon", "GET /api/v1/hello HTTP/1.1\r\n" HOST "junk\r\n\r\n" HIDDEN),
    ATTACK("a NUL in a value", POST HOST "Content-Length: 0\0 7\r\n\r\n" HIDDEN),
    ATTACK("a NUL in a name", POST HOST "Content-\0Length: 5\r\n\r\n" HIDDEN),
    ATTACK("a NUL in the target", "GET /api/v1/hello\0/x HTTP/1.1\r\n" HOST "\r\n" HIDDEN),
    ATTACK("both lengths in HTTP/1.0",
           "POST /api/v1/echo HTTP/1.0\r\n" HOST
           "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    ATTACK("two lengths, one in capitals",
           POST HOST "CONTENT-LENGTH: 41\r\ncontent-length: 0\r\n\r\n" HIDDEN),
    ATTACK("two codings, one in capitals",
           POST HOST "TRANSFER-ENCODING: chunked\r\ntransfer-encoding: x\r\n\r\n0\r\n\r\n" HIDDEN),
    ATTACK("two hosts, one in capitals", POST HOST "HOST: h\r\n\r\n" HIDDEN),
    ATTACK("a length with a fraction", POST HOST "Content-Length: 0.0\r\n\r\n" HIDDEN),
    ATTACK("a length with an exponent", POST HOST "Content-Length: 0e0\r\n\r\n" HIDDEN),
    ATTACK("a length with text behind it", POST HOST "Content-Length: 0;x\r\n\r\n" HIDDEN),
    ATTACK("a length in two words", POST HOST "Content-Length: 4 1\r\n\r\n" HIDDEN),
    ATTACK("a length in quotes", POST HOST "Content-Length: \"41\"\r\n\r\n" HIDDEN),
    ATTACK("a length of eleven digits", POST HOST "Content-Length: 00000000041\r\n\r\n" HIDDEN),
    ATTACK("a length in other digits", POST HOST "Content-Length: \xd9\xa4\xd9\xa1\r\n\r\n" HIDDEN),
    ATTACK("a length with a form feed", POST HOST "Content-Length: \x0c"
                                                  "41\r\n\r\n" HIDDEN),
    ATTACK("a length with a tab in its name", POST HOST "Content-Length\t: 41\r\n\r\n" HIDDEN),
    ATTACK("a length with a vertical tab before its name",
           POST HOST "\x0b"
                     "Content-Length: 41\r\n\r\n" HIDDEN),
    ATTACK("a length that is folded", POST HOST "Content-Length:\r\n 41\r\n\r\n" HIDDEN),
    ATTACK("an empty coding", POST HOST "Transfer-Encoding: \r\n\r\n0\r\n\r\n" HIDDEN),
    ATTACK("the identity coding", POST HOST "Transfer-Encoding: identity\r\n\r\n" HIDDEN),
    ATTACK("a coding in quotes",
           POST HOST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n" HIDDEN),
    ATTACK("a coding with a comma behind it",
           POST HOST "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n" HIDDEN),
    ATTACK("a coding twice in a list",
           POST HOST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    ATTACK("a coding with a parameter",
           POST HOST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n" HIDDEN),
    ATTACK("a compressed coding",
           POST HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    ATTACK("a coding that ends compressed",
           POST HOST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n" HIDDEN),
    ATTACK("a coding with a NUL",
           POST HOST "Transfer-Encoding: chunked\0x\r\n\r\n0\r\n\r\n" HIDDEN),
    ATTACK("a NUL in a coding's name",
           POST HOST "Transfer-\0Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    ATTACK("a coding behind a bare carriage return",
           POST HOST "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    ATTACK("a coding behind a bare line feed",
           POST HOST "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    ATTACK("no host, but one in the target", "POST http://h/api/v1/echo HTTP/1.1\r\n\r\n" HIDDEN),
    ATTACK("a line without a name", POST HOST ": v\r\n\r\n" HIDDEN),
    ATTACK("a name in brackets", POST HOST "X(Y): v\r\n\r\n" HIDDEN),
    ATTACK("a name beyond ASCII", POST HOST "X\xe9: v\r\n\r\n" HIDDEN),
    ATTACK("a DEL in a value", POST HOST "X: a\x7f"
                                         "b\r\n\r\n" HIDDEN),
    ATTACK("an escape in a value", POST HOST "X: a\x1b[2J\r\n\r\n" HIDDEN),
    ATTACK("an old version", "GET /api/v1/hello HTTP/0.9\r\n" HOST "\r\n" HIDDEN),
    ATTACK("a version to come", "GET /api/v1/hello HTTP/2.0\r\n" HOST "\r\n" HIDDEN),
    ATTACK("a version with more digits", "GET /api/v1/hello HTTP/1.10\r\n" HOST "\r\n" HIDDEN),
    ATTACK("a version in small letters", "GET /api/v1/hello http/1.1\r\n" HOST "\r\n" HIDDEN),
    ATTACK("no version", "GET /api/v1/hello\r\n" HOST "\r\n" HIDDEN),
    ATTACK("a tab in the request line", "GET\t/api/v1/hello\tHTTP/1.1\r\n" HOST "\r\n" HIDDEN),
    ATTACK("a space behind the version", "GET /api/v1/hello HTTP/1.1 \r\n" HOST "\r\n" HIDDEN),
    ATTACK("a space before the method", " GET /api/v1/hello HTTP/1.1\r\n" HOST "\r\n" HIDDEN),
    ATTACK("a control byte in the target", "GET /api/v1/\x01"
                                           "hello HTTP/1.1\r\n" HOST "\r\n" HIDDEN),
    ATTACK("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" HIDDEN),
    ATTACK("a hexadecimal chunk size with its mark",
           POST HOST "Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n" HIDDEN),
    ATTACK("a signed chunk size",
           POST HOST "Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n" HIDDEN),
    ATTACK("an empty chunk size",
           POST HOST "Transfer-Encoding: chunked\r\n\r\n\r\n{}\r\n0\r\n\r\n" HIDDEN),
    ATTACK("a chunk without its end",
           POST HOST "Transfer-Encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n" HIDDEN),
    ATTACK("a chunk size with a fraction",
           POST HOST "Transfer-Encoding: chunked\r\n\r\n2.0\r\n{}\r\n0\r\n\r\n" HIDDEN),
    ATTACK("a body for a route without one, in chunks",
           "GET /api/v1/hello HTTP/1.1\r\n" HOST
           "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" HIDDEN),
    ATTACK("a body for a route without one",
           "GET /api/v1/hello HTTP/1.1\r\n" HOST "Content-Length: 41\r\n\r\n" HIDDEN),
};

/* Everything that the server sends until it closes. */
static void hear_all(int fd, char *out, size_t size)
{
    size_t len = 0;
    ssize_t n;
    while (len < size - 1 && (n = recv(fd, out + len, size - 1 - len, 0)) > 0)
        len += (size_t)n;
    out[len] = '\0';
}

static unsigned answers_in(const char *heard)
{
    unsigned count = 0;
    while ((heard = strstr(heard, "HTTP/1.1 "))) {
        count++;
        heard++;
    }
    return count;
}

/* What the table is for: each its own trick. */
_Static_assert(sizeof attacks / sizeof attacks[0] >= 80, "ambiguous requests");

static void an_ambiguous_request_is_refused_and_nothing_behind_it_is_served(void **state)
{
    for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
        static char heard[64 * 1024];
        int fd = dial(*state);
        assert_true(say(fd, attacks[i].bytes));
        hear_all(fd, heard, sizeof heard);
        bool refused_it = heard[0] == '\0' || memcmp(heard, "HTTP/1.1 4", 10) == 0 ||
                          memcmp(heard, "HTTP/1.1 505", 12) == 0;
        if (!refused_it || answers_in(heard) > 1 || strstr(heard, "hello"))
            fail_msg("%s: answered with\n%s", attacks[i].name, heard);
        close(fd);
    }
    int fd = dial(*state);
    expect(fd, "GET /api/v1/hello HTTP/1.1\r\n" HOST "\r\n", 200);
    close(fd);
}

static void white_space_around_a_value_is_none_of_it(void **state)
{
    int fd = dial(*state);
    expect(fd, "GET /api/v1/hello HTTP/1.1\r\nHost:h\r\nX: \t y \t \r\nEmpty:\r\nE: \r\n\r\n", 200);
    expect(fd, "\r\nGET /api/v1/hello HTTP/1.1\r\nHost: h  \r\n\r\n", 200);
    close(fd);
}

/* 0.9.75 takes a bare line feed for a chunk's line end, which a proxy in front may not. */
static void nothing_behind_a_chunked_body_is_served(void **state)
{
    static const char *const bodies[] = {"2\r\n{}\r\n0\r\n\r\n",
                                         "2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n",
                                         "2\n{}\n0\n\n",
                                         " 2\r\n{}\r\n0\r\n\r\n",
                                         "2 \r\n{}\r\n0\r\n\r\n",
                                         "0000000000000002\r\n{}\r\n0\r\n\r\n",
                                         "2;\n\r\n{}\r\n0\r\n\r\n",
                                         "2;a=\"\r\n0\r\n\r\n",
                                         "2\r\n{}\r\n0\r\nContent-Length: 41\r\n\r\n",
                                         "2\r\n{}\r\n0\r\n\r\n0\r\n\r\n",
                                         "2\r\r\n{}\r\n0\r\n\r\n",
                                         "02\r\n{}\r\n00\r\n\r\n"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        char heard[4096];
        int fd = dial(*state);
        assert_true(say(fd, SPAN(POST HOST "Transfer-Encoding: chunked\r\n\r\n")));
        say(fd, span_text(bodies[i]));
        say(fd, SPAN(HIDDEN));
        hear_all(fd, heard, sizeof heard);
        assert_true(answers_in(heard) == 1 || (heard[0] == '\0' && i >= 3));
        assert_null(strstr(heard, "hello"));
        close(fd);
    }
}

/* What fills libmicrohttpd's memory: it answered these with two heads, or not at all. */
static void a_head_of_very_many_parts_has_one_answer(void **state)
{
    static const struct {
        const char *first, *part, *last;
        size_t count;
        int status; /* 0: 0.9.75 has no room for so many cookies, 1.x serves them */
    } cases[] = {
        {"GET /api/v1/hello?", "a&", " HTTP/1.1\r\n" HOST "\r\n", 3500, 400},
        {"GET /api/v1/hello?", "a=b&", " HTTP/1.1\r\n" HOST "\r\n", 65, 400},
        {"GET /api/v1/hello HTTP/1.1\r\n" HOST, "a:b\r\n", "\r\n", 3000, 431},
        {"GET /api/v1/hello HTTP/1.1\r\n" HOST "Cookie: ", "a=b;", "\r\n\r\n", 1500, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char heard[4096];
        struct buf text;
        buf_init(&text, 64 * 1024);
        buf_text(&text, cases[i].first);
        for (size_t n = 0; n < cases[i].count; n++)
            buf_text(&text, cases[i].part);
        buf_text(&text, cases[i].last);
        int fd = dial(*state);
        say(fd, buf_view(&text));
        hear_all(fd, heard, sizeof heard);
        assert_int_equal(answers_in(heard), 1);
        if (cases[i].status) {
            assert_int_equal(strtol(heard + 9, NULL, 10), cases[i].status);
            assert_true(refused(*state, REFUSED_MALFORMED) > i);
        }
        buf_free(&text);
        close(fd);
    }
}

static void a_chunked_body_is_413_at_the_byte_that_passes_its_bound(void **state)
{
    int fd = dial(*state);
    static const char head[] =
        "POST /api/v1/echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3e9\r\n";
    static char body[1001];
    memset(body, 'x', sizeof body);
    assert_true(say(fd, SPAN("POST /api/v1/echo HTTP/1.1\r\n" HOST
                             "Transfer-Encoding: chunked\r\n\r\n3e8\r\n")));
    assert_true(say(fd, span_of(body, 1000)));
    assert_true(say(fd, SPAN("\r\n0\r\n\r\n")));
    struct answer within = hear(fd, true);
    assert_int_equal(within.status, 200);
    assert_int_equal(within.len, 1000);
    answer_free(&within);
    close(fd);
    fd = dial(*state);
    assert_true(say(fd, span_of(head, sizeof head - 1)));
    assert_true(say(fd, span_of(body, 1001)));
    struct answer over = hear(fd, true);
    assert_int_equal(over.status, 413);
    assert_non_null(strstr(over.body, "payload_too_large"));
    answer_free(&over);
    assert_true(is_closed(fd));
    close(fd);
}

/* Without the cut this waits for ever. */
static void a_connection_that_libmicrohttpd_forgot_ends(void **state)
{
    const struct counter *open = &http_server_stats(*state)->connections;
    struct buf text;
    char heard[4096];
    buf_init(&text, 64 * 1024);
    buf_text(&text, "GET /api/v1/hello?");
    for (int i = 0; i < 3000; i++)
        buf_text(&text, "a&");
    buf_text(&text, " HTTP/1.1\r\n" HOST "\r\n");
    int fd = dial(*state);
    say(fd, buf_view(&text));
    hear_all(fd, heard, sizeof heard);
    close(fd);
    while (counter_get(open) > 0)
        sched_yield();
    buf_free(&text);
}

/* The end comes with the request and is not told again. */
static void a_client_that_leaves_with_its_request_is_let_go(void **state)
{
    enum { CLIENTS = 50 };
    const struct timeval patience = {.tv_sec = 20};
    int fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = dial(*state);
        setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        assert_true(say(fds[i], SPAN("GET /api/v1/hello HTTP/1.1\r\n" HOST "\r\n")));
        shutdown(fds[i], SHUT_WR);
    }
    for (int i = 0; i < CLIENTS; i++) {
        struct answer a = hear(fds[i], true);
        assert_int_equal(a.status, 200);
        assert_true(is_closed(fds[i]));
        answer_free(&a);
        close(fds[i]);
    }
}

static void the_guard_says_why_in_json_and_is_counted(void **state)
{
    int fd = dial(*state);
    assert_true(say(fd, SPAN(POST HOST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n")));
    struct answer a = hear(fd, true);
    assert_int_equal(a.status, 400);
    /* 1.x refuses it before the guard is asked. */
    assert_true(strstr(a.body, "{\"code\":\"generic_error\",\"detail\":\"") == a.body);
    assert_true(strstr(a.body, "both Content-Length and Transfer-Encoding") ||
                strstr(a.body, "the request's head cannot be processed"));
    assert_int_equal(refused(*state, REFUSED_MALFORMED), 1);
    answer_free(&a);
    close(fd);
}

static void a_head_over_its_bound_is_refused(void **state)
{
    static char text[64 * 1024];
    static const size_t sizes[] = {HEAD_MAX + 100, 15 * 1024, 40 * 1024};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int fd = dial(*state);
        int n = snprintf(text, sizeof text, "GET /api/v1/hello HTTP/1.1\r\n" HOST "X: ");
        memset(text + n, 'x', sizes[i]);
        memcpy(text + n + sizes[i], "\r\n\r\n", 4);
        say(fd, span_of(text, (size_t)n + sizes[i] + 4));
        struct answer a = hear(fd, true);
        assert_true(a.status == 0 || a.status == 431 || a.status == 413);
        answer_free(&a);
        close(fd);
    }
}

static void more_headers_than_the_bound_are_refused(void **state)
{
    static char text[16 * 1024];
    int n = snprintf(text, sizeof text, "GET /api/v1/hello HTTP/1.1\r\n" HOST);
    for (int i = 0; i < HEADERS_MAX; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "X: y\r\n");
    snprintf(text + n, sizeof text - (size_t)n, "\r\n");
    int fd = dial(*state);
    expect(fd, text, 400);
    assert_true(is_closed(fd));
    close(fd);
}

int main(void)
{
#define WITH_SERVER(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(an_ambiguous_request_is_refused_and_nothing_behind_it_is_served),
        WITH_SERVER(white_space_around_a_value_is_none_of_it),
        WITH_SERVER(nothing_behind_a_chunked_body_is_served),
        WITH_SERVER(a_head_of_very_many_parts_has_one_answer),
        WITH_SERVER(a_chunked_body_is_413_at_the_byte_that_passes_its_bound),
        WITH_SERVER(a_connection_that_libmicrohttpd_forgot_ends),
        WITH_SERVER(a_client_that_leaves_with_its_request_is_let_go),
        WITH_SERVER(the_guard_says_why_in_json_and_is_counted),
        WITH_SERVER(a_head_over_its_bound_is_refused),
        WITH_SERVER(more_headers_than_the_bound_are_refused),
    };
    return cmocka_run_group_tests(tests, serve_samples, NULL);
}
