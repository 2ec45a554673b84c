/* The addresses of this machine that connections to endpoints, or to the proxy, leave from. */
#ifndef DISPATCHER_SOURCE_H
#define DISPATCHER_SOURCE_H

#include "base/err.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <stdbool.h>

/* Zeroed: the kernel chooses. Otherwise a family without an address here is not used at all: its
 * connections would leave from an address that nobody expects. */
struct source {
    bool has4, has6;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
};

/* "198.51.100.7", or one of each family with a comma between; NULL: none. Each is tried out: it
 * must be one of this machine's. *why (static text) on ERR_INVALID. */
enum err source_parse(const char *text, struct source *out, const char **why) MUST_CHECK;

/* What every handle needs, once: names are looked up in the families that are used. */
void source_prepare(const struct source *s, CURL *easy);
/* Whether connections of this family are made. */
bool source_takes(const struct source *s, int family);
/* Binds a fresh socket of a family that is used. False: the address is not this machine's any more,
 * or no port is left (errno). */
bool source_bind(const struct source *s, int fd, int family) MUST_CHECK;

#endif
