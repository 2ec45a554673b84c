/* Signing secrets, and what endpoints authenticate with, at rest: AES-256-GCM under a key derived
 * (HKDF-SHA256) from the main secret, with a fresh nonce per sealing. Without a main secret it
 * passes bytes through and marks them plain. Private to store/. Immutable after vault_new: any
 * thread. */
#ifndef STORE_VAULT_H
#define STORE_VAULT_H

#include "base/buf.h"

struct vault;

/* `main_secret` may be NULL. */
enum err vault_new(const char *main_secret, struct vault **out) MUST_CHECK;
void vault_free(struct vault **v);
/* Appends the sealed form: a byte that says plain or sealed, then nonce, text, tag. `bound` (for
 * instance the endpoint's id) is authenticated with it, so that a sealed key cannot be moved. */
void vault_seal(const struct vault *v, struct span bound, struct span plain, struct buf *out);
/* ERR_CORRUPT when it does not open: another main secret, or damage. Sealed bytes without a main
 * secret are ERR_INVALID. Plain ones open under any vault, so that a main secret can be
 * introduced. */
enum err vault_open(const struct vault *v, struct span bound, struct span sealed,
                    struct buf *out) MUST_CHECK;

#endif
