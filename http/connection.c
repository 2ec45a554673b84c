/* libmicrohttpd's own timeout counts inactivity, so it never ends a connection that drips. Here a
 * deadline is a shutdown of the socket: libmicrohttpd then sees the end of the stream and cleans up
 * in its own way, and nothing of it is freed behind its back. */
#include "http/connection.h"

#include "base/bounds.h"

#include <assert.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long a connection has been idle when its client is looked for: busy ones cost nothing. */
#define LOOK_US US_PER_S
#define OUTSIDE_US US_PER_S /* for one that is one too many to send its head, or read its answer */
#define HAND_STEPS 64       /* looked at for one that gives way */

void connections_init(struct connections *all, struct site *site, struct drain *drain)
{
    *all = (struct connections){.site = site, .drain = drain};
    heap_init(&all->deadlines);
}

void connections_free(struct connections *all)
{
    assert(all->count == 0);
    heap_free(&all->deadlines);
}

struct connection *connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* Of the next few, the one of the address that has most, if that is more than the newcomer's will
 * have. Never one whose request is being handled: that has no deadline. */
static struct connection *find_to_give_way(struct connections *all, struct address_key newcomer)
{
    struct address_table *table = all->site->addresses;
    size_t most = address_table_count(table, newcomer) + 1;
    struct connection *found = NULL;
    unsigned looked = 0;
    for (size_t i = 0; looked < HAND_STEPS && i < all->count; i++) {
        struct connection *c = all->hand ? all->hand : all->first;
        all->hand = c->next;
        if (c->outside)
            continue;
        looked++;
        if (c->deadline.at == HEAP_OUT)
            continue;
        size_t has = address_table_count(table, c->address);
        if (has > most) {
            most = has;
            found = c;
        }
    }
    return found;
}

/* Takes a place for the connection, if need be another's; false: it is one too many. */
static bool enter(struct connections *all, struct address_key address)
{
    enum err e = address_table_enter(all->site->addresses, address);
    struct connection *other = NULL;
    if (e == ERR_FULL)
        other = find_to_give_way(all, address);
    if (!other)
        return !e;
    address_table_leave(all->site->addresses, other->address);
    other->outside = true;
    other->looks = false;
    heap_set(&all->deadlines, &other->deadline, all->now.us); /* shut at the end of this turn */
    return !address_table_enter(all->site->addresses, address);
}

/* One that we have no memory for, or beyond those that are refused in words, is shut before its
 * head is read. */
static struct connection *begin(struct connections *all, struct MHD_Connection *mhd)
{
    int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    const struct sockaddr *peer =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    struct address_key address = address_key_of(peer);
    struct connection *c = calloc(1, sizeof *c);
    bool room = c && heap_reserve(&all->deadlines, all->count + 1);
    bool entered = room && enter(all, address);
    if (!entered)
        counter_add(&all->site->stats.refused[REFUSED_CONNECTIONS], 1);
    if (!room || (!entered && all->excess_count == CONNECTIONS_EXCESS)) {
        shutdown(fd, SHUT_RDWR);
        free(c);
        return NULL;
    }
    *c = (struct connection){.all = all,
                             .mhd = mhd,
                             .fd = fd,
                             .drain_fd = -1,
                             .address = address,
                             .outside = !entered,
                             .excess = !entered};
    all->excess_count += c->excess;
    heap_item_init(&c->deadline);
    c->next = all->first;
    if (c->next)
        c->next->previous = c;
    all->first = c;
    all->count++;
    counter_add(&all->site->stats.connections, 1);
    connection_allow(c, all->site->settings.head_timeout_us);
    return c;
}

static void end(struct connection *c)
{
    struct connections *all = c->all;
    assert(!c->request);
    heap_remove(&all->deadlines, &c->deadline);
    if (c->drain_fd >= 0)
        drain_add(all->drain, c->drain_fd, all->now);
    if (c->previous)
        c->previous->next = c->next;
    else
        all->first = c->next;
    if (c->next)
        c->next->previous = c->previous;
    if (all->hand == c)
        all->hand = c->next;
    all->count--;
    counter_sub(&all->site->stats.connections, 1);
    all->excess_count -= c->excess;
    if (!c->outside)
        address_table_leave(all->site->addresses, c->address);
    free(c);
}

void connection_notify(void *cls, struct MHD_Connection *mhd, void **socket_context,
                       enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        *socket_context = begin(cls, mhd);
    else if (*socket_context)
        end(*socket_context);
}

void connection_allow(struct connection *c, int64_t us)
{
    c->looks = false;
    if (c->outside && us > OUTSIDE_US)
        us = OUTSIDE_US;
    heap_set(&c->all->deadlines, &c->deadline, mono_add(c->all->now, us).us);
}

void connection_allow_for_ever(struct connection *c)
{
    heap_remove(&c->all->deadlines, &c->deadline);
}

void connection_idle(struct connection *c)
{
    connection_allow(c, c->all->shut ? 0 : LOOK_US);
    c->looks = !c->all->shut;
}

void connection_drain(struct connection *c)
{
    if (c->drain_fd < 0)
        c->drain_fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
}

/* 0.9.75 does not look at a socket again once it refused a request for its arguments; its own
 * timeout is the one way to end such a connection, and at most a second later. */
static void cut(const struct connection *c)
{
    MHD_set_connection_option(c->mhd, MHD_CONNECTION_OPTION_TIMEOUT, 1u);
    shutdown(c->fd, SHUT_RDWR);
}

/* 0.9.75 is told of an end once. When it came together with the request, it has not been read when
 * the socket is taken to be empty, and nothing tells of it again. */
static bool has_left(const struct connection *c)
{
    char byte;
    return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void connections_expire(struct connections *all)
{
    struct heap_item *item = heap_first(&all->deadlines);
    while (item && item->when <= all->now.us) {
        struct connection *c = (struct connection *)item;
        heap_remove(&all->deadlines, item);
        if (c->looks && !has_left(c)) {
            connection_allow(c, KEEP_ALIVE_S * US_PER_S - LOOK_US);
            item = heap_first(&all->deadlines);
            continue;
        }
        if (!c->outside && (c->request || !c->served))
            counter_add(&all->site->stats.refused[REFUSED_TIMEOUT], 1);
        cut(c);
        item = heap_first(&all->deadlines);
    }
}

struct mono connections_next(const struct connections *all)
{
    const struct heap_item *item = heap_first(&all->deadlines);
    return item ? (struct mono){item->when} : MONO_NEVER;
}

void connections_shut(struct connections *all, bool busy_too)
{
    all->shut = true;
    for (struct connection *c = all->first; c; c = c->next)
        if (busy_too || !c->request)
            cut(c);
}
