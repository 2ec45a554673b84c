/* A token has the flags that it was given, and no others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/feature_flag.h"

static void a_token_has_the_flags_that_it_was_given(void **state)
{
    (void)state;
    struct feature_flags f = {{0}};
    assert_false(feature_flags_have(&f, SPAN("beta")));
    assert_true(feature_flags_add(&f, SPAN("beta")));
    assert_true(feature_flags_add(&f, SPAN("new-ui")));
    assert_true(feature_flags_add(&f, SPAN("beta")));
    assert_string_equal(f.names, "beta,new-ui");
    assert_true(feature_flags_have(&f, SPAN("beta")));
    assert_true(feature_flags_have(&f, SPAN("new-ui")));
    const char *const others[] = {"", "bet", "beta,", "beta,new-ui", "new", "ui", ","};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(feature_flags_have(&f, span_text(others[i])));
}

static void a_name_that_would_be_two_or_does_not_fit_is_left_out(void **state)
{
    (void)state;
    struct feature_flags f = {{0}};
    static char longest[FEATURE_FLAGS_BYTES];
    memset(longest, 'a', sizeof longest);
    assert_false(feature_flags_add(&f, SPAN("")));
    assert_false(feature_flags_add(&f, SPAN("a,b")));
    assert_false(feature_flags_add(&f, span_of("a\0b", 3)));
    assert_false(feature_flags_add(&f, span_of(longest, sizeof longest)));
    assert_string_equal(f.names, "");
    assert_true(feature_flags_add(&f, span_of(longest, sizeof longest - 1)));
    assert_false(feature_flags_add(&f, SPAN("b")));
    assert_false(feature_flags_have(&f, SPAN("b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_has_the_flags_that_it_was_given),
        cmocka_unit_test(a_name_that_would_be_two_or_does_not_fit_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
