/* UTF-8: the borders of Unicode table 3-7. */
#include "base/utf8.h"

#include "tests/base/check.h"

static void well_formed_sequences_are_accepted_up_to_the_borders(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "plain",
        "\x7f",
        "\xc2\x80",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xef\xbf\xbf",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_true(utf8_valid(span_text(texts[i])));
}

static void overlong_forms_surrogates_and_stray_bytes_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\x80",         "\xbf",         "\xc0\x80",         "\xc1\xbf",
        "\xc2",         "\xc2\x41",     "\xe0\x9f\xbf",     "\xed\xa0\x80",
        "\xe2\x82",     "\xe2\x82\x41", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
        "\xf5\x80\x80", "\xff",         "\xf0\x90\x80",     "\xf0\x90\x80\xc0",
        "ok\xfe",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (utf8_valid(span_text(texts[i])))
            fail_msg("case %zu was accepted", i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_sequences_are_accepted_up_to_the_borders),
        cmocka_unit_test(overlong_forms_surrogates_and_stray_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
