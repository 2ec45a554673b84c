/* Strict in what goes into a header: a token is taken only when every byte of it is visible ASCII,
 * whoever sent it. */
#include "dispatcher/grant.h"

#include "base/hash.h"
#include "base/json_scan.h"

#include <openssl/crypto.h>

#define LIFETIME_SAID_MAX INT32_MAX /* seconds; the bound of a lifetime is lower */
#define CREDENTIALS_MAX (4 * (AUTH_USER_MAX + AUTH_SECRET_MAX))
#define ANSWER_DEPTH 16

/* ---------------------------------------------------------------- request */

/* application/x-www-form-urlencoded, as RFC 6749 appendix B asks for credentials, too. */
static void form_encode(struct span text, struct buf *out)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "-._*";
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        if (c != 0 && strchr(plain, c))
            buf_char(out, c);
        else if (c == ' ')
            buf_char(out, '+');
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)c);
    }
}

static void form_field(const char *name, struct span value, struct buf *out)
{
    if (!value.len)
        return;
    if (out->len)
        buf_char(out, '&');
    buf_text(out, name);
    buf_char(out, '=');
    form_encode(value, out);
}

/* The plain pair is wiped. */
static void basic_line(struct buf *pair, struct buf *line)
{
    buf_text(line, "authorization: Basic ");
    base64_encode(buf_view(pair), line);
    line->failed |= pair->failed;
    if (pair->ptr)
        OPENSSL_cleanse(pair->ptr, pair->cap);
    buf_free(pair);
}

void grant_basic(const struct endpoint_auth *auth, struct buf *line)
{
    struct buf pair;
    buf_init(&pair, CREDENTIALS_MAX);
    buf_reserve(&pair, CREDENTIALS_MAX);
    buf_span(&pair, auth->user);
    buf_char(&pair, ':');
    buf_span(&pair, auth->secret);
    basic_line(&pair, line);
}

void grant_request(const struct endpoint_auth *auth, struct buf *body, struct buf *authorization)
{
    form_field("grant_type", SPAN("client_credentials"), body);
    form_field("scope", auth->scope, body);
    form_field("audience", auth->audience, body);
    if (auth->client_auth == CLIENT_SECRET_POST) {
        form_field("client_id", auth->user, body);
        form_field("client_secret", auth->secret, body);
        return;
    }
    struct buf pair;
    buf_init(&pair, CREDENTIALS_MAX);
    buf_reserve(&pair, CREDENTIALS_MAX);
    form_encode(auth->user, &pair);
    buf_char(&pair, ':');
    form_encode(auth->secret, &pair);
    basic_line(&pair, authorization);
}

/* ---------------------------------------------------------------- answer */

static bool is_token(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return false;
    return text.len > 0 && text.len <= ACCESS_TOKEN_MAX;
}

/* Seconds as a number, or, as some servers write it, as a text of one. What is neither says
 * nothing. */
static void read_lifetime(struct json_value value, int64_t *lifetime_us)
{
    int64_t seconds;
    struct span text;
    if (value.type == JSON_STRING && !json_plain(value, &text))
        value = (struct json_value){.type = JSON_NUMBER, .raw = text};
    if (value.type != JSON_NUMBER || !value.raw.len ||
        json_int64(value, 0, LIFETIME_SAID_MAX, &seconds))
        return;
    *lifetime_us =
        seconds * US_PER_S < GRANT_LIFETIME_MAX_US ? seconds * US_PER_S : GRANT_LIFETIME_MAX_US;
}

static bool is_bearer(struct json_value value)
{
    struct span type;
    return !json_plain(value, &type) && span_eq_nocase(type, SPAN("bearer"));
}

enum err grant_answer(struct span body, struct buf *token, int64_t *lifetime_us)
{
    struct json_value object, item;
    struct json_error error;
    const size_t before = token->len;
    bool good = true;
    *lifetime_us = GRANT_LIFETIME_DEFAULT_US;
    if (json_check(body, ANSWER_DEPTH, &object, &error) || object.type != JSON_OBJECT)
        return ERR_INVALID;
    struct json_walk walk = json_walk(object);
    for (struct span name; good && json_next(&walk, &name, &item);) {
        if (walk.name_escaped || item.type == JSON_NULL)
            continue;
        if (span_is(name, "access_token"))
            good = token->len == before && !json_text(item, token);
        else if (span_is(name, "token_type"))
            good = is_bearer(item);
        else if (span_is(name, "expires_in"))
            read_lifetime(item, lifetime_us);
    }
    return good && is_token(span_skip(buf_view(token), before)) ? ERR_OK : ERR_INVALID;
}

/* ---------------------------------------------------------------- lifetimes */

struct mono grant_renew_at(struct mono got, int64_t lifetime_us)
{
    const int64_t ahead = lifetime_us / 5;
    return mono_add(got, lifetime_us - (ahead < GRANT_AHEAD_MAX_US ? ahead : GRANT_AHEAD_MAX_US));
}

struct mono grant_end_at(struct mono got, int64_t lifetime_us)
{
    const int64_t ahead = lifetime_us / 20;
    return mono_add(got, lifetime_us -
                             (ahead < GRANT_AHEAD_MAX_US / 4 ? ahead : GRANT_AHEAD_MAX_US / 4));
}

bool grant_ended_by_refusal(struct mono refused, struct mono now)
{
    return !refused.us || now.us - refused.us >= GRANT_REFUSED_REST_US;
}
