#include "dispatcher/turn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void each_gets_the_same_share_of_bytes(void **state)
{
    (void)state;
    struct turn t;
    struct turn_member small = {0}, large = {0};
    uint64_t small_bytes = 0, large_bytes = 0;
    turn_init(&t, TURN_ALLOWANCE);
    turn_add(&t, &large);
    turn_add(&t, &small);
    for (int i = 0; i < 20000; i++) {
        struct turn_member *m = turn_next(&t);
        uint64_t bytes = m == &small ? 1024 : 1024 * 1024;
        *(m == &small ? &small_bytes : &large_bytes) += bytes + TURN_OVERHEAD;
        turn_charge(m, bytes);
    }
    assert_true(large_bytes > 0);
    assert_in_range(small_bytes * 100 / large_bytes, 80, 125);
}

static void nobody_waits_longer_than_one_allowance_of_each_other(void **state)
{
    (void)state;
    struct turn t;
    struct turn_member m[10] = {{.balance = 0}};
    turn_init(&t, TURN_ALLOWANCE);
    for (int i = 0; i < 10; i++)
        turn_add(&t, &m[i]);
    int since[10] = {0};
    for (int i = 0; i < 5000; i++) {
        struct turn_member *now = turn_next(&t);
        for (int k = 0; k < 10; k++) {
            since[k] = now == &m[k] ? 0 : since[k] + 1;
            assert_true(since[k] <= 9 * (TURN_ALLOWANCE / TURN_OVERHEAD + 1));
        }
        turn_charge(now, 0);
    }
}

static void debt_is_remembered_and_credit_is_not(void **state)
{
    (void)state;
    struct turn t;
    struct turn_member m = {0};
    turn_init(&t, TURN_ALLOWANCE);
    turn_add(&t, &m);
    assert_ptr_equal(turn_next(&t), &m);
    turn_remove(&t, &m);
    assert_int_equal(m.balance, 0);

    turn_add(&t, &m);
    assert_ptr_equal(turn_next(&t), &m);
    turn_charge(&m, 100 * 1024);
    int64_t debt = m.balance;
    assert_true(debt < 0);
    turn_remove(&t, &m);
    assert_int_equal(m.balance, debt);
}

static void adding_twice_and_removing_twice_do_no_harm(void **state)
{
    (void)state;
    struct turn t;
    struct turn_member m = {0};
    turn_init(&t, TURN_ALLOWANCE);
    assert_null(turn_next(&t));
    turn_add(&t, &m);
    turn_add(&t, &m);
    turn_remove(&t, &m);
    turn_remove(&t, &m);
    assert_null(turn_next(&t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_gets_the_same_share_of_bytes),
        cmocka_unit_test(nobody_waits_longer_than_one_allowance_of_each_other),
        cmocka_unit_test(debt_is_remembered_and_credit_is_not),
        cmocka_unit_test(adding_twice_and_removing_twice_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
