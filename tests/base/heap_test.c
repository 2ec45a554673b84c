/* Heaps: always the earliest first, first in first out among equals, also after moves. */
#include "base/heap.h"

#include "base/rand.h"
#include "tests/base/check.h"

#define ITEMS 500

static void check_shape(const struct heap *h)
{
    for (size_t i = 0; i < h->count; i++) {
        assert_int_equal(h->items[i]->at, i);
        if (i > 0)
            assert_true(h->items[(i - 1) / 2]->when <= h->items[i]->when);
    }
}

static void random_sets_and_removes_come_out_sorted(void **state)
{
    (void)state;
    static struct heap_item items[ITEMS];
    struct heap h;
    struct rng rng;

    rng_seed(&rng, 3);
    heap_init(&h);
    assert_true(heap_reserve(&h, ITEMS));
    for (int i = 0; i < ITEMS; i++)
        heap_item_init(&items[i]);
    for (int i = 0; i < 20 * ITEMS; i++) {
        struct heap_item *item = &items[rng_next(&rng) % ITEMS];
        if (rng_next(&rng) % 3 == 0)
            heap_remove(&h, item);
        else
            heap_set(&h, item, (int64_t)(rng_next(&rng) % 100));
        check_shape(&h);
    }
    int64_t last = INT64_MIN;
    size_t left = h.count;
    for (struct heap_item *item; (item = heap_first(&h)); left--) {
        assert_true(item->when >= last);
        last = item->when;
        heap_remove(&h, item);
        assert_true(item->at == HEAP_OUT);
    }
    assert_int_equal(left, 0);
    heap_free(&h);
}

static void equal_moments_come_out_in_the_order_of_setting(void **state)
{
    (void)state;
    struct heap_item items[20];
    struct heap h;

    heap_init(&h);
    assert_true(heap_reserve(&h, 20));
    for (int i = 0; i < 20; i++) {
        heap_item_init(&items[i]);
        heap_set(&h, &items[i], 5);
    }
    heap_set(&h, &items[0], 5); /* set again: now the last */
    for (int i = 1; i <= 20; i++) {
        assert_ptr_equal(heap_first(&h), &items[i % 20]);
        heap_remove(&h, &items[i % 20]);
    }
    assert_null(heap_first(&h));
    heap_free(&h);
}

static void removing_what_is_not_in_has_no_effect(void **state)
{
    (void)state;
    struct heap_item item;
    struct heap h;

    heap_init(&h);
    heap_item_init(&item);
    heap_remove(&h, &item);
    assert_int_equal(h.count, 0);
    heap_free(&h);
}

static void reserving_keeps_what_is_inside(void **state)
{
    (void)state;
    struct heap_item item;
    struct heap h;

    heap_init(&h);
    heap_item_init(&item);
    assert_true(heap_reserve(&h, 1));
    heap_set(&h, &item, 1);
    assert_true(heap_reserve(&h, 100000));
    assert_true(h.cap >= 100000);
    assert_ptr_equal(heap_first(&h), &item);
    heap_free(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_sets_and_removes_come_out_sorted),
        cmocka_unit_test(equal_moments_come_out_in_the_order_of_setting),
        cmocka_unit_test(removing_what_is_not_in_has_no_effect),
        cmocka_unit_test(reserving_keeps_what_is_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
