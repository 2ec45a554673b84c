/* Spans: cutting, trimming and comparing without running past the end. */
#include "tests/base/check.h"

static void cutting_at_a_separator_yields_every_part_even_empty_ones(void **state)
{
    (void)state;
    struct span rest = SPAN("a,,b,");
    const char *expected[] = {"a", "", "b", ""};
    size_t n = 0;

    while (rest.ptr) {
        assert_true(n < 4);
        check_text(span_cut(&rest, ','), expected[n++]);
    }
    assert_int_equal(n, 4);
}

static void cutting_without_a_separator_yields_the_whole_and_ends(void **state)
{
    (void)state;
    struct span rest = SPAN("abc");

    check_text(span_cut(&rest, ','), "abc");
    assert_null(rest.ptr);
    assert_int_equal(span_cut(&rest, ',').len, 0);
}

static void trimming_removes_spaces_and_tabs_on_both_ends_only(void **state)
{
    (void)state;
    check_text(span_trim(SPAN(" \ta b\t ")), "a b");
    check_text(span_trim(SPAN(" \t ")), "");
    check_text(span_trim(SPAN("\na")), "\na");
    check_text(span_trim((struct span){NULL, 0}), "");
}

static void case_is_folded_for_ascii_letters_only(void **state)
{
    (void)state;
    assert_true(span_eq_nocase(SPAN("Content-Type"), SPAN("cONTENT-tYPE")));
    assert_false(span_eq_nocase(SPAN("a"), SPAN("ab")));
    assert_false(span_eq_nocase(SPAN("@"), SPAN("`")));
    assert_false(span_eq_nocase(SPAN("\xc4"), SPAN("\xe4")));
    assert_false(span_eq_nocase(SPAN("["), SPAN("{")));
}

static void empty_spans_are_equal_whatever_they_point_to(void **state)
{
    (void)state;
    assert_true(span_eq((struct span){NULL, 0}, SPAN("")));
    assert_true(span_is((struct span){NULL, 0}, NULL));
    assert_true(span_starts(SPAN("abc"), (struct span){NULL, 0}));
}

static void skipping_past_the_end_leaves_an_empty_span(void **state)
{
    (void)state;
    check_text(span_skip(SPAN("abc"), 2), "c");
    check_text(span_skip(SPAN("abc"), 3), "");
    check_text(span_skip(SPAN("abc"), SIZE_MAX), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cutting_at_a_separator_yields_every_part_even_empty_ones),
        cmocka_unit_test(cutting_without_a_separator_yields_the_whole_and_ends),
        cmocka_unit_test(trimming_removes_spaces_and_tabs_on_both_ends_only),
        cmocka_unit_test(case_is_folded_for_ascii_letters_only),
        cmocka_unit_test(empty_spans_are_equal_whatever_they_point_to),
        cmocka_unit_test(skipping_past_the_end_leaves_an_empty_span),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
