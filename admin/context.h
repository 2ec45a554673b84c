/* What the admin handlers share: the route table's context. */
#ifndef ADMIN_CONTEXT_H
#define ADMIN_CONTEXT_H

#include "admin/admin.h"

struct admin {
    struct admin_settings settings;
    struct store *store;
    struct dispatcher *dispatcher;
    const struct http_server *server; /* NULL until admin_set_server */
    struct buf description;           /* /openapi.json; empty until admin_describe */
};

static inline struct admin *context_of(const struct request *req)
{
    return request_context(req);
}

#endif
