/* A rate by its two names, in a request that replaces and in one that changes. */
#include "admin/field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct body read(const char *text, bool replace, int64_t *rate)
{
    struct body b;
    body_open(&b, span_text(text), false);
    field_rate(&b, replace, rate);
    return b;
}

static void a_rate_goes_by_either_name_and_null_clears_it(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool replace;
        int64_t rate; /* of one that was 7 */
    } cases[] = {
        {"{\"throttleRate\":1}", false, 1},
        {"{\"rateLimit\":65535}", true, 65535},
        {"{\"throttleRate\":20,\"rateLimit\":20}", false, 20},
        {"{\"throttleRate\":null,\"rateLimit\":20}", true, 20},
        {"{\"throttleRate\":20,\"rateLimit\":null}", false, 20},
        {"{\"throttleRate\":null}", false, 0},
        {"{\"rateLimit\":null}", false, 0},
        {"{}", false, 7},
        {"{}", true, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t rate = 7;
        struct body b = read(cases[i].text, cases[i].replace, &rate);
        assert_int_equal(b.result, ERR_OK);
        assert_int_equal(rate, cases[i].rate);
        body_close(&b);
    }
}

static void what_is_no_rate_is_refused_by_its_name(void **state)
{
    (void)state;
    static const struct {
        const char *text, *field;
    } cases[] = {
        {"{\"throttleRate\":0}", "throttleRate"},
        {"{\"throttleRate\":-5}", "throttleRate"},
        {"{\"throttleRate\":\"5\"}", "throttleRate"},
        {"{\"throttleRate\":1.5}", "throttleRate"},
        {"{\"rateLimit\":65536}", "rateLimit"},
        {"{\"rateLimit\":true}", "rateLimit"},
        {"{\"throttleRate\":1,\"rateLimit\":2}", "rateLimit"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t rate = 7;
        struct body b = read(cases[i].text, true, &rate);
        assert_int_equal(b.result, ERR_INVALID);
        assert_string_equal(b.field, cases[i].field);
        body_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_goes_by_either_name_and_null_clears_it),
        cmocka_unit_test(what_is_no_rate_is_refused_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
