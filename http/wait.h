/* The requests of one HTTP thread that wait for something to happen elsewhere, each until a moment
 * of its own. They hold no thread: libmicrohttpd has suspended their connections.
 *
 * A wait ends when it is woken, at its moment, when the client hangs up (libmicrohttpd looks at no
 * suspended socket, so that is watched here) and when the server stops. In every case the request
 * comes back through the inbox of its thread, which owns all of this. */
#ifndef HTTP_WAIT_H
#define HTTP_WAIT_H

#include "base/heap.h"
#include "http/request.h"

#include <stdatomic.h>

/* Part of every request. */
struct wait {
    struct heap_item deadline; /* first */
    struct request *request;   /* NULL: it does not wait */
    int fd;
    bool over;         /* the client has left or the server stops: it waits no more */
    atomic_bool woken; /* any thread: it is in the inbox, or was */
};

struct waits {
    struct heap deadlines;
    int epoll_fd; /* of the clients' sockets; of them none but their end is looked for */
    size_t count;
    bool closed;
};

/* False when there are no descriptors. */
bool waits_init(struct waits *w);
/* Nobody waits. */
void waits_free(struct waits *w);
/* Readable when a client has left. */
int waits_fd(const struct waits *w);

/* False when it may not wait (any more), or there is no memory. */
bool waits_begin(struct waits *w, struct request *req, int fd, struct mono until);
/* It came back: what waits_begin did is undone. */
void waits_end(struct waits *w, struct request *req);

/* Wakes those whose client has left and those whose moment has come. */
void waits_turn(struct waits *w, struct mono now);
/* The next moment; MONO_NEVER for none. */
struct mono waits_next(const struct waits *w);
/* Wakes all; from now on none begins. */
void waits_close(struct waits *w);

#endif
