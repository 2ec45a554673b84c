/* The admin layer keeps no state of its own: every answer comes from a snapshot, every change is
 * one operation of the store. So there is nothing to lock and nothing to lose here. */
#include "admin/context.h"

#include "admin/handlers.h"
#include "admin/openapi.h"

#define DESCRIPTION_BYTES_MAX (1024 * 1024) /* of the API: several times what it is today */

enum err admin_new(const struct admin_settings *settings, struct store *store,
                   struct dispatcher *dispatcher, struct admin **out)
{
    struct admin *a = calloc(1, sizeof *a);
    if (!a)
        return ERR_NO_MEMORY;
    a->settings = *settings;
    a->store = store;
    a->dispatcher = dispatcher;
    buf_init(&a->description, DESCRIPTION_BYTES_MAX);
    *out = a;
    return ERR_OK;
}

void admin_set_server(struct admin *a, const struct http_server *server)
{
    a->server = server;
}

enum err admin_describe(struct admin *a, const struct route_table *tables, size_t count)
{
    openapi_write(tables, count, &a->description);
    return a->description.failed ? ERR_NO_MEMORY : ERR_OK;
}

void admin_free(struct admin **a)
{
    if (*a)
        buf_free(&(*a)->description);
    free(*a);
    *a = NULL;
}

struct route_table admin_routes(struct admin *a)
{
    struct route_table table = routes_all();
    table.context = a;
    return table;
}
