/* Certificates and keys in PEM (RFC 7468), as people bring them for an endpoint. What is read is
 * written anew, so that nothing else that stood in the text is kept, and what is kept can be used.
 * Pure but for the present time, any thread. Each sets *why (static text) on ERR_INVALID. */
#ifndef DISPATCHER_CERTIFICATE_H
#define DISPATCHER_CERTIFICATE_H

#include "base/clock.h"

#define CERTIFICATE_NAME_MAX 512

/* Certificates to trust: appends one or more to `out`. ERR_NO_MEMORY, also when `out` is full. */
enum err certificate_read_trusted(struct span pem, struct buf *out, const char **why) MUST_CHECK;

/* A certificate of one's own, behind it the chain to its authority if any, and its key, which has
 * no passphrase. Refuses what TLS would not take: a pair that does not belong together, a
 * certificate that has expired at `now`, a key that is weak or of another kind. *key_failed says
 * which of the two the refusal is about. Appends to `chain_out` and `key_out`; of the key copies
 * are left nowhere else, if `key_out` had its room before. */
enum err certificate_read_own(struct span chain, struct span key, struct wall now,
                              struct buf *chain_out, struct buf *key_out, bool *key_failed,
                              const char **why) MUST_CHECK;

struct certificate {
    char subject[CERTIFICATE_NAME_MAX + 1], issuer[CERTIFICATE_NAME_MAX + 1]; /* RFC 2253 */
    struct wall not_before, not_after;
};
/* Calls `each` for every certificate of what was read here. ERR_CORRUPT, ERR_NO_MEMORY. */
enum err certificate_each(struct span pem, void (*each)(void *context, const struct certificate *c),
                          void *context) MUST_CHECK;

#endif
