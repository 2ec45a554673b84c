/* CloudEvents by table: what is taken in either mode, and which attribute is named when it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ingest/cloud_event.h"
#include "ingest/trace.h"

#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#define OTHER_TRACE "00-11111111111111111111111111111111-2222222222222222-00"

/* ---------------------------------------------------------------- either mode */

struct read {
    enum err result;
    struct message *m;
    struct idempotency identity;
    struct envelope_fault fault;
};

static struct read structured(struct span text, const struct head *head)
{
    const struct head none = {.mode = HEAD_STRUCTURED};
    struct read r = {0};
    struct json_value object;
    struct json_error error;
    char *copy = malloc(text.len);
    assert_non_null(copy);
    memcpy(copy, text.ptr, text.len);
    if (json_check(span_of(copy, text.len), JSON_DEPTH_MAX, &object, &error))
        fail_msg("%.*s: %s at %zu", SPAN_ARG(text), error.what, error.at);
    r.result = cloud_event_structured(object, head ? head : &none, &r.m, &r.identity, &r.fault);
    free(copy); /* nothing of the message may point into it */
    return r;
}

/* "name: value" lines; a content-type is what it is. */
static struct head head_of(const char *lines)
{
    struct head h = {.mode = HEAD_BINARY};
    for (struct span rest = span_text(lines); rest.len;) {
        struct span value = span_cut(&rest, '\n'), name = span_cut(&value, ':');
        value = span_trim(value);
        if (!span_is(name, "content-type"))
            h.attributes[h.count++] = (struct head_attribute){name, value};
        else if (h.content_types++ == 0)
            h.content_type = value;
    }
    return h;
}

static struct read binary(const char *lines, struct span body)
{
    struct head h = head_of(lines);
    struct read r = {0};
    r.result = cloud_event_binary(&h, body, &r.m, &r.identity, &r.fault);
    return r;
}

static struct read taken(struct read r)
{
    if (r.result)
        fail_msg("%s %s %s", r.fault.where, r.fault.field, r.fault.message);
    return r;
}

static void refused(struct read r, const char *what, const char *field)
{
    if (!r.result)
        fail_msg("taken: %s", what);
    assert_int_equal(r.result, ERR_INVALID);
    assert_null(r.m);
    if (strcmp(r.fault.field, field) != 0)
        fail_msg("%s\n-> %s: %s, not %s", what, r.fault.field, r.fault.message, field);
}

/* ---------------------------------------------------------------- structured */

#define REQUIRED "\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"a.b\""
#define EVENT(more) "{" REQUIRED more "}"

static void the_smallest_event_is_taken(void **state)
{
    (void)state;
    struct read r = taken(structured(SPAN(EVENT("")), NULL));
    assert_true(span_is(r.m->event_type, "a.b"));
    assert_true(span_is(r.m->attributes, "{" REQUIRED "}"));
    assert_int_equal(r.m->payload.len + r.m->content_type.len + r.m->traceparent.len, 0);
    assert_true(r.identity.used);
    assert_int_equal(r.identity.lifetime_us, 12 * 3600 * US_PER_S);
    message_unref(&r.m);
}

static void every_attribute_is_kept_as_it_came(void **state)
{
    (void)state;
    static const char more[] =
        ",\"time\":\"2026-01-02T03:04:05.678+01:00\",\"subject\":\"a/b \xc3\xa4\\\"\","
        "\"dataschema\":\"urn:x\",\"datacontenttype\":\"application/json\",\"flag\":true,"
        "\"number\":-7,\"text\":\"\",\"partitionkey\":\"k 1\"";
    char text[1024];
    snprintf(text, sizeof text, "{" REQUIRED "%s,\"nothing\":null,\"data\":{}}", more);
    struct read r = taken(structured(span_text(text), NULL));
    snprintf(text, sizeof text, "{" REQUIRED "%s}", more);
    assert_true(span_is(r.m->attributes, text));
    assert_true(span_is(r.m->ordering_key, "k 1"));
    assert_int_equal(r.m->content_type.len, 0);
    message_unref(&r.m);
}

static void data_is_kept_byte_for_byte(void **state)
{
    (void)state;
    static const struct {
        const char *more, *payload, *content_type;
    } rows[] = {
        {",\"data\": { \"b\" : 1.50, \"a\":\"\\u0041\"} ", "{ \"b\" : 1.50, \"a\":\"\\u0041\"}",
         ""},
        {",\"data\":[1, 2]", "[1, 2]", "application/json"},
        {",\"data\":\"\\u0041\"", "\"\\u0041\"", "application/json"},
        {",\"data\":1e400", "1e400", "application/json"},
        {",\"data\":false", "false", "application/json"},
        {",\"data\":null", "", ""},
        {",\"data\":{},\"datacontenttype\":\"Application/JSON\"", "{}", ""},
        {",\"datacontenttype\":\"text/json; a=b\",\"data\":{}", "{}", "text/json; a=b"},
        {",\"data\":[],\"datacontenttype\":\"x/y+json\"", "[]", "x/y+json"},
        {",\"data\":\"<a>\\n\\u00e4</a>\",\"datacontenttype\":\"application/xml\"",
         "<a>\n\xc3\xa4</a>", "application/xml"},
        {",\"data\":\"\",\"datacontenttype\":\"text/plain\"", "", "text/plain"},
        {",\"data_base64\":\"AP8K\"", "\0\xff\n", "application/octet-stream"},
        {",\"data_base64\":\"AP\\u0038K\",\"datacontenttype\":\"image/png\"", "\0\xff\n",
         "image/png"},
        {",\"data_base64\":\"eyJhIjoxfQ==\",\"datacontenttype\":\"application/json\"", "{\"a\":1}",
         ""},
        {",\"data_base64\":\"\"", "", ""},
        {",\"data_base64\":null,\"data\":1", "1", "application/json"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        snprintf(text, sizeof text, "{%s," REQUIRED "}", rows[i].more + 1);
        struct read r = taken(structured(span_text(text), NULL));
        size_t len =
            rows[i].payload[0] || !strstr(rows[i].more, "AP") ? strlen(rows[i].payload) : 3;
        if (!span_eq(r.m->payload, span_of(rows[i].payload, len)))
            fail_msg("%s: %.*s", rows[i].more, SPAN_ARG(r.m->payload));
        if (!span_is(r.m->content_type, rows[i].content_type))
            fail_msg("%s: %.*s", rows[i].more, SPAN_ARG(r.m->content_type));
        message_unref(&r.m);
    }
}

static void what_breaks_a_rule_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *field;
    } rows[] = {
        {"{}", "specversion"},
        {"{\"specversion\":\"1.0\"}", "id"},
        {"{\"specversion\":\"1.0\",\"id\":\"1\"}", "source"},
        {"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/\"}", "type"},
        {"{\"specversion\":\"1.0\",\"id\":null,\"source\":\"/\",\"type\":\"t\"}", "id"},
        {"{\"specversion\":\"0.3\"}", "specversion"},
        {"{\"specversion\":1.0}", "specversion"},
        {"{\"specversion\":true}", "specversion"},
        {"{\"id\":\"\"}", "id"},
        {"{\"id\":1}", "id"},
        {"{\"id\":{}}", "id"},
        {"{\"source\":\"\"}", "source"},
        {"{\"source\":\"a b\"}", "source"},
        {"{\"source\":\"/%4\"}", "source"},
        {"{\"source\":\"/\xc3\xa4\"}", "source"},
        {"{\"type\":\"a/b\"}", "type"},
        {"{\"time\":\"yesterday\"}", "time"},
        {"{\"time\":\"2026-01-02 03:04:05Z\"}", "time"},
        {"{\"time\":\"2026-01-02T03:04:05\"}", "time"},
        {"{\"time\":\"2026-13-02T03:04:05Z\"}", "time"},
        {"{\"subject\":\"\"}", "subject"},
        {"{\"dataschema\":\"/relative\"}", "dataschema"},
        {"{\"dataschema\":\"urn:\"}", "dataschema"},
        {"{\"datacontenttype\":\"json\"}", "datacontenttype"},
        {"{\"partitionkey\":\"\"}", "partitionkey"},
        {"{\"Upper\":\"x\"}", "Upper"},
        {"{\"under_score\":\"x\"}", "under_score"},
        {"{\"\":\"x\"}", ""},
        {"{\"\\u0069d\":\"x\"}", "\\u0069d"},
        {"{\"x\":1.5}", "x"},
        {"{\"x\":2147483648}", "x"},
        {"{\"x\":-2147483649}", "x"},
        {"{\"x\":1e3}", "x"},
        {"{\"x\":[]}", "x"},
        {"{\"x\":{\"y\":1}}", "x"},
        {"{\"x\":\"a\\u0000\"}", "x"},
        {"{\"x\":\"a\\n\"}", "x"},
        {"{\"x\":\"\x7f\"}", "x"},
        {"{\"x\":\"\\u0085\"}", "x"},
        {"{\"x\":\"\\ud800\"}", "x"},
        {"{\"x\":\"\\ufdd0\"}", "x"},
        {"{\"x\":\"\\ud83f\\udfff\"}", "x"},
        {"{\"x\":\"1\",\"x\":\"1\"}", "x"},
        {"{\"x\":null,\"x\":\"1\"}", "x"},
        {"{\"id\":\"1\",\"id\":\"1\"}", "id"},
        {"{\"data\":1,\"data\":1}", "data"},
        {"{\"data\":null,\"data\":1}", "data"},
        {"{\"data_base64\":\"\",\"data_base64\":\"\"}", "data_base64"},
        {EVENT(",\"data\":1,\"data_base64\":\"\""), "data_base64"},
        {EVENT(",\"data_base64\":1"), "data_base64"},
        {EVENT(",\"data_base64\":\"a\""), "data_base64"},
        {EVENT(",\"data_base64\":\"a-_=\""), "data_base64"},
        {EVENT(",\"data_base64\":\"AA==\",\"datacontenttype\":\"a/json\""), "data_base64"},
        {EVENT(",\"data\":{},\"datacontenttype\":\"text/plain\""), "data"},
        {EVENT(",\"data\":\"\\u0000\",\"datacontenttype\":\"text/plain\""), "data"},
        {EVENT(",\"data\":\"\\udc00\",\"datacontenttype\":\"text/plain\""), "data"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct read r = structured(span_text(rows[i].text), NULL);
        refused(r, rows[i].text, rows[i].field);
        assert_string_equal(r.fault.where, "body");
    }
}

static void long_names_and_many_attributes_are_refused(void **state)
{
    (void)state;
    char text[8192];
    snprintf(text, sizeof text, EVENT(",\"%065d\":\"x\""), 1);
    struct read r = structured(span_text(text), NULL);
    assert_int_equal(r.result, ERR_INVALID);
    snprintf(text, sizeof text, EVENT(",\"%064d\":\"x\""), 1);
    r = taken(structured(span_text(text), NULL));
    message_unref(&r.m);

    size_t len = (size_t)snprintf(text, sizeof text, "{" REQUIRED);
    for (int i = 0; i < CLOUD_ATTRIBUTES_MAX - 4; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, ",\"x%d\":1", i);
    text[len] = '}';
    r = taken(structured(span_of(text, len + 1), NULL));
    message_unref(&r.m);
    len += (size_t)snprintf(text + len, sizeof text - len, ",\"last\":1}");
    refused(structured(span_of(text, len), NULL), text, "last");
}

static void attributes_are_bounded_in_all_plain_or_escaped(void **state)
{
    (void)state;
    static const char *const units[] = {"x", "\\u0078", "\\\""};
    for (size_t i = 0; i < 3; i++)
        for (int room = 0; room < 2; room++) {
            /* What is written is the text, but that a quote stays escaped. */
            size_t each = i == 2 ? 2 : 1, empty = strlen("{" REQUIRED ",\"big\":\"\"}");
            size_t count = (CLOUD_ATTRIBUTES_BYTES - empty) / each + (size_t)room;
            struct buf text;
            buf_init(&text, 64 * 1024);
            buf_text(&text, "{" REQUIRED ",\"big\":\"");
            for (size_t n = 0; n < count; n++)
                buf_text(&text, units[i]);
            buf_text(&text, "\"}");
            struct read r = structured(buf_view(&text), NULL);
            if (room)
                refused(r, units[i], "big");
            else
                r = taken(r);
            message_unref(&r.m);
            buf_free(&text);
        }
}

/* ---------------------------------------------------------------- binary */

#define HEADERS "ce-specversion: 1.0\nce-id: 1\nce-source: /s\nce-type: a.b\n"

static void headers_become_attributes(void **state)
{
    (void)state;
    struct read r =
        taken(binary("CE-SpecVersion: 1.0\nCe-Id: a%20b\nce-source: /s\nCE-TYPE: a.b\n"
                     "ce-subject: Euro%20%E2%82%AC%20%F0%9F%98%80\nce-quoted: \"a\\\"b %25\"\n"
                     "ce-plain: caf\xc3\xa9\nce-empty:\ncontent-type: application/json\n",
                     SPAN(" {\"n\": 1.0}\n")));
    assert_true(span_is(r.m->attributes,
                        "{\"specversion\":\"1.0\",\"id\":\"a b\",\"source\":\"/s\","
                        "\"type\":\"a.b\",\"subject\":\"Euro \xe2\x82\xac \xf0\x9f\x98\x80\","
                        "\"quoted\":\"a\\\"b %\",\"plain\":\"caf\xc3\xa9\",\"empty\":\"\","
                        "\"datacontenttype\":\"application/json\"}"));
    assert_true(span_is(r.m->payload, " {\"n\": 1.0}\n"));
    assert_int_equal(r.m->content_type.len, 0);
    message_unref(&r.m);
}

static void the_body_is_the_data_whatever_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        struct span body;
        const char *content_type;
    } rows[] = {
        {"content-type: application/json\n", SPAN("[1]"), "application/json"},
        {"content-type: application/json\n", SPAN(""), "application/json"},
        {"content-type: a/b+json\n", SPAN("{}"), "a/b+json"},
        {"content-type: image/png\n", SPAN("\0\xff"), "image/png"},
        {"content-type: text/plain; charset=latin1\n", SPAN("\xe4"), "text/plain; charset=latin1"},
        {"", SPAN("{}"), ""},
        {"", SPAN("[1]"), "application/json"},
        {"", SPAN("\xff"), "application/octet-stream"},
        {"", SPAN(""), ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char lines[256];
        snprintf(lines, sizeof lines, HEADERS "%s", rows[i].type);
        struct read r = taken(binary(lines, rows[i].body));
        assert_true(span_eq(r.m->payload, rows[i].body));
        if (!span_is(r.m->content_type, rows[i].content_type))
            fail_msg("%zu: %.*s", i, SPAN_ARG(r.m->content_type));
        message_unref(&r.m);
    }
}

static void bad_headers_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *field;
    } rows[] = {
        {"ce-id: 1\n", "ce-specversion"},
        {"ce-specversion: 1.0\nce-id: 1\nce-source: /s\n", "ce-type"},
        {HEADERS "ce-id: 1\n", "ce-id"},
        {HEADERS "ce-X: 1\nCE-x: 2\n", "ce-x"},
        {HEADERS "ce-a-b: 1\n", "ce-a-b"},
        {HEADERS "ce-: 1\n", "ce-"},
        {HEADERS "ce-data: 1\n", "ce-data"},
        {HEADERS "ce-data_base64: 1\n", "ce-data_base64"},
        {HEADERS "ce-datacontenttype: a/b\n", "content-type"},
        {HEADERS "ce-x: %\n", "ce-x"},
        {HEADERS "ce-x: %4\n", "ce-x"},
        {HEADERS "ce-x: %zz\n", "ce-x"},
        {HEADERS "ce-x: %00\n", "ce-x"},
        {HEADERS "ce-x: %0D%0Ax\n", "ce-x"},
        {HEADERS "ce-x: %C3\n", "ce-x"},
        {HEADERS "ce-x: %C0%AF\n", "ce-x"},
        {HEADERS "ce-x: %ED%A0%80\n", "ce-x"},
        {HEADERS "ce-x: \xe4\n", "ce-x"},
        {HEADERS "ce-x: \"a\n", "ce-x"},
        {HEADERS "ce-x: \"a\\\n", "ce-x"},
        {HEADERS "ce-x: \"a\"b\n", "ce-x"},
        {HEADERS "ce-time: now\n", "ce-time"},
        {HEADERS "content-type: json\n", "content-type"},
        {HEADERS "content-type: a/b\ncontent-type: a/b\n", "content-type"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct read r = binary(rows[i].lines, SPAN("{}"));
        refused(r, rows[i].lines, rows[i].field);
        assert_string_equal(r.fault.where, "header");
    }
}

static void a_body_that_is_declared_as_json_must_be_json(void **state)
{
    (void)state;
    static const char lines[] = HEADERS "content-type: application/json\n";
    static const struct span bodies[] = {SPAN("{"), SPAN("{}{}"), SPAN("\"\xff\""), SPAN(" ")};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct read r = binary(lines, bodies[i]);
        refused(r, bodies[i].ptr, "");
        assert_string_equal(r.fault.where, "body");
        assert_string_equal(r.fault.type, "value_error.jsondecode");
    }
    char deep[2 * JSON_DEPTH_MAX + 2];
    memset(deep, '[', sizeof deep / 2);
    memset(deep + sizeof deep / 2, ']', sizeof deep / 2);
    refused(binary(lines, span_of(deep, sizeof deep)), "deep", "");
}

/* ---------------------------------------------------------------- damage */

/* Taken with attributes that are JSON, or refused with a reason: never anything between. */
static void is_whole(struct read *r)
{
    struct json_value object;
    struct json_error error;
    if (r->result) {
        assert_int_equal(r->result, ERR_INVALID);
        assert_non_null(r->fault.message);
        assert_non_null(r->fault.where);
        return;
    }
    assert_int_equal(json_check(r->m->attributes, 2, &object, &error), ERR_OK);
    assert_true(r->m->event_type.len > 0 && r->identity.used);
    message_unref(&r->m);
}

static void an_event_with_one_byte_changed_is_taken_whole_or_refused(void **state)
{
    (void)state;
    static const char text[] = EVENT(",\"time\":\"2026-01-02T03:04:05Z\",\"x\":\"\\u00e4\\\\\","
                                     "\"n\":-1,\"b\":true,\"data_base64\":\"AAEC\"");
    static const char bytes[] = "\"\\{}[]:,0aZ% \x01\x7f\xc3\xff";
    char damaged[sizeof text];
    for (size_t at = 0; at < sizeof text - 1; at++)
        for (size_t i = 0; i < sizeof bytes; i++) {
            struct json_value object;
            struct json_error error;
            memcpy(damaged, text, sizeof text);
            damaged[at] = bytes[i];
            struct span input = span_of(damaged, sizeof text - 1);
            if (json_check(input, JSON_DEPTH_MAX, &object, &error) || object.type != JSON_OBJECT)
                continue;
            struct read r = structured(input, NULL);
            is_whole(&r);
        }
}

static void a_header_with_one_byte_changed_is_taken_whole_or_refused(void **state)
{
    (void)state;
    static const char value[] = "\"a\\\"b\"%C3%A4%25";
    char damaged[sizeof value];
    for (size_t at = 0; at < sizeof value - 1; at++)
        for (int byte = 1; byte < 256; byte++) {
            memcpy(damaged, value, sizeof value);
            damaged[at] = (char)byte;
            struct head h = head_of(HEADERS "content-type: application/json\n");
            h.attributes[h.count++] =
                (struct head_attribute){SPAN("ce-x"), span_of(damaged, sizeof value - 1)};
            struct read r = {0};
            r.result = cloud_event_binary(&h, SPAN("{}"), &r.m, &r.identity, &r.fault);
            is_whole(&r);
        }
}

/* ---------------------------------------------------------------- identity and trace */

static bool same_key(struct read a, struct read b)
{
    bool same = memcmp(a.identity.key, b.identity.key, sizeof a.identity.key) == 0;
    message_unref(&a.m);
    message_unref(&b.m);
    return same;
}

static bool same_body(struct read a, struct read b)
{
    bool same = memcmp(a.identity.body, b.identity.body, sizeof a.identity.body) == 0;
    message_unref(&a.m);
    message_unref(&b.m);
    return same;
}

static struct read named(const char *id, const char *source, const char *type, const char *data)
{
    char text[512];
    snprintf(
        text, sizeof text,
        "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":\"%s\",\"type\":\"%s\",\"data\":%s}", id,
        source, type, data);
    return taken(structured(span_text(text), NULL));
}

static void the_identity_is_source_and_id_and_nothing_else(void **state)
{
    (void)state;
    assert_true(same_key(named("1", "/s", "a", "{}"), named("1", "/s", "b", "[]")));
    assert_true(same_key(named("1", "/s", "a", "{}"), taken(binary(HEADERS, SPAN("x")))));
    assert_false(same_key(named("1", "/s", "a", "{}"), named("2", "/s", "a", "{}")));
    assert_false(same_key(named("1", "/s", "a", "{}"), named("1", "/t", "a", "{}")));
    assert_false(same_key(named("12", "/s", "a", "{}"), named("2", "/s1", "a", "{}")));
}

static void the_body_of_an_identity_is_type_and_data(void **state)
{
    (void)state;
    assert_true(same_body(named("1", "/s", "a.b", "{}"), taken(binary(HEADERS, SPAN("{}")))));
    assert_false(same_body(named("1", "/s", "a", "{}"), named("1", "/s", "b", "{}")));
    assert_false(same_body(named("1", "/s", "a", "{}"), named("1", "/s", "a", "{ }")));
}

static void the_events_own_trace_wins_over_the_requests(void **state)
{
    (void)state;
    const struct head head = {
        .mode = HEAD_STRUCTURED, .traceparent = SPAN(OTHER_TRACE), .tracestate = SPAN("o=1")};
    struct read r = taken(structured(SPAN(EVENT(",\"traceparent\":\"" TRACE "\"")), &head));
    assert_true(span_is(r.m->traceparent, TRACE));
    assert_int_equal(r.m->tracestate.len, 0);
    message_unref(&r.m);
    r = taken(structured(SPAN(EVENT(",\"traceparent\":\"odd\",\"tracestate\":\"a=1\"")), &head));
    assert_true(span_is(r.m->traceparent, OTHER_TRACE));
    assert_true(span_is(r.m->tracestate, "o=1"));
    assert_true(span_is(r.m->attributes, EVENT(",\"traceparent\":\"odd\",\"tracestate\":\"a=1\"")));
    message_unref(&r.m);
}

static void a_traceparent_is_judged_by_its_grammar(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {TRACE, true},
        {"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", true},
        {"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true},
        {"", false},
        {TRACE "-more", false},
        {TRACE "0", false},
        {"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more", false},
        {"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-\r\nx: y", false},
        {"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
        {"00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
        {"00-00000000000000000000000000000000-b7ad6b7169203331-01", false},
        {"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false},
        {"00-0af7651916cd43dd8448eb211c80319cb-7ad6b7169203331-01", false},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (trace_is_parent(span_text(rows[i].text)) != rows[i].good)
            fail_msg("%s", rows[i].text);
    assert_true(trace_is_state(SPAN("a=1,b=2")));
    assert_false(trace_is_state(SPAN("")));
    assert_false(trace_is_state(SPAN("a=\r\n")));
    char state_text[TRACESTATE_MAX + 1];
    memset(state_text, 'a', sizeof state_text);
    assert_true(trace_is_state(span_of(state_text, TRACESTATE_MAX)));
    assert_false(trace_is_state(span_of(state_text, TRACESTATE_MAX + 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_event_is_taken),
        cmocka_unit_test(every_attribute_is_kept_as_it_came),
        cmocka_unit_test(data_is_kept_byte_for_byte),
        cmocka_unit_test(what_breaks_a_rule_is_named),
        cmocka_unit_test(long_names_and_many_attributes_are_refused),
        cmocka_unit_test(attributes_are_bounded_in_all_plain_or_escaped),
        cmocka_unit_test(headers_become_attributes),
        cmocka_unit_test(the_body_is_the_data_whatever_it_is),
        cmocka_unit_test(bad_headers_are_named),
        cmocka_unit_test(a_body_that_is_declared_as_json_must_be_json),
        cmocka_unit_test(an_event_with_one_byte_changed_is_taken_whole_or_refused),
        cmocka_unit_test(a_header_with_one_byte_changed_is_taken_whole_or_refused),
        cmocka_unit_test(the_identity_is_source_and_id_and_nothing_else),
        cmocka_unit_test(the_body_of_an_identity_is_type_and_data),
        cmocka_unit_test(the_events_own_trace_wins_over_the_requests),
        cmocka_unit_test(a_traceparent_is_judged_by_its_grammar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
