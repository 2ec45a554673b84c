/* Why an attempt uses one address and not all in turn, as libcurl does without a proxy: a proxy
 * answers one question at a time, and slowly when the answer is no. So the next attempt takes the
 * next one. The order is that of getaddrinfo(3), which puts what this machine cannot reach last.
 *
 * Invariant: a refused address is kept only when there is no other. It is never told to the proxy:
 * the attempt goes straight, and the guard refuses it at the socket as it does without a proxy. */
#include "dispatcher/route.h"

#include <arpa/inet.h>
#include <assert.h>

static void add_loopback(struct route *r, const struct guard *guard)
{
    struct addresses both = {0};
    addresses_add(&both, AF_INET, &(struct in_addr){htonl(INADDR_LOOPBACK)});
    addresses_add(&both, AF_INET6, &in6addr_loopback);
    route_found(r, guard, &both, (struct mono){0});
}

enum err route_new(const struct outbound *o, const char *host, struct route **out)
{
    *out = NULL;
    if (!o->proxy.url || proxy_bypasses_name(&o->proxy, host))
        return ERR_OK;
    const size_t len = strlen(host) + 1;
    struct route *r = calloc(1, sizeof *r + len);
    if (!r)
        return ERR_NO_MEMORY;
    memcpy(r->host, host, len);
    uint8_t bytes[16];
    if (inet_pton(AF_INET, host, bytes) == 1)
        addresses_add(&r->to, AF_INET, bytes);
    else if (inet_pton(AF_INET6, host, bytes) == 1)
        addresses_add(&r->to, AF_INET6, bytes);
    else if (guard_names_loopback(span_text(host)))
        add_loopback(r, &o->guard);
    if (r->to.count > 0)
        r->until = MONO_NEVER;
    *out = r;
    return ERR_OK;
}

bool route_known(const struct route *r, struct mono now)
{
    return r->to.count > 0 && now.us < r->until.us;
}

bool route_found(struct route *r, const struct guard *guard, const struct addresses *found,
                 struct mono now)
{
    r->asked = false;
    r->turn = 0;
    r->to.count = 0;
    for (unsigned i = 0; i < found->count; i++)
        if (guard_judge_text(guard, found->text[i]) != GUARD_REFUSED)
            memcpy(r->to.text[r->to.count++], found->text[i], sizeof found->text[i]);
    if (r->to.count == 0 && found->count > 0)
        memcpy(r->to.text[r->to.count++], found->text[0], sizeof found->text[0]);
    r->until = mono_add(now, ROUTE_US);
    return r->to.count > 0;
}

void route_failed(struct route *r, unsigned turn)
{
    if (r->turn == turn)
        r->turn++;
}

const char *route_address(const struct route *r)
{
    assert(r->to.count > 0);
    return r->to.text[r->turn % r->to.count];
}
