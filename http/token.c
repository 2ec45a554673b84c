/* Fails closed: an algorithm, a claim or a key that is not exactly what we expect is no token. The
 * signature is checked before anything of the claims is read. */
#include "http/token.h"

#include "base/hash.h"
#include "base/json_scan.h"

#define TOKEN_MAX (4 * 1024)
#define TOKEN_JSON_DEPTH 16

/* Base64url JSON of one part of a token; *text holds the bytes that *value points into. */
static enum err decode_part(struct span part, struct buf *text, struct json_value *value)
{
    struct json_error error;
    enum err e = base64url_decode(part, text);
    if (!e && text->failed)
        e = ERR_NO_MEMORY;
    if (!e)
        e = json_check(buf_view(text), TOKEN_JSON_DEPTH, value, &error);
    if (!e && value->type != JSON_OBJECT)
        e = ERR_INVALID;
    return e;
}

/* The header says HS256 and asks for nothing that we would have to understand ("crit"). */
static enum err check_header(struct span part)
{
    struct buf text;
    struct json_value header, item;
    struct span name;
    unsigned algorithms = 0;
    buf_init(&text, TOKEN_MAX);
    enum err e = decode_part(part, &text, &header);
    if (!e) {
        struct json_walk w = json_walk(header);
        while (json_next(&w, &name, &item)) {
            if (span_is(name, "alg")) {
                algorithms++;
                if (!span_eq(item.raw, SPAN("\"HS256\"")))
                    e = ERR_INVALID;
            } else if (span_is(name, "crit") || w.name_escaped) {
                e = ERR_INVALID;
            }
        }
        if (algorithms != 1)
            e = ERR_INVALID;
    }
    buf_free(&text);
    return e;
}

static enum err check_signature(struct span secret, struct span signed_text, struct span part)
{
    uint8_t wanted[SHA256_BYTES];
    hash_hmac_sha256(secret, signed_text, wanted);
    struct buf given;
    buf_init(&given, 2 * SHA256_BYTES);
    enum err e = base64url_decode(part, &given);
    if (!e && (given.failed || !hash_same(buf_view(&given), span_of(wanted, sizeof wanted))))
        e = ERR_INVALID;
    buf_free(&given);
    return e;
}

/* A NumericDate: seconds, with a fraction that is dropped. With an exponent it is refused. */
static enum err read_date(struct json_value item, int64_t *seconds)
{
    if (item.type != JSON_NUMBER)
        return ERR_INVALID;
    struct span fraction = item.raw;
    item.raw = span_cut(&fraction, '.');
    for (size_t i = 0; i < fraction.len; i++)
        if (fraction.ptr[i] < '0' || fraction.ptr[i] > '9')
            return ERR_INVALID;
    return json_int64(item, 0, INT64_MAX / US_PER_S, seconds);
}

struct claims {
    struct span sub, org;
    int64_t expires, not_before; /* seconds; -1: none */
    struct feature_flags flags;
};

/* A flag that cannot be kept is not the token's: what is behind it stays hidden. */
static enum err read_flags(struct json_value list, struct feature_flags *out)
{
    *out = (struct feature_flags){0}; /* of a claim given twice the last one counts (RFC 7519) */
    if (list.type != JSON_ARRAY)
        return list.type == JSON_NULL ? ERR_OK : ERR_INVALID;
    struct json_walk w = json_walk(list);
    struct span none, name;
    struct json_value item;
    enum err e = ERR_OK;
    while (!e && json_next(&w, &none, &item)) {
        e = json_plain(item, &name);
        if (!e)
            (void)feature_flags_add(out, name);
    }
    return e;
}

static enum err read_claim(struct span name, struct json_value item, struct claims *out)
{
    if (span_is(name, "sub"))
        return json_plain(item, &out->sub);
    if (span_is(name, "org"))
        return json_plain(item, &out->org);
    if (span_is(name, "exp"))
        return read_date(item, &out->expires);
    if (span_is(name, "nbf"))
        return read_date(item, &out->not_before);
    if (span_is(name, "feature_flags"))
        return read_flags(item, &out->flags);
    return ERR_OK;
}

/* A name with escapes is the name that it stands for: an expiry must not pass by unseen. */
static enum err read_claims(struct json_value object, struct claims *out)
{
    *out = (struct claims){.expires = -1, .not_before = -1};
    struct json_walk w = json_walk(object);
    struct span name;
    struct json_value item;
    struct buf decoded;
    enum err e = ERR_OK;
    buf_init(&decoded, TOKEN_MAX);
    while (!e && json_next(&w, &name, &item)) {
        struct json_value quoted = {
            .type = JSON_STRING, .raw = span_of(name.ptr - 1, name.len + 2), .escaped = true};
        buf_clear(&decoded);
        if (w.name_escaped)
            e = json_text(quoted, &decoded);
        if (!e)
            e = read_claim(w.name_escaped ? buf_view(&decoded) : name, item, out);
    }
    buf_free(&decoded);
    return e == ERR_TOO_LARGE ? ERR_NO_MEMORY : e; /* what is decoded is never longer */
}

static enum err check_claims(const struct claims *c, struct wall now, struct principal *out)
{
    int64_t seconds = now.us / US_PER_S;
    if (c->expires >= 0 && seconds >= c->expires)
        return ERR_INVALID;
    if (c->not_before >= 0 && seconds + TOKEN_SKEW_S < c->not_before)
        return ERR_INVALID;
    if (!id_parse(c->sub, ID_ORG, &out->org)) {
        out->scope = SCOPE_ADMIN;
        return ERR_OK;
    }
    out->scope = SCOPE_APP;
    out->flags = c->flags;
    enum err e = id_parse(c->sub, ID_APP, &out->app);
    return e ? e : id_parse(c->org, ID_ORG, &out->org);
}

enum err token_jwt(struct span secret, struct span token, struct wall now, struct principal *out)
{
    struct span rest = token;
    struct span header = span_cut(&rest, '.');
    struct span payload = span_cut(&rest, '.');
    struct span signature = span_cut(&rest, '.');
    if (secret.len == 0 || !signature.ptr || rest.ptr)
        return ERR_INVALID;
    struct span signed_text = span_of(token.ptr, header.len + 1 + payload.len);
    enum err e = check_header(header);
    if (!e)
        e = check_signature(secret, signed_text, signature);
    if (e)
        return e;
    struct buf text;
    struct json_value object;
    struct claims claims;
    memset(out, 0, sizeof *out);
    buf_init(&text, TOKEN_MAX);
    e = decode_part(payload, &text, &object);
    if (!e)
        e = read_claims(object, &claims);
    if (!e)
        e = check_claims(&claims, now, out);
    buf_free(&text);
    return e;
}

bool token_portal_app(struct span token, struct id *app)
{
    size_t head = strlen(TOKEN_PORTAL) + ID_TEXT;
    return token.len > head && !id_parse(span_of(token.ptr, head), TOKEN_PORTAL, app);
}

static enum err portal_principal(struct store *store, const struct id *app,
                                 const uint8_t hash[SHA256_BYTES], struct wall now,
                                 struct principal *out)
{
    struct portal_token t;
    enum err e = store_portal_find(store, app, hash, now, &t);
    if (e)
        return e == ERR_NOT_FOUND ? ERR_INVALID : e;
    out->org = t.org;
    out->scope = SCOPE_APP;
    out->app = t.app;
    out->flags = t.flags;
    out->withheld = CAPABILITY_ALL & ~t.capabilities;
    out->portal = true;
    return ERR_OK;
}

enum err token_principal(struct store *store, struct span jwt_secret, struct span token,
                         struct wall now, struct principal *out)
{
    if (token.len == 0 || token.len > TOKEN_MAX)
        return ERR_INVALID;
    uint8_t hash[SHA256_BYTES];
    hash_sha256(token, hash);
    struct api_key key;
    struct id app;
    memset(out, 0, sizeof *out);
    if (token_portal_app(token, &app)) {
        enum err e = portal_principal(store, &app, hash, now, out);
        if (e)
            return e;
    } else if (!store_key_find(store, hash, &key)) {
        out->org = key.org;
        out->scope = key.scope;
        out->app = key.app;
    } else {
        enum err e = token_jwt(jwt_secret, token, now, out);
        if (e)
            return e;
    }
    memcpy(out->identity, hash, sizeof out->identity);
    return ERR_OK;
}

bool token_of_header(struct span authorization, struct span *token)
{
    struct span rest = span_trim(authorization);
    struct span scheme = span_cut(&rest, ' ');
    *token = span_trim(rest);
    return span_eq_nocase(scheme, SPAN("bearer")) && token->len > 0;
}

/* Which scopes a route serves; an application's token is then held to its application. */
static bool serves(enum access access, enum key_scope scope)
{
    static const unsigned scopes[] = {
        [ACCESS_PUBLIC] = ~0u,
        [ACCESS_READ] = 1u << SCOPE_ADMIN | 1u << SCOPE_READ | 1u << SCOPE_APP,
        [ACCESS_INGEST] = 1u << SCOPE_ADMIN | 1u << SCOPE_INGEST,
        [ACCESS_APP] = 1u << SCOPE_ADMIN | 1u << SCOPE_APP,
        [ACCESS_APP_SECRET_VIEW] = 1u << SCOPE_ADMIN | 1u << SCOPE_APP,
        [ACCESS_APP_SECRET] = 1u << SCOPE_ADMIN | 1u << SCOPE_APP,
        [ACCESS_APP_ATTEMPT] = 1u << SCOPE_ADMIN | 1u << SCOPE_APP,
        [ACCESS_APP_TRANSFORMATION] = 1u << SCOPE_ADMIN | 1u << SCOPE_APP,
        [ACCESS_APP_ANY] = 1u << SCOPE_ADMIN | 1u << SCOPE_APP,
        [ACCESS_ADMIN] = 1u << SCOPE_ADMIN,
        [ACCESS_READ_ORG] = 1u << SCOPE_ADMIN | 1u << SCOPE_READ,
        [ACCESS_READ_TYPES] = 1u << SCOPE_ADMIN | 1u << SCOPE_READ | 1u << SCOPE_APP,
    };
    return scopes[access] & 1u << scope;
}

/* Any of these capabilities opens the route to an application's token. */
static bool is_capable(enum access access, const struct principal *who)
{
    static const unsigned capabilities[] = {
        [ACCESS_READ] = CAPABILITY_VIEW_BASE,
        [ACCESS_READ_TYPES] = CAPABILITY_VIEW_BASE,
        [ACCESS_APP] = CAPABILITY_MANAGE_ENDPOINT,
        [ACCESS_APP_SECRET_VIEW] = CAPABILITY_VIEW_ENDPOINT_SECRET |
                                   CAPABILITY_MANAGE_ENDPOINT_SECRET | CAPABILITY_MANAGE_ENDPOINT,
        [ACCESS_APP_SECRET] = CAPABILITY_MANAGE_ENDPOINT_SECRET | CAPABILITY_MANAGE_ENDPOINT,
        [ACCESS_APP_ATTEMPT] = CAPABILITY_CREATE_ATTEMPTS,
        [ACCESS_APP_TRANSFORMATION] =
            CAPABILITY_MANAGE_TRANSFORMATIONS | CAPABILITY_MANAGE_ENDPOINT,
        [ACCESS_APP_ANY] = CAPABILITY_ALL,
    };
    if (who->scope != SCOPE_APP || access == ACCESS_PUBLIC)
        return true;
    return (capabilities[access] & ~who->withheld) != 0;
}

enum err token_allows(enum access access, const struct principal *who, struct span app)
{
    /* Routes of an application hide what is not the token's, even those that it may never use. */
    struct id id;
    if (who->scope == SCOPE_APP && app.ptr && !id_parse(app, ID_APP, &id) &&
        id_cmp(&id, &who->app) != 0)
        return ERR_NOT_FOUND;
    return serves(access, who->scope) && is_capable(access, who) ? ERR_OK : ERR_INVALID;
}
