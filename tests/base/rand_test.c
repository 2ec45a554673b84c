/* Generators: replayable from a seed, uniform enough for jitter, and fresh from the kernel. */
#include "base/rand.h"

#include "tests/base/check.h"

static void the_same_seed_gives_the_same_numbers(void **state)
{
    (void)state;
    struct rng a, b, c;

    rng_seed(&a, 42);
    rng_seed(&b, 42);
    rng_seed(&c, 43);
    uint64_t first = rng_next(&a);
    assert_true(first == rng_next(&b));
    assert_false(first == rng_next(&c));
}

static void a_seed_of_zero_is_as_good_as_any(void **state)
{
    (void)state;
    struct rng r;

    rng_seed(&r, 0);
    /* The published output of xoshiro256++ for a state filled by splitmix64 from 0. */
    assert_true(r.s[0] == UINT64_C(0xe220a8397b1dcdaf));
    assert_true(rng_next(&r) == UINT64_C(0x53175d61490b23df));
}

static void units_fill_the_interval_evenly_and_never_reach_one(void **state)
{
    (void)state;
    struct rng r;
    unsigned tenths[10] = {0};

    rng_seed(&r, 7);
    for (int i = 0; i < 100000; i++) {
        double u = rng_unit(&r);
        assert_true(u >= 0 && u < 1);
        tenths[(int)(u * 10)]++;
    }
    for (int i = 0; i < 10; i++)
        assert_in_range(tenths[i], 9500, 10500);
}

static void kernel_bytes_fill_the_whole_buffer_and_differ(void **state)
{
    (void)state;
    uint8_t a[600] = {0}, b[600] = {0};

    rand_bytes(a, sizeof a);
    rand_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    for (size_t i = 0; i + 16 <= sizeof a; i += 16) {
        static const uint8_t zero[16];
        assert_memory_not_equal(a + i, zero, 16);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_numbers),
        cmocka_unit_test(a_seed_of_zero_is_as_good_as_any),
        cmocka_unit_test(units_fill_the_interval_evenly_and_never_reach_one),
        cmocka_unit_test(kernel_bytes_fill_the_whole_buffer_and_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
