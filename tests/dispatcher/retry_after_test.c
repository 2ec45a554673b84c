/* Retry-After, by table: seconds, the three forms of HTTP-date, and what is neither. */
#include "dispatcher/retry_after.h"

#include "base/bounds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define UNREADABLE (-1)
#define LONGEST ((int64_t)RETRY_AFTER_MAX_S)

/* Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110. */
#define EXAMPLE INT64_C(784111777)

struct row {
    const char *value;
    int64_t seconds; /* expected */
};

static void check(const struct row *rows, size_t n, int64_t now_s)
{
    for (size_t i = 0; i < n; i++) {
        int64_t expected = rows[i].seconds == UNREADABLE ? UNREADABLE : rows[i].seconds * US_PER_S;
        int64_t got = retry_after_parse(span_text(rows[i].value), (struct wall){now_s * US_PER_S});
        if (got != expected)
            fail_msg("\"%s\": %lld, expected %lld", rows[i].value, (long long)got,
                     (long long)expected);
    }
}
#define CHECK(rows, now_s) check(rows, sizeof(rows) / sizeof *(rows), now_s)

static void seconds_are_digits_and_capped(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"0", 0},
        {"1", 1},
        {"120", 120},
        {" \t120 ", 120},
        {"007", 7},
        {"86399", 86399},
        {"86400", LONGEST},
        {"86401", LONGEST},
        {"18446744073709551617", LONGEST},
        {"99999999999999999999999999999999999999999999", LONGEST},
        {"00000000000000000000000000000000000000000005", 5},
    };
    CHECK(rows, EXAMPLE);
}

static void dates_of_all_three_forms_are_read(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 60},   {"Sunday, 06-Nov-94 08:49:37 GMT", 60},
        {"Sun Nov  6 08:49:37 1994", 60},        {"Sun Nov 16 08:49:37 1994", LONGEST},
        {"Sun, 06 Nov 1994 08:49:38 GMT", 61},   {"Sunday, 06-Nov-94 09:00:00 GMT", 683},
        {" Sun, 06 Nov 1994 08:49:37 GMT ", 60}, {"Sun, 06 Nov 1994 23:59:60 GMT", 54683},
    };
    CHECK(rows, EXAMPLE - 60);
}

static void dates_in_the_past_are_zero_and_far_ones_capped(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"Sun, 06 Nov 1994 08:49:36 GMT", 0},       {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},       {"Sat, 01 Jan 0000 00:00:00 GMT", 0},
        {"Mon, 07 Nov 1994 08:49:37 GMT", LONGEST}, {"Mon, 07 Nov 1994 08:49:36 GMT", LONGEST - 1},
        {"Fri, 31 Dec 9999 23:59:59 GMT", LONGEST},
    };
    CHECK(rows, EXAMPLE);
}

static void leap_days_exist_in_leap_years_only(void **state)
{
    (void)state;
    /* now: 28 Feb 2024, 23:00 */
    static const struct row rows[] = {
        {"Thu, 29 Feb 2024 00:00:00 GMT", 3600},
        {"Thu, 29 Feb 2024 01:00:00 GMT", 7200},
        {"Fri, 29 Feb 2023 00:00:00 GMT", UNREADABLE},
        {"Fri, 29 Feb 1900 00:00:00 GMT", UNREADABLE},
        {"Tue, 29 Feb 2000 00:00:00 GMT", 0},
    };
    CHECK(rows, INT64_C(1709161200));
}

static void garbage_is_unreadable(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", UNREADABLE},
        {"   ", UNREADABLE},
        {"-1", UNREADABLE},
        {"+1", UNREADABLE},
        {"1.5", UNREADABLE},
        {"1 2", UNREADABLE},
        {"0x10", UNREADABLE},
        {"1e3", UNREADABLE},
        {"soon", UNREADABLE},
        {"Sun, 06 Nov 1994 08:49:37", UNREADABLE},
        {"Sun, 06 Nov 1994 08:49:37 UTC", UNREADABLE},
        {"Sun, 06 Nov 1994 08:49:37 +0000", UNREADABLE},
        {"Sun, 06 Nov 1994 08:49:37 GMT x", UNREADABLE},
        {"sun, 06 nov 1994 08:49:37 gmt", UNREADABLE},
        {"Xyz, 06 Nov 1994 08:49:37 GMT", UNREADABLE},
        {"Sun, 6 Nov 1994 08:49:37 GMT", UNREADABLE},
        {"Sun, 00 Nov 1994 08:49:37 GMT", UNREADABLE},
        {"Sun, 31 Nov 1994 08:49:37 GMT", UNREADABLE},
        {"Sun, 32 Dec 1994 08:49:37 GMT", UNREADABLE},
        {"Sun, 06 Nov 1994 24:00:00 GMT", UNREADABLE},
        {"Sun, 06 Nov 1994 08:60:00 GMT", UNREADABLE},
        {"Sun, 06 Nov 1994 08:49:61 GMT", UNREADABLE},
        {"Sun, 06 Nov 94 08:49:37 GMT", UNREADABLE},
        {"Sun, 06-Nov-94 08:49:37 GMT", UNREADABLE},
        {"Sunday, 06-Nov-1994 08:49:37 GMT", UNREADABLE},
        {"Sun Nov 6 08:49:37 1994", UNREADABLE},
        {"Sun Nov  6 08:49:37 1994 GMT", UNREADABLE},
        {"1994-11-06T08:49:37Z", UNREADABLE},
    };
    CHECK(rows, EXAMPLE - 60);
}

static void every_proper_prefix_of_a_date_is_unreadable(void **state)
{
    (void)state;
    static const char *const dates[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
                                        "Sunday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994"};
    for (size_t d = 0; d < 3; d++) {
        for (size_t len = 0; len < strlen(dates[d]); len++) {
            char *exact = malloc(len + 1); /* so that a read past the end is seen */
            assert_non_null(exact);
            char *shrunk = realloc(exact, len ? len : 1);
            assert_non_null(shrunk);
            memcpy(shrunk, dates[d], len);
            assert_int_equal(retry_after_parse(span_of(shrunk, len), (struct wall){0}), -1);
            free(shrunk);
        }
    }
}

static void a_two_digit_year_is_never_over_fifty_years_ahead(void **state)
{
    (void)state;
    /* now: 1 Jan 2026. 75 is 2075, within 50 years; 77 is 1977; 25 is 2025. */
    static const struct row in_2026[] = {
        {"Tuesday, 01-Jan-75 00:00:00 GMT", LONGEST},
        {"Friday, 01-Jan-77 00:00:00 GMT", 0},
        {"Wednesday, 01-Jan-25 00:00:00 GMT", 0},
        {"Thursday, 01-Jan-26 00:01:00 GMT", 60},
    };
    CHECK(in_2026, INT64_C(1767225600));
    /* now: 31 Dec 2099, 23:59. 00 is the next minute, of the next century; 99 is now. */
    static const struct row in_2099[] = {
        {"Friday, 01-Jan-00 00:00:00 GMT", 60},
        {"Thursday, 31-Dec-99 23:59:30 GMT", 30},
        {"Friday, 01-Jan-49 00:00:00 GMT", LONGEST},
        {"Friday, 01-Jan-51 00:00:00 GMT", 0},
    };
    CHECK(in_2099, INT64_C(4102444740));
}

static void the_fraction_of_now_is_taken_into_account(void **state)
{
    (void)state;
    struct wall now = {EXAMPLE * US_PER_S - 1};
    assert_int_equal(retry_after_parse(SPAN("Sun, 06 Nov 1994 08:49:37 GMT"), now), 1);
}

static void the_time_zone_of_the_process_does_not_matter(void **state)
{
    (void)state;
    assert_int_equal(setenv("TZ", "Asia/Kathmandu", 1), 0);
    tzset();
    static const struct row rows[] = {{"Sun, 06 Nov 1994 08:49:37 GMT", 60},
                                      {"Sunday, 06-Nov-94 08:49:37 GMT", 60}};
    CHECK(rows, EXAMPLE - 60);
    unsetenv("TZ");
    tzset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_are_digits_and_capped),
        cmocka_unit_test(dates_of_all_three_forms_are_read),
        cmocka_unit_test(dates_in_the_past_are_zero_and_far_ones_capped),
        cmocka_unit_test(leap_days_exist_in_leap_years_only),
        cmocka_unit_test(garbage_is_unreadable),
        cmocka_unit_test(every_proper_prefix_of_a_date_is_unreadable),
        cmocka_unit_test(a_two_digit_year_is_never_over_fifty_years_ahead),
        cmocka_unit_test(the_fraction_of_now_is_taken_into_account),
        cmocka_unit_test(the_time_zone_of_the_process_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
