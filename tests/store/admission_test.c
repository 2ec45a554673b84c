/* How many may wait, as a policy of plain numbers. */
#include "store/admission.h"

#include "base/bounds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* How many are let in before the first refusal. */
static unsigned let_in(struct admission *a)
{
    unsigned n = 0;
    while (admission_enter(a))
        n++;
    admission_leave(a, n);
    return n;
}

static void learn(struct admission *a, unsigned count, int64_t us)
{
    for (int i = 0; i < 100; i++)
        admission_learn(a, count, us);
}

static void a_new_one_lets_in_what_the_queue_holds(void **state)
{
    (void)state;
    struct admission a = admission_new();
    assert_int_equal(let_in(&a), WRITER_QUEUE_MAX);
}

static void as_many_wait_as_are_applied_in_ten_milliseconds(void **state)
{
    (void)state;
    struct admission a = admission_new();
    learn(&a, 100, 1000); /* 10 us each */
    assert_in_range(let_in(&a), 990, 1000);
    learn(&a, 100, 5000);
    assert_in_range(let_in(&a), 195, 200);
}

static void some_may_always_wait(void **state)
{
    (void)state;
    struct admission a = admission_new();
    learn(&a, 100, 10000000);
    assert_int_equal(let_in(&a), 64);
}

static void the_queue_is_a_bound_however_cheap_they_are(void **state)
{
    (void)state;
    struct admission a = admission_new();
    learn(&a, 100000, 10000);
    assert_int_equal(let_in(&a), WRITER_QUEUE_MAX);
}

/* One alone takes as long as ten together. */
static void small_batches_refuse_nobody(void **state)
{
    (void)state;
    struct admission a = admission_new();
    learn(&a, 100, 1000);
    unsigned before = let_in(&a);
    learn(&a, 1, 900);
    learn(&a, 0, 1000000);
    assert_int_equal(let_in(&a), before);
}

/* Nor does what one application's thousand endpoints cost refuse the events of all others. */
static void a_dear_one_now_and_then_does_not_close_the_door(void **state)
{
    (void)state;
    struct admission a = admission_new();
    for (int second = 0; second < 60; second++) {
        for (int i = 0; i < 1000; i++)
            admission_learn(&a, 1, 40);
        admission_learn(&a, 1, 10000);
        assert_in_range(let_in(&a), 500, WRITER_QUEUE_MAX);
    }
}

/* A commit holds few of those with many endpoints. */
static void small_batches_that_take_long_do(void **state)
{
    (void)state;
    struct admission a = admission_new();
    learn(&a, 10, 1000);
    assert_in_range(let_in(&a), 99, 100);
}

static void one_slow_batch_does_not_close_the_door(void **state)
{
    (void)state;
    struct admission a = admission_new();
    learn(&a, 100, 1000);
    unsigned before = let_in(&a);
    admission_learn(&a, 500, 10000);
    assert_in_range(let_in(&a), before * 7 / 10, before);
}

static void who_leaves_makes_room(void **state)
{
    (void)state;
    struct admission a = admission_new();
    learn(&a, 100, 10000000);
    for (int i = 0; i < 64; i++)
        assert_true(admission_enter(&a));
    assert_false(admission_enter(&a));
    admission_leave(&a, 2);
    assert_true(admission_enter(&a));
    assert_true(admission_enter(&a));
    assert_false(admission_enter(&a));
    admission_leave(&a, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_one_lets_in_what_the_queue_holds),
        cmocka_unit_test(as_many_wait_as_are_applied_in_ten_milliseconds),
        cmocka_unit_test(some_may_always_wait),
        cmocka_unit_test(the_queue_is_a_bound_however_cheap_they_are),
        cmocka_unit_test(small_batches_refuse_nobody),
        cmocka_unit_test(a_dear_one_now_and_then_does_not_close_the_door),
        cmocka_unit_test(small_batches_that_take_long_do),
        cmocka_unit_test(one_slow_batch_does_not_close_the_door),
        cmocka_unit_test(who_leaves_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
