/* What is asked of an authorization server, and what is made of its answer. */
#include "dispatcher/grant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define S US_PER_S

static struct buf body, line, token;

static int setup(void **state)
{
    (void)state;
    buf_init(&body, 64 * 1024);
    buf_init(&line, 64 * 1024);
    buf_init(&token, ACCESS_TOKEN_MAX);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_free(&body);
    buf_free(&line);
    buf_free(&token);
    return 0;
}

static void assert_text(const struct buf *b, const char *text)
{
    assert_false(b->failed);
    assert_string_equal(b->ptr ? b->ptr : "", text);
}

static struct endpoint_auth client(void)
{
    return (struct endpoint_auth){.kind = AUTH_OAUTH2,
                                  .user = SPAN("id with space"),
                                  .secret = SPAN("s:e/c&r=e+t\xc3\xa9"),
                                  .token_url = SPAN("https://login.example.com/")};
}

static void the_secret_goes_into_the_header_form_encoded(void **state)
{
    (void)state;
    const struct endpoint_auth a = client();
    grant_request(&a, &body, &line);
    assert_text(&body, "grant_type=client_credentials");
    /* id+with+space:s%3Ae%2Fc%26r%3De%2Bt%C3%A9 */
    assert_text(&line, "authorization: Basic "
                       "aWQrd2l0aCtzcGFjZTpzJTNBZSUyRmMlMjZyJTNEZSUyQnQlQzMlQTk=");
}

static void or_into_the_body(void **state)
{
    (void)state;
    struct endpoint_auth a = client();
    a.client_auth = CLIENT_SECRET_POST;
    a.scope = SPAN("read write");
    a.audience = SPAN("https://x/?y");
    grant_request(&a, &body, &line);
    assert_text(&body, "grant_type=client_credentials&scope=read+write"
                       "&audience=https%3A%2F%2Fx%2F%3Fy&client_id=id+with+space"
                       "&client_secret=s%3Ae%2Fc%26r%3De%2Bt%C3%A9");
    assert_int_equal(line.len, 0);
}

static void the_longest_credentials_fit(void **state)
{
    (void)state;
    static char text[AUTH_SCOPE_MAX];
    memset(text, '%', sizeof text);
    struct endpoint_auth a = client();
    a.user = span_of(text, AUTH_USER_MAX);
    a.secret = span_of(text, AUTH_SECRET_MAX);
    a.scope = a.audience = span_of(text, AUTH_SCOPE_MAX);
    grant_request(&a, &body, &line);
    assert_false(body.failed || line.failed);
    assert_true(line.len <= 8192);
    a.client_auth = CLIENT_SECRET_POST;
    buf_clear(&body);
    grant_request(&a, &body, &line);
    assert_false(body.failed);
    assert_true(body.len <= 16 * 1024);
    buf_clear(&line);
    grant_basic(&a, &line);
    assert_true(!line.failed && line.len < 2048);
}

static void basic_authentication_is_that_of_its_specification(void **state)
{
    (void)state;
    const struct endpoint_auth a = {
        .kind = AUTH_BASIC, .user = SPAN("Aladdin"), .secret = SPAN("open sesame")};
    grant_basic(&a, &line);
    assert_text(&line, "authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

static void answers_are_read_as_the_table_says(void **state)
{
    (void)state;
    static const struct {
        const char *json, *token; /* NULL: refused */
        int64_t lifetime_s;
    } table[] = {
        {"{\"access_token\":\"abc\",\"token_type\":\"Bearer\",\"expires_in\":3600}", "abc", 3600},
        {"{\"access_token\":\"a.b-c_~+/=\",\"token_type\":\"bearer\"}", "a.b-c_~+/=", 300},
        {"{\"access_token\":\"abc\",\"expires_in\":\"60\"}", "abc", 60},
        {"{\"access_token\":\"abc\",\"expires_in\":0}", "abc", 0},
        {"{\"access_token\":\"abc\",\"expires_in\":null}", "abc", 300},
        {"{\"access_token\":\"abc\",\"expires_in\":-5}", "abc", 300},
        {"{\"access_token\":\"abc\",\"expires_in\":\"soon\"}", "abc", 300},
        {"{\"access_token\":\"abc\",\"expires_in\":1e3}", "abc", 300},
        {"{\"access_token\":\"abc\",\"expires_in\":99999999}", "abc", 24 * 3600},
        {"{\"access_token\":\"abc\",\"expires_in\":99999999999999999999}", "abc", 300},
        {"{\"access_token\":\"a\\u0062c\",\"scope\":{\"x\":[1]}}", "abc", 300},
        {" {\"access_token\":\"abc\"}\n", "abc", 300},
        {"{\"access_token\":\"\"}", NULL, 0},
        {"{\"access_token\":\"a b\"}", NULL, 0},
        {"{\"access_token\":\"a\\r\\nx-evil: 1\"}", NULL, 0},
        {"{\"access_token\":\"\xc3\xa9\"}", NULL, 0},
        {"{\"access_token\":\"a\\u0000b\"}", NULL, 0},
        {"{\"access_token\":7}", NULL, 0},
        {"{\"access_token\":\"a\",\"access_token\":\"b\"}", NULL, 0},
        {"{\"access_token\":\"abc\",\"token_type\":\"mac\"}", NULL, 0},
        {"{\"access_token\":\"abc\",\"token_type\":7}", NULL, 0},
        {"{\"error\":\"invalid_client\"}", NULL, 0},
        {"[\"abc\"]", NULL, 0},
        {"\"abc\"", NULL, 0},
        {"access_token=abc", NULL, 0},
        {"{\"access_token\":\"abc\"", NULL, 0},
        {"", NULL, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int64_t lifetime_us = -1;
        buf_clear(&token);
        enum err e = grant_answer(span_text(table[i].json), &token, &lifetime_us);
        assert_int_equal(e, table[i].token ? ERR_OK : ERR_INVALID);
        if (e)
            continue;
        assert_text(&token, table[i].token);
        assert_int_equal(lifetime_us, table[i].lifetime_s * S);
    }
}

static void a_token_that_is_too_long_is_refused(void **state)
{
    (void)state;
    for (size_t len = ACCESS_TOKEN_MAX; len <= ACCESS_TOKEN_MAX + 1; len++) {
        int64_t lifetime_us;
        buf_clear(&body);
        buf_clear(&token);
        buf_text(&body, "{\"access_token\":\"");
        for (size_t i = 0; i < len; i++)
            buf_char(&body, 'x');
        buf_text(&body, "\"}");
        assert_int_equal(grant_answer(buf_view(&body), &token, &lifetime_us),
                         len > ACCESS_TOKEN_MAX ? ERR_INVALID : ERR_OK);
    }
}

static void a_token_is_renewed_before_its_end_and_not_used_up_to_it(void **state)
{
    (void)state;
    static const struct {
        int64_t lifetime_s, renew_s, end_s;
    } table[] = {{3600, 3540, 3585}, {300, 240, 285}, {100, 80, 95}, {20, 16, 19}, {0, 0, 0}};
    const struct mono got = {1000 * S};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const int64_t us = table[i].lifetime_s * S;
        assert_int_equal(grant_renew_at(got, us).us - got.us, table[i].renew_s * S);
        assert_int_equal(grant_end_at(got, us).us - got.us, table[i].end_s * S);
    }
}

static void a_refusal_ends_a_token_once_a_minute(void **state)
{
    (void)state;
    const struct mono never = {0}, before = {100 * S};
    assert_true(grant_ended_by_refusal(never, before));
    assert_false(grant_ended_by_refusal(before, before));
    assert_false(grant_ended_by_refusal(before, mono_add(before, 60 * S - 1)));
    assert_true(grant_ended_by_refusal(before, mono_add(before, 60 * S)));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_secret_goes_into_the_header_form_encoded),
        TEST(or_into_the_body),
        TEST(the_longest_credentials_fit),
        TEST(basic_authentication_is_that_of_its_specification),
        TEST(answers_are_read_as_the_table_says),
        TEST(a_token_that_is_too_long_is_refused),
        TEST(a_token_is_renewed_before_its_end_and_not_used_up_to_it),
        TEST(a_refusal_ends_a_token_once_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
