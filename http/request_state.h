/* What a request is to the HTTP layer itself. Handlers see request.h alone.
 *
 *   HEAD -> BODY -> HANDLING -> ANSWERED -> SENDING
 *                   HANDLING -> WAITING -> HANDLING (after the commit) -> …
 *   HEAD, BODY -> ANSWERED: refused by the guard, the router, the token or a bound
 *
 * A request belongs to one HTTP thread. While it waits for its operation, the store has that;
 * `item` brings the request back through the thread's inbox. */
#ifndef HTTP_REQUEST_STATE_H
#define HTTP_REQUEST_STATE_H

#include "http/query.h"
#include "http/request.h"
#include "http/site.h"
#include "http/wait.h"

#define REPLY_HEADERS_MAX 8

enum request_phase {
    REQUEST_HEAD,     /* the head is arriving */
    REQUEST_BODY,     /* the head was accepted, the body is arriving */
    REQUEST_HANDLING, /* a handler runs */
    REQUEST_WAITING,  /* suspended: the store has its operation, or it waits to be woken */
    REQUEST_ANSWERED, /* the reply is complete, not yet handed to libmicrohttpd */
    REQUEST_SENDING,
};

struct request {
    struct inbox_item item; /* first: back from the writer's thread */
    enum request_phase phase;
    struct site *site;
    struct inbox *inbox; /* of its HTTP thread */
    struct waits *waits; /* likewise */
    struct MHD_Connection *mhd;
    struct arena arena;
    struct mono began;

    /* head */
    struct span path,
        query_text;    /* as sent, without the question mark; path without a last slash */
    size_t target_len; /* of the whole target */
    enum method method;
    const struct route *route;
    void *context;
    unsigned param_count;
    struct span params[ROUTE_PARAMS_MAX]; /* decoded */
    struct principal principal;
    struct span idempotency_key; /* empty: none */

    /* body */
    char *body;
    size_t body_len, body_cap;
    size_t body_expected; /* Content-Length; 0 when the body is chunked */
    size_t body_max;
    size_t budget; /* its share of site->bodies */

    /* answer */
    unsigned status;
    struct buf reply;
    size_t reply_budget; /* its share of site->replies */
    bool no_memory;      /* the reply could not be built, or kept until it is read */
    bool close;          /* the connection ends with this reply */
    bool counted;        /* the refusal is in the metrics already */
    unsigned reply_header_count;
    struct {
        const char *name, *value;
    } reply_headers[REPLY_HEADERS_MAX];

    /* waiting */
    struct store_op *op;
    void (*then)(struct request *req, struct store_op *op);
    struct wait wait;

    struct query query; /* last: what stands before it is cleared for every request */
};

/* A body's memory grows with what arrived, not with what was announced, within the budget of all
 * requests. ERR_TOO_LARGE over the route's bound, ERR_BUSY over the budget, ERR_NO_MEMORY. */
enum err request_append(struct request *req, const char *data, size_t len) MUST_CHECK;
/* Frees what the request holds, not the request. */
void request_release(struct request *req);
/* On its HTTP thread, with an operation that came back: runs `then`. */
void request_continue(struct request *req);

#endif
