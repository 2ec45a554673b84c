/* YAML as JSON: what each form of a scalar becomes, and what is refused. */
#include "admin/yaml.h"
#include "base/bounds.h"
#include "base/json_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void documents_become_json(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        {"a: 1", "{\"a\":1}"},
        {"{\"a\": [1, \"2\", null]}", "{\"a\":[1,\"2\",null]}"},
        {"- ~\n-\n- null\n- Null", "[null,null,null,null]"},
        {"- true\n- False\n- TRUE\n- yes\n- on", "[true,false,true,\"yes\",\"on\"]"},
        {"- 007\n- +5\n- -0\n- 0x1F\n- 0o17\n- 1_000", "[7,5,-0,31,15,\"1_000\"]"},
        {"- 1.\n- .5\n- -2.50e+3\n- 1e5\n- 1e\n- .", "[1,0.5,-2.50e+3,1e5,\"1e\",\".\"]"},
        {"- 3.1.0\n- 2026-01-02\n- .inf\n- 12:30", "[\"3.1.0\",\"2026-01-02\",\".inf\",\"12:30\"]"},
        {"- '1'\n- \"true\"\n- !!str 5", "[\"1\",\"true\",\"5\"]"},
        {"200: ok\ntrue: x\n~: y", "{\"200\":\"ok\",\"true\":\"x\",\"~\":\"y\"}"},
        {"a: |\n  one\n  two\nb: >\n  x\n  y\n", "{\"a\":\"one\\ntwo\\n\",\"b\":\"x y\\n\"}"},
        {"a: &anchor {b: c}", "{\"a\":{\"b\":\"c\"}}"},
        {"a:\n- b: 1\n  c: []\n- {}\n", "{\"a\":[{\"b\":1,\"c\":[]},{}]}"},
        {"a: \"\\u00e9\\n\\\"\"", "{\"a\":\"\xc3\xa9\\n\\\"\"}"},
        {"# nothing but\na: b # comments\n", "{\"a\":\"b\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out;
        char why[160];
        struct json_value v;
        struct json_error error;
        buf_init(&out, 4096);
        if (yaml_to_json(span_text(cases[i].yaml), &out, why))
            fail_msg("%s: %s", cases[i].yaml, why);
        assert_string_equal(out.ptr, cases[i].json);
        assert_int_equal(json_check(buf_view(&out), JSON_DEPTH_MAX, &v, &error), ERR_OK);
        buf_free(&out);
    }
}

static void what_is_no_single_plain_document_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *why; /* the words are ours where they are given */
    } cases[] = {
        {"a: &x 1\nb: *x", "aliases are not supported at line 2"},
        {"a: 1\n---\nb: 2", "there is more than one document at line 2"},
        {"? [a]\n: b", "a key is a collection at line 1"},
        {"a: [1", NULL},
        {"a: \"x", NULL},
        {"\t- a", NULL},
        {"a: \xff", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out;
        char why[160];
        buf_init(&out, 4096);
        assert_int_equal(yaml_to_json(span_text(cases[i].yaml), &out, why), ERR_INVALID);
        if (cases[i].why)
            assert_string_equal(why, cases[i].why);
        assert_non_null(strstr(why, " at line "));
        buf_free(&out);
    }
}

static void nesting_and_size_are_bounded(void **state)
{
    (void)state;
    char deep[JSON_DEPTH_MAX + 2], why[160];
    struct buf out;
    memset(deep, '[', sizeof deep);
    buf_init(&out, 4096);
    assert_int_equal(yaml_to_json(span_of(deep, sizeof deep), &out, why), ERR_INVALID);
    assert_non_null(strstr(why, "nests too deeply"));
    buf_free(&out);
    buf_init(&out, 10);
    assert_int_equal(yaml_to_json(SPAN("a: 0123456789"), &out, why), ERR_TOO_LARGE);
    buf_free(&out);
}

static void every_prefix_of_a_document_is_read_or_refused(void **state)
{
    (void)state;
    static const char text[] =
        "openapi: 3.1.0\nwebhooks:\n  a: {post: [1, 'b', \"c\\u00e9\", |\n  x\n]}\n? k\n: &z v\n";
    for (size_t len = 0; len < sizeof text; len++) {
        struct buf out;
        struct json_value v;
        struct json_error error;
        char why[160];
        buf_init(&out, 4096);
        enum err e = yaml_to_json(span_of(text, len), &out, why);
        assert_true(e == ERR_OK || (e == ERR_INVALID && why[0]));
        if (!e && out.len)
            assert_int_equal(json_check(buf_view(&out), JSON_DEPTH_MAX, &v, &error), ERR_OK);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_become_json),
        cmocka_unit_test(what_is_no_single_plain_document_is_refused),
        cmocka_unit_test(nesting_and_size_are_bounded),
        cmocka_unit_test(every_prefix_of_a_document_is_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
