/* The header lines of one attempt: content type, the signature headers, the endpoint's own and the
 * message's own. The body goes out as it is stored. */
#ifndef DISPATCHER_REQUEST_H
#define DISPATCHER_REQUEST_H

#include "dispatcher/destination.h"

/* Content type, expect, and three lines for each of two prefixes. */
#define REQUEST_LINES 8

/* Reused from attempt to attempt; owned by one dispatcher thread. */
struct request {
    struct curl_slist *headers; /* what curl gets: nodes of our own, then a shared or own list */

    int signature_headers; /* enum signature_headers */
    struct curl_slist nodes[REQUEST_LINES];
    struct buf lines; /* NUL-terminated, what the nodes point into */
    struct buf signature;
    struct curl_slist *own; /* of a message with headers: these and the endpoint's, merged */
    char *own_content_type;
};

void request_init(struct request *r, int signature_headers);
void request_free(struct request *r);
/* Forgets what belongs to one attempt. */
void request_clear(struct request *r);

/* Builds the lines. Valid until the next build or clear, and as long as the destination. False when
 * it cannot be signed or memory is short: do not send. */
bool request_build(struct request *r, const struct destination *destination,
                   const struct message *message, struct wall now) MUST_CHECK;

#endif
