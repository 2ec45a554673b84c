/* The rules for an endpoint's URL. Any thread. */
#ifndef DISPATCHER_ENDPOINT_URL_H
#define DISPATCHER_ENDPOINT_URL_H

#include "dispatcher/guard.h"

/* What dispatcher_url_check promises, with the guard that judges address literals: appends the
 * normalised URL (lower-case scheme and host, addresses in their canonical spelling, no default
 * port, a path) to `out`. ERR_INVALID with *why (static text), or ERR_NO_MEMORY. */
enum err endpoint_url_check(const struct guard *g, struct span url, bool https_only,
                            struct buf *out, const char **why) MUST_CHECK;

#endif
