/* Which headers an endpoint may add. */
#include "dispatcher/dispatcher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void expect_refused(struct span name, struct span value, const char *part_of_why)
{
    const char *why = NULL;
    if (dispatcher_header_check(name, value, &why) != ERR_INVALID)
        fail_msg("\"%.*s: %.*s\" was accepted", SPAN_ARG(name), SPAN_ARG(value));
    assert_non_null(why);
    assert_non_null(strstr(why, part_of_why));
}

static void expect_accepted(struct span name, struct span value)
{
    const char *why = NULL;
    if (dispatcher_header_check(name, value, &why))
        fail_msg("\"%.*s: %.*s\" was refused: %s", SPAN_ARG(name), SPAN_ARG(value), why);
}

static void ordinary_headers_are_accepted(void **state)
{
    (void)state;
    static const char *const names[] = {"authorization",
                                        "Content-Type",
                                        "x-api-key",
                                        "Accept",
                                        "Cookie",
                                        "X_Y.Z",
                                        "webhook",
                                        "svix",
                                        "proxy",
                                        "hosts",
                                        "tea",
                                        "x-host",
                                        "!#$%&'*+-.^_`|~09AZaz"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        expect_accepted(span_text(names[i]), SPAN("Bearer a, b; c=\"d\"\te"));
}

static void headers_of_the_service_and_of_the_connection_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "webhook-anything",
        "svix-id",
        "svix-timestamp",
        "svix-signature",
        "svix-anything",
        "content-length",
        "host",
        "connection",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "expect",
        "user-agent",
        "http2-settings",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char upper[32];
        size_t len = strlen(names[i]);
        for (size_t c = 0; c < len; c++)
            upper[c] =
                names[i][c] >= 'a' && names[i][c] <= 'z' ? (char)(names[i][c] - 32) : names[i][c];
        expect_refused(span_text(names[i]), SPAN("x"), "set by the service");
        expect_refused(span_of(upper, len), SPAN("x"), "set by the service");
    }
}

static void names_are_tokens(void **state)
{
    (void)state;
    expect_refused(SPAN(""), SPAN("x"), "name");
    for (int c = 0; c < 256; c++) {
        bool token = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c && strchr("!#$%&'*+-.^_`|~", c));
        char name[3] = {'x', (char)c, 'y'};
        if (token)
            expect_accepted(span_of(name, 3), SPAN("x"));
        else
            expect_refused(span_of(name, 3), SPAN("x"), "name");
    }
}

static void values_have_no_control_bytes_but_tabs(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char value[3] = {'x', (char)c, 'y'};
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            expect_refused(SPAN("x-a"), span_of(value, 3), "control");
        else
            expect_accepted(SPAN("x-a"), span_of(value, 3));
    }
    expect_refused(SPAN("x-a"), SPAN("a\r\nwebhook-id: b"), "control");
}

static void blank_values_are_refused_because_curl_would_not_send_them(void **state)
{
    (void)state;
    expect_refused(SPAN("x-a"), SPAN(""), "empty");
    expect_refused(SPAN("x-a"), (struct span){NULL, 0}, "empty");
    expect_refused(SPAN("x-a"), SPAN(" \t "), "empty");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_headers_are_accepted),
        cmocka_unit_test(headers_of_the_service_and_of_the_connection_are_refused),
        cmocka_unit_test(names_are_tokens),
        cmocka_unit_test(values_have_no_control_bytes_but_tabs),
        cmocka_unit_test(blank_values_are_refused_because_curl_would_not_send_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
