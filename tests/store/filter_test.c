/* Bloom filters: never a wrong "no", seldom a wrong "maybe". */
#include "store/filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct filter_hash hash_of_number(uint64_t n)
{
    return filter_hash_of(span_of(&n, sizeof n));
}

static void a_key_that_was_added_is_never_denied(void **state)
{
    (void)state;
    for (uint64_t keys = 1; keys <= 4096; keys *= 2) {
        struct filter *f = filter_new(filter_size(keys));
        for (uint64_t i = 0; i < keys; i++)
            filter_add(f, hash_of_number(i));
        for (uint64_t i = 0; i < keys; i++)
            assert_true(filter_maybe(f, hash_of_number(i)));
        filter_unref(&f);
        assert_null(f);
    }
}

static void a_key_that_was_not_added_is_nearly_always_denied(void **state)
{
    (void)state;
    const uint64_t keys = 20000, others = 100000;
    struct filter *f = filter_new(filter_size(keys));
    for (uint64_t i = 0; i < keys; i++)
        filter_add(f, hash_of_number(i));
    uint64_t wrong = 0;
    for (uint64_t i = keys; i < keys + others; i++)
        wrong += filter_maybe(f, hash_of_number(i));
    assert_true(wrong < others * 15 / 1000);
    filter_unref(&f);
}

static void an_empty_filter_denies_everything(void **state)
{
    (void)state;
    struct filter *f = filter_new(filter_size(0));
    for (uint64_t i = 0; i < 1000; i++)
        assert_false(filter_maybe(f, hash_of_number(i)));
    filter_unref(&f);
}

static void a_copy_of_the_bits_answers_the_same(void **state)
{
    (void)state;
    struct filter *f = filter_new(filter_size(100));
    for (uint64_t i = 0; i < 100; i++)
        filter_add(f, hash_of_number(i));
    struct filter *copy = filter_new(filter_bytes(f));
    memcpy(filter_data(copy), filter_data(f), filter_bytes(f));
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(filter_maybe(copy, hash_of_number(i)), filter_maybe(f, hash_of_number(i)));
    filter_unref(&f);
    filter_unref(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_that_was_added_is_never_denied),
        cmocka_unit_test(a_key_that_was_not_added_is_nearly_always_denied),
        cmocka_unit_test(an_empty_filter_denies_everything),
        cmocka_unit_test(a_copy_of_the_bits_answers_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
