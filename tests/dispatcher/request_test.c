/* The header lines of an attempt: who wins when several name the same one. */
#include "dispatcher/request.h"

#include "dispatcher/dispatcher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct fixture {
    struct destination destination;
    struct message *message;
    struct request request;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    const struct signing_key key = {.kind = KEY_HMAC, .len = 24};
    f->destination.signer = signer_new(&key, 1);
    f->message = message_new();
    f->message->payload = SPAN("{}");
    request_init(&f->request, SIGNATURE_WEBHOOK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    request_free(&f->request);
    curl_slist_free_all(f->destination.headers);
    free(f->destination.content_type);
    signer_free(&f->destination.signer);
    message_unref(&f->message);
    free(f);
    return 0;
}

static void endpoint_headers(struct fixture *f, struct span json)
{
    assert_true(destination_headers(json, &f->destination.headers, &f->destination.content_type));
}

/* How often a line that begins like this is sent. */
static unsigned sent(struct fixture *f, const char *begin)
{
    unsigned n = 0;
    struct wall now = {INT64_C(1700000000000000)};
    assert_true(request_build(&f->request, &f->destination, f->message, span_text(NULL), now));
    for (const struct curl_slist *h = f->request.headers; h; h = h->next)
        n += span_starts(span_text(h->data), span_text(begin));
    return n;
}

static void the_content_type_is_json_unless_someone_says_otherwise(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(sent(f, "content-type: application/json"), 1);
    f->message->content_type = SPAN("text/plain");
    assert_int_equal(sent(f, "content-type: text/plain"), 1);
    endpoint_headers(f, SPAN("{\"Content-Type\":\"text/endpoint\"}"));
    assert_int_equal(sent(f, "Content-Type: text/endpoint"), 1);
    f->message->headers = SPAN("{\"content-type\":\"text/message\"}");
    assert_int_equal(sent(f, "content-type: text/message"), 1);
    assert_int_equal(sent(f, "Content-Type"), 0);
}

static void a_content_type_with_control_bytes_is_not_sent(void **state)
{
    struct fixture *f = *state;
    f->message->content_type = SPAN("text/plain\r\nx-evil: 1");
    assert_int_equal(sent(f, "content-type: application/json"), 1);
    f->message->content_type = SPAN("text/plain\0x-evil: 1");
    assert_int_equal(sent(f, "content-type: application/json"), 1);
}

static void the_messages_headers_win_over_the_endpoints(void **state)
{
    struct fixture *f = *state;
    endpoint_headers(f, SPAN("{\"x-a\":\"endpoint\",\"x-b\":\"endpoint\"}"));
    f->message->headers = SPAN("{\"X-A\":\"message\"}");
    assert_int_equal(sent(f, "X-A: message"), 1);
    assert_int_equal(sent(f, "x-a"), 0);
    assert_int_equal(sent(f, "x-b: endpoint"), 1);
    f->message->headers = SPAN("");
    assert_int_equal(sent(f, "x-a: endpoint"), 1);
}

static void nobody_overrides_what_is_signed_or_how_it_is_framed(void **state)
{
    struct fixture *f = *state;
    const struct span evil = SPAN("{\"webhook-id\":\"x\",\"content-length\":\"1\",\"host\":\"x\","
                                  "\"x-n\":1,\"x-e\\u0041\":\"x\",\"x-l\":\"a\\r\\nb: c\"}");
    endpoint_headers(f, evil);
    f->message->headers = evil;
    assert_null(f->destination.headers);
    assert_int_equal(sent(f, "webhook-id: msg_"), 1);
    assert_int_equal(sent(f, "webhook-id"), 1);
    assert_int_equal(sent(f, "content-length"), 0);
    assert_int_equal(sent(f, "x-"), 0);
}

static void curl_is_told_not_to_ask_before_a_large_body(void **state)
{
    assert_int_equal(sent(*state, "expect:"), 1);
}

#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void a_trace_is_sent_on_unless_someone_names_one(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(sent(f, "trace"), 0);
    f->message->traceparent = SPAN(TRACE);
    f->message->tracestate = SPAN("a=1");
    assert_int_equal(sent(f, "traceparent: " TRACE), 1);
    assert_int_equal(sent(f, "tracestate: a=1"), 1);
    endpoint_headers(f, SPAN("{\"Traceparent\":\"mine\"}"));
    assert_int_equal(sent(f, "traceparent"), 0);
    assert_int_equal(sent(f, "tracestate"), 0);
    assert_int_equal(sent(f, "Traceparent: mine"), 1);
}

static void the_body_is_the_payload_itself_unless_it_is_an_event(void **state)
{
    struct fixture *f = *state;
    sent(f, "");
    assert_ptr_equal(f->request.body.ptr, f->message->payload.ptr);
    f->destination.cloud_events = CLOUD_EVENTS_BINARY;
    sent(f, "");
    assert_ptr_equal(f->request.body.ptr, f->message->payload.ptr);
    f->destination.cloud_events = CLOUD_EVENTS_STRUCTURED;
    sent(f, "");
    assert_true(span_starts(f->request.body, SPAN("{\"specversion\":\"1.0\"")));
    struct buf once = {.max = 4096};
    buf_span(&once, f->request.body);
    sent(f, "");
    assert_true(span_eq(f->request.body, buf_view(&once)));
    buf_free(&once);
}

static void of_an_event_nobody_overrides_what_describes_it(void **state)
{
    struct fixture *f = *state;
    endpoint_headers(f, SPAN("{\"ce-id\":\"x\",\"content-type\":\"x/y\",\"x-b\":\"1\"}"));
    f->message->headers = SPAN("{\"CE-Type\":\"x\",\"content-type\":\"x/y\",\"x-a\":\"1\"}");
    f->message->event_type = SPAN("a.b");
    f->destination.cloud_events = CLOUD_EVENTS_BINARY;
    assert_int_equal(sent(f, "ce-id: msg_"), 1);
    assert_int_equal(sent(f, "ce-type: a.b"), 1);
    assert_int_equal(sent(f, "ce-id: x") + sent(f, "CE-Type"), 0);
    assert_int_equal(sent(f, "x-a: 1") + sent(f, "x-b: 1"), 2);
    assert_int_equal(sent(f, "content-type: application/json"), 1);
    assert_int_equal(sent(f, "content-type: x/y"), 0);
    f->destination.cloud_events = CLOUD_EVENTS_STRUCTURED;
    assert_int_equal(sent(f, "content-type: application/cloudevents+json"), 1);
    assert_int_equal(sent(f, "content-type: x/y"), 0);
    assert_int_equal(sent(f, "webhook-signature: v1,"), 1);
}

static void nothing_has_no_content_type(void **state)
{
    struct fixture *f = *state;
    f->message->payload = SPAN("");
    assert_int_equal(sent(f, "content-type: "), 0);
    assert_int_equal(sent(f, "content-type:"), 1);
}

static void headers_that_are_no_object_are_ignored(void **state)
{
    struct fixture *f = *state;
    endpoint_headers(f, SPAN("[1]"));
    endpoint_headers(f, SPAN("not json"));
    assert_null(f->destination.headers);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_content_type_is_json_unless_someone_says_otherwise),
        TEST(a_content_type_with_control_bytes_is_not_sent),
        TEST(the_messages_headers_win_over_the_endpoints),
        TEST(nobody_overrides_what_is_signed_or_how_it_is_framed),
        TEST(curl_is_told_not_to_ask_before_a_large_body),
        TEST(headers_that_are_no_object_are_ignored),
        TEST(a_trace_is_sent_on_unless_someone_names_one),
        TEST(the_body_is_the_payload_itself_unless_it_is_an_event),
        TEST(of_an_event_nobody_overrides_what_describes_it),
        TEST(nothing_has_no_content_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
