/* Why not libmicrohttpd, as the other receiver: it speaks HTTP, and nothing here does for long.
 *
 * Invariants: a peer is in the list of its receiver from accept to close, and each descriptor has
 * one event in a turn of the loop, so that only its own event or its own timer frees a peer. What
 * comes next is a function of how much was sent, which is all that a peer remembers. */
#include "http/chaos.h"

#include "base/heap.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEERS_MAX 8192
#define LISTENERS_MAX 64
#define REQUEST_MAX (2 * 1024 * 1024) /* a longer request is answered before it ends */
#define CHUNK (16 * 1024)             /* written at once: floods leave turns to the others */
#define EVENTS_MAX 128

struct listener {
    const struct chaos_behaviour *behaviour;
    int fd;
    _Atomic uint64_t connections, begun;
    _Atomic int64_t longest_us;
};

struct peer {
    struct listener *listener;
    int fd;
    struct mono accepted;
    enum { PEER_WAITS, PEER_SENDS, PEER_RESTS, PEER_HOLDS } state;
    struct buf request; /* until the misbehaviour begins */
    uint64_t sent;
    struct heap_item timer; /* while it rests */
    LIST_ENTRY(peer) link;
};

struct chaos {
    unsigned (*handler)(void *context, const struct received *r);
    void *context;
    int epoll, wake;
    struct listener listeners[LISTENERS_MAX];
    size_t listener_count;
    pthread_t thread;
    bool started;
    atomic_bool stopping;

    /* the thread's own */
    LIST_HEAD(, peer) peers;
    size_t peer_count;
    struct heap timers;
    struct mono now;
};

/* ---------------------------------------------------------------- peers */

static void peer_close(struct chaos *c, struct peer *p, bool reset)
{
    const struct linger at_once = {.l_onoff = 1};
    const int64_t lasted_us = clock_mono().us - p->accepted.us;
    if (lasted_us > atomic_load(&p->listener->longest_us))
        atomic_store(&p->listener->longest_us, lasted_us);
    if (reset)
        setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(p->fd);
    heap_remove(&c->timers, &p->timer);
    LIST_REMOVE(p, link);
    c->peer_count--;
    buf_free(&p->request);
    free(p);
}

static bool watch(struct chaos *c, struct peer *p, uint32_t events, int how)
{
    struct epoll_event event = {.events = events | EPOLLRDHUP, .data.ptr = p};
    return epoll_ctl(c->epoll, how, p->fd, &event) == 0;
}

static void watch_for(struct chaos *c, struct peer *p, uint32_t events)
{
    bool watched = watch(c, p, events, EPOLL_CTL_MOD);
    assert(watched); /* it was before */
}

/* All that is to be sent. */
static uint64_t volume(const struct chaos_behaviour *b)
{
    uint64_t most = (UINT64_MAX - b->opening.len) / (b->piece.len ? b->piece.len : 1);
    return b->opening.len + b->piece.len * (b->pieces < most ? b->pieces : most);
}

/* The bytes that come after `sent`, up to the next pause. */
static size_t fill(const struct chaos_behaviour *b, uint64_t sent, char chunk[CHUNK])
{
    size_t len = 0;
    for (uint64_t left = volume(b) - sent; len < CHUNK && left > 0;) {
        bool opening = sent < b->opening.len;
        struct span from = opening ? span_skip(b->opening, sent)
                                   : span_skip(b->piece, (sent - b->opening.len) % b->piece.len);
        size_t n = from.len < CHUNK - len ? from.len : CHUNK - len;
        memcpy(chunk + len, from.ptr, n);
        len += n;
        sent += n;
        left -= n;
        if (b->pause_us && n == from.len)
            break;
    }
    return len;
}

static void rest(struct chaos *c, struct peer *p, int64_t us)
{
    p->state = PEER_RESTS;
    watch_for(c, p, EPOLLIN);
    heap_set(&c->timers, &p->timer, mono_add(c->now, us).us);
}

/* False: the peer is gone. */
static bool finish(struct chaos *c, struct peer *p)
{
    const enum chaos_end end = p->listener->behaviour->end;
    if (end == CHAOS_HOLD) {
        p->state = PEER_HOLDS;
        watch_for(c, p, EPOLLIN);
        return true;
    }
    peer_close(c, p, end == CHAOS_RESET);
    return false;
}

/* At a pause the opening, or a piece, has just been sent whole. */
static bool at_pause(const struct chaos_behaviour *b, uint64_t sent)
{
    return b->pause_us && sent >= b->opening.len &&
           (sent == b->opening.len || (sent - b->opening.len) % b->piece.len == 0);
}

/* Sends one chunk, or comes to the end. False: the peer is gone. */
static bool go_on(struct chaos *c, struct peer *p)
{
    const struct chaos_behaviour *b = p->listener->behaviour;
    char chunk[CHUNK];
    size_t len = fill(b, p->sent, chunk);
    if (len == 0)
        return finish(c, p);
    ssize_t n = send(p->fd, chunk, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN) {
        peer_close(c, p, false);
        return false;
    }
    p->sent += n > 0 ? (uint64_t)n : 0;
    if (n > 0 && at_pause(b, p->sent)) {
        rest(c, p, b->pause_us);
    } else if (p->state != PEER_SENDS) {
        p->state = PEER_SENDS;
        watch_for(c, p, EPOLLIN | EPOLLOUT);
    }
    return true;
}

/* ---------------------------------------------------------------- requests */

/* The value of a header in a head whose lines end with NUL. */
static const char *header_of(const void *head, const char *name)
{
    const size_t len = strlen(name);
    for (const char *line = head; *line; line += strlen(line) + 2)
        if (strncasecmp(line, name, len) == 0 && line[len] == ':')
            return line + len + 1 + strspn(line + len + 1, " ");
    return NULL;
}

/* The length of the head with its empty line; 0 while it has not come. */
static size_t head_len(const struct buf *request)
{
    const char *end =
        request->len ? memmem(request->ptr, request->len, "\r\n\r\n", strlen("\r\n\r\n")) : NULL;
    return end ? (size_t)(end - request->ptr) + 4 : 0;
}

static bool request_whole(const struct buf *request)
{
    const size_t head = head_len(request);
    const char name[] = "\ncontent-length:";
    size_t body = 0;
    for (size_t i = 0; i + sizeof name <= head; i++)
        if (strncasecmp(request->ptr + i, name, sizeof name - 1) == 0)
            body = strtoul(request->ptr + i + sizeof name - 1, NULL, 10);
    return request->failed || (head && request->len - head >= body);
}

/* Cuts the head into lines that end with NUL, and the first one into words. */
static void tell(struct chaos *c, struct peer *p)
{
    static char none[2];
    struct received r = {.header = header_of, .connection = none};
    const size_t head = head_len(&p->request);
    if (!c->handler)
        return;
    if (head && p->listener->behaviour->cue == CHAOS_ON_REQUEST) {
        r.body = span_skip(buf_view(&p->request), head);
        for (size_t i = 0; i < head; i++)
            if (p->request.ptr[i] == '\r' || p->request.ptr[i] == '\n')
                p->request.ptr[i] = 0;
        char *words = p->request.ptr;
        r.connection = words + strlen(words) + 2;
        r.method = strsep(&words, " ");
        r.path = words ? strsep(&words, " ") : "";
    }
    c->handler(c->context, &r);
}

/* False: the peer is gone. */
static bool begin(struct chaos *c, struct peer *p)
{
    atomic_fetch_add(&p->listener->begun, 1);
    tell(c, p);
    buf_free(&p->request);
    return go_on(c, p);
}

/* Reads what there is; what comes after the beginning is thrown away. False: the peer is gone. */
static bool take(struct chaos *c, struct peer *p)
{
    char chunk[CHUNK];
    ssize_t n = recv(p->fd, chunk, sizeof chunk, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        peer_close(c, p, false);
        return false;
    }
    if (n < 0 || p->state != PEER_WAITS)
        return true;
    buf_bytes(&p->request, chunk, (size_t)n);
    if (p->listener->behaviour->cue == CHAOS_ON_BYTES || request_whole(&p->request))
        return begin(c, p);
    return true;
}

static void peer_event(struct chaos *c, struct peer *p, uint32_t events)
{
    if (p->listener->behaviour->cue == CHAOS_DEAF) {
        if (events & (EPOLLHUP | EPOLLRDHUP | EPOLLERR))
            peer_close(c, p, false);
        return;
    }
    if (events & ~(uint32_t)EPOLLOUT && !take(c, p))
        return;
    if (events & EPOLLOUT && p->state == PEER_SENDS)
        go_on(c, p);
}

static void accept_one(struct chaos *c, struct listener *l)
{
    int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    atomic_fetch_add(&l->connections, 1);
    struct peer *p = c->peer_count < PEERS_MAX ? calloc(1, sizeof *p) : NULL;
    if (!p) {
        close(fd);
        return;
    }
    *p = (struct peer){.listener = l, .fd = fd, .accepted = c->now};
    buf_init(&p->request, REQUEST_MAX);
    heap_item_init(&p->timer);
    LIST_INSERT_HEAD(&c->peers, p, link);
    c->peer_count++;
    if (!watch(c, p, l->behaviour->cue == CHAOS_DEAF ? 0 : EPOLLIN, EPOLL_CTL_ADD))
        peer_close(c, p, false);
    else if (l->behaviour->cue == CHAOS_ON_ACCEPT)
        begin(c, p);
}

/* ---------------------------------------------------------------- the loop */

static struct listener *listener_of(struct chaos *c, const void *data)
{
    const char *first = (char *)c->listeners, *at = data;
    return at >= first && at < first + sizeof c->listeners ? (struct listener *)(uintptr_t)data
                                                           : NULL;
}

static void run_timers(struct chaos *c)
{
    for (struct heap_item *first; (first = heap_first(&c->timers)) && first->when <= c->now.us;) {
        heap_remove(&c->timers, first);
        go_on(c, (struct peer *)((char *)first - offsetof(struct peer, timer)));
    }
}

static int wait_ms(const struct chaos *c)
{
    const struct heap_item *first = heap_first(&c->timers);
    if (!first)
        return -1;
    int64_t us = first->when - clock_mono().us;
    return us > 0 ? (int)((us + US_PER_MS - 1) / US_PER_MS) : 0;
}

static void *run(void *context)
{
    struct chaos *c = context;
    struct epoll_event events[EVENTS_MAX];
    while (!atomic_load(&c->stopping)) {
        int n = epoll_wait(c->epoll, events, EVENTS_MAX, wait_ms(c));
        c->now = clock_mono();
        for (int i = 0; i < n; i++) {
            struct listener *l = listener_of(c, events[i].data.ptr);
            if (l)
                accept_one(c, l);
            else if (events[i].data.ptr != c)
                peer_event(c, events[i].data.ptr, events[i].events);
        }
        run_timers(c);
    }
    for (struct peer *p; (p = LIST_FIRST(&c->peers));)
        peer_close(c, p, false);
    return NULL;
}

/* ---------------------------------------------------------------- life */

struct chaos *chaos_new(unsigned (*handler)(void *context, const struct received *r), void *context)
{
    struct chaos *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->handler = handler;
    c->context = context;
    LIST_INIT(&c->peers);
    heap_init(&c->timers);
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    c->wake = eventfd(0, EFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (c->epoll < 0 || c->wake < 0 || !heap_reserve(&c->timers, PEERS_MAX) ||
        epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->wake, &event) < 0)
        chaos_stop(&c);
    return c;
}

enum err chaos_listen(struct chaos *c, const char *listen, const struct chaos_behaviour *behaviour,
                      char address[LISTEN_ADDRESS_MAX])
{
    assert(!c->started && c->listener_count < LISTENERS_MAX);
    struct listener *l = &c->listeners[c->listener_count];
    enum err e = listen_address_bind(listen, false, &l->fd, address);
    if (e)
        return e;
    l->behaviour = behaviour;
    c->listener_count++;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = l};
    return epoll_ctl(c->epoll, EPOLL_CTL_ADD, l->fd, &event) < 0 ? ERR_NO_MEMORY : ERR_OK;
}

enum err chaos_start(struct chaos *c)
{
    if (pthread_create(&c->thread, NULL, run, c))
        return ERR_NO_MEMORY;
    c->started = true;
    return ERR_OK;
}

struct chaos_figures chaos_figures(struct chaos *c, size_t index)
{
    struct chaos_figures figures = {0};
    if (index < c->listener_count) {
        struct listener *l = &c->listeners[index];
        figures = (struct chaos_figures){.connections = atomic_load(&l->connections),
                                         .begun = atomic_load(&l->begun),
                                         .longest_us = atomic_load(&l->longest_us)};
    }
    return figures;
}

void chaos_stop(struct chaos **chaos)
{
    struct chaos *c = *chaos;
    if (!c)
        return;
    *chaos = NULL;
    if (c->started) {
        const uint64_t one = 1;
        atomic_store(&c->stopping, true);
        ssize_t n = write(c->wake, &one, sizeof one);
        assert(n == sizeof one);
        pthread_join(c->thread, NULL);
    }
    for (size_t i = 0; i < c->listener_count; i++)
        close(c->listeners[i].fd);
    heap_free(&c->timers);
    if (c->wake >= 0)
        close(c->wake);
    if (c->epoll >= 0)
        close(c->epoll);
    free(c);
}
