/* Tokens are made here with the same primitives that any issuer uses, so that each rule can be
 * broken one at a time; one token made by another implementation stands for all issuers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/hash.h"
#include "http/token.h"

#define ORG "org_23rb8YdGqMT0qIzpgGwdXfHirMu"
#define APP "app_1srOrx2ZWZBpBUvZwXKQmoEYga2"
#define NOW ((struct wall){INT64_C(1500000000) * US_PER_S})
#define HS256 "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

static const uint8_t *known_hash;

enum err store_key_find(struct store *s, const uint8_t hash[32], struct api_key *out)
{
    (void)s;
    if (!known_hash || memcmp(hash, known_hash, 32) != 0)
        return ERR_NOT_FOUND;
    memset(out, 0, sizeof *out);
    out->scope = SCOPE_INGEST;
    return ERR_OK;
}

static struct portal_token *known_portal;

enum err store_portal_find(struct store *s, const struct id *app, const uint8_t hash[32],
                           struct wall now, struct portal_token *out)
{
    (void)s;
    (void)now;
    if (!known_portal || memcmp(hash, known_portal->hash, 32) || id_cmp(app, &known_portal->app))
        return ERR_NOT_FOUND;
    *out = *known_portal;
    return ERR_OK;
}

static void append_base64url(struct buf *out, struct span data)
{
    struct buf text;
    buf_init(&text, 4096);
    base64_encode(data, &text);
    for (size_t i = 0; i < text.len && text.ptr[i] != '='; i++)
        buf_char(out, text.ptr[i] == '+' ? '-' : text.ptr[i] == '/' ? '_' : text.ptr[i]);
    buf_free(&text);
}

/* A token signed with `key`, in static memory. */
static struct span sign(const char *header, const char *claims, const char *key)
{
    static struct buf token = {.max = 8192};
    uint8_t mac[SHA256_BYTES];
    buf_clear(&token);
    append_base64url(&token, span_text(header));
    buf_char(&token, '.');
    append_base64url(&token, span_text(claims));
    hash_hmac_sha256(span_text(key), buf_view(&token), mac);
    buf_char(&token, '.');
    append_base64url(&token, span_of(mac, sizeof mac));
    assert_false(token.failed);
    return buf_view(&token);
}

static enum err check(struct span token, struct principal *who)
{
    return token_jwt(SPAN("secret"), token, NOW, who);
}

static void a_token_of_an_organisation_may_do_everything(void **state)
{
    (void)state;
    struct principal who;
    assert_int_equal(check(SPAN("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
                                "eyJzdWIiOiJvcmdfMjNyYjhZZEdxTVQwcUl6cGdHd2RYZkhpck11IiwiZXhw"
                                "IjoyMDAwMDAwMDAwLCJuYmYiOjEwMDAwMDAwMDB9."
                                "rAvu1oWgHB370D-UirPxhFzFl45hCVtkms0Fhqc_ODg"),
                           &who),
                     ERR_OK);
    char text[ID_MAX + 1];
    id_format(&who.org, ID_ORG, text);
    assert_string_equal(text, ORG);
    assert_int_equal(who.scope, SCOPE_ADMIN);
}

static void a_token_of_an_application_needs_its_organisation(void **state)
{
    (void)state;
    struct principal who;
    assert_int_equal(
        check(sign(HS256, "{\"sub\":\"" APP "\",\"org\":\"" ORG "\"}", "secret"), &who), ERR_OK);
    assert_int_equal(who.scope, SCOPE_APP);
    char text[ID_MAX + 1];
    id_format(&who.app, ID_APP, text);
    assert_string_equal(text, APP);
    assert_int_equal(check(sign(HS256, "{\"sub\":\"" APP "\"}", "secret"), &who), ERR_INVALID);
    assert_int_equal(
        check(sign(HS256, "{\"sub\":\"" APP "\",\"org\":\"" APP "\"}", "secret"), &who),
        ERR_INVALID);
}

#define SUB "\"sub\":\"" ORG "\""

static void a_token_of_an_application_carries_its_flags(void **state)
{
    (void)state;
    struct principal who;
    const char *claims =
        "{\"sub\":\"" APP "\",\"org\":\"" ORG "\",\"feature_flags\":[\"beta\",\"a,b\",\"new\"]}";
    assert_int_equal(check(sign(HS256, claims, "secret"), &who), ERR_OK);
    assert_string_equal(who.flags.names, "beta,new");
    claims = "{\"sub\":\"" APP "\",\"org\":\"" ORG
             "\",\"feature_flags\":[\"beta\"],\"feature_flags\":[\"new\"]}";
    assert_int_equal(check(sign(HS256, claims, "secret"), &who), ERR_OK);
    assert_string_equal(who.flags.names, "new");
    claims = "{\"sub\":\"" APP "\",\"org\":\"" ORG "\",\"feature_flags\":null}";
    assert_int_equal(check(sign(HS256, claims, "secret"), &who), ERR_OK);
    assert_string_equal(who.flags.names, "");
    claims = "{\"sub\":\"" APP "\",\"org\":\"" ORG "\",\"feature_flags\":[1]}";
    assert_int_equal(check(sign(HS256, claims, "secret"), &who), ERR_INVALID);
}

static void each_broken_rule_makes_no_token(void **state)
{
    (void)state;
    static const struct {
        const char *what, *header, *claims, *key;
    } rows[] = {
        {"alg none", "{\"alg\":\"none\"}", "{" SUB "}", "secret"},
        {"alg RS256", "{\"alg\":\"RS256\",\"typ\":\"JWT\"}", "{" SUB "}", "secret"},
        {"alg HS512", "{\"alg\":\"HS512\"}", "{" SUB "}", "secret"},
        {"alg in lower case", "{\"alg\":\"hs256\"}", "{" SUB "}", "secret"},
        {"alg a list", "{\"alg\":[\"HS256\"]}", "{" SUB "}", "secret"},
        {"no alg", "{\"typ\":\"JWT\"}", "{" SUB "}", "secret"},
        {"two algs", "{\"alg\":\"none\",\"alg\":\"HS256\"}", "{" SUB "}", "secret"},
        {"a critical extension", "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", "{" SUB "}", "secret"},
        {"header no object", "[]", "{" SUB "}", "secret"},
        {"header no JSON", "HS256", "{" SUB "}", "secret"},
        {"another key", HS256, "{" SUB "}", "Secret"},
        {"an empty key", HS256, "{" SUB "}", ""},
        {"expired", HS256, "{" SUB ",\"exp\":1499999999}", "secret"},
        {"expires now", HS256, "{" SUB ",\"exp\":1500000000}", "secret"},
        {"exp no number", HS256, "{" SUB ",\"exp\":\"2000000000\"}", "secret"},
        {"exp negative", HS256, "{" SUB ",\"exp\":-1}", "secret"},
        {"exp overflowing", HS256, "{" SUB ",\"exp\":99999999999999999999}", "secret"},
        {"exp with an exponent", HS256, "{" SUB ",\"exp\":2e9}", "secret"},
        {"expired in other letters", HS256, "{" SUB ",\"e\\u0078p\":1499999999}", "secret"},
        {"not yet", HS256, "{" SUB ",\"nbf\":1500000061}", "secret"},
        {"not yet by an exponent", HS256, "{" SUB ",\"nbf\":1.6e9}", "secret"},
        {"no sub", HS256, "{}", "secret"},
        {"sub of a user", HS256, "{\"sub\":\"user_23rb8YdGqMT0qIzpgGwdXfHirMu\"}", "secret"},
        {"sub too short", HS256, "{\"sub\":\"org_23rb8YdGqMT0qIzpgGwdXfHirM\"}", "secret"},
        {"sub no text", HS256, "{\"sub\":7}", "secret"},
        {"claims no object", HS256, "[]", "secret"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct principal who;
        if (check(sign(rows[i].header, rows[i].claims, rows[i].key), &who) != ERR_INVALID)
            fail_msg("%s is a token", rows[i].what);
    }
}

static void dates_that_allow_it_are_accepted(void **state)
{
    (void)state;
    static const char *const claims[] = {
        "{" SUB "}",
        "{" SUB ",\"exp\":1500000001}",
        "{" SUB ",\"exp\":1500000001.75}",
        "{" SUB ",\"nbf\":1500000060}",
        "{" SUB ",\"iat\":1600000000,\"iss\":\"x\"}",
        "{" SUB ",\"https:\\/\\/claims.example\":1}",
    };
    for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
        struct principal who;
        assert_int_equal(check(sign(HS256, claims[i], "secret"), &who), ERR_OK);
    }
}

static void changed_text_makes_no_token(void **state)
{
    (void)state;
    struct span token = sign(HS256, "{" SUB "}", "secret");
    char text[1024];
    assert_true(token.len < sizeof text);
    struct principal who;
    for (size_t i = 0; i < token.len; i++) {
        memcpy(text, token.ptr, token.len);
        text[i] = text[i] == 'A' ? 'B' : 'A';
        assert_int_equal(check(span_of(text, token.len), &who), ERR_INVALID);
    }
    for (size_t len = 0; len < token.len; len++)
        assert_int_equal(check(span_of(token.ptr, len), &who), ERR_INVALID);
    assert_int_equal(check(SPAN("a.b.c.d"), &who), ERR_INVALID);
    assert_int_equal(check(SPAN("..."), &who), ERR_INVALID);
}

static void without_a_secret_no_web_token_is_accepted(void **state)
{
    (void)state;
    struct principal who;
    struct span token = sign(HS256, "{" SUB "}", "");
    assert_int_equal(token_jwt(SPAN(""), token, NOW, &who), ERR_INVALID);
    assert_int_equal(token_principal(NULL, SPAN(""), token, NOW, &who), ERR_INVALID);
}

static void a_key_of_the_store_is_found_by_its_hash(void **state)
{
    (void)state;
    uint8_t hash[SHA256_BYTES];
    struct principal who;
    hash_sha256(SPAN("sk_1"), hash);
    known_hash = hash;
    assert_int_equal(token_principal(NULL, SPAN("secret"), SPAN("sk_1"), NOW, &who), ERR_OK);
    assert_int_equal(who.scope, SCOPE_INGEST);
    assert_memory_equal(who.identity, hash, sizeof who.identity);
    assert_int_equal(token_principal(NULL, SPAN("secret"), SPAN("sk_2"), NOW, &who), ERR_INVALID);
    assert_int_equal(token_principal(NULL, SPAN("secret"), SPAN(""), NOW, &who), ERR_INVALID);
    known_hash = NULL;
}

static void the_header_is_a_bearer_token(void **state)
{
    (void)state;
    struct span token;
    assert_true(token_of_header(SPAN("Bearer abc"), &token) && span_is(token, "abc"));
    assert_true(token_of_header(SPAN("bearer   abc "), &token) && span_is(token, "abc"));
    assert_false(token_of_header(SPAN("Bearer"), &token));
    assert_false(token_of_header(SPAN("Bearer "), &token));
    assert_false(token_of_header(SPAN("Basic abc"), &token));
    assert_false(token_of_header(SPAN("abc"), &token));
    assert_false(token_of_header(SPAN(""), &token));
}

/* What each scope may use: admin, ingest, read, app. */
static void each_scope_has_its_routes(void **state)
{
    (void)state;
    static const struct {
        enum access access;
        const char *allowed;
    } rows[] = {
        {ACCESS_PUBLIC, "yyyy"},     {ACCESS_READ, "y-yy"},  {ACCESS_INGEST, "yy--"},
        {ACCESS_APP, "y--y"},        {ACCESS_ADMIN, "y---"}, {ACCESS_READ_ORG, "y-y-"},
        {ACCESS_READ_TYPES, "y-yy"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned scope = SCOPE_ADMIN; scope <= SCOPE_APP; scope++) {
            struct principal who = {.scope = (enum key_scope)scope};
            enum err wanted = rows[i].allowed[scope] == 'y' ? ERR_OK : ERR_INVALID;
            assert_int_equal(token_allows(rows[i].access, &who, (struct span){0}), wanted);
        }
}

static void the_token_of_an_application_sees_no_other(void **state)
{
    (void)state;
    struct principal who = {.scope = SCOPE_APP};
    assert_int_equal(id_parse(SPAN(APP), ID_APP, &who.app), ERR_OK);
    struct span other = SPAN("app_1srOrx2ZWZBpBUvZwXKQmoEYga3");
    assert_int_equal(token_allows(ACCESS_READ, &who, SPAN(APP)), ERR_OK);
    assert_int_equal(token_allows(ACCESS_READ, &who, other), ERR_NOT_FOUND);
    assert_int_equal(token_allows(ACCESS_ADMIN, &who, other), ERR_NOT_FOUND);
    assert_int_equal(token_allows(ACCESS_READ, &who, SPAN("a-uid")), ERR_OK);
    who.scope = SCOPE_READ;
    assert_int_equal(token_allows(ACCESS_READ, &who, other), ERR_OK);
}

#define PORTAL "shp_1srOrx2ZWZBpBUvZwXKQmoEYga2_secret"

static void a_token_of_the_portal_names_its_application(void **state)
{
    (void)state;
    struct portal_token t = {.capabilities = CAPABILITY_VIEW_BASE};
    struct principal who;
    assert_int_equal(id_parse(SPAN(APP), ID_APP, &t.app), ERR_OK);
    assert_true(feature_flags_add(&t.flags, SPAN("beta")));
    hash_sha256(SPAN(PORTAL), t.hash);
    known_portal = &t;
    assert_int_equal(token_principal(NULL, SPAN(""), SPAN(PORTAL), NOW, &who), ERR_OK);
    assert_int_equal(who.scope, SCOPE_APP);
    assert_memory_equal(&who.app, &t.app, ID_BYTES);
    assert_string_equal(who.flags.names, "beta");
    assert_true(who.portal);
    assert_int_equal(who.withheld, CAPABILITY_ALL & ~CAPABILITY_VIEW_BASE);
    const char *const others[] = {PORTAL "x", "shp_1srOrx2ZWZBpBUvZwXKQmoEYga3_secret", "shp_",
                                  "shp_1srOrx2ZWZBpBUvZwXKQmoEYga2"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(token_principal(NULL, SPAN(""), span_text(others[i]), NOW, &who),
                         ERR_INVALID);
    known_portal = NULL;
}

static void each_capability_opens_its_routes(void **state)
{
    (void)state;
    static const struct {
        unsigned has;
        bool read, manage, view_secret, secret, attempt, transformation;
    } cases[] = {
        {CAPABILITY_ALL, true, true, true, true, true, true},
        {0, false, false, false, false, false, false},
        {CAPABILITY_VIEW_BASE, true, false, false, false, false, false},
        {CAPABILITY_VIEW_ENDPOINT_SECRET, false, false, true, false, false, false},
        {CAPABILITY_MANAGE_ENDPOINT_SECRET, false, false, true, true, false, false},
        {CAPABILITY_MANAGE_ENDPOINT, false, true, true, true, false, true},
        {CAPABILITY_CREATE_ATTEMPTS, false, false, false, false, true, false},
        {CAPABILITY_MANAGE_TRANSFORMATIONS, false, false, false, false, false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct principal who = {.scope = SCOPE_APP,
                                      .withheld = CAPABILITY_ALL & ~cases[i].has};
        const struct span none = {0};
        assert_int_equal(!token_allows(ACCESS_READ, &who, none), cases[i].read);
        assert_int_equal(!token_allows(ACCESS_READ_TYPES, &who, none), cases[i].read);
        assert_int_equal(!token_allows(ACCESS_APP, &who, none), cases[i].manage);
        assert_int_equal(!token_allows(ACCESS_APP_SECRET_VIEW, &who, none), cases[i].view_secret);
        assert_int_equal(!token_allows(ACCESS_APP_SECRET, &who, none), cases[i].secret);
        assert_int_equal(!token_allows(ACCESS_APP_ATTEMPT, &who, none), cases[i].attempt);
        assert_int_equal(!token_allows(ACCESS_APP_TRANSFORMATION, &who, none),
                         cases[i].transformation);
        assert_int_equal(token_allows(ACCESS_ADMIN, &who, none), ERR_INVALID);
        assert_int_equal(token_allows(ACCESS_PUBLIC, &who, none), ERR_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_of_an_organisation_may_do_everything),
        cmocka_unit_test(a_token_of_an_application_needs_its_organisation),
        cmocka_unit_test(a_token_of_an_application_carries_its_flags),
        cmocka_unit_test(each_broken_rule_makes_no_token),
        cmocka_unit_test(dates_that_allow_it_are_accepted),
        cmocka_unit_test(changed_text_makes_no_token),
        cmocka_unit_test(without_a_secret_no_web_token_is_accepted),
        cmocka_unit_test(a_key_of_the_store_is_found_by_its_hash),
        cmocka_unit_test(a_token_of_the_portal_names_its_application),
        cmocka_unit_test(each_capability_opens_its_routes),
        cmocka_unit_test(the_header_is_a_bearer_token),
        cmocka_unit_test(each_scope_has_its_routes),
        cmocka_unit_test(the_token_of_an_application_sees_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
