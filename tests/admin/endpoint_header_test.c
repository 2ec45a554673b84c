/* Headers of endpoints: credentials stay unseen, names have no case, the unsendable is refused. */
#include "admin/endpoint_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct text_map parse(struct arena *a, const char *raw)
{
    struct text_map map;
    arena_init(a, NULL, 0, 64 * 1024);
    assert_int_equal(text_map_parse(a, span_text(raw), &map), ERR_OK);
    return map;
}

static void credentials_are_named_and_their_values_kept(void **state)
{
    (void)state;
    struct arena a;
    struct text_map map = parse(&a, "{\"X-Tenant\":\"t1\",\"Authorization\":\"Bearer s3cret\","
                                    "\"x-api-key\":\"s3cret\",\"Accept-Language\":\"en\"}");
    struct buf out;
    struct json_writer w;
    buf_init(&out, 4096);
    jw_init(&w, &out);
    endpoint_header_out(&w, &map);
    assert_string_equal(out.ptr, "{\"headers\":{\"X-Tenant\":\"t1\",\"Accept-Language\":\"en\"},"
                                 "\"sensitive\":[\"Authorization\",\"x-api-key\"]}");
    buf_free(&out);
    arena_free(&a);
}

static void a_name_that_looks_like_a_credential_is_one(void **state)
{
    (void)state;
    static const char *const secret[] = {
        "authorization", "Proxy-Authorization",  "X-API-Key",    "cookie",         "X-Auth-Token",
        "X-Secret",      "x-amz-security-token", "Api-Password", "X-Hub-Signature"};
    static const char *const plain[] = {"X-Tenant", "Accept", "X-Request-Source", "k"};
    for (size_t i = 0; i < sizeof secret / sizeof *secret; i++)
        assert_true(endpoint_header_sensitive(span_text(secret[i])));
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        assert_false(endpoint_header_sensitive(span_text(plain[i])));
}

static void a_change_replaces_adds_and_deletes_without_case(void **state)
{
    (void)state;
    struct arena a, b;
    struct text_pair pairs[8];
    struct text_map stored = parse(&a, "{\"X-One\":\"1\",\"X-Two\":\"2\",\"X-Three\":\"3\"}");
    struct text_map change = parse(&b, "{\"x-one\":\"new\",\"X-TWO\":null,\"X-Four\":\"4\"}");
    memcpy(pairs, stored.pairs, stored.count * sizeof *pairs);
    struct text_map map = {.count = stored.count, .pairs = pairs};
    endpoint_header_merge(&map, &change);
    assert_int_equal(map.count, 3);
    assert_true(span_is(text_map_find_header(&map, SPAN("X-One"))->value, "new"));
    assert_null(text_map_find_header(&map, SPAN("x-two")));
    assert_true(span_is(text_map_find_header(&map, SPAN("x-three"))->value, "3"));
    assert_true(span_is(text_map_find_header(&map, SPAN("x-four"))->value, "4"));
    endpoint_header_remove(&map, SPAN("x-FOUR"));
    endpoint_header_remove(&map, SPAN("x-absent"));
    assert_int_equal(map.count, 2);
    arena_free(&a);
    arena_free(&b);
}

static void headers_that_may_not_be_sent_or_differ_in_case_alone_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{\"h\":{\"X-A\":\"1\",\"x-a\":\"2\"}}",
        "{\"h\":{\"Content-Length\":\"5\"}}",
        "{\"h\":{\"X-A\":\"a\\r\\nB: c\"}}",
        "{\"h\":{\"webhook-id\":\"x\"}}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct body b;
        struct text_map map;
        body_open(&b, span_text(wrong[i]), false);
        assert_int_equal(body_map(&b, "h", true, &map), FIELD_VALUE);
        endpoint_header_check(&b, "h", &map);
        assert_int_equal(b.result, ERR_INVALID);
        assert_string_equal(b.field, "h");
        body_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credentials_are_named_and_their_values_kept),
        cmocka_unit_test(a_name_that_looks_like_a_credential_is_one),
        cmocka_unit_test(a_change_replaces_adds_and_deletes_without_case),
        cmocka_unit_test(headers_that_may_not_be_sent_or_differ_in_case_alone_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
