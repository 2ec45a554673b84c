/* The operator's proxy, through which endpoints are reached, and those for whom it is left out.
 *
 * The proxy is told an address and never a name, and always to make a tunnel (CONNECT, or what
 * SOCKS has for it), for http endpoints as well: it then looks nothing up, changes no byte, and its
 * password goes to it alone. Its own address is the operator's, so that the guard does not judge
 * it. */
#ifndef DISPATCHER_PROXY_H
#define DISPATCHER_PROXY_H

#include "dispatcher/guard.h"
#include "store/model.h"

#include <curl/curl.h>

#define PROXY_BYPASS_MAX 64
/* How long ago somebody's request must have passed the proxy at most, for it to be believed that it
 * is an endpoint that it cannot reach. */
#define PROXY_TRUST_US (60 * US_PER_S)

struct proxy {
    char *url;             /* scheme, host and port, without credentials; NULL: there is no proxy */
    char *user, *password; /* NULL: none */
    const char *ca_file;   /* the caller's; for an https proxy */
    char *address;         /* its host when that is an address, in canonical form; NULL: a name */
    uint16_t port;
    bool socks;

    unsigned name_count, subnet_count; /* left out; PROXY_BYPASS_MAX in all: */
    char *names[PROXY_BYPASS_MAX];     /* lower case; ".x" is every name below x */
    struct subnet subnets[PROXY_BYPASS_MAX];
};

/* `url`: http://, https:// or socks5://, [user:password@]host:port. ERR_INVALID with *why (static
 * text, which names no credentials), or ERR_NO_MEMORY; proxy_free in any case. */
enum err proxy_parse(const char *url, struct proxy *out, const char **why) MUST_CHECK;
/* Behind it: a comma-separated list of host names, ".example.com" for all names below that one,
 * addresses and subnets. Likewise. */
enum err proxy_parse_bypass(const char *list, struct proxy *out, const char **why) MUST_CHECK;
void proxy_free(struct proxy *p);

/* Whether endpoints at this host (lower case, a name or an address) go without the proxy. */
bool proxy_bypasses_name(const struct proxy *p, const char *host);
bool proxy_bypasses_address(const struct proxy *p, const char *address);

/* Whether curl, which is to connect to the proxy, is about to. Of one that is given by its name the
 * port alone can tell. */
bool proxy_is_at(const struct proxy *p, const struct sockaddr *address);

/* What every handle needs, once: the environment's no_proxy must not switch the proxy off. */
void proxy_prepare(const struct proxy *p, CURL *easy);

/* The end of an attempt that came to no tunnel. */
struct proxy_failure {
    CURLcode code;
    long status;         /* of the response to CONNECT; 0: none */
    CURLproxycode reply; /* of a SOCKS proxy */
    bool reached;        /* it took the connection */
    bool trusted;        /* somebody's request passed it within PROXY_TRUST_US */
};
/* Whose failure it was. That the endpoint cannot be reached (any 5xx: proxies do not agree on one;
 * a silence; the replies of SOCKS that say so) is believed of a proxy that works for others: then
 * it is ATTEMPT_REFUSED or ATTEMPT_TIMEOUT, as without a proxy. All else is ATTEMPT_PROXY, for
 * which no endpoint is blamed, or ATTEMPT_INTERNAL. */
enum attempt_class proxy_class(const struct proxy_failure *f);

#endif
