/* Why sockets stay registered: a reused connection leaves and re-enters curl's interest around
 * every transfer, and following that with epoll_ctl costs a quarter of the whole transfer. So:
 *
 *   - CURL_POLL_REMOVE of a connection is only noted. An event on a socket that curl does not want
 *     takes it out of epoll then, or a peer's close would spin the loop (level-triggered).
 *   - The kernel drops a closed descriptor by itself; the close-socket callback clears our note,
 *     and poll_opened clears it once more when the number is used again.
 *   - Sockets that curl makes for itself (the resolver's) pass neither callback: for them a removal
 *     is done at once.
 *
 * Timers: one deadline per multi, for one shot, as curl_multi_socket_action asks: when told of a
 * time-out curl always says when the next one is, and says nothing when there is none. */
#include "dispatcher/poll.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_MAX 256
/* How often one call handles timers that curl sets to "now" again before sockets get a turn. */
#define TIMER_ROUNDS 4

struct shard {
    struct poll *poll;
    CURLM *multi;         /* NULL until used */
    struct mono deadline; /* MONO_NEVER: none */
};

/* What we know of a descriptor. */
struct poll_socket {
    uint8_t shard;      /* whose it is */
    uint8_t registered; /* in epoll for these CURL_POLL_… bits; 0: not in it */
    uint8_t wanted;     /* by curl at the moment */
    bool connection;    /* passes the open and close callbacks */
};

struct poll {
    int epoll;
    int wake_fd;
    long connections;
    void (*ended)(void *context, CURL *easy, CURLcode code);
    void *context;
    struct poll_socket *sockets; /* by descriptor */
    size_t socket_count;
    struct mono now;
    struct shard shards[POLL_SHARDS];
};

unsigned poll_shard(bool tls, bool special, uint32_t endpoint)
{
    unsigned base = special ? POLL_PLAIN_SHARDS + POLL_TLS_SHARDS : 0;
    return base +
           (tls ? POLL_PLAIN_SHARDS + endpoint % POLL_TLS_SHARDS : endpoint % POLL_PLAIN_SHARDS);
}

struct poll *poll_new(void (*ended)(void *context, CURL *easy, CURLcode code), void *context,
                      int wake_fd, long connections)
{
    struct poll *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    p->wake_fd = wake_fd;
    p->connections = connections > POLL_CONNECTIONS ? connections : POLL_CONNECTIONS;
    p->ended = ended;
    p->context = context;
    for (size_t i = 0; i < POLL_SHARDS; i++)
        p->shards[i] = (struct shard){.poll = p, .deadline = MONO_NEVER};
    struct epoll_event event = {.events = EPOLLIN, .data.fd = wake_fd};
    if (p->epoll < 0 || epoll_ctl(p->epoll, EPOLL_CTL_ADD, wake_fd, &event) < 0)
        poll_free(&p);
    return p;
}

void poll_free(struct poll **p)
{
    struct poll *self = *p;
    if (!self)
        return;
    *p = NULL;
    for (size_t i = 0; i < POLL_SHARDS; i++)
        if (self->shards[i].multi)
            curl_multi_cleanup(self->shards[i].multi);
    if (self->epoll >= 0)
        close(self->epoll);
    free(self->sockets);
    free(self);
}

/* NULL when out of memory. */
static struct poll_socket *socket_of(struct poll *p, curl_socket_t fd)
{
    size_t index = (size_t)fd;
    if (index >= p->socket_count) {
        size_t count = index < 512 ? 1024 : index * 2;
        struct poll_socket *grown = realloc(p->sockets, count * sizeof *grown);
        if (!grown)
            return NULL;
        memset(grown + p->socket_count, 0, (count - p->socket_count) * sizeof *grown);
        p->sockets = grown;
        p->socket_count = count;
    }
    return &p->sockets[index];
}

/* Makes epoll's interest `bits`. Our note may be wrong when a descriptor was closed without a word
 * and its number used again, so either call may have to become the other. */
static void socket_register(struct poll *p, curl_socket_t fd, struct poll_socket *s, uint8_t bits)
{
    struct epoll_event event = {.data.fd = fd};
    event.events = ((bits & CURL_POLL_IN) ? EPOLLIN : 0) | ((bits & CURL_POLL_OUT) ? EPOLLOUT : 0);
    if (bits == 0) {
        epoll_ctl(p->epoll, EPOLL_CTL_DEL, fd, &event);
        s->registered = 0;
        return;
    }
    int first = s->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    int second = s->registered ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(p->epoll, first, fd, &event) < 0 && epoll_ctl(p->epoll, second, fd, &event) < 0) {
        /* The transfer will end by its timeout. */
        log_error("epoll_ctl", LOG_INT("fd", fd), LOG_INT("errno", errno), LOG_END);
        return;
    }
    s->registered = bits;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context)
{
    (void)easy;
    (void)socket_context;
    struct shard *shard = context;
    struct poll *p = shard->poll;
    struct poll_socket *s = socket_of(p, fd);
    if (!s)
        return -1;
    s->shard = (uint8_t)(shard - p->shards);
    s->wanted = what == CURL_POLL_REMOVE ? 0 : (uint8_t)what;
    if (s->wanted == 0) {
        if (!s->connection)
            socket_register(p, fd, s, 0);
    } else if (s->wanted & ~s->registered || !s->connection) {
        socket_register(p, fd, s, s->wanted);
    }
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
    (void)multi;
    struct shard *shard = context;
    shard->deadline =
        timeout_ms < 0 ? MONO_NEVER : mono_add(shard->poll->now, timeout_ms * US_PER_MS);
    return 0;
}

static int on_close(void *context, curl_socket_t fd)
{
    struct poll *p = context;
    struct poll_socket *s = socket_of(p, fd);
    if (s)
        *s = (struct poll_socket){0};
    return close(fd);
}

void poll_opened(struct poll *p, curl_socket_t fd)
{
    struct poll_socket *s = socket_of(p, fd);
    if (s)
        *s = (struct poll_socket){.connection = true};
}

void poll_prepare(struct poll *p, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, p);
}

static bool shard_open(struct shard *shard)
{
    CURLM *multi = curl_multi_init();
    if (!multi)
        return false;
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, shard);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, shard);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, shard->poll->connections);
    shard->multi = multi;
    return true;
}

bool poll_add(struct poll *p, unsigned shard, CURL *easy)
{
    assert(shard < POLL_SHARDS);
    struct shard *s = &p->shards[shard];
    if (!s->multi && !shard_open(s))
        return false;
    p->now = clock_mono();
    return curl_multi_add_handle(s->multi, easy) == CURLM_OK;
}

void poll_remove(struct poll *p, unsigned shard, CURL *easy)
{
    assert(shard < POLL_SHARDS);
    curl_multi_remove_handle(p->shards[shard].multi, easy);
}

static void shard_act(struct shard *shard, curl_socket_t fd, int what)
{
    int running;
    curl_multi_socket_action(shard->multi, fd, what, &running);

    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(shard->multi, &left));) {
        if (m->msg != CURLMSG_DONE)
            continue;
        CURL *easy = m->easy_handle; /* m dies with the removal */
        CURLcode code = m->data.result;
        curl_multi_remove_handle(shard->multi, easy);
        shard->poll->ended(shard->poll->context, easy, code);
    }
}

static void run_timers(struct poll *p)
{
    for (size_t i = 0; i < POLL_SHARDS; i++) {
        struct shard *shard = &p->shards[i];
        for (unsigned round = 0; round < TIMER_ROUNDS && shard->deadline.us <= p->now.us; round++) {
            shard->deadline = MONO_NEVER;
            shard_act(shard, CURL_SOCKET_TIMEOUT, 0);
        }
    }
}

static void socket_event(struct poll *p, int fd, uint32_t events)
{
    struct poll_socket *s = socket_of(p, fd);
    if (!s || !s->registered)
        return; /* closed by the handling of an earlier event of this turn */
    bool broken = events & (EPOLLERR | EPOLLHUP);
    uint8_t seen = (uint8_t)(((events & EPOLLIN) ? CURL_POLL_IN : 0) |
                             ((events & EPOLLOUT) ? CURL_POLL_OUT : 0));
    if (!(seen & s->wanted) && !(broken && s->wanted)) {
        socket_register(p, fd, s, s->wanted);
        return;
    }
    int what = ((seen & CURL_POLL_IN) ? CURL_CSELECT_IN : 0) |
               ((seen & CURL_POLL_OUT) ? CURL_CSELECT_OUT : 0) | (broken ? CURL_CSELECT_ERR : 0);
    shard_act(&p->shards[s->shard], fd, what);
}

static int wait_ms(const struct poll *p, struct mono deadline)
{
    for (size_t i = 0; i < POLL_SHARDS; i++)
        if (p->shards[i].deadline.us < deadline.us)
            deadline = p->shards[i].deadline;
    if (deadline.us == MONO_NEVER.us)
        return -1;
    int64_t us = deadline.us - p->now.us;
    if (us <= 0)
        return 0;
    int64_t ms = (us + US_PER_MS - 1) / US_PER_MS;
    return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

void poll_run(struct poll *p, struct mono deadline)
{
    struct epoll_event events[EVENTS_MAX];
    p->now = clock_mono();
    run_timers(p);
    int n = epoll_wait(p->epoll, events, EVENTS_MAX, wait_ms(p, deadline));
    assert(n >= 0 || errno == EINTR);
    p->now = clock_mono();
    for (int i = 0; i < n; i++)
        if (events[i].data.fd != p->wake_fd)
            socket_event(p, events[i].data.fd, events[i].events);
    run_timers(p);
}
