/* An endpoint's configuration, prepared for sending: the URL, its headers as curl wants them, the
 * MAC contexts. Kept in a bounded cache, least recently used first out, because many endpoints are
 * idle and contexts are dear. Owned by one dispatcher thread. */
#ifndef DISPATCHER_DESTINATION_H
#define DISPATCHER_DESTINATION_H

#include "dispatcher/identity.h"
#include "dispatcher/route.h"
#include "dispatcher/sign.h"
#include "store/store.h"

#include <curl/curl.h>
#include <sys/queue.h>

/* Prepared endpoints a thread keeps; about 3 KiB each … */
#define DESTINATIONS_MAX 4096
/* … and those with certificates of their own up to 60 more, so that fewer of these are kept. */
#define DESTINATION_CERTIFICATES_MAX (16 * 1024 * 1024)
/* SHA-256: tenants choose what is hashed. */
#define GRANT_KEY_BYTES 32

struct destination {
    struct endpoint *endpoint; /* its url is NUL-terminated in `url`; NULL: of destination_at */
    uint32_t number;           /* the endpoint's, or whose it is */
    int64_t timeout_us;        /* of one attempt in all; 0: the option's */
    char *url;
    CURLU *parsed; /* the same; curl takes its parts, and parses nothing for each attempt */
    struct signer *signer;
    struct curl_slist *headers;         /* the endpoint's own but content-type; NULL: none */
    char *content_type;                 /* a whole header line of the endpoint's own; NULL: none */
    char *authorization;                /* likewise, with Basic authentication; NULL: none */
    uint8_t grant_key[GRANT_KEY_BYTES]; /* of AUTH_OAUTH2: stands for endpoint and configuration */
    struct identity identity;
    struct route *route; /* NULL: straight to where the name leads, as when there is no proxy */
    enum cloud_events cloud_events;
    bool tls;
    bool special;  /* resolves into an allowed special subnet: such connections are kept apart */
    bool resolved; /* the name led to an address the last time, or there is no name to resolve */

    size_t certificate_bytes;  /* about what they take */
    unsigned refs;             /* one of the cache, one of each attempt in hand */
    struct destination **slot; /* where the cache's user keeps it; NULL once forgotten */
    TAILQ_ENTRY(destination) by_use;
};

/* Whether its attempts have an authorization of their own. */
static inline bool destination_authenticates(const struct destination *d)
{
    return d->endpoint && d->endpoint->auth.kind != AUTH_NONE;
}

struct destinations {
    const struct outbound *outbound;
    unsigned count;
    size_t certificate_bytes;
    TAILQ_HEAD(destination_list, destination) by_use; /* the most recently used first */
};

void destinations_init(struct destinations *cache, const struct outbound *outbound);
/* Forgets all. */
void destinations_clear(struct destinations *cache);

/* Loads and prepares into *slot, which the cache nulls when it needs the room; what was there is
 * forgotten. *id gets the endpoint's id, also when it is disabled or unusable. ERR_NOT_FOUND: the
 * endpoint is deleted; ERR_DISABLED; ERR_INVALID when what is stored cannot be sent (logged);
 * ERR_NO_MEMORY or an error of the store. */
enum err destination_load(struct destinations *cache, struct store_read *read, uint32_t number,
                          struct id *id, struct destination **slot) MUST_CHECK;
/* Another URL on behalf of an endpoint, with no configuration but that: one reference, outside of
 * any cache. NULL when it cannot be used, or out of memory. */
struct destination *destination_at(struct span url, uint32_t number,
                                   const struct outbound *outbound);
/* It was used just now. */
void destination_touch(struct destinations *cache, struct destination *d);
/* Drops the cache's reference of *slot and nulls it; no effect on NULL. */
void destination_forget(struct destinations *cache, struct destination **slot);

struct destination *destination_ref(struct destination *d);
void destination_unref(struct destination **d);

/* The header lines of a JSON object of strings, each "name: value", appended to *list; a
 * content-type goes to *content_type (malloc'ed, replacing what was there) instead. Members that
 * must not be sent are left out and logged, by name alone. False when out of memory. */
bool destination_headers(struct span json, struct curl_slist **list,
                         char **content_type) MUST_CHECK;

#endif
