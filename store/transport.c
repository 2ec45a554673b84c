/* Names, comparison and end of what an endpoint trusts and is trusted for. */
#include "store/transport.h"

#include <openssl/crypto.h>

const char *transport_auth_name(unsigned kind)
{
    static const char *const names[] = {"none", "basic", "oauth2"};
    _Static_assert(sizeof names / sizeof *names == AUTH_KINDS, "one name a kind");
    return kind < AUTH_KINDS ? names[kind] : NULL;
}

const char *transport_client_auth_name(unsigned how)
{
    static const char *const names[] = {"client_secret_basic", "client_secret_post"};
    _Static_assert(sizeof names / sizeof *names == CLIENT_AUTHS, "one name a way");
    return how < CLIENT_AUTHS ? names[how] : NULL;
}

bool transport_auth_same(const struct endpoint_auth *a, const struct endpoint_auth *b)
{
    return a->kind == b->kind && span_eq(a->user, b->user) && span_eq(a->secret, b->secret) &&
           span_eq(a->token_url, b->token_url) && span_eq(a->scope, b->scope) &&
           span_eq(a->audience, b->audience) && a->client_auth == b->client_auth;
}

bool transport_tls_same(const struct endpoint_tls *a, const struct endpoint_tls *b)
{
    return span_eq(a->ca, b->ca) && span_eq(a->certificate, b->certificate) &&
           span_eq(a->key, b->key);
}

static void wipe(struct span s)
{
    if (s.len)
        OPENSSL_cleanse((void *)s.ptr, s.len);
}

void transport_wipe(struct endpoint_auth *a, struct endpoint_tls *t)
{
    wipe(a->secret);
    wipe(t->key);
}
