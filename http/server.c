/* Binding, starting and stopping. Each HTTP thread has a listening socket of its own on the same
 * address, so that the kernel spreads connections and no thread wakes for another's. */
#include "http/server.h"

#include "base/log.h"
#include "http/loop.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <unistd.h>

#define THREADS_MAX 64
#define BACKLOG 1024
#define ADDRESS_TEXT_MAX (NI_MAXHOST + NI_MAXSERV + 4)

struct http_server {
    struct site site;
    char address[ADDRESS_TEXT_MAX];
    unsigned count;
    unsigned started;
    struct loop *loops[THREADS_MAX];
};

/* ---------------------------------------------------------------- binding */

/* Splits "host:port" or "[host]:port"; an empty host means every address. */
static bool split_address(const char *text, char host[NI_MAXHOST], const char **port)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon[1] == '\0')
        return false;
    const char *begin = text, *end = colon;
    if (*begin == '[') {
        begin++;
        end--;
        if (end < begin || *end != ']')
            return false;
    }
    size_t len = (size_t)(end - begin);
    if (len >= NI_MAXHOST)
        return false;
    memcpy(host, begin, len);
    host[len] = '\0';
    *port = colon + 1;
    return true;
}

static enum err refuse_address(const char *text, const char *why)
{
    log_error("http.listen", LOG_SPAN("address", span_text(text)), LOG_TEXT_FIELD("reason", why),
              LOG_END);
    return ERR_INVALID;
}

static enum err resolve(const char *text, struct sockaddr_storage *sa, socklen_t *len)
{
    char host[NI_MAXHOST];
    const char *port;
    if (!text || !split_address(text, host, &port))
        return refuse_address(text, "it is not host:port");
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    int failed = getaddrinfo(host[0] ? host : NULL, port, &hints, &found);
    if (failed)
        return refuse_address(text, gai_strerror(failed));
    memcpy(sa, found->ai_addr, found->ai_addrlen);
    *len = found->ai_addrlen;
    freeaddrinfo(found);
    return ERR_OK;
}

/* A listening socket, or -1 with errno. */
static int listen_on(const struct sockaddr_storage *sa, socklen_t len, bool shared)
{
    int on = 1;
    int fd = socket(sa->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0
        && (!shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0)
        && bind(fd, (const void *)sa, len) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static void format_address(const struct sockaddr_storage *sa, socklen_t len,
                           char out[ADDRESS_TEXT_MAX])
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    int failed = getnameinfo((const void *)sa, len, host, sizeof host, port, sizeof port,
                             NI_NUMERICHOST | NI_NUMERICSERV);
    assert(!failed);
    snprintf(out, ADDRESS_TEXT_MAX, sa->ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* Makes one loop. The first one's socket settles the port for the others. */
static enum err add_loop(struct http_server *s, struct sockaddr_storage *sa, socklen_t *len,
                         bool shared)
{
    int fd = listen_on(sa, *len, shared);
    if (fd < 0)
        return refuse_address(s->site.settings.listen, strerror(errno));
    int failed = getsockname(fd, (void *)sa, len);
    assert(!failed);
    enum err e = loop_new(&s->site, fd, &s->loops[s->count]);
    if (!e)
        s->count++;
    return e;
}

/* ---------------------------------------------------------------- life */

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
    struct sockaddr_storage sa;
    socklen_t len;
    e = resolve(set->listen, &sa, &len);
    for (int64_t i = 0; !e && i < set->threads; i++)
        e = add_loop(s, &sa, &len, set->threads > 1);
    if (!e)
        format_address(&sa, len, s->address);
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
