/* What names things in a request: iterators, ids, bearer tokens and queries; and the tokens that
 * authorization servers give. Each text that is accepted is the one that an encoder writes, and
 * nothing else; a JSON web token, and an authorization server, say to jansson what they say to us;
 * a web token is refused without its signature.
 *
 * Input: a byte for what it is, then its text; of a web token its header and, behind a line feed,
 * its claims, which are signed here. */
#include "dispatcher/grant.h"
#include "http/page_params.h"
#include "http/query.h"
#include "http/token.h"
#include "tests/fuzz/json_oracle.h"

#include "base/hash.h"

#define NOW_S INT64_C(1767225600) /* 2026-01-01 */
#define SECRET SPAN("a secret for web tokens")

/* ---------------------------------------------------------------- ids */

/* Base 62 by long multiplication, a digit at a time. False when it does not fit. */
static bool decode_id(struct span digits, uint8_t out[ID_BYTES])
{
    static const char order[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    memset(out, 0, ID_BYTES);
    for (size_t i = 0; i < digits.len; i++) {
        const char *at = digits.ptr[i] ? strchr(order, digits.ptr[i]) : NULL;
        unsigned carry = at ? (unsigned)(at - order) : 0;
        for (int b = ID_BYTES - 1; b >= 0; b--) {
            carry += out[b] * 62u;
            out[b] = (uint8_t)carry;
            carry >>= 8;
        }
        if (!at || carry)
            return false;
    }
    return digits.len == ID_TEXT;
}

static void check_id_text(struct span text, const char *prefix)
{
    struct id id;
    uint8_t wanted[ID_BYTES];
    char again[ID_MAX + 1];
    const bool good =
        span_starts(text, span_text(prefix)) && decode_id(span_skip(text, strlen(prefix)), wanted);
    HOLDS(good == (id_parse(text, prefix, &id) == ERR_OK));
    if (!good)
        return;
    HOLDS(memcmp(id.b, wanted, ID_BYTES) == 0);
    HOLDS(span_eq(span_of(again, id_format(&id, prefix, again)), text));
}

static void check_id_bytes(struct span bytes, const char *prefix)
{
    struct id id = {{0}}, again;
    char text[ID_MAX + 1];
    if (bytes.len)
        memcpy(id.b, bytes.ptr, bytes.len < ID_BYTES ? bytes.len : ID_BYTES);
    struct span formatted = span_of(text, id_format(&id, prefix, text));
    check_id_text(formatted, prefix);
    HOLDS(id_parse(formatted, prefix, &again) == ERR_OK && id_cmp(&id, &again) == 0);
}

/* ---------------------------------------------------------------- iterators */

/* Of a place both ways, and of a text: what is accepted is what is written for that place. */
static void check_iterator(struct span text, const struct page_kind *kind)
{
    struct page_params p = {.page = {.limit = 1}};
    char id[ID_MAX + 1], written[PAGE_ITERATOR_MAX + 1];
    if (fuzz_planted() && !kind->prefix && span_starts(text, SPAN("+"))) /* a lenient one */
        p = (struct page_params){.page.has_cursor = true, .cursor_name = span_skip(text, 1)};
    else if (page_iterator_parse(text, kind, &p) != ERR_OK)
        return;
    struct span name = p.cursor_name;
    if (kind->prefix)
        name = span_of(id, id_format(&p.page.cursor, kind->prefix, id));
    HOLDS(p.page.has_cursor && name.len && name.len <= NAME_MAX_LEN);
    HOLDS(span_eq(page_iterator_format(name, p.page.backward, written), text));
}

static void check_iterator_of(struct span name, bool backward)
{
    static const struct page_kind by_name = {.ascending = true};
    struct page_params p = {.page = {.limit = 1}};
    char written[PAGE_ITERATOR_MAX + 1];
    if (name.len > NAME_MAX_LEN)
        return;
    const struct span iterator = page_iterator_format(name, backward, written);
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] <= ' ' || name.ptr[i] > '~')
            return;
    if (!name.len)
        return;
    HOLDS(page_iterator_parse(iterator, &by_name, &p) == ERR_OK);
    HOLDS(span_eq(p.cursor_name, name) && p.page.backward == backward);
}

static void check_iterators(struct span text)
{
    static const struct page_kind kinds[] = {
        {.prefix = ID_MESSAGE}, {.prefix = ID_APP}, {.ascending = true}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        check_iterator(text, &kinds[i]);
    check_iterator_of(text, false);
    check_iterator_of(text, true);
}

/* ---------------------------------------------------------------- web tokens */

static void put_base64url(struct span bytes, struct buf *out)
{
    const size_t start = out->len;
    base64_encode(bytes, out);
    while (out->len > start && out->ptr[out->len - 1] == '=')
        out->len--;
    for (size_t i = start; i < out->len; i++)
        out->ptr[i] = out->ptr[i] == '+' ? '-' : out->ptr[i] == '/' ? '_' : out->ptr[i];
}

static void sign_token(struct span header, struct span claims, struct buf *out)
{
    uint8_t mac[SHA256_BYTES];
    put_base64url(header, out);
    buf_char(out, '.');
    put_base64url(claims, out);
    hash_hmac_sha256(SECRET, buf_view(out), mac);
    buf_char(out, '.');
    put_base64url(span_of(mac, sizeof mac), out);
}

static bool id_is(const json_t *object, const char *name, const char *prefix, const struct id *id)
{
    char text[ID_MAX + 1];
    return oracle_text_is(object, name, span_of(text, id_format(id, prefix, text)));
}

static void check_claims(const json_t *claims, const struct principal *who)
{
    const json_t *exp = json_object_get(claims, "exp"), *nbf = json_object_get(claims, "nbf");
    const json_t *flags = json_object_get(claims, "feature_flags"), *flag;
    size_t i;
    if (who->scope == SCOPE_APP) {
        HOLDS(id_is(claims, "sub", ID_APP, &who->app) && id_is(claims, "org", ID_ORG, &who->org));
    } else {
        HOLDS(who->scope == SCOPE_ADMIN && id_is(claims, "sub", ID_ORG, &who->org));
        HOLDS(!*who->flags.names);
    }
    HOLDS(!exp || json_number_value(exp) >= (double)NOW_S);
    HOLDS(!nbf || json_number_value(nbf) < (double)(NOW_S + TOKEN_SKEW_S + 1));
    for (struct span rest = span_text(who->flags.names); rest.len > 0;) {
        struct span name = span_cut(&rest, ',');
        bool named = false;
        json_array_foreach(flags, i, flag)
        {
            named |= oracle_is_string(flag) && span_is(name, json_string_value(flag));
        }
        HOLDS(named);
    }
    HOLDS(!who->withheld && !who->portal);
}

static void check_forgeries(struct buf *token)
{
    struct principal who;
    const size_t at = hash_checksum(buf_view(token)) % token->len;
    token->ptr[at] ^= 1;
    HOLDS(token_jwt(SECRET, buf_view(token), (struct wall){NOW_S * US_PER_S}, &who) != ERR_OK);
    token->ptr[at] ^= 1;
    HOLDS(token_jwt(SPAN("another"), buf_view(token), (struct wall){NOW_S * US_PER_S}, &who) !=
          ERR_OK);
    HOLDS(token_jwt(SPAN(""), buf_view(token), (struct wall){NOW_S * US_PER_S}, &who) != ERR_OK);
}

static void check_web_token(struct span claims)
{
    struct span header = span_cut(&claims, '\n');
    struct principal who;
    struct buf token;
    buf_init(&token, 64 * 1024);
    sign_token(header, claims, &token);
    if (!token.failed &&
        token_jwt(SECRET, buf_view(&token), (struct wall){NOW_S * US_PER_S}, &who) == ERR_OK) {
        json_t *theirs = oracle_value(header);
        HOLDS(!theirs ||
              (oracle_text_is(theirs, "alg", SPAN("HS256")) && !json_object_get(theirs, "crit")));
        json_decref(theirs);
        theirs = oracle_value(claims);
        if (theirs)
            check_claims(theirs, &who);
        json_decref(theirs);
        check_forgeries(&token);
    }
    buf_free(&token);
}

/* Bytes that nobody signed. */
static void check_bearer(struct span text)
{
    struct principal who;
    struct span token, again;
    struct id app;
    char id[ID_MAX + 1];
    HOLDS(token_jwt(SECRET, text, (struct wall){NOW_S * US_PER_S}, &who) != ERR_OK);
    if (token_of_header(text, &token)) {
        HOLDS(text.len > token.len + 6 && token.len &&
              memmem(text.ptr, text.len, token.ptr, token.len));
        HOLDS(span_eq(span_trim(token), token));
        char *line = fuzz_text(span_trim(text));
        HOLDS(strncasecmp(line, "bearer ", 7) == 0);
        HOLDS(token_of_header(span_text("Bearer x"), &again));
        free(line);
    }
    if (token_portal_app(text, &app)) {
        id_format(&app, TOKEN_PORTAL, id);
        HOLDS(span_starts(text, span_text(id)) && text.len > strlen(id));
    }
}

/* The answer of an authorization server. jansson tells texts with escapes as well, and keeps the
 * last of two members; then they are not compared. */
static void check_grant(struct span body)
{
    struct buf token;
    int64_t lifetime = -1;
    json_error_t error;
    buf_init(&token, 8 * 1024);
    const bool good = grant_answer(body, &token, &lifetime) == ERR_OK;
    json_t *theirs = json_loadb(body.len ? body.ptr : "", body.len, JSON_REJECT_DUPLICATES, &error);
    if (good) {
        const bool plain = theirs && !memchr(body.ptr, '\\', body.len);
        const json_t *seconds = json_object_get(theirs, "expires_in");
        const json_t *type = json_object_get(theirs, "token_type");
        HOLDS(token.len >= 1 && fuzz_is_field_value(buf_view(&token)));
        HOLDS(!memchr(token.ptr, ' ', token.len) && !memchr(token.ptr, '\t', token.len));
        HOLDS(lifetime >= 0 && lifetime <= GRANT_LIFETIME_MAX_US);
        HOLDS(!plain || oracle_text_is(theirs, "access_token", buf_view(&token)));
        HOLDS(!plain || !oracle_is_string(type) ||
              strcasecmp(json_string_value(type), "bearer") == 0);
        if (plain && json_is_integer(seconds) && json_integer_value(seconds) >= 0)
            HOLDS(lifetime == GRANT_LIFETIME_MAX_US || lifetime == GRANT_LIFETIME_DEFAULT_US ||
                  lifetime == json_integer_value(seconds) * US_PER_S);
    }
    json_decref(theirs);
    buf_free(&token);
}

/* ---------------------------------------------------------------- queries */

static int hex_digit(char c)
{
    char text[2] = {c, '\0'}, *end;
    long v = strtol(text, &end, 16);
    return c == '\0' || *end || end == text ? -1 : (int)v;
}

/* False when the text has an escape that is not two hexadecimal digits, or stands for NUL. */
static bool decode_form(struct span text, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '%') {
            buf_char(out, text.ptr[i] == '+' ? ' ' : text.ptr[i]);
            continue;
        }
        const int high = i + 1 < text.len ? hex_digit(text.ptr[i + 1]) : -1;
        const int low = i + 2 < text.len ? hex_digit(text.ptr[i + 2]) : -1;
        if (high < 0 || low < 0 || high + low == 0)
            return false;
        buf_char(out, (char)(high * 16 + low));
        i += 2;
    }
    return true;
}

/* Pair by pair with a second reading. */
static void check_query(struct span text)
{
    struct arena arena;
    struct query q;
    struct buf name, value;
    unsigned pairs = 0;
    bool good = true;
    arena_init(&arena, NULL, 0, 64 * 1024);
    buf_init(&name, 64 * 1024);
    buf_init(&value, 64 * 1024);
    struct span input = fuzz_copy(text), rest = input;
    enum err e = query_parse(&arena, input, &q);
    while (rest.ptr && good) {
        struct span pair = span_cut(&rest, '&');
        if (!pair.len)
            continue;
        const char *equals = memchr(pair.ptr, '=', pair.len);
        const size_t len = equals ? (size_t)(equals - pair.ptr) : pair.len;
        good = decode_form(span_of(pair.ptr, len), &name) &&
               decode_form(span_skip(pair, len + (equals != NULL)), &value) &&
               ++pairs <= QUERY_PARAMS_MAX;
        if (!e) {
            HOLDS(good && pairs <= q.count && span_eq(q.params[pairs - 1].name, buf_view(&name)));
            HOLDS(span_eq(q.params[pairs - 1].value, buf_view(&value)));
        }
    }
    HOLDS(e == ERR_NO_MEMORY || !e == good);
    HOLDS(e || q.count == pairs);
    buf_free(&name);
    buf_free(&value);
    arena_free(&arena);
    free((char *)input.ptr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of(data, size);
    switch (fuzz_choice(&input, 7)) {
    case 0:
        check_iterators(input);
        break;
    case 1:
        check_id_text(input, ID_ENDPOINT);
        break;
    case 2:
        check_id_bytes(input, ID_TASK);
        break;
    case 3:
        check_web_token(input);
        break;
    case 4:
        check_bearer(input);
        break;
    case 5:
        check_query(input);
        break;
    default:
        check_grant(input);
    }
    return 0;
}
