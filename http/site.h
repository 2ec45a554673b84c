/* What all HTTP threads of one server share. Written before the threads start, but for the members
 * that are atomic or have a lock of their own. */
#ifndef HTTP_SITE_H
#define HTTP_SITE_H

#include "http/address_table.h"
#include "http/budget.h"
#include "http/router.h"

struct site {
    struct http_settings settings;
    struct store *store;
    struct router *router;
    struct http_stats stats;
    struct address_table *addresses;
    struct budget bodies;  /* of requests, at most REQUEST_BYTES_MAX */
    struct budget replies; /* being sent, at most REPLY_BYTES_MAX; small ones are not counted */
};

/* Counts a refusal by the status of its answer; a status that is no refusal is not counted. */
void site_count_status(struct site *site, unsigned status);

#endif
