/* The way of one transfer from here to its endpoint: straight, or through the operator's proxy; and
 * the guard on it. Embedded in the transfer, owned by its dispatcher thread. */
#ifndef DISPATCHER_PASSAGE_H
#define DISPATCHER_PASSAGE_H

#include "dispatcher/destination.h"
#include "dispatcher/poll.h"

#include <netinet/in.h>

/* What the passages of a thread have in common. */
struct passages {
    const struct outbound *outbound;
    struct poll *poll;
    unsigned lookups;  /* of transfers under way that look a name up which may not resolve */
    struct mono works; /* when a request last passed the proxy; {0}: never */
};

struct passage {
    struct passages *all;
    CURL *easy;
    struct destination *destination; /* the transfer's */
    bool special;                    /* its multi is one of those for allowed special subnets */
    bool proxied;
    unsigned turn; /* of the route's */

    bool looking_up; /* counted in passages.lookups */
    bool addressed;  /* an address was found, or a connection to use again */
    bool opened;     /* a socket was made for it */
    bool connected;  /* the request may go out */
    bool blocked;    /* the guard refused an address */
    bool broken;     /* this machine had no socket, or no port, for it */
    bool stray;      /* its connection belongs in a multi of the other kind: not kept */

    struct curl_slist pin; /* the address that it goes to, whatever the name leads to by then */
    char pin_text[INET6_ADDRSTRLEN + 8];
};

/* Once for each handle. */
void passage_init(struct passage *p, struct passages *all, CURL *easy);

/* For each transfer: at its start; right before its handle is given to a multi, when the route's
 * addresses are known, if it has one (false when out of memory); when it is over. */
void passage_begin(struct passage *p, struct destination *destination);
bool passage_set(struct passage *p) MUST_CHECK;
void passage_end(struct passage *p);

/* It came to nothing, perhaps before it was set: what this says about the name and its addresses. */
void passage_failed(struct passage *p);
/* Whether a failure with this code happened on the way and has a class of its own, in *out: it was
 * blocked, or the proxy's or our own. */
bool passage_class(const struct passage *p, CURLcode code, enum attempt_class *out);
/* Whether TLS failed, or what it needs. */
bool passage_tls_failed(CURLcode code);

#endif
