/* Clocks: arithmetic at the ends of time, and RFC 3339 in both directions. */
#include "base/clock.h"

#include "tests/base/check.h"

static void check_format(int64_t us, const char *expected)
{
    char text[WALL_TEXT_LEN + 1];

    wall_format((struct wall){us}, text);
    assert_string_equal(text, expected);
}

static void moments_are_written_with_six_digits_of_fraction(void **state)
{
    (void)state;
    check_format(0, "1970-01-01T00:00:00.000000Z");
    check_format(INT64_C(1767323045123456), "2026-01-02T03:04:05.123456Z");
    check_format(INT64_C(951782399999999), "2000-02-28T23:59:59.999999Z");
    check_format(INT64_C(951782400000000), "2000-02-29T00:00:00.000000Z");
    check_format(-1, "1969-12-31T23:59:59.999999Z");
}

static void moments_outside_four_digit_years_are_written_as_the_nearest_one(void **state)
{
    (void)state;
    check_format(INT64_MAX, "9999-12-31T23:59:59.999999Z");
    check_format(INT64_MIN, "0000-01-01T00:00:00.000000Z");
}

static void every_day_of_nine_centuries_comes_back(void **state)
{
    (void)state;
    for (int64_t day = -135000; day < 195000; day++) {
        char text[WALL_TEXT_LEN + 1];
        struct wall t = {day * 86400 * US_PER_S + 43200123456}, back;
        wall_format(t, text);
        assert_int_equal(wall_parse(span_of(text, WALL_TEXT_LEN), &back), ERR_OK);
        if (back.us != t.us)
            fail_msg("%s came back as another moment", text);
    }
}

static void accepted_forms_mean_the_same_moment(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "2026-01-02T03:04:05.123456Z",      "2026-01-02t03:04:05.123456z",
        "2026-01-02T03:04:05.123456789Z",   "2026-01-02 03:04:05.123456Z",
        "2026-01-02T04:04:05.123456+01:00", "2026-01-01T21:34:05.123456-05:30",
        "2026-01-02T03:04:05.123456-00:00", "2026-01-02 03:04:05.123456789 UTC",
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct wall t;
        if (wall_parse(span_text(forms[i]), &t) || t.us != INT64_C(1767323045123456))
            fail_msg("%s", forms[i]);
    }
}

static void short_fractions_are_decimal_places(void **state)
{
    (void)state;
    struct wall t;

    assert_int_equal(wall_parse(SPAN("1970-01-01T00:00:01.5Z"), &t), ERR_OK);
    assert_int_equal(t.us, 1500000);
    assert_int_equal(wall_parse(SPAN("1970-01-01T00:00:01Z"), &t), ERR_OK);
    assert_int_equal(t.us, 1000000);
    assert_int_equal(wall_parse(SPAN("2016-12-31T23:59:60Z"), &t), ERR_OK);
    check_format(t.us, "2017-01-01T00:00:00.000000Z");
}

static void other_texts_are_refused(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05.1234567890Z",
        "2026-1-02T03:04:05Z",
        "2026-13-02T03:04:05Z",
        "2026-00-02T03:04:05Z",
        "2026-02-29T03:04:05Z",
        "1900-02-29T03:04:05Z",
        "2026-04-31T03:04:05Z",
        "2026-01-00T03:04:05Z",
        "2026-01-02T24:00:00Z",
        "2026-01-02T03:60:05Z",
        "2026-01-02T03:04:61Z",
        "2026-01-02T03:04:05+1:00",
        "2026-01-02T03:04:05+0100",
        "2026-01-02T03:04:05+24:00",
        "2026-01-02T03:04:05 GMT",
        "2026-01-02T03:04:05ZZ",
        " 2026-01-02T03:04:05Z",
        "+026-01-02T03:04:05Z",
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct wall t;
        if (!wall_parse(span_text(forms[i]), &t))
            fail_msg("\"%s\" was accepted", forms[i]);
    }
    struct wall t;
    assert_int_equal(wall_parse(SPAN("2026-01-02T03:04:05Z\0"), &t), ERR_INVALID);
    assert_int_equal(wall_parse(SPAN("2026-01-02\00003:04:05Z"), &t), ERR_INVALID);
}

static void adding_stops_at_the_far_ends(void **state)
{
    (void)state;
    assert_true(wall_add(WALL_NEVER, 1).us == INT64_MAX);
    assert_true(mono_add((struct mono){INT64_MAX - 5}, 10).us == INT64_MAX);
    assert_true(wall_add((struct wall){INT64_MIN + 5}, -10).us == INT64_MIN);
    assert_int_equal(mono_add((struct mono){40}, 2).us, 42);
}

static void faked_clocks_stand_still_until_the_real_ones_return(void **state)
{
    (void)state;
    clock_fake((struct wall){1}, (struct mono){2});
    assert_int_equal(clock_wall().us, 1);
    assert_int_equal(clock_mono().us, 2);
    clock_real();
    assert_true(clock_wall().us > INT64_C(1700000000000000));
    struct mono before = clock_mono();
    assert_true(clock_mono().us >= before.us);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_written_with_six_digits_of_fraction),
        cmocka_unit_test(moments_outside_four_digit_years_are_written_as_the_nearest_one),
        cmocka_unit_test(every_day_of_nine_centuries_comes_back),
        cmocka_unit_test(accepted_forms_mean_the_same_moment),
        cmocka_unit_test(short_fractions_are_decimal_places),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(adding_stops_at_the_far_ends),
        cmocka_unit_test(faked_clocks_stand_still_until_the_real_ones_return),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
