/* Whom an endpoint trusts and how it knows who calls: what an attempt needs beside the URL. Values
 * as people set them; what they mean on the wire is in dispatcher/. Pure; any thread. */
#ifndef STORE_TRANSPORT_H
#define STORE_TRANSPORT_H

#include "base/bounds.h"
#include "base/span.h"

/* On disk: append only. */
enum auth_kind { AUTH_NONE, AUTH_BASIC, AUTH_OAUTH2, AUTH_KINDS };
/* "none", "basic", "oauth2"; NULL past the last. */
const char *transport_auth_name(unsigned kind);

/* How a client shows its secret to an authorization server (RFC 6749 section 2.3.1). On disk:
 * append only. */
enum client_auth { CLIENT_SECRET_BASIC, CLIENT_SECRET_POST, CLIENT_AUTHS };
/* "client_secret_basic", "client_secret_post"; NULL past the last. */
const char *transport_client_auth_name(unsigned how);

struct endpoint_auth {
    enum auth_kind kind;
    struct span user;   /* at most AUTH_USER_MAX: Basic's user, or the id of the OAuth 2 client */
    struct span secret; /* at most AUTH_SECRET_MAX */
    struct span token_url;       /* of AUTH_OAUTH2, as the rest … */
    struct span scope, audience; /* at most AUTH_SCOPE_MAX; empty: not asked for */
    enum client_auth client_auth;
};

/* PEM, as dispatcher/certificate.h writes it; each empty: none. */
struct endpoint_tls {
    struct span ca; /* trusted instead of the service's; at most TLS_CA_MAX */
    struct span
        certificate; /* shown to the endpoint, with its chain; at most TLS_CERTIFICATE_MAX */
    struct span key; /* of that, and only with it; at most TLS_KEY_MAX */
};

bool transport_auth_same(const struct endpoint_auth *a, const struct endpoint_auth *b);
bool transport_tls_same(const struct endpoint_tls *a, const struct endpoint_tls *b);
static inline bool transport_tls_any(const struct endpoint_tls *t)
{
    return t->ca.len > 0 || t->certificate.len > 0;
}
/* Overwrites the secret and the key where they stand: memory of the caller's own. */
void transport_wipe(struct endpoint_auth *a, struct endpoint_tls *t);

#endif
