/* Every route but ingest: applications, endpoints, event types, messages, attempts, dead letters,
 * keys, health, metrics. */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "dispatcher/dispatcher.h"
#include "http/server.h"

struct admin_settings {
    bool endpoint_https_only;
    enum key_kind default_signature;
    const char *portal_url; /* of the page that portal tokens are for; empty: /portal here */
};
struct admin;

enum err admin_new(const struct admin_settings *settings, struct store *store,
                   struct dispatcher *dispatcher, struct admin **out) MUST_CHECK;
/* /metrics shows the server's figures too; set once it exists, before it starts. */
void admin_set_server(struct admin *a, const struct http_server *server);
/* Makes the description of the API out of all route tables; once, before the server starts. */
enum err admin_describe(struct admin *a, const struct route_table *tables, size_t count) MUST_CHECK;
void admin_free(struct admin **a);
/* The table lives as long as the admin. */
struct route_table admin_routes(struct admin *a);

#endif
