/* Histograms: which bucket a value falls into. */
#include "base/histogram.h"

#include "tests/base/check.h"

static void values_fall_into_the_first_bucket_that_holds_them(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        int bucket;
    } cases[] = {
        {0, 0},
        {1, 0},
        {100, 0},
        {101, 1},
        {200, 1},
        {201, 2},
        {400, 2},
        {401, 3},
        {100 << 19, 19},
        {(100 << 19) + 1, HISTOGRAM_BUCKETS},
        {UINT64_MAX, HISTOGRAM_BUCKETS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct histogram h;
        histogram_init(&h, 100);
        histogram_add(&h, cases[i].value);
        if (counter_get(&h.bucket[cases[i].bucket]) != 1)
            fail_msg("%llu is not in bucket %d", (unsigned long long)cases[i].value,
                     cases[i].bucket);
        assert_int_equal(histogram_count(&h), 1);
    }
}

static void a_value_is_never_over_the_bound_of_its_bucket(void **state)
{
    (void)state;
    for (uint64_t value = 0; value < 5000; value++) {
        struct histogram h;
        int bucket = 0;
        histogram_init(&h, 3);
        histogram_add(&h, value);
        while (counter_get(&h.bucket[bucket]) == 0)
            bucket++;
        assert_true(value <= h.first << bucket);
        assert_true(bucket == 0 || value > h.first << (bucket - 1));
    }
}

static void sum_and_count_cover_all_values(void **state)
{
    (void)state;
    struct histogram h;

    histogram_init(&h, 1);
    for (uint64_t i = 1; i <= 100; i++)
        histogram_add(&h, i);
    assert_int_equal(counter_get(&h.sum), 5050);
    assert_int_equal(histogram_count(&h), 100);
}

static void counters_go_up_and_down(void **state)
{
    (void)state;
    struct counter c = {0};

    counter_add(&c, 5);
    counter_sub(&c, 2);
    assert_int_equal(counter_get(&c), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_fall_into_the_first_bucket_that_holds_them),
        cmocka_unit_test(a_value_is_never_over_the_bound_of_its_bucket),
        cmocka_unit_test(sum_and_count_cover_all_values),
        cmocka_unit_test(counters_go_up_and_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
