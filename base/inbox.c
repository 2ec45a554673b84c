/* The only place where threads meet.
 *
 * Invariant: while the list is not empty, the eventfd is readable or the thread that made it
 * non-empty is about to write it. The receiver therefore resets the eventfd first and detaches the
 * list afterwards: an item that comes in between is either detached with the rest or finds the list
 * empty and writes again. The price is a wake-up without items now and then. */
#include "base/inbox.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct inbox {
    pthread_mutex_t lock;
    int fd;
    _Atomic size_t count; /* written under lock */
    /* under lock */
    struct inbox_item *first;
    struct inbox_item *last;
};

struct inbox *inbox_new(void)
{
    struct inbox *in = calloc(1, sizeof *in);

    if (!in)
        return NULL;
    in->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (in->fd < 0) {
        free(in);
        return NULL;
    }
    pthread_mutex_init(&in->lock, NULL);
    return in;
}

void inbox_free(struct inbox **in)
{
    if (!*in)
        return;
    assert(!(*in)->first);
    close((*in)->fd);
    pthread_mutex_destroy(&(*in)->lock);
    free(*in);
    *in = NULL;
}

void inbox_put(struct inbox *in, struct inbox_item *item)
{
    inbox_put_list(in, item, item);
}

void inbox_put_list(struct inbox *in, struct inbox_item *first, struct inbox_item *last)
{
    size_t count = 1;

    last->next = NULL;
    for (struct inbox_item *item = first; item != last; item = item->next)
        count++;
    pthread_mutex_lock(&in->lock);
    bool was_empty = !in->first;
    if (was_empty)
        in->first = first;
    else
        in->last->next = first;
    in->last = last;
    atomic_fetch_add_explicit(&in->count, count, memory_order_relaxed);
    pthread_mutex_unlock(&in->lock);
    if (was_empty)
        inbox_wake(in);
}

struct inbox_item *inbox_take(struct inbox *in)
{
    uint64_t wakes;
    ssize_t got = read(in->fd, &wakes, sizeof wakes);
    assert(got == sizeof wakes || errno == EAGAIN || errno == EINTR);

    pthread_mutex_lock(&in->lock);
    struct inbox_item *list = in->first;
    in->first = in->last = NULL;
    atomic_store_explicit(&in->count, 0, memory_order_relaxed);
    pthread_mutex_unlock(&in->lock);
    return list;
}

int inbox_fd(const struct inbox *in)
{
    return in->fd;
}

void inbox_wait(struct inbox *in, struct mono deadline)
{
    struct pollfd readable = {.fd = in->fd, .events = POLLIN};
    struct timespec timeout, *limit = NULL;
    int ready;

    do {
        if (deadline.us != INT64_MAX) {
            int64_t left = deadline.us - clock_mono().us;
            if (left < 0)
                left = 0;
            timeout = (struct timespec){left / US_PER_S, left % US_PER_S * 1000};
            limit = &timeout;
        }
        ready = ppoll(&readable, 1, limit, NULL);
    } while (ready < 0 && errno == EINTR);
    assert(ready >= 0);
}

void inbox_wake(struct inbox *in)
{
    const uint64_t one = 1;
    ssize_t put;

    do
        put = write(in->fd, &one, sizeof one);
    while (put < 0 && errno == EINTR);
    assert(put == sizeof one ||
           errno == EAGAIN); /* EAGAIN: the counter is full, so it is readable */
}

size_t inbox_count(const struct inbox *in)
{
    return atomic_load_explicit(&in->count, memory_order_relaxed);
}
