/* Checks a delivery as its receiver should: Standard Webhooks 1.0, over the raw body. Written apart
 * from the signer, so that the two check each other. */
#ifndef CLI_VERIFY_H
#define CLI_VERIFY_H

#include "base/buf.h"

enum verify_answer { VERIFY_GOOD, VERIFY_NO_HEADERS, VERIFY_TOO_OLD, VERIFY_BAD };

/* `secret` is "whsec_…" or a public key "whpk_…"; false: it is neither. */
bool verify_secret_valid(const char *secret);
/* Any of id, timestamp and signature may be NULL (absent). A timestamp over five minutes away from
 * `now_s` is too old (or too new), against replay. */
enum verify_answer verify_delivery(const char *secret, const char *id, const char *timestamp,
                                   const char *signature, struct span body, int64_t now_s);
/* A few words. */
const char *verify_text(enum verify_answer answer);

#endif
