/* The error list: every code has a name and a sentence, and an unknown one is no crash. */
#include "base/err.h"

#include "tests/base/check.h"

static void every_error_has_a_name_and_a_text(void **state)
{
    (void)state;
    assert_string_equal(err_name(ERR_OK), "OK");
    assert_string_equal(err_name(ERR_NOT_FOUND), "NOT_FOUND");
    assert_string_equal(err_text(ERR_LOCKED), "another process uses this data directory");
    assert_string_equal(err_name((enum err)999), "UNKNOWN");
    assert_string_equal(err_text((enum err)999), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_error_has_a_name_and_a_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
