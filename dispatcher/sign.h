/* Standard Webhooks 1.0 signatures. Owned by one thread: MAC contexts are cached per key. */
#ifndef DISPATCHER_SIGN_H
#define DISPATCHER_SIGN_H

#include "store/model.h"

/* Prepared keys of one endpoint: an initialised HMAC or ed25519 context each. */
struct signer;

/* Copies what it needs of the endpoint's keys; NULL when out of memory. */
struct signer *signer_new(const struct signing_key *keys, unsigned count);
void signer_free(struct signer **s);

/* Appends the value of `webhook-signature` over "id.timestamp.body": "v1,<base64>" or
 * "v1a,<base64>" for each key that is live at `now`, newest first, separated by spaces. False when
 * no key is live, OpenSSL fails or memory is short: do not send, `out` holds nothing of use. */
bool signer_sign(struct signer *s, struct span id, int64_t timestamp, struct span body,
                 struct wall now, struct buf *out) MUST_CHECK;

#endif
