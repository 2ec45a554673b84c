/* Invariant: a request that waits is in the heap and, if there was room, in the epoll set; one that
 * does not is in neither. A request is put into the inbox once a wait, whoever wakes it first. */
#include "http/wait.h"

#include "http/request_state.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#define HANGUPS 16 /* looked at in a turn; the others wait for the next */

bool waits_init(struct waits *w)
{
    *w = (struct waits){.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    heap_init(&w->deadlines);
    return w->epoll_fd >= 0;
}

void waits_free(struct waits *w)
{
    assert(w->count == 0);
    heap_free(&w->deadlines);
    if (w->epoll_fd >= 0)
        close(w->epoll_fd);
}

int waits_fd(const struct waits *w)
{
    return w->epoll_fd;
}

bool waits_begin(struct waits *w, struct request *req, int fd, struct mono until)
{
    struct wait *wait = &req->wait;
    assert(!wait->request);
    if (w->closed || wait->over || !heap_reserve(&w->deadlines, w->count + 1))
        return false;
    wait->request = req;
    wait->fd = fd;
    atomic_store(&wait->woken, false);
    heap_item_init(&wait->deadline);
    heap_set(&w->deadlines, &wait->deadline, until.us);
    w->count++;
    /* Without it a client that leaves is noticed when the time is over. */
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = wait};
    (void)epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    return true;
}

void waits_end(struct waits *w, struct request *req)
{
    assert(req->wait.request == req && w->count > 0);
    heap_remove(&w->deadlines, &req->wait.deadline);
    (void)epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, req->wait.fd, NULL);
    req->wait.request = NULL;
    w->count--;
}

static void end_early(struct wait *wait)
{
    wait->over = true;
    request_wake(wait->request);
}

static void look_for_hangups(struct waits *w)
{
    struct epoll_event events[HANGUPS];
    int n = w->count > 0 ? epoll_wait(w->epoll_fd, events, HANGUPS, 0) : 0;
    for (int i = 0; i < n; i++)
        end_early(events[i].data.ptr);
}

void waits_turn(struct waits *w, struct mono now)
{
    look_for_hangups(w);
    struct heap_item *item;
    while ((item = heap_first(&w->deadlines)) && item->when <= now.us) {
        heap_remove(&w->deadlines, item);
        request_wake(((struct wait *)item)->request);
    }
}

struct mono waits_next(const struct waits *w)
{
    const struct heap_item *item = heap_first(&w->deadlines);
    return item ? (struct mono){item->when} : MONO_NEVER;
}

void waits_close(struct waits *w)
{
    struct heap_item *item;
    w->closed = true;
    while ((item = heap_first(&w->deadlines))) {
        heap_remove(&w->deadlines, item);
        end_early((struct wait *)item);
    }
}
