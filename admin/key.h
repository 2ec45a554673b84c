/* API keys: their tokens and the names of their scopes, for the routes and for the command line. */
#ifndef ADMIN_KEY_H
#define ADMIN_KEY_H

#include "base/hash.h"
#include "store/model.h"

#define KEY_TOKEN_LEN 46 /* "sh_" and 43 characters of base64url: 32 random bytes */

/* 32 random bytes as base64url, with a NUL. */
#define KEY_SECRET_LEN 43
void key_secret_make(char secret[KEY_SECRET_LEN + 1]);
/* A fresh token, with its NUL, and the hash under which it is stored. Shown once: nobody keeps
 * it. */
void key_token_make(char token[KEY_TOKEN_LEN + 1], uint8_t hash[SHA256_BYTES]);

/* "admin", "ingest", "read", "app". */
const char *key_scope_name(enum key_scope scope);
bool key_scope_parse(struct span name, enum key_scope *out);

#endif
