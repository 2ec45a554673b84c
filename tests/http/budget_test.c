#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http/budget.h"

static void one_alone_may_have_half(void **state)
{
    (void)state;
    struct budget b = {.max = 100};
    size_t share = 0;
    assert_true(budget_move(&b, &share, 20));
    assert_true(budget_move(&b, &share, 50));
    assert_false(budget_move(&b, &share, 51));
    assert_int_equal(share, 50);
    budget_leave(&b, &share);
    assert_int_equal(share, 0);
    assert_int_equal(b.used, 0);
}

static void who_gives_back_makes_room(void **state)
{
    (void)state;
    struct budget b = {.max = 100};
    size_t first = 0, second = 0;
    assert_true(budget_move(&b, &first, 40));
    assert_false(budget_move(&b, &second, 40));
    assert_true(budget_move(&b, &first, 10));
    assert_true(budget_move(&b, &second, 40));
    assert_int_equal(b.used, 50);
}

/* However many take all they can get, the next one that needs little is not refused. */
static void a_small_share_fits_beside_any_number_of_hoarders(void **state)
{
    (void)state;
    enum { HOARDERS = 1000, MAX = 1 << 20, BLOCK = 16 };
    struct budget b = {.max = MAX};
    size_t shares[HOARDERS] = {0}, least = (MAX / (HOARDERS + 1) - BLOCK) / 2, small = 0;
    for (int grown = 1; grown;) {
        grown = 0;
        for (int i = 0; i < HOARDERS; i++)
            grown += budget_move(&b, &shares[i], shares[i] + BLOCK);
    }
    assert_true(b.used < MAX);
    assert_true(budget_move(&b, &small, least));
}

static void what_is_larger_than_all_is_refused(void **state)
{
    (void)state;
    struct budget b = {.max = 100};
    size_t share = 0;
    assert_false(budget_move(&b, &share, 101));
    assert_false(budget_move(&b, &share, (size_t)-1));
    assert_int_equal(b.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_alone_may_have_half),
        cmocka_unit_test(who_gives_back_makes_room),
        cmocka_unit_test(a_small_share_fits_beside_any_number_of_hoarders),
        cmocka_unit_test(what_is_larger_than_all_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
