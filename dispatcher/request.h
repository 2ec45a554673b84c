/* The header lines and the body of one attempt: content type, trace, the signature headers, the
 * endpoint's own and the message's own. The body goes out as it is stored, or, when the endpoint
 * asks for it, inside a CloudEvent. */
#ifndef DISPATCHER_REQUEST_H
#define DISPATCHER_REQUEST_H

#include "dispatcher/destination.h"

/* Content type, expect, authorization, trace, and three lines for each of two prefixes. */
#define REQUEST_LINES 11

/* Reused from attempt to attempt; owned by one dispatcher thread. */
struct request {
    struct curl_slist *headers; /* what curl gets: nodes of our own, then a shared or own list */
    struct span body;           /* what is signed and sent: the message's payload, or `event` */

    int signature_headers; /* enum signature_headers */
    struct curl_slist nodes[REQUEST_LINES];
    struct buf lines; /* NUL-terminated, what the nodes point into */
    struct buf signature;
    struct buf event;       /* a structured CloudEvent */
    struct curl_slist *own; /* of a message with headers, or an event in binary mode: these and the
                               endpoint's, merged */
    char *own_content_type;
};

void request_init(struct request *r, int signature_headers);
void request_free(struct request *r);
/* Forgets what belongs to one attempt. */
void request_clear(struct request *r);

/* Builds lines and body. `token` is the access token to show, empty: none. Valid until the next
 * build or clear, and as long as the destination and the message. False when it cannot be signed or
 * memory is short: do not send. */
bool request_build(struct request *r, const struct destination *destination,
                   const struct message *message, struct span token, struct wall now) MUST_CHECK;

#endif
