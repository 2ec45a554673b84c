/* Durations and sizes as people write them. */
#include "base/quantity.h"

#include "base/clock.h"
#include "tests/base/check.h"

static void durations_are_sums_of_whole_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {
        {"0", 0},
        {"0s", 0},
        {"1ms", US_PER_MS},
        {"250ms", 250 * US_PER_MS},
        {"5s", 5 * US_PER_S},
        {"90m", 5400 * US_PER_S},
        {"1h30m", 5400 * US_PER_S},
        {"1d2h3m4s5ms", (86400 + 7200 + 180 + 4) * US_PER_S + 5 * US_PER_MS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t us;
        if (duration_parse(span_text(cases[i].text), &us) || us != cases[i].us)
            fail_msg("%s", cases[i].text);
    }
}

static void other_durations_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",     "5",          "s",   "5x",   "-5s",
        "1.5s", "5 s",        "5S",  "1m1h", "1s1s",
        "1h5",  "106751992d", "5s ", "1e3s", "99999999999999999999s"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int64_t us;
        if (!duration_parse(span_text(texts[i]), &us))
            fail_msg("\"%s\" was accepted", texts[i]);
    }
}

static void sizes_count_in_powers_of_1024(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes;
    } cases[] = {
        {"0", 0},
        {"4096", 4096},
        {"1k", 1024},
        {"64KiB", 65536},
        {"3m", 3 << 20},
        {"1GiB", 1 << 30},
        {"2T", INT64_C(2) << 40},
        {"1gib", 1 << 30},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t bytes;
        if (size_parse(span_text(cases[i].text), &bytes) || bytes != cases[i].bytes)
            fail_msg("%s", cases[i].text);
    }
}

static void other_sizes_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",     "k",   "1kb", "1 k", "-1",
                                        "1.5m", "1kk", "ib",  "1ib", "9999999t"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int64_t bytes;
        if (!size_parse(span_text(texts[i]), &bytes))
            fail_msg("\"%s\" was accepted", texts[i]);
    }
}

static void printed_quantities_read_back_as_the_same(void **state)
{
    (void)state;
    static const int64_t values[] = {
        0, 1000, 999000, 60000000, 5400000000, 86400000000, INT64_C(90061001000)};
    static const int64_t bytes[] = {0, 1, 1000, 1024, 1536, 1 << 20, INT64_C(5) << 40};
    struct buf b;
    int64_t back;

    buf_init(&b, 100);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        buf_clear(&b);
        duration_print(values[i], &b);
        assert_int_equal(duration_parse(buf_view(&b), &back), ERR_OK);
        assert_int_equal(back, values[i]);
    }
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        buf_clear(&b);
        size_print(bytes[i], &b);
        assert_int_equal(size_parse(buf_view(&b), &back), ERR_OK);
        assert_int_equal(back, bytes[i]);
    }
    buf_clear(&b);
    duration_print(5400 * US_PER_S, &b);
    buf_char(&b, ' ');
    size_print(64 << 20, &b);
    check_text(buf_view(&b), "1h30m 64m");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_sums_of_whole_units),
        cmocka_unit_test(other_durations_are_refused),
        cmocka_unit_test(sizes_count_in_powers_of_1024),
        cmocka_unit_test(other_sizes_are_refused),
        cmocka_unit_test(printed_quantities_read_back_as_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
