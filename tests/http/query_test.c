#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http/query.h"

#include <stdint.h>

static char memory[512];
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, memory, sizeof memory, 64 * 1024);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static void each_text_decodes_as_the_table_says(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted; /* wanted NULL: refused */
        bool plus;
    } rows[] = {
        {"", "", false},
        {"plain", "plain", false},
        {"a+b", "a+b", false},
        {"a+b", "a b", true},
        {"a%2Bb", "a+b", true},
        {"%41%62", "Ab", false},
        {"%c3%A9", "\xc3\xa9", false},
        {"%25%32%35", "%25", false},
        {"%", NULL, false},
        {"%4", NULL, false},
        {"%4g", NULL, false},
        {"%g4", NULL, false},
        {"a%00b", NULL, false},
        {"%%41", NULL, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct span out;
        enum err e = query_decode(&arena, span_text(rows[i].text), rows[i].plus, &out);
        assert_int_equal(e, rows[i].wanted ? ERR_OK : ERR_INVALID);
        if (!e)
            assert_true(span_is(out, rows[i].wanted));
    }
}

static void the_first_of_a_repeated_parameter_counts(void **state)
{
    (void)state;
    struct query q;
    struct span value;
    assert_int_equal(query_parse(&arena, SPAN("a=1&b=&a=2&c&&d=x%3Dy=z"), &q), ERR_OK);
    assert_true(query_get(&q, "a", &value) && span_is(value, "1"));
    assert_true(query_get(&q, "b", &value) && value.len == 0);
    assert_true(query_get(&q, "c", &value) && value.len == 0);
    assert_true(query_get(&q, "d", &value) && span_is(value, "x=y=z"));
    assert_false(query_get(&q, "e", &value));
}

static void no_query_has_no_parameters(void **state)
{
    (void)state;
    struct query q;
    assert_int_equal(query_parse(&arena, (struct span){0}, &q), ERR_OK);
    assert_int_equal(q.count, 0);
    assert_int_equal(query_parse(&arena, SPAN(""), &q), ERR_OK);
    assert_int_equal(q.count, 0);
}

static void arrays_may_be_written_in_three_ways(void **state)
{
    (void)state;
    static const char *const wanted[] = {"a", "b", "c", "d", "e"};
    struct query q;
    struct span value;
    assert_int_equal(query_parse(&arena, SPAN("t=a,b&t[]=c&x=9&t%5B%5D=d&t=,e,"), &q), ERR_OK);
    for (unsigned i = 0; i < 5; i++) {
        assert_true(query_item(&q, "t", i, &value));
        assert_true(span_is(value, wanted[i]));
    }
    assert_false(query_item(&q, "t", 5, &value));
    assert_false(query_item(&q, "tt", 0, &value));
}

static void too_many_parameters_are_refused(void **state)
{
    (void)state;
    char text[4 * (QUERY_PARAMS_MAX + 1)];
    struct query q;
    for (size_t i = 0; i < QUERY_PARAMS_MAX + 1; i++)
        memcpy(text + 4 * i, "a=b&", 4);
    assert_int_equal(query_parse(&arena, span_of(text, 4 * QUERY_PARAMS_MAX), &q), ERR_OK);
    assert_int_equal(query_parse(&arena, span_of(text, sizeof text), &q), ERR_INVALID);
}

static void an_arena_is_aligned_grows_and_has_a_maximum(void **state)
{
    (void)state;
    for (size_t size = 1; size < 600; size++) {
        char *p = arena_alloc(&arena, 1);
        if (!p)
            break;
        assert_int_equal((uintptr_t)p % 16, 0);
        *p = 'x';
    }
    char *large = arena_alloc(&arena, 20 * 1024);
    assert_non_null(large);
    memset(large, 'x', 20 * 1024);
    assert_null(arena_alloc(&arena, 60 * 1024));
    assert_null(arena_alloc(&arena, SIZE_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_text_decodes_as_the_table_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_first_of_a_repeated_parameter_counts, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(no_query_has_no_parameters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(arrays_may_be_written_in_three_ways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_parameters_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_arena_is_aligned_grows_and_has_a_maximum, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
