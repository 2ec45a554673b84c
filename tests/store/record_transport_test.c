/* What an endpoint authenticates with and trusts, in its record. */
#include "tests/store/golden.h"

#include "store/vault.h"

static struct buf encoded;
static struct vault *plain, *vault;

static int setup(void **state)
{
    (void)state;
    buf_init(&encoded, 256 * 1024);
    return vault_new(NULL, &plain) || vault_new("main secret", &vault) ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    vault_free(&plain);
    vault_free(&vault);
    buf_free(&encoded);
    return 0;
}

static struct endpoint with_basic(void)
{
    return (struct endpoint){
        .id = golden_id(3),
        .number = 7,
        .url = SPAN("https://example.com/hook"),
        .auth = {.kind = AUTH_BASIC, .user = SPAN("user"), .secret = SPAN("the password")},
    };
}

static struct endpoint with_all(void)
{
    struct endpoint e = with_basic();
    e.auth = (struct endpoint_auth){.kind = AUTH_OAUTH2,
                                    .user = SPAN("client"),
                                    .secret = SPAN("the client's secret"),
                                    .token_url = SPAN("https://login.example.com/token"),
                                    .scope = SPAN("a b"),
                                    .audience = SPAN("hooks"),
                                    .client_auth = CLIENT_SECRET_POST};
    e.tls = (struct endpoint_tls){
        .ca = SPAN("an authority"), .certificate = SPAN("a chain"), .key = SPAN("the key")};
    return e;
}

static enum err decode(struct span in)
{
    struct endpoint *e;
    enum err err = record_endpoint_decode(in, plain, &e);
    endpoint_free(&e);
    return err;
}

static void encode(const struct endpoint *e, const struct vault *v)
{
    buf_clear(&encoded);
    record_endpoint_encode(e, v, &encoded);
    assert_false(encoded.failed);
}

static void survives(const struct endpoint *in, const struct vault *v)
{
    struct endpoint *out;
    encode(in, v);
    assert_int_equal(record_endpoint_decode(buf_view(&encoded), v, &out), ERR_OK);
    assert_true(transport_auth_same(&out->auth, &in->auth));
    assert_true(transport_tls_same(&out->tls, &in->tls));
    endpoint_free(&out);
}

static void credentials_are_written_as_their_golden_files_say(void **state)
{
    (void)state;
    const struct endpoint basic = with_basic(), all = with_all();
    survives(&basic, plain);
    golden_same("endpoint_basic", &encoded);
    survives(&all, plain);
    golden_same("endpoint_transport", &encoded);
    golden_mutations(&encoded, decode);
}

static void whatever_is_there_alone_survives(void **state)
{
    (void)state;
    struct endpoint e = with_all();
    e.auth.scope = e.auth.audience = e.tls.ca = span_text(NULL);
    survives(&e, plain);
    survives(&e, vault);
    e = with_all();
    e.tls.certificate = e.tls.key = span_text(NULL);
    e.auth = (struct endpoint_auth){.kind = AUTH_NONE};
    survives(&e, vault);
    e = with_basic();
    e.auth.secret = span_text(NULL);
    survives(&e, vault);
}

static bool shows(struct span secret)
{
    return memmem(encoded.ptr, encoded.len, secret.ptr, secret.len) != NULL;
}

static void with_a_main_secret_nothing_of_them_is_readable(void **state)
{
    (void)state;
    const struct endpoint e = with_all();
    struct endpoint *out;
    survives(&e, vault);
    assert_false(shows(e.auth.secret));
    assert_false(shows(e.auth.user));
    assert_false(shows(e.tls.key));
    assert_int_equal(record_endpoint_decode(buf_view(&encoded), plain, &out), ERR_INVALID);
    assert_null(out);
    survives(&e, plain);
    assert_true(shows(e.auth.secret));
}

/* Where the sealed bytes of a field of this tag stand, which are under 16 KiB. */
static size_t field_at(uint8_t tag, size_t *len)
{
    for (size_t at = encoded.len; at-- > CODEC_HEAD + 100;) {
        struct reader r = reader_of(span_of(encoded.ptr + at, encoded.len - at));
        const uint8_t found = read_u8(&r);
        const uint64_t size = codec_read_varint(&r);
        const size_t head = (size_t)(r.at - (const uint8_t *)encoded.ptr) - at;
        if (found == tag && !r.failed && at + head + size <= encoded.len && size > 40) {
            *len = head + (size_t)size;
            return at;
        }
    }
    fail();
    return 0;
}

static void sealed_credentials_cannot_be_moved(void **state)
{
    (void)state;
    struct endpoint e = with_all(), *out;
    encode(&e, vault);
    char *id = memmem(encoded.ptr, encoded.len, e.id.b, ID_BYTES);
    assert_non_null(id);
    id[0] ^= 1;
    golden_sum(encoded.ptr, encoded.len);
    assert_int_equal(record_endpoint_decode(buf_view(&encoded), vault, &out), ERR_CORRUPT);

    /* The authentication as if it were the certificates: 16 and 17 on disk. */
    e.tls = (struct endpoint_tls){.ca = {0}};
    encode(&e, vault);
    size_t len;
    encoded.ptr[field_at(16, &len)] = 17;
    golden_sum(encoded.ptr, encoded.len);
    assert_int_equal(record_endpoint_decode(buf_view(&encoded), vault, &out), ERR_CORRUPT);
}

static void refuses(const struct endpoint *e)
{
    encode(e, plain);
    assert_int_equal(decode(buf_view(&encoded)), ERR_CORRUPT);
}

static void what_no_encoder_was_asked_for_is_damage(void **state)
{
    (void)state;
    static char long_text[TLS_CA_MAX + 1];
    memset(long_text, 'x', sizeof long_text);
    struct endpoint e = with_all();
    e.tls.key = span_text(NULL);
    refuses(&e);
    e = with_all();
    e.tls.certificate = span_text(NULL);
    refuses(&e);
    e = with_all();
    e.tls.ca = span_of(long_text, sizeof long_text);
    refuses(&e);
    e = with_all();
    e.auth.token_url = span_text(NULL);
    refuses(&e);
    e = with_basic();
    e.auth.token_url = SPAN("https://example.com");
    refuses(&e);
    e = with_basic();
    e.auth.kind = AUTH_KINDS;
    refuses(&e);
    e = with_all();
    e.auth.client_auth = CLIENT_AUTHS;
    refuses(&e);
    e = with_basic();
    e.auth.secret = span_of(long_text, AUTH_SECRET_MAX + 1);
    refuses(&e);
}

static void a_change_of_any_of_them_may_cure_the_endpoint(void **state)
{
    (void)state;
    const struct endpoint before = with_all();
    struct endpoint after = with_all();
    assert_false(endpoint_cured(&before, &after));
    after.auth.secret = SPAN("another");
    assert_true(endpoint_cured(&before, &after));
    after = with_all();
    after.auth.client_auth = CLIENT_SECRET_BASIC;
    assert_true(endpoint_cured(&before, &after));
    after = with_all();
    after.auth.scope = span_text(NULL);
    assert_true(endpoint_cured(&before, &after));
    after = with_all();
    after.tls.ca = SPAN("another");
    assert_true(endpoint_cured(&before, &after));
    after = with_all();
    after.tls.key = SPAN("another");
    assert_true(endpoint_cured(&before, &after));
}

static void every_kind_has_a_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < AUTH_KINDS; i++)
        assert_non_null(transport_auth_name(i));
    assert_null(transport_auth_name(AUTH_KINDS));
    for (unsigned i = 0; i < CLIENT_AUTHS; i++)
        assert_non_null(transport_client_auth_name(i));
    assert_null(transport_client_auth_name(CLIENT_AUTHS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credentials_are_written_as_their_golden_files_say),
        cmocka_unit_test(whatever_is_there_alone_survives),
        cmocka_unit_test(with_a_main_secret_nothing_of_them_is_readable),
        cmocka_unit_test(sealed_credentials_cannot_be_moved),
        cmocka_unit_test(what_no_encoder_was_asked_for_is_damage),
        cmocka_unit_test(a_change_of_any_of_them_may_cure_the_endpoint),
        cmocka_unit_test(every_kind_has_a_name),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
