/* Who asks: from a bearer token to a principal, and what a principal may do. */
#ifndef HTTP_TOKEN_H
#define HTTP_TOKEN_H

#include "http/request.h"

/* An API key of ours, or, when `jwt_secret` is not empty, a JSON web token signed with it.
 * ERR_INVALID for anything else; why is not told, so that nobody can probe. */
enum err token_principal(struct store *store, struct span jwt_secret, struct span token,
                         struct wall now, struct principal *out) MUST_CHECK;

/* A JSON web token (RFC 7519) of the Svix form: HS256 alone, `sub` an organisation (all rights) or
 * an application (with its organisation in `org`). exp and nbf are checked when present; nbf with
 * TOKEN_SKEW_S of patience for clocks that differ. Fills all but `identity`. Pure. */
#define TOKEN_SKEW_S 60
enum err token_jwt(struct span secret, struct span token, struct wall now,
                   struct principal *out) MUST_CHECK;

/* Tokens of the application portal name their application: TOKEN_PORTAL, its id's 27 characters,
 * and a secret. False for any other token. */
#define TOKEN_PORTAL "shp_"
bool token_portal_app(struct span token, struct id *app);

/* The token in "Bearer TOKEN"; false for any other form. */
bool token_of_header(struct span authorization, struct span *token);

/* What a route answers to a principal, before it looks at anything stored. `app` is its {app}
 * parameter (ptr NULL: it has none). ERR_OK; ERR_INVALID: not allowed (403); ERR_NOT_FOUND: another
 * application than the token's (404). A uid passes: whose it is, the handler finds out. */
enum err token_allows(enum access access, const struct principal *who, struct span app) MUST_CHECK;

#endif
