/* Certificates and keys as people paste them. */
#include "dispatcher/certificate.h"

#include "base/bounds.h"

#include <assert.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define TEXT_MAX (64 * 1024)

static struct buf certificate, key, other_key, out, key_out;
static struct wall now;

static void take(BIO *bio, struct buf *to)
{
    char *text;
    const long len = BIO_get_mem_data(bio, &text);
    buf_bytes(to, text, (size_t)len);
    BIO_free(bio);
}

static void write_key(EVP_PKEY *k, struct buf *to)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PrivateKey(bio, k, NULL, NULL, 0, NULL, NULL), 1);
    take(bio, to);
}

static void name(X509_NAME *n, const char *text)
{
    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0);
}

/* One for the key, from a day ago until `ends_s` from now. */
static void write_certificate(EVP_PKEY *k, const char *issuer, long ends_s, const EVP_MD *digest,
                              struct buf *to)
{
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
    X509_gmtime_adj(X509_getm_notBefore(x), -24 * 3600);
    X509_gmtime_adj(X509_getm_notAfter(x), ends_s);
    X509_set_pubkey(x, k);
    name(X509_get_subject_name(x), "sub\xc3\xa9, ject");
    name(X509_get_issuer_name(x), issuer);
    assert_true(X509_sign(x, k, digest) > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(bio, x), 1);
    X509_free(x);
    take(bio, to);
}

static int setup(void **state)
{
    (void)state;
    struct buf *all[] = {&certificate, &key, &other_key, &out, &key_out};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        buf_init(all[i], TEXT_MAX);
    now = clock_wall();
    EVP_PKEY *k = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
    write_key(k, &key);
    write_key(other, &other_key);
    write_certificate(k, "authority", 24 * 3600, EVP_sha256(), &certificate);
    EVP_PKEY_free(k);
    EVP_PKEY_free(other);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    struct buf *all[] = {&certificate, &key, &other_key, &out, &key_out};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        buf_free(all[i]);
    return 0;
}

static enum err read_own(struct span chain, struct span k, bool *key_failed)
{
    const char *why = NULL;
    buf_clear(&out);
    buf_clear(&key_out);
    enum err e = certificate_read_own(chain, k, now, &out, &key_out, key_failed, &why);
    assert_true((e == ERR_INVALID) <= (why != NULL));
    return e;
}

static void assert_own(struct span chain, struct span k, enum err expected, bool expected_key)
{
    bool key_failed;
    assert_int_equal(read_own(chain, k, &key_failed), expected);
    assert_true(expected == ERR_OK || key_failed == expected_key);
}

static void a_pair_is_kept_as_it_is(void **state)
{
    (void)state;
    assert_own(buf_view(&certificate), buf_view(&key), ERR_OK, false);
    assert_true(span_eq(buf_view(&out), buf_view(&certificate)));
    assert_true(span_eq(buf_view(&key_out), buf_view(&key)));
}

static void what_stands_around_is_not_kept(void **state)
{
    (void)state;
    struct buf chain;
    buf_init(&chain, TEXT_MAX);
    buf_text(&chain, "Bag Attributes: password=hunter2\r\n");
    buf_span(&chain, buf_view(&certificate));
    buf_text(&chain, "issuer=whoever\n");
    buf_span(&chain, buf_view(&certificate));
    assert_own(buf_view(&chain), buf_view(&key), ERR_OK, false);
    assert_null(memmem(out.ptr, out.len, "hunter2", 7));
    assert_int_equal(out.len, 2 * certificate.len);
    buf_free(&chain);
}

static void a_key_of_another_certificate_is_refused(void **state)
{
    (void)state;
    assert_own(buf_view(&certificate), buf_view(&other_key), ERR_INVALID, true);
    assert_int_equal(key_out.len, 0);
}

static void what_is_no_certificate_is_refused(void **state)
{
    (void)state;
    struct buf chain;
    buf_init(&chain, TEXT_MAX);
    buf_span(&chain, buf_view(&certificate));
    buf_span(&chain, buf_view(&key)); /* pasted along */
    assert_own(buf_view(&chain), buf_view(&key), ERR_INVALID, false);
    assert_own(buf_view(&key), buf_view(&key), ERR_INVALID, false);
    assert_own(SPAN(""), buf_view(&key), ERR_INVALID, false);
    assert_own(SPAN("nonsense"), buf_view(&key), ERR_INVALID, false);
    assert_own(SPAN("-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"),
               buf_view(&key), ERR_INVALID, false);
    assert_own(span_of(certificate.ptr, certificate.len - 10), buf_view(&key), ERR_INVALID, false);
    buf_free(&chain);
}

static void what_is_no_key_is_refused(void **state)
{
    (void)state;
    assert_own(buf_view(&certificate), SPAN(""), ERR_INVALID, true);
    assert_own(buf_view(&certificate), SPAN("nonsense"), ERR_INVALID, true);
    assert_own(buf_view(&certificate), buf_view(&certificate), ERR_INVALID, true);
    assert_own(buf_view(&certificate), span_of(key.ptr, key.len - 10), ERR_INVALID, true);
}

static void a_key_with_a_passphrase_is_refused_and_nobody_is_asked(void **state)
{
    (void)state;
    BIO *in = BIO_new_mem_buf(key.ptr, (int)key.len), *bio = BIO_new(BIO_s_mem());
    EVP_PKEY *k = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
    struct buf locked;
    buf_init(&locked, TEXT_MAX);
    assert_int_equal(
        PEM_write_bio_PKCS8PrivateKey(bio, k, EVP_aes_256_cbc(), "secret", 6, NULL, NULL), 1);
    take(bio, &locked);
    assert_own(buf_view(&certificate), buf_view(&locked), ERR_INVALID, true);
    buf_free(&locked);
    EVP_PKEY_free(k);
    BIO_free(in);
}

static void an_expired_certificate_is_refused(void **state)
{
    (void)state;
    now = wall_add(now, 25 * 3600 * US_PER_S);
    assert_own(buf_view(&certificate), buf_view(&key), ERR_INVALID, false);
}

static enum err own_of(EVP_PKEY *k, const char *issuer, const EVP_MD *digest)
{
    bool key_failed;
    buf_clear(&certificate);
    buf_clear(&key);
    write_key(k, &key);
    write_certificate(k, issuer, 3600, digest, &certificate);
    enum err e = read_own(buf_view(&certificate), buf_view(&key), &key_failed);
    EVP_PKEY_free(k);
    assert_true(!e || !key_failed);
    return e;
}

static void what_tls_would_not_take_is_refused(void **state)
{
    (void)state;
    assert_int_equal(own_of(EVP_RSA_gen(1024), "a", EVP_sha256()), ERR_INVALID);
    assert_int_equal(own_of(EVP_RSA_gen(2048), "a", EVP_sha256()), ERR_OK);
    assert_int_equal(own_of(EVP_RSA_gen(2048), "a", EVP_sha1()), ERR_INVALID);
    assert_int_equal(own_of(EVP_RSA_gen(2048), "sub\xc3\xa9, ject", EVP_sha1()), ERR_OK);
    assert_int_equal(own_of(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), "a", NULL), ERR_OK);
}

static void authorities_are_kept_without_what_stands_around(void **state)
{
    (void)state;
    const char *why;
    struct buf text;
    buf_init(&text, TEXT_MAX);
    for (int i = 0; i < 3; i++) {
        buf_text(&text, "# an authority\n");
        buf_span(&text, buf_view(&certificate));
    }
    assert_int_equal(certificate_read_trusted(buf_view(&text), &out, &why), ERR_OK);
    assert_int_equal(out.len, 3 * certificate.len);
    buf_span(&text, buf_view(&key));
    assert_int_equal(certificate_read_trusted(buf_view(&text), &out, &why), ERR_INVALID);
    assert_int_equal(certificate_read_trusted(SPAN("\n"), &out, &why), ERR_INVALID);
    buf_free(&text);
}

struct shown {
    unsigned count;
    struct certificate last;
};

static void on_certificate(void *context, const struct certificate *c)
{
    struct shown *s = context;
    s->count++;
    s->last = *c;
}

static void a_certificate_tells_whose_it_is_and_when_it_ends(void **state)
{
    (void)state;
    struct shown shown = {0};
    assert_int_equal(certificate_each(buf_view(&certificate), on_certificate, &shown), ERR_OK);
    assert_int_equal(shown.count, 1);
    assert_string_equal(shown.last.subject, "CN=sub\xc3\xa9\\, ject");
    assert_string_equal(shown.last.issuer, "CN=authority");
    const int64_t ends = shown.last.not_after.us - now.us,
                  began = shown.last.not_before.us - now.us;
    assert_in_range(ends / US_PER_S, 24 * 3600 - 30, 24 * 3600 + 30);
    assert_in_range(-began / US_PER_S, 24 * 3600 - 30, 24 * 3600 + 30);
    assert_int_equal(certificate_each(SPAN("x"), on_certificate, &shown), ERR_CORRUPT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pair_is_kept_as_it_is),
        TEST(what_stands_around_is_not_kept),
        TEST(a_key_of_another_certificate_is_refused),
        TEST(what_is_no_certificate_is_refused),
        TEST(what_is_no_key_is_refused),
        TEST(a_key_with_a_passphrase_is_refused_and_nobody_is_asked),
        TEST(an_expired_certificate_is_refused),
        TEST(what_tls_would_not_take_is_refused),
        TEST(authorities_are_kept_without_what_stands_around),
        TEST(a_certificate_tells_whose_it_is_and_when_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
