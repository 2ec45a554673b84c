/* Bounded in number, bytes and time, so that it cannot be used to hold more than a moment of our
 * attention. All have the same patience, so the oldest is always the first that is late. */
#include "http/drain.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define DRAIN_MAX 64
#define DRAIN_US (2 * US_PER_S)
#define DRAIN_BYTES (32 * 1024 * 1024) /* twice the largest body that any route takes */

struct entry {
    int fd; /* -1: free */
    size_t bytes;
    struct mono until;
};

struct drain {
    int epoll_fd;
    unsigned count;
    struct entry entries[DRAIN_MAX];
};

struct drain *drain_new(void)
{
    struct drain *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    for (unsigned i = 0; i < DRAIN_MAX; i++)
        d->entries[i].fd = -1;
    d->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (d->epoll_fd < 0) {
        free(d);
        return NULL;
    }
    return d;
}

static void drop(struct drain *d, struct entry *entry)
{
    close(entry->fd);
    entry->fd = -1;
    d->count--;
}

void drain_free(struct drain **d)
{
    if (!*d)
        return;
    for (unsigned i = 0; i < DRAIN_MAX; i++)
        if ((*d)->entries[i].fd >= 0)
            drop(*d, &(*d)->entries[i]);
    close((*d)->epoll_fd);
    free(*d);
    *d = NULL;
}

int drain_fd(const struct drain *d)
{
    return d->epoll_fd;
}

void drain_add(struct drain *d, int fd, struct mono now)
{
    shutdown(fd, SHUT_WR);
    unsigned i = 0;
    while (i < DRAIN_MAX && d->entries[i].fd >= 0)
        i++;
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.u32 = i};
    if (i == DRAIN_MAX || epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        close(fd);
        return;
    }
    d->entries[i] = (struct entry){.fd = fd, .until = mono_add(now, DRAIN_US)};
    d->count++;
}

static void discard(struct drain *d, struct entry *entry)
{
    static _Thread_local char sink[16 * 1024];
    ssize_t n = recv(entry->fd, sink, sizeof sink, MSG_DONTWAIT);
    if (n > 0)
        entry->bytes += (size_t)n;
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) || entry->bytes > DRAIN_BYTES)
        drop(d, entry);
}

void drain_turn(struct drain *d, struct mono now)
{
    if (d->count == 0)
        return;
    struct epoll_event events[DRAIN_MAX];
    int n = epoll_wait(d->epoll_fd, events, DRAIN_MAX, 0);
    for (int i = 0; i < n; i++)
        discard(d, &d->entries[events[i].data.u32]);
    for (unsigned i = 0; i < DRAIN_MAX; i++)
        if (d->entries[i].fd >= 0 && d->entries[i].until.us <= now.us)
            drop(d, &d->entries[i]);
}

struct mono drain_next(const struct drain *d)
{
    struct mono next = MONO_NEVER;
    for (unsigned i = 0; d->count > 0 && i < DRAIN_MAX; i++)
        if (d->entries[i].fd >= 0 && d->entries[i].until.us < next.us)
            next = d->entries[i].until;
    return next;
}
