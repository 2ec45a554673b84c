/* What an endpoint's credentials become when it is prepared for sending, and how many are kept. */
#include "dispatcher/destination.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define MANY 1500

static struct endpoint_auth auth;
static struct endpoint_tls tls;
static struct outbound outbound;
static struct destinations cache;
static struct destination *slots[MANY];

enum err store_endpoint_load(struct store_read *r, uint32_t number, struct endpoint **out)
{
    (void)r;
    struct endpoint *e = calloc(1, sizeof *e);
    assert_non_null(e);
    *e = (struct endpoint){.number = number,
                           .url = SPAN("https://example.com/hook"),
                           .auth = auth,
                           .tls = tls,
                           .key_count = 1,
                           .keys = {{.kind = KEY_HMAC, .len = 24}}};
    /* The secret and the key are wiped with the endpoint: they must be its own. */
    e->block = malloc(auth.secret.len + tls.key.len + 1);
    assert_non_null(e->block);
    char *at = e->block;
    if (auth.secret.len)
        e->auth.secret = span_of(memcpy(at, auth.secret.ptr, auth.secret.len), auth.secret.len);
    if (tls.key.len)
        e->tls.key = span_of(memcpy(at + auth.secret.len, tls.key.ptr, tls.key.len), tls.key.len);
    *out = e;
    return ERR_OK;
}

static int setup(void **state)
{
    (void)state;
    auth = (struct endpoint_auth){.kind = AUTH_NONE};
    tls = (struct endpoint_tls){.ca = {0}};
    destinations_init(&cache, &outbound);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    destinations_clear(&cache);
    assert_int_equal(cache.count, 0);
    assert_int_equal(cache.certificate_bytes, 0);
    return 0;
}

static struct destination *load(uint32_t number)
{
    struct id id;
    assert_int_equal(destination_load(&cache, NULL, number, &id, &slots[number]), ERR_OK);
    return slots[number];
}

static void one_without_credentials_costs_nothing_more(void **state)
{
    (void)state;
    const struct destination *d = load(1);
    assert_null(d->authorization);
    assert_false(identity_any(&d->identity));
    assert_false(destination_authenticates(d));
    assert_int_equal(d->certificate_bytes, 0);
}

static void basic_authentication_is_a_line_ready_to_be_sent(void **state)
{
    (void)state;
    auth = (struct endpoint_auth){
        .kind = AUTH_BASIC, .user = SPAN("Aladdin"), .secret = SPAN("open sesame")};
    assert_string_equal(load(1)->authorization,
                        "authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

static struct endpoint_auth client(void)
{
    return (struct endpoint_auth){.kind = AUTH_OAUTH2,
                                  .user = SPAN("ab"),
                                  .secret = SPAN("c"),
                                  .token_url = SPAN("https://login.example.com/"),
                                  .scope = SPAN("de"),
                                  .audience = SPAN("f")};
}

/* Of the keys of all that were made so far none is this one's. */
static void assert_new_key(const struct destination *d)
{
    static uint8_t seen[16][GRANT_KEY_BYTES];
    static unsigned count;
    for (unsigned i = 0; i < count; i++)
        assert_memory_not_equal(seen[i], d->grant_key, GRANT_KEY_BYTES);
    memcpy(seen[count++], d->grant_key, GRANT_KEY_BYTES);
}

static void an_access_token_is_of_one_endpoint_with_one_configuration(void **state)
{
    (void)state;
    auth = client();
    assert_new_key(load(1));
    assert_new_key(load(2));
    const struct {
        struct span user, secret, scope, audience;
    } others[] = {
        {SPAN("a"), SPAN("bc"), SPAN("de"), SPAN("f")},
        {SPAN("ab"), SPAN("x"), SPAN("de"), SPAN("f")},
        {SPAN("ab"), SPAN("c"), SPAN("def"), SPAN("")},
        {SPAN("ab"), SPAN("c"), SPAN("d"), SPAN("ef")},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        auth = client();
        auth.user = others[i].user;
        auth.secret = others[i].secret;
        auth.scope = others[i].scope;
        auth.audience = others[i].audience;
        assert_new_key(load(1));
    }
    auth = client();
    auth.token_url = SPAN("https://login.example.com/2");
    assert_new_key(load(1));
    auth = client();
    auth.client_auth = CLIENT_SECRET_POST;
    assert_new_key(load(1));
    auth = client();
    uint8_t key[GRANT_KEY_BYTES];
    memcpy(key, load(1)->grant_key, sizeof key);
    assert_memory_equal(load(1)->grant_key, key, sizeof key);
}

static void a_name_of_loopback_s_is_sent_to_without_the_root_s_dot_and_needs_no_lookup(void **state)
{
    (void)state;
    static const struct {
        struct span url;
        const char *sent;
        bool known;
    } rows[] = {
        {SPAN("http://localhost/"), "http://localhost/", true},
        {SPAN("http://localhost./"), "http://localhost/", true},
        {SPAN("https://a.localhost.:8443/b?c=%2e./"), "https://a.localhost:8443/b?c=%2e./", true},
        {SPAN("https://127.0.0.1/"), "https://127.0.0.1/", true},
        {SPAN("https://example.com./"), "https://example.com./", false},
    };
    const char *why;
    assert_int_equal(guard_parse("127.0.0.0/8", &outbound.guard, &why), ERR_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct destination *d = destination_at(rows[i].url, 1, &outbound);
        assert_non_null(d);
        assert_string_equal(d->url, rows[i].sent);
        assert_int_equal(d->resolved, rows[i].known);
        assert_int_equal(d->special, rows[i].known);
        destination_unref(&d);
    }
    outbound.guard.count = 0;
}

/* With the flags with which curl itself parses it. */
static void assert_parsed_as_curl_does(const struct destination *d)
{
    static const CURLUPart parts[] = {CURLUPART_URL,  CURLUPART_SCHEME, CURLUPART_HOST,
                                      CURLUPART_PORT, CURLUPART_PATH,   CURLUPART_QUERY};
    CURLU *parsed = curl_url();
    assert_int_equal(
        curl_url_set(parsed, CURLUPART_URL, d->url, CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME),
        CURLUE_OK);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char *ours = NULL, *curls = NULL;
        assert_int_equal(curl_url_get(d->parsed, parts[i], &ours, CURLU_DEFAULT_PORT),
                         curl_url_get(parsed, parts[i], &curls, CURLU_DEFAULT_PORT));
        assert_string_equal(ours ? ours : "", curls ? curls : "");
        curl_free(ours);
        curl_free(curls);
    }
    curl_url_cleanup(parsed);
}

static void a_url_is_parsed_once_to_what_curl_would_make_of_it(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "https://example.com",
        "HTTPS://EXAMPLE.com:443/a/../b/./c?d=e&f=%2e#g",
        "http://example.com:8080//a%20b?",
        "http://[2001:db8::1]:81/?a?b/../c",
        "http://0x7f000001/%2e%2e/x",
        "https://localhost.:8443/b?c=%2e./",
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct destination *d = destination_at(span_text(urls[i]), 1, &outbound);
        assert_non_null(d);
        assert_parsed_as_curl_does(d);
        destination_unref(&d);
    }
}

static void certificates_begin_with_whose_they_are(void **state)
{
    (void)state;
    tls = (struct endpoint_tls){
        .ca = SPAN("-----A"), .certificate = SPAN("-----B"), .key = SPAN("-----C")};
    const struct identity *i = &load(7)->identity;
    assert_true(span_is(span_of(i->ca.data, i->ca.len), "endpoint 7\n-----A"));
    assert_true(span_is(span_of(i->certificate.data, i->certificate.len), "endpoint 7\n-----B"));
    assert_true(span_is(span_of(i->key.data, i->key.len), "-----C"));
    const struct identity *other = &load(8)->identity;
    assert_true(other->ca.len != i->ca.len || memcmp(other->ca.data, i->ca.data, i->ca.len) != 0);
}

static void there_is_a_bound_to_the_certificates_that_are_kept(void **state)
{
    (void)state;
    static char pem[TLS_CA_MAX];
    memset(pem, 'x', sizeof pem);
    for (uint32_t n = 0; n < MANY; n++) {
        tls.ca = n % 2 ? span_of(pem, sizeof pem) : span_text(NULL);
        load(n);
        assert_true(cache.certificate_bytes <= DESTINATION_CERTIFICATES_MAX);
        assert_non_null(slots[n]);
    }
    assert_true(cache.certificate_bytes > DESTINATION_CERTIFICATES_MAX / 2);
    assert_null(slots[0]);
    assert_non_null(slots[MANY - 2]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_without_credentials_costs_nothing_more),
        TEST(basic_authentication_is_a_line_ready_to_be_sent),
        TEST(an_access_token_is_of_one_endpoint_with_one_configuration),
        TEST(a_name_of_loopback_s_is_sent_to_without_the_root_s_dot_and_needs_no_lookup),
        TEST(a_url_is_parsed_once_to_what_curl_would_make_of_it),
        TEST(certificates_begin_with_whose_they_are),
        TEST(there_is_a_bound_to_the_certificates_that_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
