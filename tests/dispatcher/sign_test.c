/* Signatures against known answers. v1 vectors come from the PyPI package `standardwebhooks`; the
 * v1a vector is that of the specification's Go library, and RFC 8032's first key. */
#include "dispatcher/sign.h"

#include "base/hash.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define AT INT64_C(1614265330)
#define BODY "{\"test\": 2432232314}"
#define KEY_A "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define SIGNED_A "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define SIGNED_COUNTING "v1,pUOcpU6L4KclD8vmHbPALlnTanIBGYkCyR80SxkvXtM="
#define KEY_ED \
    "VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTllmU3h6Dt1JKqLSahf2FBSTeius6i4rdBVBKUlrbjxz+A=="
#define SIGNED_ED \
    "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="
#define KEY_RFC \
    "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg=="
#define SIGNED_RFC \
    "v1a,fldxM4gAKugP6nnt1hdz3sgGfZ6d99nzrMFnZOELIxbzEHoVmAb2ADpkJK7zgPePmPsle0zV9jSeGlHFG2NVAw=="

static struct signing_key key_of(enum key_kind kind, const char *base64)
{
    struct signing_key key = {.kind = kind};
    struct buf bytes;
    buf_init(&bytes, sizeof key.bytes);
    assert_int_equal(base64_decode(span_text(base64), &bytes), ERR_OK);
    key.len = bytes.len;
    memcpy(key.bytes, bytes.ptr, bytes.len);
    buf_free(&bytes);
    return key;
}

/* 75 bytes, the longest, which is over one block of SHA-256. */
static struct signing_key counting_key(void)
{
    struct signing_key key = {.kind = KEY_HMAC, .len = 75};
    for (unsigned i = 0; i < key.len; i++)
        key.bytes[i] = (uint8_t)i;
    return key;
}

static struct signer *signer_of(const struct signing_key *keys, unsigned count)
{
    struct signer *s = signer_new(keys, count);
    assert_non_null(s);
    return s;
}

static void expect_signed(struct signer *s, const char *id, int64_t at, const char *body,
                          struct wall now, const char *expected)
{
    struct buf out;
    buf_init(&out, 4096);
    assert_true(signer_sign(s, span_text(id), at, span_text(body), now, &out));
    assert_string_equal(out.ptr, expected);
    buf_free(&out);
}

static void hmac_known_answers(void **state)
{
    (void)state;
    struct signing_key all_ones = {.kind = KEY_HMAC, .len = 24};
    memset(all_ones.bytes, 0xff, all_ones.len);
    const struct {
        struct signing_key key;
        const char *id;
        int64_t at;
        const char *body, *expected;
    } rows[] = {
        {key_of(KEY_HMAC, KEY_A), ID, AT, BODY, SIGNED_A},
        {counting_key(), ID, AT, BODY, SIGNED_COUNTING},
        {key_of(KEY_HMAC, KEY_A), ID, AT, "", "v1,v48jdbgvh29KJz2Qc+ghw8G6vG3nAKnujWBg8oM/62A="},
        {all_ones, "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", 1674087231,
         "{\"price\":1.50,\"name\":\"Zo\xc3\xab \xe2\x98\x83\"}",
         "v1,SRn40SaXkDaxt3LMstYC23nUONrcL/BL2tSqc+UcNDw="},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct signer *s = signer_of(&rows[i].key, 1);
        expect_signed(s, rows[i].id, rows[i].at, rows[i].body, (struct wall){1}, rows[i].expected);
        signer_free(&s);
        assert_null(s);
    }
}

static void ed25519_known_answers(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{KEY_ED, SIGNED_ED}, {KEY_RFC, SIGNED_RFC}};
    for (size_t i = 0; i < 2; i++) {
        struct signing_key key = key_of(KEY_ED25519, rows[i][0]);
        struct signer *s = signer_of(&key, 1);
        expect_signed(s, ID, AT, BODY, (struct wall){1}, rows[i][1]);
        signer_free(&s);
    }
}

static void a_signer_signs_again_and_again(void **state)
{
    (void)state;
    struct signing_key keys[] = {key_of(KEY_HMAC, KEY_A), key_of(KEY_ED25519, KEY_ED)};
    struct signer *s = signer_of(keys, 2);
    for (int i = 0; i < 5; i++) {
        struct buf other;
        buf_init(&other, 4096);
        assert_true(signer_sign(s, SPAN("msg_x"), i, SPAN("else"), (struct wall){1}, &other));
        assert_string_not_equal(other.ptr, SIGNED_A " " SIGNED_ED);
        buf_free(&other);
        expect_signed(s, ID, AT, BODY, (struct wall){1}, SIGNED_A " " SIGNED_ED);
    }
    signer_free(&s);
}

static void every_live_key_signs_newest_first_and_expired_ones_do_not(void **state)
{
    (void)state;
    struct signing_key keys[] = {counting_key(), key_of(KEY_ED25519, KEY_ED),
                                 key_of(KEY_HMAC, KEY_A)};
    keys[1].expires.us = 100;
    keys[2].expires.us = 200;
    static const struct {
        int64_t now;
        const char *expected;
    } rows[] = {
        {99, SIGNED_COUNTING " " SIGNED_ED " " SIGNED_A},
        {100, SIGNED_COUNTING " " SIGNED_A},
        {199, SIGNED_COUNTING " " SIGNED_A},
        {200, SIGNED_COUNTING},
    };
    struct signer *s = signer_of(keys, 3);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_signed(s, ID, AT, BODY, (struct wall){rows[i].now}, rows[i].expected);
    signer_free(&s);
}

static void nothing_is_signed_without_a_live_key(void **state)
{
    (void)state;
    struct signing_key old = key_of(KEY_HMAC, KEY_A);
    old.expires.us = 5;
    struct buf out;
    buf_init(&out, 4096);
    struct signer *expired = signer_of(&old, 1), *empty = signer_of(NULL, 0);
    assert_false(signer_sign(expired, SPAN(ID), AT, SPAN(BODY), (struct wall){5}, &out));
    assert_false(signer_sign(empty, SPAN(ID), AT, SPAN(BODY), (struct wall){5}, &out));
    signer_free(&expired);
    signer_free(&empty);
    buf_free(&out);
}

static void the_longest_list_of_keys_signs(void **state)
{
    (void)state;
    struct signing_key keys[SIGNING_KEYS_MAX];
    for (unsigned i = 0; i < SIGNING_KEYS_MAX; i++)
        keys[i] = key_of(KEY_ED25519, KEY_ED);
    struct signer *s = signer_of(keys, SIGNING_KEYS_MAX);
    struct buf out;
    buf_init(&out, 4096);
    assert_true(signer_sign(s, SPAN(ID), AT, SPAN(BODY), (struct wall){1}, &out));
    assert_int_equal(out.len, SIGNING_KEYS_MAX * (strlen(SIGNED_ED) + 1) - 1);
    buf_free(&out);
    signer_free(&s);
}

static void the_value_is_appended(void **state)
{
    (void)state;
    struct signing_key key = key_of(KEY_HMAC, KEY_A);
    struct signer *s = signer_of(&key, 1);
    struct buf out;
    buf_init(&out, 4096);
    buf_text(&out, "webhook-signature: ");
    assert_true(signer_sign(s, SPAN(ID), AT, SPAN(BODY), (struct wall){1}, &out));
    assert_string_equal(out.ptr, "webhook-signature: " SIGNED_A);
    buf_free(&out);
    signer_free(&s);
}

static void a_buffer_without_room_is_a_failure(void **state)
{
    (void)state;
    struct signing_key keys[] = {key_of(KEY_HMAC, KEY_A), key_of(KEY_ED25519, KEY_ED)};
    for (unsigned i = 0; i < 2; i++) {
        struct signer *s = signer_of(&keys[i], 1);
        struct buf out;
        buf_init(&out, 20);
        assert_false(signer_sign(s, SPAN(ID), AT, SPAN(BODY), (struct wall){1}, &out));
        buf_free(&out);
        signer_free(&s);
    }
}

static void large_bodies_with_any_bytes_verify(void **state)
{
    (void)state;
    enum { LEN = 1024 * 1024 };
    char *body = malloc(LEN);
    assert_non_null(body);
    for (size_t i = 0; i < LEN; i++)
        body[i] = (char)(i * 31);
    struct signing_key key = key_of(KEY_ED25519, KEY_ED);
    struct signer *s = signer_of(&key, 1);
    struct buf out, signature, message;
    buf_init(&out, 4096);
    buf_init(&signature, 64);
    buf_init(&message, 2 * (size_t)LEN);
    assert_true(signer_sign(s, SPAN(ID), AT, span_of(body, LEN), (struct wall){1}, &out));
    assert_int_equal(base64_decode(span_skip(buf_view(&out), 4), &signature), ERR_OK);

    buf_printf(&message, "%s.%lld.", ID, (long long)AT);
    buf_bytes(&message, body, LEN);
    EVP_PKEY *public = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key.bytes + 32, 32);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, public), 1);
    assert_int_equal(EVP_DigestVerify(ctx, (const uint8_t *)signature.ptr, signature.len,
                                      (const uint8_t *)message.ptr, message.len),
                     1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(public);
    buf_free(&out);
    buf_free(&signature);
    buf_free(&message);
    signer_free(&s);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hmac_known_answers),
        cmocka_unit_test(ed25519_known_answers),
        cmocka_unit_test(a_signer_signs_again_and_again),
        cmocka_unit_test(every_live_key_signs_newest_first_and_expired_ones_do_not),
        cmocka_unit_test(nothing_is_signed_without_a_live_key),
        cmocka_unit_test(the_longest_list_of_keys_signs),
        cmocka_unit_test(the_value_is_appended),
        cmocka_unit_test(a_buffer_without_room_is_a_failure),
        cmocka_unit_test(large_bodies_with_any_bytes_verify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
