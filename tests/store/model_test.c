/* Life and names of the nouns. */
#include "store/model.h"

#include "tests/store/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_message_lives_until_its_last_reference_is_dropped(void **state)
{
    (void)state;
    struct message *m = message_new();
    assert_non_null(m);
    m->block = malloc(3);
    m->payload = span_of(memcpy(m->block, "abc", 3), 3);
    struct message *other = message_ref(m);
    message_unref(&m);
    assert_null(m);
    assert_true(span_is(other->payload, "abc"));
    message_unref(&other);
    message_unref(&other); /* of nothing: no effect */
}

static void without_memory_there_is_no_message(void **state)
{
    (void)state;
    for (int fails = 0; fails < 2; fails++) { /* the first time shows where it could */
        char *at = NULL;
        if (fails)
            fault_arm(0, FAULT_ERROR);
        else
            fault_record();
        struct message *m = message_new_with(3, &at);
        assert_int_equal(fault_disarm(), fails);
        assert_true((m == NULL) == fails && (at == NULL) == fails);
        message_unref(&m);
    }
}

static void freeing_nothing_has_no_effect(void **state)
{
    (void)state;
    struct app *a = NULL;
    struct endpoint *e = NULL;
    struct event_type *t = NULL;
    struct attempt *at = NULL;
    app_free(&a);
    endpoint_free(&e);
    event_type_free(&t);
    attempt_free(&at);
}

static void every_state_reason_and_class_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int a = 0; a <= ATTEMPT_LAST; a++)
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(attempt_class_name((enum attempt_class)a),
                                    attempt_class_name((enum attempt_class)b));
            assert_string_not_equal(attempt_class_text((enum attempt_class)a),
                                    attempt_class_text((enum attempt_class)b));
        }
    for (int a = 0; a <= DELIVERY_NONE; a++)
        for (int b = 0; b < a; b++)
            assert_string_not_equal(delivery_state_name((enum delivery_state)a),
                                    delivery_state_name((enum delivery_state)b));
    for (int a = 0; a <= REASON_CANCELED; a++)
        for (int b = 0; b < a; b++)
            assert_string_not_equal(delivery_reason_name((enum delivery_reason)a),
                                    delivery_reason_name((enum delivery_reason)b));
}

static void values_beyond_the_lists_are_named_too(void **state)
{
    (void)state;
    assert_null(ordering_name(ORDERINGS));
    assert_string_equal(delivery_state_name((enum delivery_state)99), "unknown");
    assert_string_equal(delivery_reason_name((enum delivery_reason)99), "unknown");
    assert_string_equal(attempt_class_name((enum attempt_class)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_lives_until_its_last_reference_is_dropped),
        cmocka_unit_test(without_memory_there_is_no_message),
        cmocka_unit_test(freeing_nothing_has_no_effect),
        cmocka_unit_test(every_state_reason_and_class_has_a_name_of_its_own),
        cmocka_unit_test(values_beyond_the_lists_are_named_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
