/* Media types by table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/media_type.h"

static void what_is_well_formed_is_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text, *whole, *charset;
        bool json, utf8, utf8_text;
    } rows[] = {
        {"application/json", "application/json", "", true, true, false},
        {"Application/JSON;charset=UTF-8", "Application/JSON", "UTF-8", true, true, false},
        {"application/vnd.a.b+json ; v=1", "application/vnd.a.b+json", "", true, true, false},
        {"application/+json", "application/+json", "", false, true, false},
        {"application/jsonx", "application/jsonx", "", false, true, false},
        {"text/plain", "text/plain", "", false, true, true},
        {"text/plain; charset=\"utf-8\"", "text/plain", "utf-8", false, true, true},
        {"text/plain;charset=latin1", "text/plain", "latin1", false, false, false},
        {"text/plain;charset=us-ascii;;", "text/plain", "us-ascii", false, true, true},
        {"application/soap+xml", "application/soap+xml", "", false, true, true},
        {"application/xml;a=\"x\\\"y\"", "application/xml", "", false, true, true},
        {"application/xml;a=\"x\ty\"", "application/xml", "", false, true, true},
        {"image/png", "image/png", "", false, true, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct media_type m;
        if (!media_type_parse(span_text(rows[i].text), &m))
            fail_msg("%s", rows[i].text);
        assert_true(span_is(m.whole, rows[i].whole));
        assert_true(span_is(m.charset, rows[i].charset));
        assert_int_equal(media_type_is_json(&m), rows[i].json);
        assert_int_equal(media_type_is_utf8(&m), rows[i].utf8);
        assert_int_equal(media_type_is_utf8_text(&m), rows[i].utf8_text);
    }
}

static void what_is_not_is_refused(void **state)
{
    (void)state;
    static const struct span rows[] = {
        SPAN(""),
        SPAN("json"),
        SPAN("/json"),
        SPAN("text/"),
        SPAN("text/plain, text/html"),
        SPAN("text/plain; charset"),
        SPAN("text/plain; charset="),
        SPAN("text/plain; =utf-8"),
        SPAN("text/plain; charset=\"utf-8"),
        SPAN("text/plain; charset=\"a\nb\""),
        SPAN("text/plain; charset=\"a\\"),
        SPAN("text/plain\0x"),
        SPAN(" text/plain"),
        SPAN("text /plain"),
        SPAN("text/pl\xc3\xa4in"),
    };
    struct media_type m;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (media_type_parse(rows[i], &m))
            fail_msg("%.*s", SPAN_ARG(rows[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_well_formed_is_taken_apart),
        cmocka_unit_test(what_is_not_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
