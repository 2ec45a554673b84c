/* Why in memory: curl keeps the parsed certificates of a file once in a multi, and the next file
 * would put them out; those of a blob are parsed for each new connection and touch no other.
 *
 * Invariant: no connection and no TLS session of one endpoint is used for another. curl uses one
 * again only for a transfer whose certificates are the same, byte for byte; so they begin with a
 * line that names the endpoint, which readers of PEM pass over. Those without any of their own meet
 * only each other. */
#include "dispatcher/identity.h"

#include "base/buf.h"

#define LINE_ROOM 64

/* False when out of memory. */
static bool tagged(struct curl_blob *out, struct span pem, uint32_t number)
{
    struct buf text;
    if (!pem.len)
        return true;
    buf_init(&text, pem.len + LINE_ROOM);
    buf_reserve(&text, pem.len + LINE_ROOM);
    buf_printf(&text, "endpoint %u\n", (unsigned)number);
    buf_span(&text, pem);
    out->flags = CURL_BLOB_NOCOPY;
    out->data = buf_take(&text, &out->len);
    buf_free(&text);
    return out->data != NULL;
}

bool identity_init(struct identity *i, const struct endpoint_tls *tls, uint32_t number)
{
    *i = (struct identity){.ca = {.data = NULL}};
    if (!tagged(&i->ca, tls->ca, number) || !tagged(&i->certificate, tls->certificate, number))
        return false;
    if (tls->key.len)
        i->key = (struct curl_blob){(void *)tls->key.ptr, tls->key.len, CURL_BLOB_NOCOPY};
    return true;
}

void identity_free(struct identity *i)
{
    free(i->ca.data);
    free(i->certificate.data);
    *i = (struct identity){.ca = {.data = NULL}};
}

static bool set(CURL *easy, CURLoption option, const struct curl_blob *blob)
{
    return curl_easy_setopt(easy, option, blob && blob->data ? blob : NULL) == CURLE_OK;
}

bool identity_set(CURL *easy, const struct identity *i)
{
    return set(easy, CURLOPT_CAINFO_BLOB, i ? &i->ca : NULL) &&
           set(easy, CURLOPT_SSLCERT_BLOB, i ? &i->certificate : NULL) &&
           set(easy, CURLOPT_SSLKEY_BLOB, i ? &i->key : NULL);
}
