/* The envelope by table: what is taken, and which member is named when it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ingest/envelope.h"

#include <dirent.h>

/* Reads a text as a request's body; the message owns a copy of it. */
static enum err read_with_app(struct span text, struct message **out, struct app *app,
                              struct envelope_fault *fault)
{
    struct json_value object;
    struct json_error error;
    struct message *m = message_new();
    assert_non_null(m);
    m->block = malloc(text.len);
    assert_non_null(m->block);
    memcpy(m->block, text.ptr, text.len);
    m->block_len = text.len;
    enum err e = json_check(span_of(m->block, text.len), JSON_DEPTH_MAX, &object, &error);
    if (!e)
        e = envelope_read(object, m->block, m, app, fault);
    else
        *fault = (struct envelope_fault){.message = error.what};
    if (e)
        message_unref(&m);
    *out = m;
    return e;
}

static enum err read_text(struct span text, struct message **out, struct envelope_fault *fault)
{
    struct app app = {0};
    return read_with_app(text, out, &app, fault);
}

static struct message *taken(const char *text)
{
    struct envelope_fault fault;
    struct message *m;
    enum err e = read_text(span_text(text), &m, &fault);
    if (e)
        fail_msg("%s\n-> %s %s", text, fault.field, fault.message);
    return m;
}

#define BASE "\"eventType\":\"a.b\",\"payload\":{}"

static void the_smallest_message_is_taken(void **state)
{
    (void)state;
    struct message *m = taken("{" BASE "}");
    assert_true(span_is(m->event_type, "a.b"));
    assert_true(span_is(m->payload, "{}"));
    assert_int_equal(m->event_id.len, 0);
    assert_int_equal(m->channel_count, 0);
    assert_int_equal(m->tag_count, 0);
    assert_int_equal(m->retention_us, 0);
    assert_int_equal(m->content_type.len, 0);
    message_unref(&m);
}

static void every_member_arrives(void **state)
{
    (void)state;
    struct message *m =
        taken(" { \"tags\" : [\"t 1\",\"t2\"], \"eventId\":\"e-1\", \"unknown\":[{}],"
              "\"channels\":[\"a:1\",\"b\"],\"payloadRetentionPeriod\":30,"
              "\"deliverAt\":null,\"application\":null,\"orderingKey\":\"k \\u00e9\"," BASE "} ");
    assert_true(span_is(m->event_id, "e-1"));
    assert_true(span_is(m->ordering_key, "k \xc3\xa9"));
    assert_int_equal(m->channel_count, 2);
    assert_true(span_is(m->channels[0], "a:1") && span_is(m->channels[1], "b"));
    assert_int_equal(m->tag_count, 2);
    assert_true(span_is(m->tags[0], "t 1") && span_is(m->tags[1], "t2"));
    assert_int_equal(m->retention_us, 30 * 24 * 3600 * US_PER_S);
    message_unref(&m);
}

static void null_is_the_same_as_absent(void **state)
{
    (void)state;
    struct message *m = taken("{" BASE ",\"eventId\":null,\"channels\":null,\"tags\":null,"
                              "\"payloadRetentionPeriod\":null,\"payloadRetentionHours\":2,"
                              "\"transformationsParams\":null,\"deliverAt\":null}");
    assert_int_equal(m->event_id.len, 0);
    assert_int_equal(m->retention_us, 2 * 3600 * US_PER_S);
    message_unref(&m);
}

static void a_delivery_is_delayed_by_a_day_at_most(void **state)
{
    (void)state;
    static const struct {
        const char *at;
        bool good;
    } cases[] = {
        {"2030-01-01T00:00:00.000000Z", true}, {"2030-01-01T12:00:00.5+02:00", true},
        {"2030-01-02T00:00:00Z", true},        {"2030-01-02T00:00:01Z", false},
        {"2029-12-31T23:59:00Z", true},        {"2029-12-31T23:58:59Z", false},
    };
    struct wall now;
    assert_int_equal(wall_parse(SPAN("2030-01-01T00:00:00Z"), &now), ERR_OK);
    clock_fake(now, (struct mono){1});
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        struct message *m;
        struct envelope_fault fault;
        struct wall at;
        snprintf(text, sizeof text, "{" BASE ",\"deliverAt\":\"%s\"}", cases[i].at);
        enum err e = read_text(span_text(text), &m, &fault);
        assert_int_equal(e, cases[i].good ? ERR_OK : ERR_INVALID);
        if (e)
            continue;
        assert_int_equal(wall_parse(span_text(cases[i].at), &at), ERR_OK);
        assert_int_equal(m->deliver_at.us, at.us);
        message_unref(&m);
    }
    clock_real();
}

static void an_application_may_come_along(void **state)
{
    (void)state;
    struct app app = {0};
    struct envelope_fault fault;
    struct message *m;
    const char *text = "{" BASE ",\"application\":{\"name\":\"\\u0041 B\",\"uid\":\"a-b\","
                       "\"metadata\": {\"k\": \"\\n\"},\"unknown\":1,\"throttleRate\":null}}";
    assert_int_equal(read_with_app(span_text(text), &m, &app, &fault), ERR_OK);
    assert_true(span_is(app.name, "A B"));
    assert_true(span_is(app.uid, "a-b"));
    assert_true(span_is(app.metadata, "{\"k\": \"\\n\"}"));
    assert_int_equal(app.throttle_rate, 0);
    message_unref(&m);
}

static void its_rate_may_go_by_either_name(void **state)
{
    (void)state;
    static const char *const rates[] = {"\"throttleRate\":65535", "\"rateLimit\":65535",
                                        "\"throttleRate\":65535,\"rateLimit\":65535"};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct app app = {0};
        struct envelope_fault fault;
        struct message *m;
        char text[256];
        snprintf(text, sizeof text, "{" BASE ",\"application\":{\"name\":\"a\",%s}}", rates[i]);
        assert_int_equal(read_with_app(span_text(text), &m, &app, &fault), ERR_OK);
        assert_int_equal(app.throttle_rate, 65535);
        message_unref(&m);
    }
}

static void the_payload_keeps_its_exact_bytes(void **state)
{
    (void)state;
    static const char *const payloads[] = {
        "{}",
        "{ }",
        "{\n\t\"a\" :1.50 ,\r\n \"b\": [ ] }",
        "{\"a\":1,\"a\":2,\"a\":1}",
        "{\"\\u0061\":\"\\/\\u00e9\\ud83d\\ude00\"}",
        "{\"z\":1e400,\"y\":-0,\"x\":1E+2}",
        "{\"payload\":{\"eventType\":\"x\"}}",
        "{\"\":\"}\"}",
        "{\"a\":\"\xf0\x9f\x98\x80\"}",
        "{\"n\":123456789012345678901234567890}",
    };
    for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "{\"eventType\":\"a\" , \"payload\" : %s \n,\"eventId\":\"\\u0065\"}",
                 payloads[i]);
        struct message *m = taken(text);
        assert_true(span_is(m->payload, payloads[i]));
        assert_true(m->payload.ptr > m->block && m->payload.ptr < m->block + m->block_len);
        assert_true(span_is(m->event_id, "e"));
        message_unref(&m);
    }
}

static void texts_with_escapes_are_decoded_in_place(void **state)
{
    (void)state;
    struct message *m = taken("{\"event\\u0054ype\":\"us\\u0065r.sign\\u0075p\",\"payload\":{},"
                              "\"channels\":[\"\\u0061\",\"b\\u003a\"],\"tags\":[\"\\\"q\\\"\"]}");
    assert_true(span_is(m->event_type, "user.signup"));
    assert_true(span_is(m->channels[0], "a") && span_is(m->channels[1], "b:"));
    assert_true(span_is(m->tags[0], "\"q\""));
    message_unref(&m);
}

static void a_raw_payload_is_what_is_sent(void **state)
{
    (void)state;
    struct message *m =
        taken("{" BASE ",\"transformationsParams\":{\"rawPayload\":\"<a b=\\\"c\\\"/>\\n\","
              "\"headers\":{\"Content-Type\":\"text/xml\",\"X-A\":\"b\"}}}");
    assert_true(span_is(m->payload, "<a b=\"c\"/>\n"));
    assert_true(span_is(m->content_type, "text/xml"));
    assert_true(span_is(m->headers, "{\"Content-Type\":\"text/xml\",\"X-A\":\"b\"}"));
    message_unref(&m);
    m = taken("{\"transformationsParams\":{\"rawPayload\":\"[1 ]\"}," BASE "}");
    assert_true(span_is(m->payload, "[1 ]"));
    assert_true(span_is(m->content_type, "application/json"));
    message_unref(&m);
}

#define NAME128                                                        \
    "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd" \
    "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"

static const struct {
    const char *text, *field;
} broken_rules[] = {
    {"{}", "eventType"},
    {"{\"payload\":{}}", "eventType"},
    {"{\"eventType\":\"a\"}", "payload"},
    {"{\"eventType\":null,\"payload\":{}}", "eventType"},
    {"{\"eventType\":\"a\",\"payload\":null}", "payload"},
    {"{\"eventType\":7,\"payload\":{}}", "eventType"},
    {"{\"eventType\":\"\",\"payload\":{}}", "eventType"},
    {"{\"eventType\":\"a b\",\"payload\":{}}", "eventType"},
    {"{\"eventType\":\"a:b\",\"payload\":{}}", "eventType"},
    {"{\"eventType\":\"\xc3\xa9\",\"payload\":{}}", "eventType"},
    {"{\"eventType\":\"a\\u0000\",\"payload\":{}}", "eventType"},
    {"{\"eventType\":\"\\ud800\",\"payload\":{}}", "eventType"},
    {"{\"eventType\":\"" NAME128 NAME128 "e\",\"payload\":{}}", "eventType"},
    {"{\"eventType\":\"a\",\"payload\":[]}", "payload"},
    {"{\"eventType\":\"a\",\"payload\":\"{}\"}", "payload"},
    {"{\"eventType\":\"a\",\"payload\":1}", "payload"},
    {"{" BASE ",\"eventId\":\"\"}", "eventId"},
    {"{" BASE ",\"eventId\":\"msg_1\"}", "eventId"},
    {"{" BASE ",\"eventId\":\"a/b\"}", "eventId"},
    {"{" BASE ",\"eventId\":1}", "eventId"},
    {"{" BASE ",\"channels\":\"a\"}", "channels"},
    {"{" BASE ",\"channels\":[1]}", "channels.0"},
    {"{" BASE ",\"channels\":[\"a\",null]}", "channels.1"},
    {"{" BASE ",\"channels\":[\"a\",\"b c\"]}", "channels.1"},
    {"{" BASE ",\"channels\":[\"a\",\"b\",\"a\"]}", "channels.2"},
    {"{" BASE ",\"channels\":[\"\"]}", "channels.0"},
    {"{" BASE ",\"channels\":[\"" NAME128 "x\"]}", "channels.0"},
    {"{" BASE ",\"channels\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\"]}", "channels"},
    {"{" BASE ",\"tags\":{}}", "tags"},
    {"{" BASE ",\"tags\":[\"\"]}", "tags.0"},
    {"{" BASE ",\"tags\":[\"\\n\"]}", "tags.0"},
    {"{" BASE ",\"tags\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]}", "tags"},
    {"{" BASE ",\"payloadRetentionPeriod\":4}", "payloadRetentionPeriod"},
    {"{" BASE ",\"payloadRetentionPeriod\":91}", "payloadRetentionPeriod"},
    {"{" BASE ",\"payloadRetentionPeriod\":5.5}", "payloadRetentionPeriod"},
    {"{" BASE ",\"payloadRetentionPeriod\":\"5\"}", "payloadRetentionPeriod"},
    {"{" BASE ",\"payloadRetentionHours\":0}", "payloadRetentionHours"},
    {"{" BASE ",\"payloadRetentionHours\":2161}", "payloadRetentionHours"},
    {"{" BASE ",\"payloadRetentionPeriod\":5,\"payloadRetentionHours\":5}",
     "payloadRetentionHours"},
    {"{" BASE ",\"deliverAt\":\"tomorrow\"}", "deliverAt"},
    {"{" BASE ",\"deliverAt\":1}", "deliverAt"},
    {"{" BASE ",\"application\":[]}", "application"},
    {"{" BASE ",\"application\":{}}", "application.name"},
    {"{" BASE ",\"application\":{\"name\":null}}", "application.name"},
    {"{" BASE ",\"application\":{\"name\":\"\"}}", "application.name"},
    {"{" BASE ",\"application\":{\"name\":\"a\",\"name\":\"b\"}}", "application"},
    {"{" BASE ",\"application\":{\"n\\u0061me\":\"a\"}}", "application"},
    {"{" BASE ",\"application\":{\"name\":\"a\",\"uid\":\"a b\"}}", "application.uid"},
    {"{" BASE ",\"application\":{\"name\":\"a\",\"uid\":\"app_b\"}}", "application.uid"},
    {"{" BASE ",\"application\":{\"name\":\"a\",\"metadata\":[]}}", "application.metadata"},
    {"{" BASE ",\"application\":{\"name\":\"a\",\"metadata\":{\"a\":1}}}", "application.metadata"},
    {"{" BASE ",\"application\":{\"name\":\"a\",\"metadata\":{\"a\":\"\\ud800\"}}}",
     "application.metadata"},
    {"{" BASE ",\"application\":{\"name\":\"a\",\"metadata\":{\"a\":\"\",\"a\":\"\"}}}",
     "application.metadata"},
    {"{" BASE ",\"application\":{\"name\":\"a\",\"throttleRate\":0}}", "application.throttleRate"},
    {"{" BASE ",\"application\":{\"name\":\"a\",\"rateLimit\":65536}}", "application.rateLimit"},
    {"{" BASE ",\"application\":{\"name\":\"a\",\"throttleRate\":1,\"rateLimit\":2}}",
     "application.rateLimit"},
    {"{" BASE ",\"orderingKey\":\"\"}", "orderingKey"},
    {"{" BASE ",\"orderingKey\":7}", "orderingKey"},
    {"{" BASE ",\"orderingKey\":\"a\\u0000\"}", "orderingKey"},
    {"{" BASE ",\"orderingKey\":\"\\ud800\"}", "orderingKey"},
    {"{" BASE ",\"orderingKey\":\"" NAME128 NAME128 "k\"}", "orderingKey"},
    {"{" BASE ",\"orderingKey\":\"k\",\"orderingKey\":\"k\"}", "orderingKey"},
    {"{" BASE ",\"eventType\":\"b\"}", "eventType"},
    {"{" BASE ",\"payload\":{}}", "payload"},
    {"{" BASE ",\"p\\u0061yload\":{}}", "payload"},
    {"{" BASE ",\"eventId\":null,\"eventId\":\"a\"}", "eventId"},
    {"{" BASE ",\"transformationsParams\":[]}", "transformationsParams"},
    {"{" BASE ",\"transformationsParams\":{\"other\":1}}", "transformationsParams"},
    {"{" BASE ",\"transformationsParams\":{\"rawPayload\":\"a\",\"rawPayload\":\"b\"}}",
     "transformationsParams"},
    {"{" BASE ",\"transformationsParams\":{\"rawPayload\":{}}}",
     "transformationsParams.rawPayload"},
    {"{" BASE ",\"transformationsParams\":{\"rawPayload\":\"\"}}",
     "transformationsParams.rawPayload"},
    {"{" BASE ",\"transformationsParams\":{\"headers\":[]}}", "transformationsParams.headers"},
    {"{" BASE ",\"transformationsParams\":{\"headers\":{\"a\":1}}}",
     "transformationsParams.headers"},
    {"{" BASE ",\"transformationsParams\":{\"headers\":{\"a b\":\"c\"}}}",
     "transformationsParams.headers"},
    {"{" BASE ",\"transformationsParams\":{\"headers\":{\"a\":\"b\\r\\nc: d\"}}}",
     "transformationsParams.headers"},
    {"{" BASE ",\"transformationsParams\":{\"headers\":{\"webhook-id\":\"b\"}}}",
     "transformationsParams.headers"},
    {"{" BASE ",\"transformationsParams\":{\"headers\":{\"content-length\":\"1\"}}}",
     "transformationsParams.headers"},
};

static void each_broken_rule_names_its_member(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof broken_rules / sizeof broken_rules[0]; i++) {
        struct envelope_fault fault = {.field = "?"};
        struct message *m;
        if (read_text(span_text(broken_rules[i].text), &m, &fault) != ERR_INVALID)
            fail_msg("%s was taken", broken_rules[i].text);
        if (strcmp(fault.field, broken_rules[i].field) != 0)
            fail_msg("%s names %s", broken_rules[i].text, fault.field);
    }
}

static void names_at_their_longest_are_taken(void **state)
{
    (void)state;
    struct message *m =
        taken("{\"eventType\":\"" NAME128 NAME128 "\",\"payload\":{},\"eventId\":\"" NAME128 NAME128
              "\",\"channels\":[\"" NAME128 "\"]}");
    assert_int_equal(m->event_type.len, 256);
    message_unref(&m);
}

/* ---------------------------------------------------------------- JSONTestSuite */

#define SUITE "tests/data/json-test-suite"

/* {"eventType":"a","payload":{"v": FILE}} */
static struct span wrap(const char *file, struct buf *out)
{
    char path[512];
    snprintf(path, sizeof path, SUITE "/%s", file);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    buf_clear(out);
    buf_text(out, "{\"eventType\":\"a\",\"payload\":{\"v\":");
    char piece[4096];
    size_t n;
    while ((n = fread(piece, 1, sizeof piece, f)) > 0)
        buf_bytes(out, piece, n);
    fclose(f);
    buf_text(out, "}}");
    assert_false(out->failed);
    return buf_view(out);
}

/* y_ must be taken and n_ refused; i_ may be either, but what is taken is kept as it came. */
static void the_json_test_suite_is_judged_rightly_as_a_payload(void **state)
{
    (void)state;
    DIR *dir = opendir(SUITE);
    assert_non_null(dir);
    struct buf text;
    buf_init(&text, 4 * 1024 * 1024);
    unsigned seen = 0;
    for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
        if (!strstr(d->d_name, ".json"))
            continue;
        struct envelope_fault fault;
        struct message *m;
        struct span whole = wrap(d->d_name, &text);
        enum err e = read_text(whole, &m, &fault);
        if ((d->d_name[0] == 'y' && e) || (d->d_name[0] == 'n' && !e))
            fail_msg("%s: %s", d->d_name, err_name(e));
        if (!e) {
            struct span payload = span_of(whole.ptr + 27, whole.len - 28);
            assert_true(span_eq(m->payload, payload));
            message_unref(&m);
        }
        seen++;
    }
    assert_true(seen > 300);
    closedir(dir);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_message_is_taken),
        cmocka_unit_test(every_member_arrives),
        cmocka_unit_test(null_is_the_same_as_absent),
        cmocka_unit_test(a_delivery_is_delayed_by_a_day_at_most),
        cmocka_unit_test(an_application_may_come_along),
        cmocka_unit_test(its_rate_may_go_by_either_name),
        cmocka_unit_test(the_payload_keeps_its_exact_bytes),
        cmocka_unit_test(texts_with_escapes_are_decoded_in_place),
        cmocka_unit_test(a_raw_payload_is_what_is_sent),
        cmocka_unit_test(each_broken_rule_names_its_member),
        cmocka_unit_test(names_at_their_longest_are_taken),
        cmocka_unit_test(the_json_test_suite_is_judged_rightly_as_a_payload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
