/* The HTTP server: listener, loop, guard, routing, authentication. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "http/request.h"

struct http_settings {
    const char *listen; /* "127.0.0.1:8071", "[::1]:0" */
    int64_t threads;
    int64_t max_body; /* the bound of routes whose body_max is MESSAGE_BODY_MAX; 0: just that */
    int64_t max_batch_body;                               /* the same for BATCH_BODY_MAX */
    int64_t head_timeout_us, body_timeout_us;             /* absolute, not of inactivity */
    int64_t max_connections, max_connections_per_address; /* of an address; 0: as many as in all */
    const char *jwt_secret;                               /* NULL: only our own keys */
    bool cors; /* pages of any origin may call and read */
};

/* Routes of one layer with the context that its handlers get. Static storage. */
struct route_table {
    const struct route *routes;
    size_t count;
    void *context;
};

struct http_server;

/* Binds; the port is known afterwards. ERR_INVALID for a text that is no address, ERR_CONFLICT for
 * one that cannot be bound, both logged. The tables are copied, what they point to is not. */
enum err http_server_new(const struct http_settings *settings, struct store *store,
                         const struct route_table *tables, size_t count,
                         struct http_server **out) MUST_CHECK;
enum err http_server_start(struct http_server *s) MUST_CHECK;
/* "127.0.0.1:8071" with the real port; lives as long as the server. */
const char *http_server_address(const struct http_server *s);
/* Stops accepting, waits up to `us` for requests under way, closes. Before store_stop. */
void http_server_stop(struct http_server *s, int64_t us);
void http_server_free(struct http_server **s);

/* Refusals that a metric shows. */
enum refusal {
    REFUSED_MALFORMED, /* the guard */
    REFUSED_TOO_LARGE,
    REFUSED_TIMEOUT,
    REFUSED_UNAUTHENTICATED,
    REFUSED_FORBIDDEN,
    REFUSED_INVALID, /* 422 and 400 */
    REFUSED_BUSY,
    REFUSED_FULL,
    REFUSED_CONNECTIONS,
    REFUSAL_COUNT
};
const char *refusal_name(enum refusal r);

struct http_stats {
    struct counter requests, refused[REFUSAL_COUNT];
    struct counter connections; /* gauge */
    struct histogram request_us;
};
const struct http_stats *http_server_stats(const struct http_server *s);

#endif
