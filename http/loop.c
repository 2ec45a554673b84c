/* libmicrohttpd's internal thread stalls whenever an exact multiple of 128 connections is ready,
 * and its timeouts are of inactivity. So the loop is ours: it waits on libmicrohttpd's epoll
 * descriptor, on the inbox of requests that were woken or came back from the store, on the sockets
 * being closed gently, and on those of suspended requests whose client leaves; MHD_run then never
 * blocks.
 *
 * Invariant: MHD_run follows every MHD_resume_connection within the same turn, and no connection is
 * suspended when the daemon is stopped. */
#include "http/loop.h"

#include "base/log.h"
#include "http/intake.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <unistd.h>

/* In 0.9.75 strictness only answers in HTML what our guard answers in JSON; in 1.x it refuses what
 * the guard cannot see any more. */
#define STRICT (MHD_VERSION >= 0x01000000 ? 1 : 0)

struct loop {
    /* written before the thread starts */
    struct site *site;
    struct MHD_Daemon *daemon;
    struct inbox *inbox; /* shared: the store's thread puts */
    int epoll_fd;
    pthread_t thread;

    /* shared: 0 while running, else the monotonic deadline of the end */
    _Atomic int64_t stop_at;

    /* owned by the thread */
    int listen_fd; /* -1: libmicrohttpd has it, or it is closed */
    struct drain *drain;
    struct connections connections;
    struct waits waits;
    struct intake intake;
};

static bool watch(struct loop *l, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static struct MHD_Daemon *start_daemon(struct loop *l)
{
    /* The limit in all is kept by the address table, which refuses instead of leaving clients in
     * the backlog; libmicrohttpd's own stands just above it. */
    unsigned limit = (unsigned)l->site->settings.max_connections + 2 * CONNECTIONS_EXCESS;
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, intake_access,
        &l->intake, MHD_OPTION_EXTERNAL_LOGGER, intake_log, &l->intake, MHD_OPTION_LISTEN_SOCKET,
        l->listen_fd, MHD_OPTION_CONNECTION_LIMIT, limit, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, STRICT,
        MHD_OPTION_URI_LOG_CALLBACK, intake_begin, &l->intake, MHD_OPTION_NOTIFY_COMPLETED,
        intake_end, &l->intake, MHD_OPTION_NOTIFY_CONNECTION, intake_notify, &l->intake,
        MHD_OPTION_END);
}

enum err loop_new(struct site *site, int listen_fd, struct loop **out)
{
    struct loop *l = calloc(1, sizeof *l);
    if (!l) {
        close(listen_fd);
        return ERR_NO_MEMORY;
    }
    l->site = site;
    l->listen_fd = listen_fd;
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->inbox = inbox_new();
    l->drain = drain_new();
    connections_init(&l->connections, site, l->drain);
    bool waits = waits_init(&l->waits);
    intake_init(&l->intake, site, l->inbox, &l->connections, &l->waits);
    if (l->epoll_fd >= 0 && l->inbox && l->drain && waits && watch(l, inbox_fd(l->inbox)) &&
        watch(l, drain_fd(l->drain)) && watch(l, waits_fd(&l->waits)))
        l->daemon = start_daemon(l);
    if (!l->daemon ||
        !watch(l, MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd)) {
        log_error("http.start", LOG_TEXT_FIELD("reason", "the listener could not be made"),
                  LOG_END);
        loop_free(&l);
        return ERR_NO_MEMORY;
    }
    *out = l;
    return ERR_OK;
}

void loop_free(struct loop **loop)
{
    struct loop *l = *loop;
    *loop = NULL;
    if (!l)
        return;
    if (l->daemon)
        MHD_stop_daemon(l->daemon); /* closes the listening socket, if it still has it */
    else if (l->listen_fd >= 0)
        close(l->listen_fd);
    intake_free(&l->intake);
    waits_free(&l->waits);
    connections_free(&l->connections);
    drain_free(&l->drain);
    if (l->inbox)
        inbox_free(&l->inbox);
    if (l->epoll_fd >= 0)
        close(l->epoll_fd);
    free(l);
}

/* ---------------------------------------------------------------- the thread */

static struct mono earlier(struct mono a, struct mono b)
{
    return a.us < b.us ? a : b;
}

/* Milliseconds for epoll_wait, rounded up so that a deadline has passed when it returns. */
static int time_to_wait(struct loop *l, int64_t stop_at)
{
    MHD_UNSIGNED_LONG_LONG asked;
    int64_t ms = INT32_MAX;
    if (intake_is_behind(&l->intake))
        return 0;
    if (MHD_get_timeout(l->daemon, &asked) == MHD_YES && asked < INT32_MAX)
        ms = (int64_t)asked;
    struct mono next = earlier(connections_next(&l->connections), drain_next(l->drain));
    next = earlier(next, waits_next(&l->waits));
    if (stop_at && stop_at > l->connections.now.us)
        next = earlier(next, (struct mono){stop_at});
    if (ms > 0 && next.us != MONO_NEVER.us) {
        int64_t us = next.us - clock_mono().us;
        int64_t left = us <= 0 ? 0 : (us + US_PER_MS - 1) / US_PER_MS;
        ms = left < ms ? left : ms;
    }
    return ms >= INT32_MAX ? -1 : (int)ms;
}

static void turn(struct loop *l, int64_t stop_at)
{
    struct epoll_event events[4];
    int n = epoll_wait(l->epoll_fd, events, 4, time_to_wait(l, stop_at));
    assert(n >= 0 || errno == EINTR);
    l->connections.now = clock_mono();
    waits_turn(&l->waits, l->connections.now);
    intake_continue(&l->intake, n == 0);
    MHD_run(l->daemon);
    connections_expire(&l->connections);
    drain_turn(l->drain, l->connections.now);
}

/* From now on no connection begins; those without a request are closed, the others end with their
 * reply. */
static void begin_stop(struct loop *l)
{
    int fd = MHD_quiesce_daemon(l->daemon);
    if (fd >= 0)
        close(fd);
    l->listen_fd = -1;
    connections_shut(&l->connections, false);
    waits_close(&l->waits);
}

static void *run(void *cls)
{
    struct loop *l = cls;
    pthread_setname_np(pthread_self(), "http");
    int64_t stop_at = 0;
    while (!stop_at) {
        turn(l, 0);
        stop_at = atomic_load(&l->stop_at);
    }
    begin_stop(l);
    while (l->connections.count > 0 && l->connections.now.us < stop_at)
        turn(l, stop_at);
    connections_shut(&l->connections, true);
    while (l->intake.waiting > 0)
        turn(l, stop_at);
    return NULL;
}

enum err loop_start(struct loop *l)
{
    sigset_t all, before;
    sigfillset(&all);
    l->connections.now = clock_mono();
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&l->thread, NULL, run, l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed ? ERR_NO_MEMORY : ERR_OK;
}

void loop_stop(struct loop *l, struct mono deadline)
{
    atomic_store(&l->stop_at, deadline.us > 0 ? deadline.us : 1);
    inbox_wake(l->inbox);
}

void loop_join(struct loop *l)
{
    pthread_join(l->thread, NULL);
}
