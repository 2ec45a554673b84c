/* Messages as CloudEvents, byte for byte. */
#include "dispatcher/event_format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#define MSG "msg_1srOrx2ZWZBpBUvZwXKQmoEYga2"
#define APP "app_1srOrx2ZWZBpBUvZwXKQmoEYga2"
#define NATIVE                                                                                  \
    "{\"specversion\":\"1.0\",\"id\":\"" MSG "\",\"source\":\"/app/" APP "\",\"type\":\"a.b\"," \
    "\"time\":\"2021-02-25T15:02:10.123456Z\""
#define CAME "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"a.b\""

static struct message native(const char *payload)
{
    struct message m = {.created = {INT64_C(1614265330123456)},
                        .event_type = SPAN("a.b"),
                        .payload = span_text(payload)};
    assert_int_equal(id_parse(SPAN(MSG), ID_MESSAGE, &m.id), ERR_OK);
    assert_int_equal(id_parse(SPAN(APP), ID_APP, &m.app), ERR_OK);
    return m;
}

static struct message came(const char *attributes, const char *type, struct span payload)
{
    struct message m = native("");
    m.attributes = span_text(attributes);
    m.content_type = span_text(type);
    m.payload = payload;
    return m;
}

static void is_structured(const struct message *m, const char *wanted)
{
    struct buf out;
    assert_true(event_format_structured(m, &out));
    if (!span_is(buf_view(&out), wanted))
        fail_msg("%.*s\nnot %s", SPAN_ARG(buf_view(&out)), wanted);
    buf_free(&out);
}

/* The lines with a newline behind each. */
static void is_binary(const struct message *m, const char *wanted)
{
    struct curl_slist *lines = NULL;
    struct buf out;
    buf_init(&out, 64 * 1024);
    assert_true(event_format_binary(m, &lines));
    for (const struct curl_slist *l = lines; l; l = l->next) {
        buf_text(&out, l->data);
        buf_char(&out, '\n');
    }
    if (!span_is(buf_view(&out), wanted))
        fail_msg("%.*s\nnot %s", SPAN_ARG(buf_view(&out)), wanted);
    curl_slist_free_all(lines);
    buf_free(&out);
}

static void a_native_message_has_attributes_of_its_own(void **state)
{
    (void)state;
    struct message m = native("{ \"n\": 1.0 }");
    is_structured(&m, NATIVE ",\"datacontenttype\":\"application/json\",\"data\":{ \"n\": 1.0 }}");
    is_binary(&m, "ce-specversion: 1.0\nce-id: " MSG "\nce-source: /app/" APP
                  "\nce-type: a.b\nce-time: 2021-02-25T15:02:10.123456Z\n");
    m.ordering_key = SPAN("k \"1\"");
    m.traceparent = SPAN(TRACE);
    m.tracestate = SPAN("a=1");
    is_structured(&m, NATIVE ",\"datacontenttype\":\"application/json\",\"partitionkey\":"
                             "\"k \\\"1\\\"\",\"traceparent\":\"" TRACE
                             "\",\"tracestate\":\"a=1\",\"data\":{ \"n\": 1.0 }}");
}

static void an_event_goes_with_the_attributes_with_which_it_came(void **state)
{
    (void)state;
    struct message m = came(CAME ",\"a\":\"x\\\"\\\\ \xc3\xa4%\",\"b\":true,\"c\":-7,\"d\":\"\"}",
                            "", SPAN(" {} "));
    m.traceparent = SPAN(TRACE); /* of its request: no attribute */
    is_structured(&m, CAME ",\"a\":\"x\\\"\\\\ \xc3\xa4%\",\"b\":true,\"c\":-7,\"d\":\"\","
                           "\"data\": {} }");
    is_binary(&m, "ce-specversion: 1.0\nce-id: 1\nce-source: /s\nce-type: a.b\n"
                  "ce-a: x%22\\%20%C3%A4%25\nce-b: true\nce-c: -7\nce-d;\n");
}

static void the_form_of_the_data_follows_its_content_type(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        struct span payload;
        const char *wanted;
    } rows[] = {
        {"", SPAN(""), ""},
        {"text/plain", SPAN(""), ""},
        {"application/json", SPAN("[1]"), ",\"data\":[1]"},
        {"a/b+json", SPAN("\"x\""), ",\"data\":\"x\""},
        {"application/json", SPAN("no json"), ",\"data_base64\":\"bm8ganNvbg==\""},
        {"text/plain", SPAN("a\"\n\xc3\xa4"), ",\"data\":\"a\\\"\\n\xc3\xa4\""},
        {"text/plain", SPAN("a\0"), ",\"data_base64\":\"YQA=\""},
        {"text/plain", SPAN("\xff"), ",\"data_base64\":\"/w==\""},
        {"text/plain; charset=latin1", SPAN("a"), ",\"data_base64\":\"YQ==\""},
        {"application/xml", SPAN("<a/>"), ",\"data\":\"<a/>\""},
        {"application/octet-stream", SPAN("a"), ",\"data_base64\":\"YQ==\""},
        {"not a type", SPAN("a"), ",\"data_base64\":\"YQ==\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct message m = came(CAME "}", rows[i].type, rows[i].payload);
        char wanted[256];
        snprintf(wanted, sizeof wanted, CAME "%s}", rows[i].wanted);
        is_structured(&m, wanted);
    }
}

static void the_content_type_is_no_ce_header(void **state)
{
    (void)state;
    struct message m = came(CAME ",\"datacontenttype\":\"text/plain\"}", "text/plain", SPAN("a"));
    is_binary(&m, "ce-specversion: 1.0\nce-id: 1\nce-source: /s\nce-type: a.b\n");
    assert_true(span_is(event_format_content_type(&m), "text/plain"));
    m = came(CAME "}", "", SPAN("{}"));
    assert_true(span_is(event_format_content_type(&m), "application/json"));
    m = came(CAME "}", "", SPAN(""));
    assert_int_equal(event_format_content_type(&m).len, 0);
}

static void a_text_of_escapes_alone_fits(void **state)
{
    (void)state;
    static char text[100 * 1024];
    memset(text, 1, sizeof text);
    struct message m = came(CAME "}", "text/plain", span_of(text, sizeof text));
    struct buf out;
    assert_true(event_format_structured(&m, &out));
    assert_int_equal(out.len, sizeof CAME - 1 + sizeof ",\"data\":\"\"}" - 1 + 6 * sizeof text);
    buf_free(&out);
}

static void attributes_that_cannot_be_read_are_not_sent(void **state)
{
    (void)state;
    struct curl_slist *lines = NULL;
    struct message m = came("{\"id\":", "", SPAN("{}"));
    assert_false(event_format_binary(&m, &lines));
    curl_slist_free_all(lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_native_message_has_attributes_of_its_own),
        cmocka_unit_test(an_event_goes_with_the_attributes_with_which_it_came),
        cmocka_unit_test(the_form_of_the_data_follows_its_content_type),
        cmocka_unit_test(the_content_type_is_no_ce_header),
        cmocka_unit_test(a_text_of_escapes_alone_fits),
        cmocka_unit_test(attributes_that_cannot_be_read_are_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
