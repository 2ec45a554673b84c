/* What an endpoint's own certificates are to curl. Owned by one dispatcher thread. */
#ifndef DISPATCHER_IDENTITY_H
#define DISPATCHER_IDENTITY_H

#include "base/buf.h"
#include "base/err.h"
#include "store/transport.h"

#include <curl/curl.h>
#include <stdint.h>

/* Each `data` is NULL when there is none. */
struct identity {
    struct curl_blob ca, certificate, key;
};

/* Of endpoint `number`. The key's bytes stay those of `tls`, which must outlive it; identity_free
 * in either case. False when out of memory. */
bool identity_init(struct identity *i, const struct endpoint_tls *tls, uint32_t number) MUST_CHECK;
void identity_free(struct identity *i);
static inline bool identity_any(const struct identity *i)
{
    return i->ca.data || i->certificate.data;
}

/* The handle trusts and shows this from now on; NULL: what it did at first. `i` outlives its use.
 * False when out of memory. */
bool identity_set(CURL *easy, const struct identity *i) MUST_CHECK;

#endif
