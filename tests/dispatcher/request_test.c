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
    assert_true(request_build(&f->request, &f->destination, f->message, now));
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
