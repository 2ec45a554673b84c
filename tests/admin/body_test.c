/* What an admin body may be, and that every refusal names the field that broke the rule. */
#include "admin/body.h"
#include "base/bounds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct text_rule short_text = {.min = 1, .max = 8};

static struct body open_text(const char *text)
{
    struct body b;
    body_open(&b, span_text(text), false);
    return b;
}

static void expect_refused(struct body *b, const char *field, const char *type)
{
    assert_int_equal(b->result, ERR_INVALID);
    assert_string_equal(b->field, field);
    assert_string_equal(b->type, type);
    assert_true(b->message[0] != '\0');
    body_close(b);
}

static void what_is_no_single_object_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *type;
    } cases[] = {
        {"", "value_error.jsondecode"},
        {"{", "value_error.jsondecode"},
        {"{} {}", "value_error.jsondecode"},
        {"{\"a\":01}", "value_error.jsondecode"},
        {"{\"a\":\"\xff\"}", "value_error.jsondecode"},
        {"{\"a\":\"\x01\"}", "value_error.jsondecode"},
        {"[]", "value_error"},
        {"null", "value_error"},
        {"\"text\"", "value_error"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct body b = open_text(cases[i].text);
        expect_refused(&b, "", cases[i].type);
    }
}

static void an_empty_body_is_an_empty_object_where_it_is_optional(void **state)
{
    (void)state;
    struct body b;
    struct span out;
    body_open(&b, span_text(NULL), true);
    assert_int_equal(b.result, ERR_OK);
    assert_int_equal(body_text(&b, "name", &short_text, &out), FIELD_ABSENT);
    body_close(&b);
}

static void nesting_over_the_bound_is_refused(void **state)
{
    (void)state;
    char text[4 * JSON_DEPTH_MAX] = "{\"a\":";
    size_t at = strlen(text);
    memset(text + at, '[', JSON_DEPTH_MAX);
    memset(text + at + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    text[at + 2 * JSON_DEPTH_MAX] = '}';
    struct body b = open_text(text);
    expect_refused(&b, "", "value_error.jsondecode");
}

static void members_of_the_same_name_are_refused_at_any_depth_and_however_they_are_written(
    void **state)
{
    (void)state;
    static const char *const cases[] = {
        "{\"a\":1,\"b\":2,\"a\":1}",
        "{\"a\":1,\"\\u0061\":1}",
        "{\"x\":[{\"y\":{\"b\":1,\"c\":2,\"b\":3}}]}",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct body b = open_text(cases[i]);
        expect_refused(&b, "", "value_error");
    }
    struct body b = open_text("{\"a\":{\"b\":1},\"b\":{\"a\":1,\"aa\":2}}");
    assert_int_equal(b.result, ERR_OK);
    body_close(&b);
}

static void absent_null_and_value_are_three_states(void **state)
{
    (void)state;
    struct body b = open_text("{\"null\":null,\"name\":\"v\"}");
    struct span out = SPAN("kept");
    assert_int_equal(body_text(&b, "missing", &short_text, &out), FIELD_ABSENT);
    assert_int_equal(body_text(&b, "null", &short_text, &out), FIELD_NULL);
    assert_true(span_is(out, "kept"));
    assert_int_equal(body_text(&b, "name", &short_text, &out), FIELD_VALUE);
    assert_true(span_is(out, "v"));
    body_close(&b);
}

static void a_name_and_a_text_written_with_escapes_are_decoded(void **state)
{
    (void)state;
    struct body b = open_text("{\"n\\u0061me\":\"a\\u00e9\\n\"}");
    struct span out;
    assert_int_equal(body_text(&b, "name", &short_text, &out), FIELD_VALUE);
    assert_true(span_is(out, "a\xc3\xa9\n"));
    body_close(&b);
}

static void a_text_with_an_escaped_nul_or_a_lone_surrogate_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"{\"name\":\"a\\u0000\"}", "{\"name\":\"\\ud800\"}"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct body b = open_text(cases[i]);
        struct span out;
        assert_int_equal(body_text(&b, "name", &short_text, &out), FIELD_ABSENT);
        expect_refused(&b, "name", "value_error");
    }
}

static void a_text_must_obey_its_rule(void **state)
{
    (void)state;
    static const struct text_rule uid = {.min = 1, .max = 8, .also = "-_.", .not_prefix = "app_"};
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"a", true},          {"a-b_c.9", true},   {"", false},
        {"123456789", false}, {"a b", false},      {"a/b", false},
        {"app_1", false},     {"\xc3\xa9", false}, {"12345678", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *why;
        assert_int_equal(text_check(&uid, span_text(cases[i].text), &why), cases[i].good);
        assert_int_equal(why == NULL, cases[i].good);
    }
}

static void the_first_broken_rule_is_the_one_that_is_told(void **state)
{
    (void)state;
    struct body b = open_text("{\"a\":1,\"b\":\"too long a text\"}");
    struct span out;
    assert_int_equal(body_text(&b, "b", &short_text, &out), FIELD_ABSENT);
    assert_int_equal(body_text(&b, "a", &short_text, &out), FIELD_ABSENT);
    body_refuse(&b, "c", "later");
    expect_refused(&b, "b", "value_error");
}

static void a_required_field_may_not_be_absent_nor_null(void **state)
{
    (void)state;
    struct body b = open_text("{}");
    body_require(&b, "name", FIELD_ABSENT);
    expect_refused(&b, "name", "value_error.missing");
    b = open_text("{}");
    body_require(&b, "name", FIELD_NULL);
    expect_refused(&b, "name", "value_error");
    b = open_text("{}");
    body_require(&b, "name", FIELD_VALUE);
    assert_int_equal(b.result, ERR_OK);
    body_close(&b);
}

static void numbers_are_whole_and_within_their_range(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"{\"n\":0}", true},       {"{\"n\":604800}", true},
        {"{\"n\":604801}", false}, {"{\"n\":-1}", false},
        {"{\"n\":1.5}", false},    {"{\"n\":1e3}", false},
        {"{\"n\":\"1\"}", false},  {"{\"n\":99999999999999999999999}", false},
        {"{\"n\":true}", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t n = -7;
        struct body b = open_text(cases[i].text);
        enum field got = body_integer(&b, "n", 0, 604800, &n);
        assert_int_equal(got, cases[i].good ? FIELD_VALUE : FIELD_ABSENT);
        assert_int_equal(n != -7, cases[i].good);
        if (cases[i].good)
            body_close(&b);
        else
            expect_refused(&b, "n", "value_error");
    }
}

static void booleans_and_times_are_read_strictly(void **state)
{
    (void)state;
    struct body b = open_text("{\"yes\":true,\"no\":false,\"at\":\"1970-01-01T00:00:01Z\"}");
    bool yes = false, no = true;
    struct wall at = {0};
    assert_int_equal(body_bool(&b, "yes", &yes), FIELD_VALUE);
    assert_int_equal(body_bool(&b, "no", &no), FIELD_VALUE);
    assert_int_equal(body_time(&b, "at", &at), FIELD_VALUE);
    assert_true(yes && !no && at.us == US_PER_S);
    body_close(&b);
    b = open_text("{\"yes\":\"true\"}");
    body_bool(&b, "yes", &yes);
    expect_refused(&b, "yes", "value_error");
    b = open_text("{\"at\":\"yesterday\"}");
    body_time(&b, "at", &at);
    expect_refused(&b, "at", "value_error");
}

static void a_list_drops_repeated_items_and_names_the_broken_one(void **state)
{
    (void)state;
    struct span out[4];
    unsigned count = 0;
    struct body b = open_text("{\"l\":[\"a\",\"b\",\"a\"]}");
    assert_int_equal(body_texts(&b, "l", &short_text, 1, 4, out, &count), FIELD_VALUE);
    assert_int_equal(count, 2);
    assert_true(span_is(out[0], "a") && span_is(out[1], "b"));
    body_close(&b);
    b = open_text("{\"l\":[\"a\",7]}");
    body_texts(&b, "l", &short_text, 1, 4, out, &count);
    expect_refused(&b, "l.1", "value_error");
    static const char *const wrong[] = {"{\"l\":[]}", "{\"l\":[\"1\",\"2\",\"3\",\"4\",\"5\"]}",
                                        "{\"l\":\"a\"}"};
    for (size_t i = 0; i < 3; i++) {
        b = open_text(wrong[i]);
        body_texts(&b, "l", &short_text, 1, 4, out, &count);
        expect_refused(&b, "l", "value_error");
    }
}

static void a_map_of_texts_becomes_compact_json_within_its_bound(void **state)
{
    (void)state;
    struct text_map map;
    struct body b = open_text("{\"m\": { \"a\" : \"1\" , \"b\\\"\" : \"\\u00e9\" } }");
    assert_int_equal(body_map(&b, "m", false, &map), FIELD_VALUE);
    assert_true(span_is(body_map_json(&b, "m", &map, 64), "{\"a\":\"1\",\"b\\\"\":\"\xc3\xa9\"}"));
    body_map_json(&b, "m", &map, 8);
    expect_refused(&b, "m", "value_error");
    b = open_text("{\"m\":{\"a\":1}}");
    body_map(&b, "m", false, &map);
    expect_refused(&b, "m", "value_error");
    b = open_text("{\"m\":{\"a\":null}}");
    assert_int_equal(body_map(&b, "m", true, &map), FIELD_VALUE);
    assert_true(map.count == 1 && map.pairs[0].null);
    body_map(&b, "m", false, &map);
    expect_refused(&b, "m", "value_error");
}

static void a_known_field_that_is_not_built_is_refused_unless_null(void **state)
{
    (void)state;
    static const char *const unbuilt[] = {"someday", "transformation", NULL};
    struct body b = open_text("{\"someday\":null}");
    body_unsupported(&b, unbuilt);
    assert_int_equal(b.result, ERR_OK);
    body_close(&b);
    b = open_text("{\"transformation\":5}");
    body_unsupported(&b, unbuilt);
    expect_refused(&b, "transformation", "value_error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_single_object_is_refused),
        cmocka_unit_test(an_empty_body_is_an_empty_object_where_it_is_optional),
        cmocka_unit_test(nesting_over_the_bound_is_refused),
        cmocka_unit_test(
            members_of_the_same_name_are_refused_at_any_depth_and_however_they_are_written),
        cmocka_unit_test(absent_null_and_value_are_three_states),
        cmocka_unit_test(a_name_and_a_text_written_with_escapes_are_decoded),
        cmocka_unit_test(a_text_with_an_escaped_nul_or_a_lone_surrogate_is_refused),
        cmocka_unit_test(a_text_must_obey_its_rule),
        cmocka_unit_test(the_first_broken_rule_is_the_one_that_is_told),
        cmocka_unit_test(a_required_field_may_not_be_absent_nor_null),
        cmocka_unit_test(numbers_are_whole_and_within_their_range),
        cmocka_unit_test(booleans_and_times_are_read_strictly),
        cmocka_unit_test(a_list_drops_repeated_items_and_names_the_broken_one),
        cmocka_unit_test(a_map_of_texts_becomes_compact_json_within_its_bound),
        cmocka_unit_test(a_known_field_that_is_not_built_is_refused_unless_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
