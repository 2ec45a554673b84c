/* The shape of a request stays the same for the life of a handle; an attempt changes only the URL,
 * the headers and the body, and copies none but the URL. The lines that change with every attempt
 * are list nodes of our own in front of the destination's shared list: curl only walks it.
 *
 * Invariants: no socket is made for an address that the guard refuses, and no connection is reused
 * to one; both are judged at every attempt. A transfer is idle, or in its multi, or ended and about
 * to be idle; in its multi it is in the flying list until its final headers, then in the draining
 * one. libcurl ends what takes too long, but where its memory ran short it was seen to forget the
 * timer: so what is overdue is ended by our own clock. */
#include "dispatcher/transfer.h"

#include "base/log.h"
#include "dispatcher/dispatcher.h"
#include "dispatcher/request.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#define SYSTEM_CA_FILE "/etc/ssl/certs/ca-certificates.crt"
#define DRAIN_US US_PER_S
#define OVERDUE_US (US_PER_S / 2) /* behind libcurl's own timeout … */
#define LOOK_US (US_PER_S / 2)    /* … and how often we look */
#define IDLE_MAX 256

struct transfer {
    CURL *easy;
    struct transfers *all;
    void *owner;
    struct destination *destination;
    struct request request;
    struct buf *response;
    unsigned shard;

    size_t head_bytes, body_bytes;
    bool final;      /* the final headers are complete */
    bool blocked;    /* the guard refused an address */
    bool addressed;  /* an address was found, or a connection to use again */
    bool looking_up; /* counted in transfers.lookups */
    bool special;    /* its multi is one of those for allowed special subnets */
    bool stray;      /* its connection belongs in a multi of the other kind: not kept */
    int64_t retry_after_us;
    CURLcode code; /* once ended */

    enum { TRANSFER_IDLE, TRANSFER_FLYING, TRANSFER_DRAINING } state;
    TAILQ_ENTRY(transfer) link; /* among those of its state */
    struct mono until;          /* of a flying one: overdue then; of a draining one: cut */
};

struct transfers {
    struct transfer_settings settings;
    struct poll *poll;
    void (*ended)(void *owner, struct transfer *t);
    TAILQ_HEAD(transfer_list, transfer) draining; /* in the order of their deadlines */
    struct transfer_list flying, idle;
    struct mono looked; /* for what is overdue */
    unsigned idle_count, lookups;
};

static void lookup_over(struct transfer *t)
{
    if (t->looking_up)
        t->all->lookups--;
    t->looking_up = false;
}

static void addressed(struct transfer *t)
{
    lookup_over(t);
    t->addressed = true;
}

/* A name may lead elsewhere than it did, or than was known at the start. Pools go by names: a
 * connection of the other kind that stayed would serve whoever else uses the name. */
static void keep_apart(struct transfer *t, bool special)
{
    t->destination->special = special;
    if (special == t->special)
        return;
    t->stray = true;
    curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
}

/* ---------------------------------------------------------------- curl's callbacks */

static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *t = context;
    (void)purpose;
    addressed(t);
    t->destination->resolved = true;
    enum guard_answer answer = guard_judge(t->all->settings.guard, &address->addr);
    if (answer == GUARD_REFUSED) {
        t->blocked = true;
        return CURL_SOCKET_BAD;
    }
    keep_apart(t, answer == GUARD_ALLOWED);
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0) {
        log_error("socket", LOG_INT("errno", errno), LOG_END);
        return CURL_SOCKET_BAD;
    }
    poll_opened(t->all->poll, fd);
    return fd;
}

/* Before the request goes out, on a new connection or a reused one. */
static int on_connected(void *context, char *remote, char *local, int remote_port, int local_port)
{
    struct transfer *t = context;
    (void)local;
    (void)remote_port;
    (void)local_port;
    addressed(t);
    enum guard_answer answer = guard_judge_text(t->all->settings.guard, remote);
    if (answer == GUARD_REFUSED) {
        t->blocked = true;
        return CURL_PREREQFUNC_ABORT;
    }
    keep_apart(t, answer == GUARD_ALLOWED);
    return CURL_PREREQFUNC_OK;
}

static void begin_drain(struct transfer *t)
{
    t->final = true;
    TAILQ_REMOVE(&t->all->flying, t, link);
    t->state = TRANSFER_DRAINING;
    t->until = mono_add(clock_mono(), DRAIN_US);
    TAILQ_INSERT_TAIL(&t->all->draining, t, link);
}

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    struct transfer *t = context;
    size_t len = size * count;
    t->head_bytes += len;
    if (t->head_bytes > RESPONSE_HEADERS_MAX)
        return 0;
    if (t->final)
        return len; /* trailers */

    struct span field = span_of(line, len);
    struct span name = SPAN("retry-after:");
    if (span_starts(field, SPAN("HTTP/"))) {
        t->retry_after_us = -1;
    } else if (len > name.len && span_eq_nocase(span_of(line, name.len), name)) {
        struct span value = span_skip(field, name.len);
        while (value.len && strchr("\r\n", value.ptr[value.len - 1]))
            value.len--;
        t->retry_after_us = retry_after_parse(span_trim(value), clock_wall());
    } else if (line[0] == '\r' || line[0] == '\n') {
        long status = 0;
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        if (status >= 200)
            begin_drain(t);
    }
    return len;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct transfer *t = context;
    size_t len = size * count;
    size_t room = ATTEMPT_BODY_KEPT_MAX - t->response->len;
    buf_bytes(t->response, data, len < room ? len : room);
    t->body_bytes += len;
    return t->body_bytes > ATTEMPT_BODY_READ_MAX ? 0 : len;
}

/* ---------------------------------------------------------------- handles */

static void set_limits(CURL *easy, const struct transfer_settings *s)
{
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(s->connect_timeout_us / US_PER_MS));
    curl_easy_setopt(easy, CURLOPT_USERAGENT, s->user_agent);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_CAINFO, s->ca_file ? s->ca_file : SYSTEM_CA_FILE);
    /* A directory of certificates would switch off curl's cache of the parsed bundle: 20 ms for
     * each new connection instead of 0.5. */
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
}

static void set_callbacks(struct transfer *t)
{
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, on_connected);
    curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    poll_prepare(t->all->poll, t->easy);
}

static struct transfer *transfer_new(struct transfers *ts)
{
    struct transfer *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->all = ts;
    t->easy = curl_easy_init();
    if (!t->easy) {
        free(t);
        return NULL;
    }
    request_init(&t->request, ts->settings.signature_headers);
    set_limits(t->easy, &ts->settings);
    set_callbacks(t);
    return t;
}

static void transfer_free(struct transfer *t)
{
    curl_easy_cleanup(t->easy);
    request_free(&t->request);
    free(t);
}

static struct transfer *idle_take(struct transfers *ts)
{
    struct transfer *t = TAILQ_FIRST(&ts->idle);
    if (!t)
        return transfer_new(ts);
    TAILQ_REMOVE(&ts->idle, t, link);
    ts->idle_count--;
    return t;
}

static void idle_give(struct transfer *t)
{
    struct transfers *ts = t->all;
    lookup_over(t);
    if (t->state != TRANSFER_IDLE)
        TAILQ_REMOVE(t->state == TRANSFER_FLYING ? &ts->flying : &ts->draining, t, link);
    t->state = TRANSFER_IDLE;
    if (t->stray)
        curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 0L);
    t->stray = false;
    destination_unref(&t->destination);
    request_clear(&t->request);
    if (ts->idle_count == IDLE_MAX) {
        transfer_free(t);
        return;
    }
    /* The most recently used first: its memory is warm. */
    TAILQ_INSERT_HEAD(&ts->idle, t, link);
    ts->idle_count++;
}

/* The endpoint's own, else the option's. */
static long timeout_ms(const struct transfer *t)
{
    const int64_t own = t->destination->endpoint->timeout_us;
    return (long)((own ? own : t->all->settings.request_timeout_us) / US_PER_MS);
}

static bool handle_set(struct transfer *t)
{
    struct span body = t->request.body;
    return !curl_easy_setopt(t->easy, CURLOPT_URL, t->destination->url) &&
           !curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, timeout_ms(t)) &&
           !curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->request.headers) &&
           !curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len) &&
           !curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, body.len ? body.ptr : "");
}

struct transfer *transfer_start(struct transfers *ts, struct destination *destination,
                                const struct message *message, struct wall now,
                                struct buf *response, void *owner)
{
    struct transfer *t = idle_take(ts);
    if (!t)
        return NULL;
    t->destination = destination_ref(destination);
    t->owner = owner;
    t->response = response;
    t->head_bytes = t->body_bytes = 0;
    t->final = t->blocked = t->addressed = false;
    t->retry_after_us = -1;
    t->special = destination->special;
    t->shard = poll_shard(destination->tls, t->special, destination->endpoint->number);
    t->looking_up = !destination->resolved;
    if (t->looking_up)
        ts->lookups++;
    t->state = TRANSFER_FLYING;
    t->until = mono_add(clock_mono(), timeout_ms(t) * US_PER_MS + OVERDUE_US);
    TAILQ_INSERT_TAIL(&ts->flying, t, link);

    if (request_build(&t->request, destination, message, now) && handle_set(t) &&
        poll_add(ts->poll, t->shard, t->easy))
        return t;
    idle_give(t);
    return NULL;
}

void transfer_abort(struct transfer *t)
{
    poll_remove(t->all->poll, t->shard, t->easy);
    idle_give(t);
}

static void finish(struct transfer *t, CURLcode code)
{
    t->code = code;
    if (!t->addressed) /* also when it took too long: a dead name server says nothing */
        t->destination->resolved = false;
    t->all->ended(t->owner, t);
    idle_give(t);
}

static void on_ended(void *context, CURL *easy, CURLcode code)
{
    (void)context;
    struct transfer *t = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t);
    finish(t, code);
}

/* ---------------------------------------------------------------- all of a thread's */

struct transfers *transfers_new(const struct transfer_settings *settings, int wake_fd,
                                long connections, void (*ended)(void *owner, struct transfer *t))
{
    struct transfers *ts = calloc(1, sizeof *ts);
    if (!ts)
        return NULL;
    ts->settings = *settings;
    ts->ended = ended;
    TAILQ_INIT(&ts->draining);
    TAILQ_INIT(&ts->flying);
    TAILQ_INIT(&ts->idle);
    ts->poll = poll_new(on_ended, ts, wake_fd, connections);
    if (!ts->poll)
        transfers_free(&ts);
    return ts;
}

void transfers_free(struct transfers **ts)
{
    struct transfers *self = *ts;
    if (!self)
        return;
    *ts = NULL;
    assert(TAILQ_EMPTY(&self->draining) && TAILQ_EMPTY(&self->flying));
    for (struct transfer *t; (t = TAILQ_FIRST(&self->idle));) {
        TAILQ_REMOVE(&self->idle, t, link);
        transfer_free(t);
    }
    poll_free(&self->poll);
    free(self);
}

/* Ends those whose time to drain is over. */
static void cut_drained(struct transfers *ts, struct mono now)
{
    for (struct transfer *t; (t = TAILQ_FIRST(&ts->draining)) && t->until.us <= now.us;) {
        poll_remove(ts->poll, t->shard, t->easy);
        finish(t, CURLE_OK); /* its status decides */
    }
}

/* Timeouts differ, so all are looked at. */
static void cut_overdue(struct transfers *ts, struct mono now)
{
    if (now.us - ts->looked.us < LOOK_US)
        return;
    ts->looked = now;
    for (struct transfer *t = TAILQ_FIRST(&ts->flying), *next; t; t = next) {
        next = TAILQ_NEXT(t, link);
        if (t->until.us > now.us)
            continue;
        poll_remove(ts->poll, t->shard, t->easy);
        finish(t, CURLE_OPERATION_TIMEDOUT);
    }
}

void transfers_cut(struct transfers *ts)
{
    cut_drained(ts, MONO_NEVER);
}

void transfers_run(struct transfers *ts, struct mono deadline)
{
    const struct transfer *t = TAILQ_FIRST(&ts->draining);
    if (t && t->until.us < deadline.us)
        deadline = t->until;
    struct mono look = mono_add(ts->looked, LOOK_US);
    if (!TAILQ_EMPTY(&ts->flying) && look.us < deadline.us)
        deadline = look;
    poll_run(ts->poll, deadline);

    struct mono now = clock_mono();
    cut_drained(ts, now);
    cut_overdue(ts, now);
}

unsigned transfers_lookups(const struct transfers *ts)
{
    return ts->lookups;
}

/* ---------------------------------------------------------------- results */

/* What kind of failure it was when no final status came. */
static enum attempt_class class_of(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return ATTEMPT_DNS;
    case CURLE_OPERATION_TIMEDOUT:
        return ATTEMPT_TIMEOUT;
    case CURLE_COULDNT_CONNECT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
        return ATTEMPT_REFUSED;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CLIENTCERT:
        return ATTEMPT_TLS;
    case CURLE_OK: /* ended with an informational status alone */
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_PARTIAL_FILE:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: /* a reply that is not HTTP/1 or later */
    case CURLE_WRITE_ERROR:          /* our callback refused headers over their bound */
        return ATTEMPT_PROTOCOL;
    default:
        return ATTEMPT_INTERNAL;
    }
}

static int64_t info_us(const struct transfer *t, CURLINFO what)
{
    curl_off_t us = 0;
    curl_easy_getinfo(t->easy, what, &us);
    return us;
}

void transfer_result(const struct transfer *t, struct result *result, struct attempt *timing)
{
    long status = 0;
    if (t->final)
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    *result = (struct result){.status = (uint16_t)status, .retry_after_us = -1};
    if (t->final) {
        result->outcome = status < 300 ? ATTEMPT_SUCCESS : ATTEMPT_STATUS;
        result->retry_after_us = t->retry_after_us;
    } else {
        result->outcome = t->blocked ? ATTEMPT_BLOCKED : class_of(t->code);
    }
    timing->dns_us = info_us(t, CURLINFO_NAMELOOKUP_TIME_T);
    timing->connect_us = info_us(t, CURLINFO_CONNECT_TIME_T);
    timing->tls_us = info_us(t, CURLINFO_APPCONNECT_TIME_T);
    timing->first_byte_us = info_us(t, CURLINFO_STARTTRANSFER_TIME_T);
}
