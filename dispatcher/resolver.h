/* Looks names up beside the dispatcher's thread, which never waits for a name server. libcurl does
 * that by itself, but not where a proxy stands between: there we must know the address first.
 *
 * Owned by one dispatcher thread. At most RESOLVER_THREADS_MAX lookups are under way; the others
 * wait for one of them to end, in the order in which they were asked for. */
#ifndef DISPATCHER_RESOLVER_H
#define DISPATCHER_RESOLVER_H

#include "base/err.h"

#include <netinet/in.h>
#include <stdbool.h>

#define RESOLVER_THREADS_MAX 64
#define RESOLVER_ADDRESSES_MAX 8 /* of a name; what comes behind is left out */

/* In their canonical text form; an IPv4-mapped one as the IPv4 address that its packets go to. */
struct addresses {
    unsigned count;
    char text[RESOLVER_ADDRESSES_MAX][INET6_ADDRSTRLEN];
};
/* AF_INET or AF_INET6 and the bytes of such an address; no effect when full. */
void addresses_add(struct addresses *a, int family, const void *bytes);

struct resolver;

/* `wake_fd`, an eventfd that is written when an answer waits, stays open until resolver_free;
 * `forget` gets the owners whose answers were not taken by then. NULL when out of memory. */
struct resolver *resolver_new(int wake_fd, void (*forget)(void *owner));
/* Does not wait: what is being looked up ends by itself, and nobody hears of it. Nulls the pointer;
 * no effect on NULL. */
void resolver_free(struct resolver **r);

/* Looks the name up; `owner` comes back once, with the answer or through `forget`. False when
 * memory or threads are short: it does not come back. */
bool resolver_ask(struct resolver *r, const char *name, void *owner) MUST_CHECK;
/* Takes the next answer; no addresses: the name did not resolve. False: there is none now. */
bool resolver_take(struct resolver *r, void **owner, struct addresses *out);

#endif
