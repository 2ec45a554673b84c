/* The guard by table: a head as header lines, and whether it passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http/guard.h"

#define LINES_MAX (HEADERS_MAX + 1)

struct row {
    const char *version;
    const char *lines;   /* "Name: value\n…"; the name is what stands before the first colon */
    const char *refused; /* NULL: passes */
};

#define H "Host: h\n"
#define LENGTH_NAN "Content-Length is not a number"
#define LENGTH_TWICE "Content-Length is repeated"
#define NOT_CHUNKED "Transfer-Encoding is not chunked"
#define CODING_TWICE "Transfer-Encoding is repeated"
#define BOTH "both Content-Length and Transfer-Encoding"
#define NAME "a header's name is not a token"
#define VALUE "a header's value has control characters"
#define VERSION "the HTTP version is neither 1.1 nor 1.0"

static const struct row rows[] = {
    /* what honest clients send */
    {"HTTP/1.1", H, NULL},
    {"HTTP/1.1", "host: h\n", NULL},
    {"HTTP/1.1", "Host: \n", NULL},
    {"HTTP/1.0", "", NULL},
    {"HTTP/1.0", H "Content-Length: 5\n", NULL},
    {"HTTP/1.1", H "Content-Length: 0\n", NULL},
    {"HTTP/1.1", H "content-length: 1234567890\n", NULL},
    {"HTTP/1.1", H "Content-Length: 0000000005\n", NULL},
    {"HTTP/1.1", H "Transfer-Encoding: chunked\n", NULL},
    {"HTTP/1.1", H "transfer-encoding: Chunked\n", NULL},
    {"HTTP/1.1", H "X-Any: caf\xc3\xa9 \t tab\n", NULL},
    {"HTTP/1.1", H "X!#$%&'*+-.^_`|~9: v\n", NULL},
    {"HTTP/1.1", H "Accept: a\nAccept: b\n", NULL},
    /* lengths */
    {"HTTP/1.1", H "Content-Length: \n", LENGTH_NAN},
    {"HTTP/1.1", H "Content-Length: +5\n", LENGTH_NAN},
    {"HTTP/1.1", H "Content-Length: -5\n", LENGTH_NAN},
    {"HTTP/1.1", H "Content-Length: 0x5\n", LENGTH_NAN},
    {"HTTP/1.1", H "Content-Length: 5 \n", LENGTH_NAN},
    {"HTTP/1.1", H "Content-Length: 5, 5\n", LENGTH_NAN},
    {"HTTP/1.1", H "Content-Length: 5;q=1\n", LENGTH_NAN},
    {"HTTP/1.1", H "Content-Length: 5e1\n", LENGTH_NAN},
    {"HTTP/1.1", H "Content-Length: 12345678901\n", LENGTH_NAN},
    {"HTTP/1.1", H "Content-Length: 18446744073709551621\n", LENGTH_NAN},
    {"HTTP/1.1", H "Content-Length: 5\nContent-Length: 5\n", LENGTH_TWICE},
    {"HTTP/1.1", H "Content-Length: 5\ncontent-length: 6\n", LENGTH_TWICE},
    /* codings */
    {"HTTP/1.1", H "Transfer-Encoding: \n", NOT_CHUNKED},
    {"HTTP/1.1", H "Transfer-Encoding: identity\n", NOT_CHUNKED},
    {"HTTP/1.1", H "Transfer-Encoding: gzip, chunked\n", NOT_CHUNKED},
    {"HTTP/1.1", H "Transfer-Encoding: chunked, identity\n", NOT_CHUNKED},
    {"HTTP/1.1", H "Transfer-Encoding: xchunked\n", NOT_CHUNKED},
    {"HTTP/1.1", H "Transfer-Encoding: chunked \n", NOT_CHUNKED},
    {"HTTP/1.1", H "Transfer-Encoding: \"chunked\"\n", NOT_CHUNKED},
    {"HTTP/1.1", H "Transfer-Encoding: chunked;x=1\n", NOT_CHUNKED},
    {"HTTP/1.1", H "Transfer-Encoding: chunked\nTransfer-Encoding: chunked\n", CODING_TWICE},
    {"HTTP/1.1", H "Transfer-Encoding: chunked\nTransfer-Encoding: identity\n", CODING_TWICE},
    {"HTTP/1.0", H "Transfer-Encoding: chunked\n", "Transfer-Encoding in HTTP/1.0"},
    {"HTTP/1.1", H "Content-Length: 5\nTransfer-Encoding: chunked\n", BOTH},
    {"HTTP/1.1", H "Transfer-Encoding: chunked\nContent-Length: 0\n", BOTH},
    /* hosts */
    {"HTTP/1.1", "", "Host is missing"},
    {"HTTP/1.1", "Hosts: h\n", "Host is missing"},
    {"HTTP/1.1", H "Host: h\n", "Host is repeated"},
    {"HTTP/1.0", H "hOST: other\n", "Host is repeated"},
    /* names */
    {"HTTP/1.1", H "Content-Length : 5\n", NAME},
    {"HTTP/1.1", H "Transfer-Encoding\t: chunked\n", NAME},
    {"HTTP/1.1", H " Content-Length: 5\n", NAME},
    {"HTTP/1.1", H ": empty\n", NAME},
    {"HTTP/1.1", H "X(Y): v\n", NAME},
    {"HTTP/1.1", H "X\"Y: v\n", NAME},
    {"HTTP/1.1", H "X/Y: v\n", NAME},
    {"HTTP/1.1", H "X\x01Y: v\n", NAME},
    {"HTTP/1.1", H "X\xc3\xa9: v\n", NAME},
    /* values */
    {"HTTP/1.1", H "X: a\rb\n", VALUE},
    {"HTTP/1.1",
     H "X: a\x0b"
       "b\n",
     VALUE},
    {"HTTP/1.1",
     H "X: a\x7f"
       "b\n",
     VALUE},
    {"HTTP/1.1", H "X: \x1b[0m\n", VALUE},
    {"HTTP/1.1", "Host: h\x01\n", VALUE},
    /* versions */
    {"HTTP/2.0", H, VERSION},
    {"HTTP/1.2", H, VERSION},
    {"HTTP/0.9", H, VERSION},
    {"http/1.1", H, VERSION},
    {"HTTP/1.1 ", H, VERSION},
    {"", H, VERSION},
};

static size_t split(const char *lines, struct guard_header *out)
{
    struct span rest = span_text(lines);
    size_t n = 0;
    while (rest.ptr && rest.len > 0) {
        struct span line = span_cut(&rest, '\n');
        out[n].name = span_cut(&line, ':');
        out[n].value = span_skip(line, 1);
        n++;
    }
    return n;
}

static void each_head_passes_or_is_refused_as_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct guard_header headers[LINES_MAX];
        struct guard_frame frame;
        size_t count = split(rows[i].lines, headers);
        const char *wrong = guard_check(span_text(rows[i].version), headers, count, &frame);
        const char *wanted = rows[i].refused;
        if ((wrong == NULL) != (wanted == NULL) || (wrong && strcmp(wrong, wanted) != 0))
            fail_msg("%s\n%s-> %s, wanted %s", rows[i].version, rows[i].lines,
                     wrong ? wrong : "passes", wanted ? wanted : "passes");
    }
}

static void the_frame_says_how_the_body_ends(void **state)
{
    (void)state;
    struct guard_header headers[2] = {{SPAN("Host"), SPAN("h")},
                                      {SPAN("Content-Length"), SPAN("0000001234")}};
    struct guard_frame frame;
    assert_null(guard_check(SPAN("HTTP/1.1"), headers, 2, &frame));
    assert_true(frame.has_length && !frame.chunked);
    assert_int_equal(frame.length, 1234);
    headers[1] = (struct guard_header){SPAN("Transfer-Encoding"), SPAN("chunked")};
    assert_null(guard_check(SPAN("HTTP/1.1"), headers, 2, &frame));
    assert_true(!frame.has_length && frame.chunked);
    assert_null(guard_check(SPAN("HTTP/1.1"), headers, 1, &frame));
    assert_true(!frame.has_length && !frame.chunked);
    assert_int_equal(frame.length, 0);
}

static void a_nul_in_a_name_or_a_value_is_refused(void **state)
{
    (void)state;
    struct guard_frame frame;
    struct guard_header name[] = {{SPAN("Host"), SPAN("h")}, {SPAN("X\0Y"), SPAN("v")}};
    struct guard_header value[] = {{SPAN("Host"), SPAN("h")}, {SPAN("X"), SPAN("v\0w")}};
    assert_string_equal(guard_check(SPAN("HTTP/1.1"), name, 2, &frame), NAME);
    assert_string_equal(guard_check(SPAN("HTTP/1.1"), value, 2, &frame), VALUE);
}

static void a_hundred_headers_pass_and_one_more_does_not(void **state)
{
    (void)state;
    struct guard_header headers[LINES_MAX];
    struct guard_frame frame;
    for (size_t i = 0; i < LINES_MAX; i++)
        headers[i] = (struct guard_header){SPAN("X"), SPAN("v")};
    headers[0] = (struct guard_header){SPAN("Host"), SPAN("h")};
    assert_null(guard_check(SPAN("HTTP/1.1"), headers, HEADERS_MAX, &frame));
    assert_string_equal(guard_check(SPAN("HTTP/1.1"), headers, HEADERS_MAX + 1, &frame),
                        "too many headers");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_head_passes_or_is_refused_as_the_table_says),
        cmocka_unit_test(the_frame_says_how_the_body_ends),
        cmocka_unit_test(a_nul_in_a_name_or_a_value_is_refused),
        cmocka_unit_test(a_hundred_headers_pass_and_one_more_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
