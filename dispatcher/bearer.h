/* The access tokens of a thread's endpoints that authenticate by OAuth 2: fetched when an attempt
 * needs one, kept while they live, renewed before their end. A token is of one endpoint with one
 * configuration and is never shown to another. At most one is being fetched for it; attempts that
 * need it wait in flight, hold no thread, and have the rest of their time when it has come. Owned
 * by one dispatcher thread. */
#ifndef DISPATCHER_BEARER_H
#define DISPATCHER_BEARER_H

#include "dispatcher/transfer.h"

/* Tokens a thread keeps: up to ACCESS_TOKEN_MAX each, a KiB as a rule. */
#define BEARERS_MAX 2048
/* A fetch in all, or as long as an attempt may take, whichever is shorter. */
#define BEARER_FETCH_US (10 * US_PER_S)

struct bearer;
struct bearers;

/* Embedded in who waits. */
struct bearer_wait {
    struct bearer *bearer; /* NULL: it waits for none */
    TAILQ_ENTRY(bearer_wait) link;
    uint64_t serial; /* of the token that it got */
    /* The token, which is valid during the call; or, with an empty one, why there is none: the
     * result of the attempt. From transfers_run; the wait has ended. */
    void (*done)(struct bearer_wait *wait, struct span token, const struct result *failure);
};

/* NULL when out of memory. */
struct bearers *bearers_new(struct transfers *transfers, const struct outbound *outbound);
/* Nobody may wait; ends the fetches that are under way. Before transfers_free. Nulls the pointer. */
void bearers_free(struct bearers **bs);

enum bearer_answer {
    BEARER_READY,  /* *token is valid until the next call of this module, or of transfers_run */
    BEARER_WAITS,  /* `done` will be called */
    BEARER_FAILED, /* memory is short */
};
/* The token for an attempt at this destination, whose authentication is AUTH_OAUTH2. Sets
 * wait->serial with BEARER_READY. */
enum bearer_answer bearers_ask(struct bearers *bs, struct destination *destination, struct mono now,
                               struct bearer_wait *wait, struct span *token);
/* Whether that would look a name up that may not resolve, which holds a resolver's thread. */
bool bearers_would_look_up(const struct bearers *bs, const struct destination *destination,
                           struct mono now);
/* It waits no longer. No effect on one that does not wait. */
void bearer_cancel(struct bearer_wait *wait);
/* The endpoint answered 401 to the token of this serial: it is not used again, unless another was
 * given up shortly before. */
void bearers_refused(struct bearers *bs, const struct destination *destination, uint64_t serial,
                     struct mono now);

#endif
