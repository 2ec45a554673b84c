/* One signed POST: a curl handle, reused from attempt to attempt, with the bounds on what a peer
 * may answer. Owned by one dispatcher thread.
 *
 * The final status line decides (RFC 9110 section 15; 1xx never does). Of the response at most
 * RESPONSE_HEADERS_MAX bytes of headers in RESPONSE_HEADER_LINES_MAX lines are taken, those of 1xx
 * counted; its body is kept to ATTEMPT_BODY_KEPT_MAX, read
 * to ATTEMPT_BODY_READ_MAX and for one second after the headers, and then the connection is closed:
 * a dripping or endless body costs a second and 64 KiB. */
#ifndef DISPATCHER_TRANSFER_H
#define DISPATCHER_TRANSFER_H

#include "dispatcher/destination.h"
#include "dispatcher/poll.h"
#include "dispatcher/verdict.h"

struct transfer_settings {
    const struct outbound *outbound;
    int64_t request_timeout_us, connect_timeout_us;
    const char *user_agent;
    const char *ca_file;   /* NULL: the system's bundle */
    int signature_headers; /* enum signature_headers */
};

/* One attempt's transfer. */
struct transfer;
/* The handles of one thread. */
struct transfers;

/* `ended` is called once for each started transfer that was not aborted, from transfers_run. In it
 * the owner reads the transfer with transfer_result; afterwards it is gone. The settings are
 * copied, their pointers are not. NULL when out of memory or descriptors. */
struct transfers *transfers_new(const struct transfer_settings *settings, int wake_fd,
                                long connections, void (*ended)(void *owner, struct transfer *t));
/* Every transfer must have ended or been aborted. Nulls the pointer. */
void transfers_free(struct transfers **ts);

/* Waits for the network, the wake_fd or the deadline, and handles what came. */
void transfers_run(struct transfers *ts, struct mono deadline);

/* Ends at once those whose final headers have come: their verdict is fixed. */
void transfers_cut(struct transfers *ts);

struct departure {
    const struct message *message;
    struct wall now;
    struct span token; /* an access token to show; empty: none. Copied */
    int64_t spent_us;  /* of the attempt's time, before */
};
/* Starts the attempt. The destination, the message and `response` (which takes the kept body) stay
 * valid until `ended` or the abort. NULL when it cannot be signed or memory is short. */
struct transfer *transfer_start(struct transfers *ts, struct destination *destination,
                                const struct departure *departure, struct buf *response,
                                void *owner);

/* A POST that is no attempt, on a connection of its own, under the same guard and bounds. What it
 * points to stays valid until its own `ended`, or the abort. */
struct transfer_post {
    struct curl_slist *headers;
    struct span body;
    struct buf *response; /* keeps as much as its maximum */
    int64_t timeout_us;   /* or the destination's own, if that is shorter */
    void (*ended)(void *owner, struct transfer *t);
    void *owner;
};
/* NULL when memory is short. */
struct transfer *transfer_post(struct transfers *ts, struct destination *destination,
                               const struct transfer_post *post);
void transfer_abort(struct transfer *t);

/* The result, and the attempt's timing parts. */
void transfer_result(const struct transfer *t, struct result *result, struct attempt *timing);
/* Whether an answer came whose body or trailers were so long, or so slow, that it was cut off. */
bool transfer_was_cut(const struct transfer *t);

/* How many transfers look a name up that may not resolve: each may hold a resolver's thread. */
unsigned transfers_lookups(const struct transfers *ts);

#endif
