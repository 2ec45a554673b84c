/* Maps: compared with a plain array under random puts and takes. */
#include "base/map.h"

#include "base/rand.h"
#include "tests/base/check.h"

struct entry {
    char key[16];
    bool in;
};

static struct span key_of(const void *value)
{
    return span_text(((const struct entry *)value)->key);
}

static void a_value_is_found_until_it_is_taken(void **state)
{
    (void)state;
    struct map *m = map_new(key_of);
    struct entry a = {.key = "a"}, empty = {.key = ""};

    assert_non_null(m);
    assert_null(map_get(m, SPAN("a")));
    assert_true(map_put(m, &a));
    assert_true(map_put(m, &empty));
    assert_ptr_equal(map_get(m, SPAN("a")), &a);
    assert_ptr_equal(map_get(m, SPAN("")), &empty);
    assert_null(map_get(m, SPAN("b")));
    assert_int_equal(map_count(m), 2);
    assert_ptr_equal(map_take(m, SPAN("a")), &a);
    assert_null(map_take(m, SPAN("a")));
    assert_int_equal(map_count(m), 1);
    map_free(&m);
    assert_null(m);
}

#define ENTRIES 2000

static void check_all(const struct map *m, const struct entry *entries)
{
    size_t in = 0, seen = 0, at = 0;

    for (size_t i = 0; i < ENTRIES; i++) {
        const void *expected = entries[i].in ? &entries[i] : NULL;
        assert_ptr_equal(map_get(m, span_text(entries[i].key)), expected);
        in += entries[i].in;
    }
    assert_int_equal(map_count(m), in);
    for (const struct entry *e; (e = map_each(m, &at)); seen++)
        assert_true(e->in);
    assert_int_equal(seen, in);
}

static void random_puts_and_takes_agree_with_an_array(void **state)
{
    (void)state;
    static struct entry entries[ENTRIES];
    struct map *m = map_new(key_of);
    struct rng rng;

    rng_seed(&rng, 1);
    for (unsigned i = 0; i < ENTRIES; i++)
        snprintf(entries[i].key, sizeof entries[i].key, "key-%u", i);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < ENTRIES; i++) {
            struct entry *e = &entries[rng_next(&rng) % ENTRIES];
            if (e->in)
                assert_ptr_equal(map_take(m, span_text(e->key)), e);
            else
                assert_true(map_put(m, e));
            e->in = !e->in;
        }
        check_all(m, entries);
    }
    map_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_found_until_it_is_taken),
        cmocka_unit_test(random_puts_and_takes_agree_with_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
