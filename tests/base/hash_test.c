/* Digests against published vectors; base64 as strict as an encoder writes it. */
#include "base/hash.h"

#include "base/rand.h"
#include "tests/base/check.h"

#ifndef __SANITIZE_THREAD__
#define XXH_INLINE_ALL
#endif
#include <xxhash.h>

static void check_hex(const uint8_t *bytes, size_t len, const char *expected)
{
    char hex[65];

    for (size_t i = 0; i < len; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    assert_string_equal(hex, expected);
}

static void sha256_and_hmac_agree_with_the_published_vectors(void **state)
{
    (void)state;
    uint8_t out[SHA256_BYTES];

    hash_sha256(SPAN("abc"), out);
    check_hex(out, sizeof out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hash_sha256((struct span){NULL, 0}, out);
    check_hex(out, sizeof out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    /* RFC 4231, test case 2 */
    hash_hmac_sha256(SPAN("Jefe"), SPAN("what do ya want for nothing?"), out);
    check_hex(out, sizeof out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    /* Test case 6: a key longer than a block */
    uint8_t key[131];
    memset(key, 0xaa, sizeof key);
    hash_hmac_sha256(span_of(key, sizeof key),
                     SPAN("Test Using Larger Than Block-Size Key - Hash Key First"), out);
    check_hex(out, sizeof out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* These values are on disk: changing them makes old records unreadable. */
static void checksums_and_identities_never_change(void **state)
{
    (void)state;
    uint8_t out[16];

    assert_true(hash_checksum(SPAN("")) == UINT32_C(0x38d394c2));
    hash_128(SPAN(""), out);
    check_hex(out, sizeof out, "99aa06d3014798d86001c324468d497f");
    assert_true(hash_checksum(SPAN("tenant\nkey")) == UINT32_C(0xdbf3fe81));
    hash_128(SPAN("tenant\nkey"), out);
    check_hex(out, sizeof out, "fd6396e33a04c4bb645b466063ca671e");
}

static void check_fast_hashes(struct span input)
{
    XXH128_canonical_t expected;
    uint8_t out[16];

    assert_int_equal(hash_checksum(input), (uint32_t)XXH3_64bits(input.ptr, input.len));
    XXH128_canonicalFromHash(&expected, XXH3_128bits(input.ptr, input.len));
    hash_128(input, out);
    assert_memory_equal(out, expected.digest, sizeof out);
}

/* Whatever vectors the processor has. */
static void fast_hashes_of_every_length_are_those_of_the_build_s_baseline(void **state)
{
    (void)state;
    struct rng rng;

    rng_seed(&rng, 29);
    for (size_t len = 0; len < 3000; len++) {
        size_t shift = len % 32;
        uint8_t *memory = malloc(shift + len + (len == 0));
        assert_non_null(memory);
        for (size_t i = 0; i < shift + len; i++)
            memory[i] = (uint8_t)rng_next(&rng);
        check_fast_hashes(span_of(memory + shift, len));
        free(memory);
    }
}

static void table_hashes_depend_on_every_byte_but_not_on_the_moment(void **state)
{
    (void)state;
    assert_true(hash_table(SPAN("key")) == hash_table(SPAN("key")));
    assert_false(hash_table(SPAN("key")) == hash_table(SPAN("kez")));
    assert_false(hash_table(SPAN("")) == hash_table(SPAN("\0")));
}

static void same_compares_content_and_length(void **state)
{
    (void)state;
    assert_true(hash_same(SPAN("secret"), SPAN("secret")));
    assert_true(hash_same((struct span){NULL, 0}, SPAN("")));
    assert_false(hash_same(SPAN("secret"), SPAN("secreT")));
    assert_false(hash_same(SPAN("secret"), SPAN("secre")));
}

static void base64_agrees_with_the_vectors_of_rfc_4648(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "+/+/"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct buf b;
        buf_init(&b, 100);
        base64_encode(span_text(pairs[i][0]), &b);
        check_text(buf_view(&b), pairs[i][1]);
        buf_clear(&b);
        assert_int_equal(base64_decode(span_text(pairs[i][1]), &b), ERR_OK);
        check_text(buf_view(&b), pairs[i][0]);
        buf_free(&b);
    }
}

static void base64_refuses_what_no_encoder_writes(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "Z",    "Zg", "Zg=",  "Zg===",    "Zh==",  "Zm9=", "Zm8\n", "Zm 8",
        "====", "=",  "-_-_", "Zg==Zg==", "Zm9v=", "Z===", "Zm9v\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct buf b;
        buf_init(&b, 100);
        if (!base64_decode(span_text(texts[i]), &b))
            fail_msg("\"%s\" was accepted", texts[i]);
        buf_free(&b);
    }
}

static void base64url_has_its_own_digits_and_no_padding(void **state)
{
    (void)state;
    struct buf b;

    buf_init(&b, 100);
    assert_int_equal(base64url_decode(SPAN("-_-_Zg"), &b), ERR_OK);
    check_text(buf_view(&b), "\xfb\xff\xbf"
                             "f");
    assert_int_equal(base64url_decode(SPAN("+/+/"), &b), ERR_INVALID);
    assert_int_equal(base64url_decode(SPAN("Zg=="), &b), ERR_INVALID);
    assert_int_equal(base64url_decode(SPAN("Zh"), &b), ERR_INVALID);
    assert_int_equal(base64url_decode(SPAN("Z"), &b), ERR_INVALID);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_and_hmac_agree_with_the_published_vectors),
        cmocka_unit_test(checksums_and_identities_never_change),
        cmocka_unit_test(fast_hashes_of_every_length_are_those_of_the_build_s_baseline),
        cmocka_unit_test(table_hashes_depend_on_every_byte_but_not_on_the_moment),
        cmocka_unit_test(same_compares_content_and_length),
        cmocka_unit_test(base64_agrees_with_the_vectors_of_rfc_4648),
        cmocka_unit_test(base64_refuses_what_no_encoder_writes),
        cmocka_unit_test(base64url_has_its_own_digits_and_no_padding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
