/* The text forms of signing secrets. The ed25519 pair is RFC 8032, section 7.1, test 1. */
#include "dispatcher/dispatcher.h"

#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define WHSEC "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define WHSK                                                         \
    "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/" \
    "tPJZAc6DuFy89qmIyWvAhpo9wdRGg=="
#define WHPK "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
/* The seed with the public key of another. */
#define WHSK_MIXED \
    "whsk_nWGxne/" \
    "9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2BmU3h6Dt1JKqLSahf2FBSTeius6i4rdBVBKUlrbjxz+A=="

static struct signing_key parsed(struct span text)
{
    struct signing_key key;
    const char *why = "";
    memset(&key, 0xee, sizeof key);
    if (dispatcher_secret_parse(text, &key, &why))
        fail_msg("%.*s was refused: %s", SPAN_ARG(text), why);
    return key;
}

static void expect_format(const struct signing_key *key, const char *expected)
{
    struct buf out;
    buf_init(&out, 200);
    dispatcher_secret_format(key, &out);
    assert_string_equal(out.ptr, expected);
    buf_free(&out);
}

/* "whsec_" or "whsk_" and the base64 of `len` bytes of one value. */
static struct span secret_of(const char *prefix, size_t len, struct buf *out)
{
    uint8_t bytes[200];
    assert_true(len <= sizeof bytes);
    memset(bytes, 0x5a, sizeof bytes);
    buf_init(out, 400);
    buf_text(out, prefix);
    base64_encode(span_of(bytes, len), out);
    return buf_view(out);
}

static void hmac_secrets_are_read_and_shown(void **state)
{
    (void)state;
    struct signing_key key = parsed(SPAN(WHSEC));
    assert_int_equal(key.kind, KEY_HMAC);
    assert_int_equal(key.len, 24);
    assert_int_equal(key.bytes[0], 0x31);
    assert_int_equal(key.bytes[23], 0xb0);
    assert_int_equal(key.expires.us, 0);
    expect_format(&key, WHSEC);
}

static void the_prefix_of_an_hmac_secret_is_optional(void **state)
{
    (void)state;
    struct signing_key key = parsed(span_skip(SPAN(WHSEC), strlen("whsec_")));
    expect_format(&key, WHSEC);
}

static void hmac_secrets_have_24_to_75_bytes(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 100; len++) {
        struct buf text;
        struct signing_key key;
        const char *why = NULL;
        enum err e = dispatcher_secret_parse(secret_of("whsec_", len, &text), &key, &why);
        assert_int_equal(e, len >= 24 && len <= 75 ? ERR_OK : ERR_INVALID);
        if (e)
            assert_non_null(why);
        else
            expect_format(&key, text.ptr);
        buf_free(&text);
    }
}

static void ed25519_secrets_are_read_and_only_their_public_key_is_shown(void **state)
{
    (void)state;
    struct signing_key key = parsed(SPAN(WHSK));
    assert_int_equal(key.kind, KEY_ED25519);
    assert_int_equal(key.len, 64);
    assert_int_equal(key.expires.us, 0);
    expect_format(&key, WHPK);
}

static void wrong_secrets_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part_of_why;
    } rows[] = {
        {"", "24 to 75"},
        {"whsec_", "24 to 75"},
        {"whsk_", "64 bytes"},
        {WHPK, "public key"},
        {WHSK_MIXED, "does not belong"},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "base64"},  /* a digit short */
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-_", "base64"}, /* base64url */
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", "base64"},
        {" " WHSEC, "base64"},
        {"WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "base64"},
        {"whsec_whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "base64"},
        {"whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "64 bytes"},
        {"whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=", "64 bytes"}, /* the seed alone */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct signing_key key;
        const char *why = NULL;
        assert_int_equal(dispatcher_secret_parse(span_text(rows[i].text), &key, &why), ERR_INVALID);
        assert_non_null(why);
        if (!strstr(why, rows[i].part_of_why))
            fail_msg("\"%s\": %s", rows[i].text, why);
    }
}

static void very_long_texts_are_refused(void **state)
{
    (void)state;
    char text[4096];
    struct signing_key key;
    const char *why = NULL;
    memset(text, 'A', sizeof text);
    assert_int_equal(dispatcher_secret_parse(span_of(text, sizeof text), &key, &why), ERR_INVALID);
    assert_non_null(why);
}

static void fresh_secrets_are_valid_and_differ(void **state)
{
    (void)state;
    struct signing_key a, b;
    struct buf text;
    dispatcher_secret_make(KEY_HMAC, &a);
    dispatcher_secret_make(KEY_HMAC, &b);
    assert_memory_not_equal(a.bytes, b.bytes, 24);
    assert_int_equal(a.expires.us, 0);
    buf_init(&text, 200);
    dispatcher_secret_format(&a, &text);
    struct signing_key again = parsed(buf_view(&text));
    assert_int_equal(again.len, a.len);
    assert_memory_equal(again.bytes, a.bytes, a.len);
    buf_free(&text);
}

static void fresh_ed25519_keys_are_pairs_and_differ(void **state)
{
    (void)state;
    struct signing_key a, b;
    struct buf text;
    dispatcher_secret_make(KEY_ED25519, &a);
    dispatcher_secret_make(KEY_ED25519, &b);
    assert_memory_not_equal(a.bytes, b.bytes, 32);
    buf_init(&text, 200);
    buf_text(&text, "whsk_");
    base64_encode(span_of(a.bytes, a.len), &text);
    struct signing_key again = parsed(buf_view(&text)); /* refuses halves of different pairs */
    assert_memory_equal(again.bytes, a.bytes, 64);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hmac_secrets_are_read_and_shown),
        cmocka_unit_test(the_prefix_of_an_hmac_secret_is_optional),
        cmocka_unit_test(hmac_secrets_have_24_to_75_bytes),
        cmocka_unit_test(ed25519_secrets_are_read_and_only_their_public_key_is_shown),
        cmocka_unit_test(wrong_secrets_are_refused_with_a_reason),
        cmocka_unit_test(very_long_texts_are_refused),
        cmocka_unit_test(fresh_secrets_are_valid_and_differ),
        cmocka_unit_test(fresh_ed25519_keys_are_pairs_and_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
