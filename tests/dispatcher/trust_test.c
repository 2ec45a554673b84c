/* When an endpoint is doubtful. */
#include "dispatcher/trust.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* The state after attempts that were answered (+) and not (-). */
static enum trust after(const char *attempts)
{
    enum trust trust = {0};
    for (; *attempts; attempts++)
        trust = trust_after(trust, *attempts == '+');
    return trust;
}

static void one_failure_makes_a_new_endpoint_doubtful_and_two_any_other(void **state)
{
    static const struct {
        const char *attempts;
        enum trust trust;
    } cases[] = {
        {"", TRUST_NEW},        {"+", TRUST_GOOD},         {"-", TRUST_DOUBTFUL},
        {"+-", TRUST_SHAKEN},   {"+--", TRUST_DOUBTFUL},   {"--", TRUST_DOUBTFUL},
        {"+-+-", TRUST_SHAKEN}, {"+-+--", TRUST_DOUBTFUL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(after(cases[i].attempts), cases[i].trust);
}

static void one_answer_is_enough_whatever_was_before(void **state)
{
    (void)state;
    for (enum trust trust = TRUST_NEW; trust <= TRUST_DOUBTFUL; trust++)
        assert_int_equal(trust_after(trust, true), TRUST_GOOD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_failure_makes_a_new_endpoint_doubtful_and_two_any_other),
        cmocka_unit_test(one_answer_is_enough_whatever_was_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
