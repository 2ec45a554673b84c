/* Where an endpoint's host leads, for when there is a proxy: libcurl's callbacks then see the proxy
 * alone, so that the address must be known, and judged, before anything is sent. Part of a
 * destination; owned by its dispatcher thread. */
#ifndef DISPATCHER_ROUTE_H
#define DISPATCHER_ROUTE_H

#include "base/clock.h"
#include "dispatcher/outbound.h"
#include "dispatcher/resolver.h"

#define ROUTE_US (60 * US_PER_S) /* how long what a name led to is used */

struct route {
    struct addresses to; /* those that the guard let pass, or, when there is none, a refused one */
    unsigned turn;       /* which of them is used */
    struct mono until;   /* they are; MONO_NEVER: the host is an address, or a name of loopback's */
    bool asked;          /* its name is being looked up */
    char host[];
};

/* `host` is a name or an address, without brackets. *out is NULL when endpoints at it go without
 * the proxy. ERR_NO_MEMORY. */
enum err route_new(const struct outbound *o, const char *host, struct route **out) MUST_CHECK;

/* Whether its addresses are known and fresh. */
bool route_known(const struct route *r, struct mono now);
/* What the name led to. False: nowhere. */
bool route_found(struct route *r, const struct guard *guard, const struct addresses *found,
                 struct mono now);
/* An attempt failed that had `turn`: the next one uses the next address, once for all of those. */
void route_failed(struct route *r, unsigned turn);
/* The address to use; it must be known. */
const char *route_address(const struct route *r);

#endif
