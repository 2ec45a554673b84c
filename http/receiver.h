/* A small HTTP receiver for people, tests and demonstrations: the other end of a delivery. It has
 * none of the server's guards and is not for production. */
#ifndef HTTP_RECEIVER_H
#define HTTP_RECEIVER_H

#include "base/buf.h"

struct receiver;

struct received {
    const char *method, *path;
    struct span body;
    const char *(*header)(const void *connection, const char *name); /* for receiver_header … */
    const void *connection;                                          /* … and its argument */
};

/* A header's first value or NULL; only inside the handler. */
const char *receiver_header(const struct received *r, const char *name);

/* Listens on "127.0.0.1:0" or the like and calls `handler`, each connection on a thread of its own,
 * with a whole request; the handler returns the status to answer and may take its time. Bodies over
 * 16 MiB are refused. ERR_INVALID for an unusable address. */
enum err receiver_start(const char *listen,
                        unsigned (*handler)(void *context, const struct received *r), void *context,
                        struct receiver **out) MUST_CHECK;
/* "127.0.0.1:43210"; lives as long as the receiver. */
const char *receiver_address(const struct receiver *r);
/* Waits for the handlers under way. Nulls the pointer. */
void receiver_stop(struct receiver **r);

#endif
