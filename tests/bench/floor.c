/* The floor: the smallest honest program on the same libraries. It accepts an event over HTTP
 * (libmicrohttpd), commits it durably (LMDB, one sync a batch), answers 202, POSTs it to FANOUT
 * receivers (libcurl) and commits each outcome. No tokens, no rules, no signature, no retry, no
 * idempotency: what Surehook does on top of this is what it costs.
 *
 *     floor DATA-DIR FANOUT SINK-URL
 *
 * Three threads as in the service: HTTP, writer, dispatcher. Prints "listening on http://…". */
#include <curl/curl.h>
#include <lmdb.h>
#include <microhttpd.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CONNECTIONS_PER_URL 50
#define BODY_MAX (64 * 1024)

struct event {
    struct event *next;
    struct MHD_Connection *connection;
    uint64_t id;
    size_t len;
    atomic_uint refs;
    bool committed;
    char body[];
};

struct work { /* a delivery waiting for its turn, or its outcome waiting for the writer */
    struct work *next;
    struct event *event;
};

/* A locked list with an eventfd: the only way between threads. */
struct list {
    pthread_mutex_t mutex;
    void *first, **last;
    int fd;
};

static struct list to_writer, outcomes, to_http, to_curl;
static unsigned fanout;
static const char *url;

static void list_init(struct list *l)
{
    pthread_mutex_init(&l->mutex, NULL);
    l->first = NULL;
    l->last = &l->first;
    l->fd = eventfd(0, EFD_NONBLOCK);
}

/* Every item begins with its `next` pointer. */
static void list_put(struct list *l, void *item, struct list *wake)
{
    *(void **)item = NULL;
    pthread_mutex_lock(&l->mutex);
    bool empty = !l->first;
    *l->last = item;
    l->last = item;
    pthread_mutex_unlock(&l->mutex);
    if (empty)
        eventfd_write(wake->fd, 1);
}

static void *list_take(struct list *l)
{
    pthread_mutex_lock(&l->mutex);
    void *all = l->first;
    l->first = NULL;
    l->last = &l->first;
    pthread_mutex_unlock(&l->mutex);
    return all;
}

static void check(int failed, const char *what)
{
    if (failed) {
        fprintf(stderr, "floor: %s failed (%d)\n", what, failed);
        exit(1);
    }
}

static void event_drop(struct event *e)
{
    if (atomic_fetch_sub(&e->refs, 1) == 1)
        free(e);
}

/* ---------------------------------------------------------------- writer */

static MDB_env *env;
static MDB_dbi messages, due;

static void open_store(const char *dir)
{
    MDB_txn *txn;
    check(mdb_env_create(&env), "env_create");
    check(mdb_env_set_mapsize(env, (size_t)64 << 30), "mapsize");
    check(mdb_env_set_maxdbs(env, 4), "maxdbs");
    check(mdb_env_open(env, dir, MDB_NOTLS | MDB_NORDAHEAD, 0600), "env_open");
    check(mdb_txn_begin(env, NULL, 0, &txn), "begin");
    check(mdb_dbi_open(txn, "message", MDB_CREATE | MDB_INTEGERKEY, &messages), "dbi");
    check(mdb_dbi_open(txn, "due", MDB_CREATE | MDB_INTEGERKEY, &due), "dbi");
    check(mdb_txn_commit(txn), "commit");
}

static void write_batch(struct event *events, struct work *done)
{
    static uint64_t next_id;
    MDB_txn *txn;
    check(mdb_txn_begin(env, NULL, 0, &txn), "begin");
    for (struct event *e = events; e; e = e->next) {
        e->id = ++next_id;
        MDB_val key = {sizeof e->id, &e->id}, value = {e->len, e->body}, one = {1, "1"};
        check(mdb_put(txn, messages, &key, &value, MDB_APPEND), "put");
        for (unsigned i = 0; i < fanout; i++) {
            uint64_t delivery = e->id * 8 + i;
            MDB_val row = {sizeof delivery, &delivery};
            check(mdb_put(txn, due, &row, &one, MDB_APPEND), "put");
        }
    }
    for (struct work *w = done; w; w = w->next) {
        /* Which of the fan-out it was does not matter to the cost: the lowest row left is taken. */
        for (unsigned i = 0; i < fanout; i++) {
            uint64_t delivery = w->event->id * 8 + i;
            MDB_val row = {sizeof delivery, &delivery};
            if (mdb_del(txn, due, &row, NULL) == 0)
                break;
        }
    }
    check(mdb_txn_commit(txn), "commit");
}

static void hand_out(struct event *events)
{
    for (struct event *e = events, *next; e; e = next) {
        next = e->next;
        e->committed = true;
        for (unsigned i = 0; i < fanout; i++) {
            struct work *w = malloc(sizeof *w);
            w->event = e;
            list_put(&to_curl, w, &to_curl);
        }
        list_put(&to_http, e, &to_http);
    }
}

static void *writer_main(void *unused)
{
    pthread_setname_np(pthread_self(), "writer");
    for (;;) {
        eventfd_t n;
        struct epoll_event ready;
        static int poll = -1;
        if (poll < 0) {
            poll = epoll_create1(0);
            epoll_ctl(poll, EPOLL_CTL_ADD, to_writer.fd, &(struct epoll_event){.events = EPOLLIN});
        }
        epoll_wait(poll, &ready, 1, -1);
        eventfd_read(to_writer.fd, &n);
        struct event *events = list_take(&to_writer);
        struct work *done = list_take(&outcomes);
        if (!events && !done)
            continue;
        write_batch(events, done);
        for (struct work *w = done, *next; w; w = next) {
            next = w->next;
            event_drop(w->event);
            free(w);
        }
        hand_out(events);
    }
    return unused;
}

/* ---------------------------------------------------------------- HTTP */

static enum MHD_Result on_request(void *unused, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **state)
{
    struct event *e = *state;
    (void)unused, (void)path, (void)method, (void)version;
    if (!e) {
        const char *length =
            MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
        size_t len = length ? strtoul(length, NULL, 10) : 0;
        if (len > BODY_MAX)
            return MHD_NO;
        e = malloc(sizeof *e + len);
        *e = (struct event){.connection = connection};
        atomic_store(&e->refs, fanout + 1);
        *state = e;
        return MHD_YES;
    }
    if (*size) {
        memcpy(e->body + e->len, data, *size);
        e->len += *size;
        *size = 0;
        return MHD_YES;
    }
    if (!e->committed) {
        MHD_suspend_connection(connection);
        list_put(&to_writer, e, &to_writer);
        return MHD_YES;
    }
    struct MHD_Response *r = MHD_create_response_from_buffer(2, "{}", MHD_RESPMEM_PERSISTENT);
    enum MHD_Result queued = MHD_queue_response(connection, 202, r);
    MHD_destroy_response(r);
    *state = NULL;
    event_drop(e);
    return queued;
}

static void *http_main(void *context)
{
    struct MHD_Daemon *daemon = context;
    pthread_setname_np(pthread_self(), "http");
    int poll = epoll_create1(0);
    int inner = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    epoll_ctl(poll, EPOLL_CTL_ADD, inner, &(struct epoll_event){.events = EPOLLIN});
    epoll_ctl(poll, EPOLL_CTL_ADD, to_http.fd, &(struct epoll_event){.events = EPOLLIN});
    for (;;) {
        struct epoll_event ready[2];
        eventfd_t n;
        MHD_UNSIGNED_LONG_LONG wait;
        int timeout = MHD_get_timeout(daemon, &wait) == MHD_YES ? (int)wait : -1;
        epoll_wait(poll, ready, 2, timeout);
        eventfd_read(to_http.fd, &n);
        for (struct event *e = list_take(&to_http), *next; e; e = next) {
            next = e->next;
            MHD_resume_connection(e->connection);
        }
        MHD_run(daemon);
    }
    return NULL;
}

/* ---------------------------------------------------------------- dispatcher */

static CURLM *multi;
static int curl_poll;
#define HANDLES_MAX (CONNECTIONS_PER_URL * 8)
#define FDS_MAX 4096
static CURL *idle[HANDLES_MAX];
static unsigned idle_count;
static int64_t timer_ms = -1;
static bool wanted[FDS_MAX]; /* by descriptor: whether curl waits for it */

static size_t discard(char *data, size_t size, size_t n, void *unused)
{
    (void)data, (void)unused;
    return size * n;
}

/* A socket stays registered between two transfers: leaving and entering again would cost a quarter
 * of a transfer. on_event takes it out when it has news that nobody waits for. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *unused, void *known)
{
    (void)easy, (void)unused, (void)known;
    check(fd >= FDS_MAX, "a descriptor's number");
    wanted[fd] = what != CURL_POLL_REMOVE;
    if (!wanted[fd])
        return 0;
    struct epoll_event want = {.data.fd = fd};
    want.events = (what & CURL_POLL_IN ? (unsigned)EPOLLIN : 0u) |
                  (what & CURL_POLL_OUT ? (unsigned)EPOLLOUT : 0u);
    if (epoll_ctl(curl_poll, EPOLL_CTL_MOD, fd, &want))
        epoll_ctl(curl_poll, EPOLL_CTL_ADD, fd, &want);
    return 0;
}

static void on_event(int fd)
{
    eventfd_t count;
    int running;
    if (fd == to_curl.fd)
        eventfd_read(fd, &count);
    else if (wanted[fd])
        curl_multi_socket_action(multi, fd, 0, &running);
    else
        epoll_ctl(curl_poll, EPOLL_CTL_DEL, fd, NULL);
}

static int on_timer(CURLM *m, long ms, void *unused)
{
    (void)m, (void)unused;
    timer_ms = ms;
    return 0;
}

static void start_easy(void)
{
    static struct curl_slist *headers;
    if (!headers) {
        headers = curl_slist_append(NULL, "content-type: application/json");
        headers = curl_slist_append(headers, "Expect:");
    }
    for (unsigned i = 0; i < CONNECTIONS_PER_URL * fanout && i < HANDLES_MAX; i++) {
        CURL *easy = curl_easy_init();
        curl_easy_setopt(easy, CURLOPT_URL, url);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 15000L);
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
        idle[idle_count++] = easy;
    }
}

static void start_work(struct work **waiting)
{
    while (*waiting && idle_count) {
        struct work *w = *waiting;
        CURL *easy = idle[--idle_count];
        *waiting = w->next;
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, &w->event->body[0]);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)w->event->len);
        curl_easy_setopt(easy, CURLOPT_PRIVATE, w);
        curl_multi_add_handle(multi, easy);
    }
}

static void finish_work(void)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(multi, &left))) {
        CURL *easy = m->easy_handle;
        struct work *w;
        check(m->data.result, "delivery");
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&w);
        curl_multi_remove_handle(multi, easy);
        idle[idle_count++] = easy;
        list_put(&outcomes, w, &to_writer);
    }
}

static void *curl_main(void *unused)
{
    struct work *waiting = NULL, **last = &waiting;
    pthread_setname_np(pthread_self(), "dispatch");
    epoll_ctl(curl_poll, EPOLL_CTL_ADD, to_curl.fd,
              &(struct epoll_event){.events = EPOLLIN, .data.fd = to_curl.fd});
    for (;;) {
        struct epoll_event ready[256];
        int running, n = epoll_wait(curl_poll, ready, 256, (int)timer_ms);
        if (n == 0) {
            timer_ms = -1;
            curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
        }
        for (int i = 0; i < n; i++)
            on_event(ready[i].data.fd);
        finish_work();
        if (!waiting)
            last = &waiting;
        *last = list_take(&to_curl);
        while (*last)
            last = &(*last)->next;
        start_work(&waiting);
        while (timer_ms == 0) {
            timer_ms = -1;
            curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
            finish_work();
            start_work(&waiting);
        }
    }
    return unused;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    fanout = (unsigned)strtoul(argv[2], NULL, 10);
    url = argv[3];
    list_init(&to_writer);
    list_init(&outcomes);
    list_init(&to_http);
    list_init(&to_curl);
    open_store(argv[1]);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    multi = curl_multi_init();
    curl_poll = epoll_create1(0);
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 512L);
    start_easy();
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, NULL,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)20 * 1024,
                         MHD_OPTION_CONNECTION_LIMIT, 4096u, MHD_OPTION_END);
    check(!daemon, "start");
    pthread_t threads[3];
    pthread_create(&threads[0], NULL, writer_main, NULL);
    pthread_create(&threads[1], NULL, curl_main, NULL);
    pthread_create(&threads[2], NULL, http_main, daemon);
    printf("listening on http://127.0.0.1:%u\n",
           MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    pause();
    return 0;
}
