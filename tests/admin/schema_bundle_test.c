/* Schemas taken out of their document, and the pointers that lead there. */
#include "admin/json_pointer.h"
#include "admin/schema_bundle.h"
#include "base/bounds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct json_value parse(const char *text)
{
    struct json_value v;
    struct json_error error;
    if (json_check(span_text(text), JSON_DEPTH_MAX, &v, &error))
        fail_msg("%s: no JSON: %s", text, error.what);
    return v;
}

static const char document[] =
    "{\"components\":{\"schemas\":{"
    "\"A\":{\"type\":\"object\",\"properties\":{\"b\":{\"$ref\":\"#/components/schemas/B\"}}},"
    "\"B\":{\"items\":{\"$ref\":\"#/components/schemas/B\"}},"
    "\"C\":{\"$ref\":\"#/components/schemas/A\"},"
    "\"D~/x\":{\"const\":1}}},"
    "\"other\":[{\"type\":\"null\"}]}";

static const char *bundle(const char *document_text, const char *schema, struct buf *out,
                          size_t *work)
{
    struct schema_source source;
    assert_int_equal(schema_source_open(parse(document_text), &source), ERR_OK);
    const char *why = schema_bundle(&source, parse(schema), out, work);
    schema_source_close(&source);
    return why;
}

static void schemas_stand_alone(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *bundle;
    } cases[] = {
        {"true", "true"},
        {"{\"type\":\"string\"}", "{\"type\":\"string\"}"},
        {"{\"$ref\":\"#/components/schemas/B\"}",
         "{\"items\":{\"$ref\":\"#/$defs/B\"},\"$defs\":{\"B\":{\"items\":{\"$ref\":\"#/$defs/"
         "B\"}}}}"},
        {"{\"$ref\":\"#/components/schemas/C\"}",
         "{\"type\":\"object\",\"properties\":{\"b\":{\"$ref\":\"#/$defs/B\"}},"
         "\"$defs\":{\"B\":{\"items\":{\"$ref\":\"#/$defs/B\"}}}}"},
        {"{\"not\":{\"$ref\":\"#/other/0\"},\"if\":{\"$ref\":\"#/other/0\"}}",
         "{\"not\":{\"$ref\":\"#/$defs/ref:0\"},\"if\":{\"$ref\":\"#/$defs/ref:0\"},"
         "\"$defs\":{\"ref:0\":{\"type\":\"null\"}}}"},
        {"{\"allOf\":[{\"$ref\":\"#/components/schemas/D~0~1x\"}]}",
         "{\"allOf\":[{\"$ref\":\"#/$defs/ref:0\"}],\"$defs\":{\"ref:0\":{\"const\":1}}}"},
        {"{\"$defs\":{},\"not\":{\"$ref\":\"#/other/0\"}}",
         "{\"$defs\":{},\"not\":{\"$ref\":\"#/definitions/ref:0\"},"
         "\"definitions\":{\"ref:0\":{\"type\":\"null\"}}}"},
        {"{\"properties\":{\"$ref\":{\"type\":\"string\"},\"enum\":{\"$ref\":\"#/other/0\"}},"
         "\"default\":{\"$ref\":\"#/no\"},\"const\":{\"$ref\":\"x\"}}",
         "{\"properties\":{\"$ref\":{\"type\":\"string\"},\"enum\":{\"$ref\":\"#/$defs/ref:0\"}},"
         "\"default\":{\"$ref\":\"#/no\"},\"const\":{\"$ref\":\"x\"},"
         "\"$defs\":{\"ref:0\":{\"type\":\"null\"}}}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out;
        size_t work = 0;
        buf_init(&out, 4096);
        const char *why = bundle(document, cases[i].schema, &out, &work);
        if (why)
            fail_msg("%s: %s", cases[i].schema, why);
        assert_string_equal(out.ptr, cases[i].bundle);
        parse(out.ptr);
        buf_free(&out);
    }
}

static void what_cannot_stand_alone_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *why;
        size_t room;
    } cases[] = {
        {"{\"$ref\":\"#/components/schemas/No\"}", "has a reference that leads nowhere", 4096},
        {"{\"$ref\":\"#/other/1\"}", "has a reference that leads nowhere", 4096},
        {"{\"not\":{\"$ref\":\"#here\"}}", "has a reference that leads nowhere", 4096},
        {"{\"not\":{\"$ref\":\"#\"}}", "has a reference that leads nowhere", 4096},
        {"{\"not\":{\"$ref\":\"a.json\"}}", "refers to another document", 4096},
        {"{\"$defs\":{},\"definitions\":{},\"not\":{\"$ref\":\"#/other/0\"}}",
         "has definitions of its own beside references", 4096},
        {"{\"not\":{\"$ref\":\"#/components/schemas/A\"}}", "is too large with what it refers to",
         100},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out;
        size_t work = 0;
        buf_init(&out, cases[i].room);
        const char *why = bundle(document, cases[i].schema, &out, &work);
        assert_non_null(why);
        assert_string_equal(why, cases[i].why);
        buf_free(&out);
    }
}

static void references_are_bounded(void **state)
{
    (void)state;
    struct buf text, out;
    size_t work = 0;
    buf_init(&text, ADMIN_BODY_MAX);
    buf_init(&out, ADMIN_BODY_MAX);
    buf_text(&text, "{\"allOf\":[");
    for (int i = 0; i < 300; i++)
        buf_printf(&text, "%s{\"$ref\":\"#/allOf/%d\"}", i ? "," : "", i);
    buf_text(&text, "]}");
    const char *why = bundle(text.ptr, text.ptr, &out, &work);
    assert_string_equal(why, "has too many references");
    buf_free(&text);
    buf_free(&out);
}

static void pointers_lead_to_values(void **state)
{
    (void)state;
    struct json_value root = parse("{\"a\":[10,{\"b\":2}],\"\":3,\"x/y\":4,\"m~n\":5,\"e f\":6,"
                                   "\"\\u0065\\u00e9\":7,\"a%b\":8,\"0\":9}");
    static const struct {
        const char *pointer, *value; /* NULL: leads nowhere */
    } cases[] = {
        {"/a/0", "10"},   {"/a/1/b", "2"}, {"/", "3"},          {"/x~1y", "4"},
        {"/m~0n", "5"},   {"/e%20f", "6"}, {"/e\xc3\xa9", "7"}, {"/a%25b", "8"},
        {"/0", "9"},      {"/a/2", NULL},  {"/a/-1", NULL},     {"/a/00", NULL},
        {"/a/1/c", NULL}, {"a", NULL},     {"/b", NULL},        {"/a/0/x", NULL},
        {"/m~2n", NULL},  {"/e%2", NULL},  {"/e%zz", NULL},     {"/a/99999999999999999999", NULL},
        {"/x/y", NULL},   {"/a/", NULL},   {"//", NULL},        {"/m~", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_value v;
        size_t work = 0;
        bool found = json_pointer_get(root, span_text(cases[i].pointer), &v, &work);
        if (found != (cases[i].value != NULL) || (found && !span_is(v.raw, cases[i].value)))
            fail_msg("%s: %s", cases[i].pointer, found ? "leads elsewhere" : "leads nowhere");
    }
    struct json_value whole;
    size_t work = 0;
    assert_true(json_pointer_get(root, span_text(""), &whole, &work));
    assert_true(span_eq(whole.raw, root.raw));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schemas_stand_alone),
        cmocka_unit_test(what_cannot_stand_alone_is_refused),
        cmocka_unit_test(references_are_bounded),
        cmocka_unit_test(pointers_lead_to_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
