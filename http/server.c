/* Binding, starting and stopping. Each HTTP thread has a listening socket of its own on the same
 * address, so that the kernel spreads connections and no thread wakes for another's. */
#include "http/server.h"

#include "http/listen_address.h"
#include "http/loop.h"

#include <assert.h>

#define THREADS_MAX 64

struct http_server {
    struct site site;
    char address[LISTEN_ADDRESS_MAX];
    unsigned count;
    unsigned started;
    struct loop *loops[THREADS_MAX];
};

/* Makes one loop. The first one's socket settles the port, so that the others share it. */
static enum err add_loop(struct http_server *s)
{
    const char *where = s->count == 0 ? s->site.settings.listen : s->address;
    char address[LISTEN_ADDRESS_MAX];
    int fd;
    enum err e = listen_address_bind(where, s->site.settings.threads > 1, &fd, address);
    if (e)
        return e;
    if (s->count == 0)
        memcpy(s->address, address, sizeof address);
    e = loop_new(&s->site, fd, &s->loops[s->count]);
    if (!e)
        s->count++;
    return e;
}

static enum err build(struct http_server *s, const struct route_table *tables, size_t count)
{
    const struct http_settings *set = &s->site.settings;
    size_t connections = (size_t)set->max_connections;
    size_t each = (size_t)set->max_connections_per_address;
    enum err e = router_new(tables, count, &s->site.router);
    if (e)
        return e;
    s->site.addresses = address_table_new(connections, each ? each : connections);
    if (!s->site.addresses)
        return ERR_NO_MEMORY;
    for (int64_t i = 0; !e && i < set->threads; i++)
        e = add_loop(s);
    return e;
}

enum err http_server_new(const struct http_settings *settings, struct store *store,
                         const struct route_table *tables, size_t count, struct http_server **out)
{
    assert(settings->threads >= 1 && settings->threads <= THREADS_MAX);
    assert(settings->max_connections >= 1);
    struct http_server *s = calloc(1, sizeof *s);
    if (!s)
        return ERR_NO_MEMORY;
    s->site.settings = *settings;
    s->site.store = store;
    s->site.bodies.max = REQUEST_BYTES_MAX;
    s->site.replies.max = REPLY_BYTES_MAX;
    histogram_init(&s->site.stats.request_us, 64);
    enum err e = build(s, tables, count);
    if (e)
        http_server_free(&s);
    *out = s;
    return e;
}

enum err http_server_start(struct http_server *s)
{
    enum err e = ERR_OK;
    while (!e && s->started < s->count) {
        e = loop_start(s->loops[s->started]);
        if (!e)
            s->started++;
    }
    if (e)
        http_server_stop(s, 0);
    return e;
}

const char *http_server_address(const struct http_server *s)
{
    return s->address;
}

void http_server_stop(struct http_server *s, int64_t us)
{
    struct mono deadline = mono_add(clock_mono(), us);
    for (unsigned i = 0; i < s->started; i++)
        loop_stop(s->loops[i], deadline);
    for (unsigned i = 0; i < s->started; i++)
        loop_join(s->loops[i]);
    s->started = 0;
}

void http_server_free(struct http_server **server)
{
    struct http_server *s = *server;
    *server = NULL;
    if (!s)
        return;
    assert(s->started == 0);
    for (unsigned i = 0; i < s->count; i++)
        loop_free(&s->loops[i]);
    address_table_free(&s->site.addresses);
    router_free(&s->site.router);
    free(s);
}

const struct http_stats *http_server_stats(const struct http_server *s)
{
    return &s->site.stats;
}
