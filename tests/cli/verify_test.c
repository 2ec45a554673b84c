/* The receiver's check against the known vector of Standard Webhooks, and against what an attacker
 * may send in its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cli/verify.h"

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define TIME "1614265330"
#define NOW 1614265330
#define GOOD "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define BODY SPAN("{\"test\": 2432232314}")

static void the_known_vector_is_good(void **state)
{
    (void)state;
    assert_true(verify_secret_valid(SECRET));
    assert_int_equal(verify_delivery(SECRET, ID, TIME, GOOD, BODY, NOW), VERIFY_GOOD);
}

static void one_good_signature_among_others_is_enough(void **state)
{
    (void)state;
    assert_int_equal(
        verify_delivery(SECRET, ID, TIME, "v1,AAAA v2,x v1a,y  " GOOD " v1,", BODY, NOW),
        VERIFY_GOOD);
}

static void whatever_differs_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *id, *time, *signature, *body;
        enum verify_answer answer;
    } cases[] = {
        {ID "x", TIME, GOOD, "{\"test\": 2432232314}", VERIFY_BAD},
        {ID, "1614265331", GOOD, "{\"test\": 2432232314}", VERIFY_BAD},
        {ID, "+" TIME, GOOD, "{\"test\": 2432232315}", VERIFY_BAD},
        {ID, TIME "x", GOOD, "{\"test\": 2432232314}", VERIFY_BAD},
        {ID, "", GOOD, "{\"test\": 2432232314}", VERIFY_BAD},
        {ID, TIME, GOOD, "{\"test\": 2432232315}", VERIFY_BAD},
        {ID, TIME, "", "{\"test\": 2432232314}", VERIFY_BAD},
        {ID, TIME, "v1,", "{\"test\": 2432232314}", VERIFY_BAD},
        {ID, TIME, "v1a" /* of another kind */ "," GOOD, "{\"test\": 2432232314}", VERIFY_BAD},
        {NULL, TIME, GOOD, "{\"test\": 2432232314}", VERIFY_NO_HEADERS},
        {ID, NULL, GOOD, "{\"test\": 2432232314}", VERIFY_NO_HEADERS},
        {ID, TIME, NULL, "{\"test\": 2432232314}", VERIFY_NO_HEADERS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(verify_delivery(SECRET, cases[i].id, cases[i].time, cases[i].signature,
                                         span_text(cases[i].body), NOW),
                         cases[i].answer);
}

static void a_timestamp_may_be_five_minutes_away(void **state)
{
    (void)state;
    assert_int_equal(verify_delivery(SECRET, ID, TIME, GOOD, BODY, NOW + 300), VERIFY_GOOD);
    assert_int_equal(verify_delivery(SECRET, ID, TIME, GOOD, BODY, NOW - 300), VERIFY_GOOD);
    assert_int_equal(verify_delivery(SECRET, ID, TIME, GOOD, BODY, NOW + 301), VERIFY_TOO_OLD);
    assert_int_equal(verify_delivery(SECRET, ID, TIME, GOOD, BODY, NOW - 301), VERIFY_TOO_OLD);
}

/* 129 bytes: one more than a key may have, so that its end would be cut off. */
#define LONG_KEY                                                                             \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void a_secret_is_prefixed_base64_of_a_bounded_length(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",          "whsec_", "whsec_!", "whsec_AAA",       "whsek_AAAA",
        "whpk_AAAA", "whpk_",  "AAAA",    "whsec_" LONG_KEY,
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(verify_secret_valid(bad[i]));
    assert_true(verify_secret_valid("whpk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_known_vector_is_good),
        cmocka_unit_test(one_good_signature_among_others_is_enough),
        cmocka_unit_test(whatever_differs_is_found),
        cmocka_unit_test(a_timestamp_may_be_five_minutes_away),
        cmocka_unit_test(a_secret_is_prefixed_base64_of_a_bounded_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
