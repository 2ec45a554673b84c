/* The in-flight limit of an endpoint: its bounds, its growth and its halving. */
#include "dispatcher/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct mono at(int64_t us)
{
    return (struct mono){us};
}

static struct limit fresh(unsigned max)
{
    struct limit l;
    limit_init(&l, max);
    return l;
}

static void succeed(struct limit *l, unsigned times)
{
    while (times-- > 0)
        limit_success(l);
}

static void an_unknown_endpoint_starts_low(void **state)
{
    (void)state;
    static const unsigned rows[][2] = {{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 4}, {1000, 4}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct limit l = fresh(rows[i][0]);
        assert_int_equal(limit_allowed(&l), rows[i][1]);
    }
}

static void until_the_first_halving_each_success_adds_one(void **state)
{
    (void)state;
    struct limit l = fresh(100);
    succeed(&l, 6);
    assert_int_equal(limit_allowed(&l), 10);
    succeed(&l, 1000);
    assert_int_equal(limit_allowed(&l), 100);
}

static void after_a_halving_a_round_of_successes_adds_about_one(void **state)
{
    (void)state;
    struct limit l = fresh(100);
    succeed(&l, 96);
    limit_overload(&l, at(10), at(20));
    assert_int_equal(limit_allowed(&l), 50);
    succeed(&l, 49);
    assert_int_equal(limit_allowed(&l), 50);
    succeed(&l, 3);
    assert_int_equal(limit_allowed(&l), 51);
}

static void overload_halves_once_per_round_trip(void **state)
{
    (void)state;
    struct limit l = fresh(64);
    succeed(&l, 60);
    limit_overload(&l, at(100), at(200));
    assert_int_equal(limit_allowed(&l), 32);
    for (int64_t started = 0; started <= 200; started += 20)
        limit_overload(&l, at(started), at(300));
    assert_int_equal(limit_allowed(&l), 32);
    limit_overload(&l, at(201), at(300));
    assert_int_equal(limit_allowed(&l), 16);
}

static void an_ignored_overload_does_not_lengthen_the_round_trip(void **state)
{
    (void)state;
    struct limit l = fresh(64);
    succeed(&l, 60);
    limit_overload(&l, at(100), at(200));
    limit_overload(&l, at(150), at(500));
    limit_overload(&l, at(300), at(600));
    assert_int_equal(limit_allowed(&l), 16);
}

static void it_stays_between_one_and_the_maximum_whatever_happens(void **state)
{
    (void)state;
    for (unsigned max = 1; max <= 9; max++) {
        struct limit l = fresh(max);
        unsigned pattern = 12345;
        for (int64_t i = 1; i < 2000; i++) {
            pattern = pattern * 1103515245u + 12345u;
            if ((pattern >> 16) % 4 == 0)
                limit_overload(&l, at(i), at(i));
            else
                limit_success(&l);
            assert_in_range(limit_allowed(&l), 1, max);
        }
        for (int64_t i = 2000; i < 2010; i++)
            limit_overload(&l, at(i), at(i));
        assert_int_equal(limit_allowed(&l), 1);
        succeed(&l, 200);
        assert_int_equal(limit_allowed(&l), max);
    }
}

static void another_maximum_keeps_what_was_learnt_within_it(void **state)
{
    (void)state;
    struct limit l = fresh(100);
    succeed(&l, 50);
    limit_set_max(&l, 8);
    assert_int_equal(limit_allowed(&l), 8);
    succeed(&l, 5);
    assert_int_equal(limit_allowed(&l), 8);
    limit_set_max(&l, 100);
    assert_int_equal(limit_allowed(&l), 8);
    limit_success(&l);
    assert_int_equal(limit_allowed(&l), 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_endpoint_starts_low),
        cmocka_unit_test(until_the_first_halving_each_success_adds_one),
        cmocka_unit_test(after_a_halving_a_round_of_successes_adds_about_one),
        cmocka_unit_test(overload_halves_once_per_round_trip),
        cmocka_unit_test(an_ignored_overload_does_not_lengthen_the_round_trip),
        cmocka_unit_test(another_maximum_keeps_what_was_learnt_within_it),
        cmocka_unit_test(it_stays_between_one_and_the_maximum_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
