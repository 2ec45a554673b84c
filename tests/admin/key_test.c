/* Tokens of API keys: their form, their hash, and the names of their scopes. */
#include "admin/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void a_token_is_32_random_bytes_in_base64url_behind_its_prefix(void **state)
{
    (void)state;
    char token[KEY_TOKEN_LEN + 1];
    uint8_t hash[SHA256_BYTES];
    for (int i = 0; i < 64; i++) {
        struct buf raw;
        buf_init(&raw, 64);
        key_token_make(token, hash);
        assert_int_equal(strlen(token), KEY_TOKEN_LEN);
        assert_memory_equal(token, "sh_", 3);
        assert_int_equal(base64url_decode(span_text(token + 3), &raw), ERR_OK);
        assert_int_equal(raw.len, 32);
        buf_free(&raw);
    }
}

static void the_hash_is_that_of_the_whole_token_and_no_two_are_alike(void **state)
{
    (void)state;
    char token[2][KEY_TOKEN_LEN + 1];
    uint8_t hash[2][SHA256_BYTES], again[SHA256_BYTES];
    for (int i = 0; i < 2; i++) {
        key_token_make(token[i], hash[i]);
        hash_sha256(span_text(token[i]), again);
        assert_memory_equal(hash[i], again, SHA256_BYTES);
    }
    assert_string_not_equal(token[0], token[1]);
    assert_memory_not_equal(hash[0], hash[1], SHA256_BYTES);
}

static void every_scope_has_a_name_that_is_read_back(void **state)
{
    (void)state;
    for (int i = SCOPE_ADMIN; i <= SCOPE_APP; i++) {
        enum key_scope back;
        assert_true(key_scope_parse(span_text(key_scope_name((enum key_scope)i)), &back));
        assert_int_equal(back, i);
    }
    enum key_scope none;
    assert_false(key_scope_parse(SPAN("root"), &none));
    assert_false(key_scope_parse(SPAN(""), &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_32_random_bytes_in_base64url_behind_its_prefix),
        cmocka_unit_test(the_hash_is_that_of_the_whole_token_and_no_two_are_alike),
        cmocka_unit_test(every_scope_has_a_name_that_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
