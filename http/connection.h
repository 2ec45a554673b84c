/* The connections of one HTTP thread: who they are from, and until when each may go on.
 *
 * Deadlines are absolute, not of inactivity: a client that drips a byte a second must not hold a
 * connection. One is set
 *   when the connection begins: for the first head;
 *   when a request line arrived: for the rest of the head;
 *   when a head was accepted: for the body;
 *   when a reply is sent: for the client to read it;
 *   when a request is over: for the next one.
 * While a handler or the store has the request there is none.
 *
 * When there are as many as there may be, a newcomer whose address has fewer than another's takes
 * the place of one of those, which is shut: one client cannot keep the others out, however long
 * it holds what it has. Any other newcomer is answered 503, and when those are many, shut.
 *
 * Owned by the HTTP thread. */
#ifndef HTTP_CONNECTION_H
#define HTTP_CONNECTION_H

#include "base/heap.h"
#include "http/drain.h"
#include "http/site.h"

#include <microhttpd.h>

struct connection {
    struct heap_item deadline; /* first */
    struct connection *previous, *next;
    struct connections *all;
    struct MHD_Connection *mhd;
    int fd;
    int drain_fd; /* a duplicate that outlives the reply; -1: none */
    bool served;  /* has had a request: between requests it is idle, not slow */
    bool looks;   /* at its deadline the client may have left; else the time is over */
    bool outside; /* not in the address table */
    bool excess;  /* one too many: it gets one refusal and nothing else */
    struct address_key address;
    struct request *request; /* the one under way, or NULL */
};

struct connections {
    struct site *site;
    struct drain *drain;
    struct heap deadlines;
    struct connection *first;
    struct connection *hand; /* where the next look for one that gives way begins; NULL: first */
    size_t count;
    unsigned excess_count;
    bool shut;       /* for those without a request: see connections_shut */
    struct mono now; /* of this turn of the loop */
};

#define CONNECTIONS_EXCESS 64 /* of a thread, besides those that there may be in all */

void connections_init(struct connections *all, struct site *site, struct drain *drain);
/* Every connection must have ended. */
void connections_free(struct connections *all);

/* For MHD_OPTION_NOTIFY_CONNECTION and the accept policy; `cls` is the struct connections. */
void connection_notify(void *cls, struct MHD_Connection *mhd, void **socket_context,
                       enum MHD_ConnectionNotificationCode code);
/* NULL when there was no memory for it: it is being closed. */
struct connection *connection_of(struct MHD_Connection *mhd);

void connection_allow(struct connection *c, int64_t us);
void connection_allow_for_ever(struct connection *c);
/* A request is over: KEEP_ALIVE_S for the next one, unless the client has left by then. */
void connection_idle(struct connection *c);
/* The reply refuses a request whose body is still arriving: the socket will be closed gently, so
 * that the client can read the reply. */
void connection_drain(struct connection *c);

/* Shuts the sockets whose time is over. */
void connections_expire(struct connections *all);
/* When connections_expire has something to do; MONO_NEVER for not at all. */
struct mono connections_next(const struct connections *all);
/* Shuts those that have no request under way, and from now on each whose request is over; or all of
 * them. */
void connections_shut(struct connections *all, bool busy_too);

#endif
