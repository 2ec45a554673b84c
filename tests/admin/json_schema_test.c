/* What is a JSON Schema and what is not, with the place of the fault. */
#include "admin/json_pattern.h"
#include "admin/json_schema.h"
#include "base/bounds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static bool check(const char *text, struct json_schema_fault *fault)
{
    struct json_value v;
    struct json_error error;
    if (json_check(span_text(text), JSON_DEPTH_MAX, &v, &error))
        fail_msg("%s: no JSON: %s", text, error.what);
    size_t work = 0;
    return json_schema_check(v, &work, fault);
}

static void schemas_pass(void **state)
{
    (void)state;
    static const char *const good[] = {
        "true",
        "false",
        "{}",
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":[\"string\",\"null\"]}}}",
        "{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"items\":[{},true]}",
        "{\"items\":[]}",
        "{\"enum\":[],\"const\":null,\"default\":1,\"examples\":[1]}",
        "{\"minLength\":0,\"maxLength\":1.0,\"multipleOf\":0.5,\"maximum\":-1e3}",
        "{\"properties\":{\"type\":{\"enum\":[1]},\"$ref\":{\"type\":\"string\"}}}",
        "{\"allOf\":[{\"$ref\":\"#/definitions/a\"}],\"definitions\":{\"a\":{}}}",
        "{\"$ref\":\"#\"}",
        "{\"$defs\":{\"a/b\":{},\"c~d\":{},\"e f\":{}},"
        "\"anyOf\":[{\"$ref\":\"#/$defs/a~1b\"},{\"$ref\":\"#/$defs/c~0d\"},"
        "{\"$ref\":\"#/$defs/e%20f\"}]}",
        "{\"$defs\":{\"x\":{\"$anchor\":\"here\"}},\"$ref\":\"#here\"}",
        "{\"definitions\":{\"x\":{\"$id\":\"#there\"}},\"$ref\":\"#there\"}",
        "{\"$ref\":\"https://example.com/other.json#/a\"}",
        "{\"properties\":{\"a\":{\"$id\":\"https://e.com/a\",\"$defs\":{\"b\":{}},"
        "\"$ref\":\"#/$defs/b\"}}}",
        "{\"oneOf\":[{\"$ref\":\"#/oneOf/1\"},{\"type\":\"null\"}]}",
        "{\"dependencies\":{\"a\":[\"b\"],\"c\":{\"required\":[\"d\"]}}}",
        "{\"dependentRequired\":{\"a\":[]},\"dependentSchemas\":{\"a\":true}}",
        "{\"patternProperties\":{\"^x-\":{\"type\":\"string\"}},\"propertyNames\":{\"pattern\":"
        "\"a\"}}",
        "{\"prefixItems\":[{}],\"unevaluatedItems\":false,\"minContains\":1}",
        "{\"if\":{},\"then\":{},\"else\":false,\"not\":{}}",
        "{\"nullable\":true,\"x-anything\":[1],\"discriminator\":{}}",
        "{\"properties\":{\"caf\\u00e9\":{}},\"$ref\":\"#/properties/caf\xc3\xa9\"}",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct json_schema_fault fault;
        if (!check(good[i], &fault))
            fail_msg("%s: %s: %s", good[i], fault.path, fault.message);
    }
}

static void what_is_no_schema_is_named_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *path;
    } bad[] = {
        {"1", ""},
        {"[]", ""},
        {"null", ""},
        {"{\"type\":\"text\"}", "type"},
        {"{\"type\":1}", "type"},
        {"{\"type\":[]}", "type"},
        {"{\"type\":[\"string\",\"string\"]}", "type.0"},
        {"{\"type\":[\"string\",1]}", "type.1"},
        {"{\"properties\":[]}", "properties"},
        {"{\"properties\":{\"a\":1}}", "properties.a"},
        {"{\"properties\":{\"a.b\":{\"type\":\"x\"}}}", "properties.a\x1f"
                                                        "b.type"},
        {"{\"properties\":{\"a\":{\"items\":{\"minItems\":-1}}}}", "properties.a.items.minItems"},
        {"{\"allOf\":[]}", "allOf"},
        {"{\"allOf\":{}}", "allOf"},
        {"{\"anyOf\":[{},{\"maxLength\":1.5}]}", "anyOf.1.maxLength"},
        {"{\"prefixItems\":[]}", "prefixItems"},
        {"{\"items\":1}", "items"},
        {"{\"items\":[{},3]}", "items.1"},
        {"{\"required\":\"a\"}", "required"},
        {"{\"required\":[1]}", "required.0"},
        {"{\"required\":[\"a\",\"b\",\"a\"]}", "required.0"},
        {"{\"enum\":{}}", "enum"},
        {"{\"multipleOf\":0}", "multipleOf"},
        {"{\"multipleOf\":-2}", "multipleOf"},
        {"{\"multipleOf\":\"2\"}", "multipleOf"},
        {"{\"minimum\":\"1\"}", "minimum"},
        {"{\"exclusiveMinimum\":true}", "exclusiveMinimum"},
        {"{\"uniqueItems\":1}", "uniqueItems"},
        {"{\"title\":1}", "title"},
        {"{\"pattern\":\"(\"}", "pattern"},
        {"{\"pattern\":1}", "pattern"},
        {"{\"patternProperties\":{\"[\":{}}}", "patternProperties.["},
        {"{\"$ref\":1}", "$ref"},
        {"{\"$ref\":\"#/definitions/a\"}", "$ref"},
        {"{\"$ref\":\"#nowhere\"}", "$ref"},
        {"{\"$defs\":{\"a\":{}},\"$ref\":\"#/$defs/a/b\"}", "$ref"},
        {"{\"$defs\":{\"a\":[]}}", "$defs.a"},
        {"{\"oneOf\":[{}],\"not\":{\"$ref\":\"#/oneOf/1\"}}", "not.$ref"},
        {"{\"oneOf\":[{}],\"not\":{\"$ref\":\"#/oneOf/00\"}}", "not.$ref"},
        {"{\"$defs\":{\"b\":{}},\"properties\":{\"a\":{\"$id\":\"https://e.com/a\","
         "\"$ref\":\"#/$defs/b\"}}}",
         "properties.a.$ref"},
        {"{\"dependencies\":{\"a\":1}}", "dependencies.a"},
        {"{\"dependentRequired\":{\"a\":{}}}", "dependentRequired.a"},
        {"{\"$vocabulary\":{\"a\":1}}", "$vocabulary.a"},
        {"{\"additionalProperties\":\"no\"}", "additionalProperties"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct json_schema_fault fault;
        if (check(bad[i].text, &fault))
            fail_msg("%s: passed", bad[i].text);
        if (strcmp(fault.path, bad[i].path) != 0 || !fault.message)
            fail_msg("%s: at %s: %s", bad[i].text, fault.path, fault.message);
    }
}

static void a_place_too_long_to_tell_is_cut_at_an_element(void **state)
{
    (void)state;
    struct json_schema_fault fault;
    char name[300], text[1024];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(text, sizeof text, "{\"properties\":{\"%s\":{\"properties\":{\"%s\":{\"type\":1}}}}}",
             name, name);
    assert_false(check(text, &fault));
    assert_int_equal(strlen(fault.path), sizeof "properties." - 1 + 299 + sizeof ".properties" - 1);
}

static void references_cannot_cost_more_than_their_bound(void **state)
{
    (void)state;
    struct json_schema_fault fault;
    struct buf text;
    buf_init(&text, ADMIN_BODY_MAX);
    buf_text(&text, "{\"$defs\":{\"filler\":{\"description\":\"");
    for (int i = 0; i < 100000; i++)
        buf_char(&text, 'x');
    buf_text(&text, "\"}},\"allOf\":[");
    for (int i = 0; i < 4000; i++)
        buf_text(&text, "{\"$ref\":\"#/allOf/0\"},");
    buf_text(&text, "true]}");
    assert_false(text.failed);
    assert_false(check(text.ptr, &fault));
    assert_string_equal(fault.message, "is one of too many references to be checked");
    buf_free(&text);
}

static void what_most_references_lead_to_is_looked_up_at_once(void **state)
{
    (void)state;
    struct json_schema_fault fault;
    struct json_error error;
    struct json_value v;
    struct buf text;
    size_t work = 0;
    buf_init(&text, ADMIN_BODY_MAX);
    buf_text(&text, "{\"$defs\":{\"a\":{}");
    for (int i = 0; i < 4000; i++)
        buf_printf(&text, ",\"n%d\":{\"$ref\":\"#/$defs/n%d\"}", i, 3999 - i);
    buf_text(&text, "}}");
    assert_int_equal(json_check(buf_view(&text), JSON_DEPTH_MAX, &v, &error), ERR_OK);
    assert_true(json_schema_check(v, &work, &fault));
    assert_true(work < text.len);
    work = SCHEMA_WORK_MAX + 1;
    assert_false(json_schema_check(v, &work, &fault));
    buf_free(&text);
}

static void regular_expressions_are_told_from_what_is_none(void **state)
{
    (void)state;
    static const char *const good[] = {"",        "^[a-z]+$",   "a{2,3}?", "(?:a|b)*",  "[^]]",
                                       "[]",      "\\(\\)\\[",  "(?<n>a)", "(?=x)y",    "a{,3}",
                                       "{",       "x{",         "[\\]]",   "\\p{L}+",   "a|",
                                       "()",      "(?!a)b",     "^$",      "(a(b(c)))", ".*?",
                                       "[(*+?)]", "\\d{4}-\\d", "a{2}{",   "-"};
    static const char *const bad[] = {"(",       ")",   "a)",   "[",    "[a",  "*",
                                      "+a",      "a**", "(*a)", "\\",   "a|*", "^*",
                                      "a{2}{3}", "(?",  "(?:",  "[\\]", "?"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (json_pattern_fault(span_text(good[i])))
            fail_msg("%s: %s", good[i], json_pattern_fault(span_text(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!json_pattern_fault(span_text(bad[i])))
            fail_msg("%s: passed", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schemas_pass),
        cmocka_unit_test(what_is_no_schema_is_named_with_its_place),
        cmocka_unit_test(a_place_too_long_to_tell_is_cut_at_an_element),
        cmocka_unit_test(references_cannot_cost_more_than_their_bound),
        cmocka_unit_test(what_most_references_lead_to_is_looked_up_at_once),
        cmocka_unit_test(regular_expressions_are_told_from_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
