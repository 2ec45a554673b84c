/* The shape of a request stays the same for the life of a handle; an attempt changes only the URL,
 * the headers and the body, and copies none but the URL. The lines that change with every attempt
 * are list nodes of our own in front of the destination's shared list: curl only walks it.
 *
 * Invariants: a transfer is idle, or waits for its name, or is in its multi, or ended and about to
 * be idle; it is in the flying list until its final headers, then in the draining one. libcurl ends
 * what takes too long, but where its memory ran short it was seen to forget the timer: so what is
 * overdue is ended by our own clock. */
#include "dispatcher/transfer.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "dispatcher/dispatcher.h"
#include "dispatcher/passage.h"
#include "dispatcher/request.h"

#include <assert.h>

#define DRAIN_US US_PER_S
#define OVERDUE_US (US_PER_S / 4) /* behind libcurl's own timeout … */
#define LOOK_US (US_PER_S / 4)    /* … and how often we look: within half a second it is over */
#define IDLE_MAX 256
#define RECEIVE_BUFFER 4096L
/* What libcurl keeps of an answer until the handle's next use: its headers, and so much beside
 * each. */
#define IDLE_HEAD_MAX 8192
#define LINE_COST 96

struct transfer {
    CURL *easy;
    struct transfers *all;
    void *owner;
    void (*ended)(void *owner, struct transfer *t);
    struct destination *destination;
    struct request request;
    struct buf *response;
    struct passage passage;
    unsigned shard;
    struct mono started;
    int64_t timeout_us;
    int64_t waited_us; /* of it for the name, before the handle was given to its multi */
    bool sent;         /* it was given; before, the transfer waits for its name */

    size_t head_bytes, head_lines, body_bytes;
    bool final;   /* the final headers are complete */
    bool cut;     /* it was too long, or its body took too long */
    bool alone;   /* it has a connection of its own */
    bool dressed; /* the handle has the certificates of its destination */
    int64_t retry_after_us;
    CURLcode code; /* once ended */

    enum { TRANSFER_IDLE, TRANSFER_FLYING, TRANSFER_DRAINING } state;
    TAILQ_ENTRY(transfer) link; /* among those of its state */
    struct mono until; /* of a flying one: overdue then; of a draining one: cut, no later */
};

struct transfers {
    struct transfer_settings settings;
    struct poll *poll;
    void (*ended)(void *owner, struct transfer *t);
    TAILQ_HEAD(transfer_list, transfer) draining; /* in the order of their deadlines */
    struct transfer_list flying, idle;
    struct mono looked; /* for what is overdue */
    unsigned idle_count;
    struct passages passages;
    struct resolver *resolver; /* NULL: there is no proxy */
};

/* ---------------------------------------------------------------- curl's callbacks */

static void begin_drain(struct transfer *t)
{
    struct transfer_list *draining = &t->all->draining;
    const struct mono cut = mono_add(clock_mono(), DRAIN_US);
    t->final = true;
    TAILQ_REMOVE(&t->all->flying, t, link);
    t->state = TRANSFER_DRAINING;
    if (cut.us < t->until.us)
        t->until = cut;
    struct transfer *before = TAILQ_LAST(draining, transfer_list);
    while (before && before->until.us > t->until.us)
        before = TAILQ_PREV(before, transfer_list, link);
    if (before)
        TAILQ_INSERT_AFTER(draining, before, t, link);
    else
        TAILQ_INSERT_HEAD(draining, t, link);
}

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    struct transfer *t = context;
    size_t len = size * count;
    t->head_bytes += len;
    t->cut = t->head_bytes > RESPONSE_HEADERS_MAX || ++t->head_lines > RESPONSE_HEADER_LINES_MAX;
    if (t->cut)
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
    size_t room = t->response->max - t->response->len;
    buf_bytes(t->response, data, len < room ? len : room);
    t->body_bytes += len;
    t->cut = t->body_bytes > ATTEMPT_BODY_READ_MAX;
    return t->cut ? 0 : len;
}

/* ---------------------------------------------------------------- handles */

static void set_limits(CURL *easy, const struct transfer_settings *s)
{
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    /* Answers are small, and every attempt under way has this buffer: 16 KiB by default. */
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, s->user_agent);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_CAINFO, s->ca_file ? s->ca_file : OUTBOUND_CA_FILE);
    /* A directory of certificates would switch off curl's cache of the parsed bundle: 20 ms for
     * each new connection instead of 0.5. */
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
}

static void set_callbacks(struct transfer *t)
{
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
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
    passage_init(&t->passage, &ts->passages, t->easy);
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
    passage_end(&t->passage);
    if (t->state != TRANSFER_IDLE)
        TAILQ_REMOVE(t->state == TRANSFER_FLYING ? &ts->flying : &ts->draining, t, link);
    t->state = TRANSFER_IDLE;
    if (t->alone) {
        curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 0L);
        curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 0L);
    }
    if (t->dressed && !identity_set(t->easy, NULL))
        abort(); /* taking away needs no memory; the next tenant's attempt must not have it */
    t->alone = t->dressed = false;
    destination_unref(&t->destination);
    request_clear(&t->request);
    if (ts->idle_count == IDLE_MAX || t->head_bytes + t->head_lines * LINE_COST > IDLE_HEAD_MAX) {
        transfer_free(t);
        return;
    }
    /* The most recently used first: its memory is warm. */
    TAILQ_INSERT_HEAD(&ts->idle, t, link);
    ts->idle_count++;
}

/* The destination's own, else the option's. */
static int64_t timeout_of(const struct transfers *ts, const struct destination *d)
{
    return d->timeout_us ? d->timeout_us : ts->settings.request_timeout_us;
}

/* What is left of it. Zero would be no bound to curl. */
static long left_ms(const struct transfer *t, int64_t timeout_us)
{
    const int64_t left_us = timeout_us - t->waited_us;
    return left_us < US_PER_MS ? 1 : (long)(left_us / US_PER_MS);
}

static bool keep_to_itself(const struct transfer *t)
{
    return !t->alone || (!curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 1L) &&
                         !curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L));
}

static bool dress(struct transfer *t)
{
    t->dressed = identity_any(&t->destination->identity);
    return !t->dressed || identity_set(t->easy, &t->destination->identity);
}

/* Of the URL both, for curl would keep the text of the handle's first. */
static bool handle_set(struct transfer *t)
{
    struct span body = t->request.body;
    return keep_to_itself(t) && dress(t) &&
           !curl_easy_setopt(t->easy, CURLOPT_URL, t->destination->url) &&
           !curl_easy_setopt(t->easy, CURLOPT_CURLU, t->destination->parsed) &&
           !curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, left_ms(t, t->timeout_us)) &&
           !curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS,
                             left_ms(t, t->all->settings.connect_timeout_us)) &&
           !curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->request.headers) &&
           !curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len) &&
           !curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, body.len ? body.ptr : "");
}

/* When our own clock ends it. */
static struct mono overdue_at(const struct transfer *t)
{
    return mono_add(t->started, (t->timeout_us > 0 ? t->timeout_us : 0) + OVERDUE_US);
}

/* A transfer that flies, until its handle is in its multi. */
static struct transfer *launch(struct transfers *ts, struct destination *destination,
                               int64_t timeout_us, struct buf *response, void *owner)
{
    struct transfer *t = idle_take(ts);
    if (!t)
        return NULL;
    t->destination = destination_ref(destination);
    t->owner = owner;
    t->ended = ts->ended;
    t->timeout_us = timeout_us;
    t->response = response;
    t->head_bytes = t->head_lines = t->body_bytes = 0;
    t->final = t->sent = t->cut = false;
    t->retry_after_us = -1;
    t->started = clock_mono();
    t->waited_us = 0;
    passage_begin(&t->passage, destination);
    t->state = TRANSFER_FLYING;
    t->until = overdue_at(t);
    TAILQ_INSERT_TAIL(&ts->flying, t, link);
    return t;
}

/* False when out of memory. */
static bool depart(struct transfer *t)
{
    if (!passage_set(&t->passage) || !handle_set(t))
        return false;
    t->shard = poll_shard(t->destination->tls, t->passage.special, t->destination->number);
    t->sent = poll_add(t->all->poll, t->shard, t->easy);
    if (t->sent)
        FAILPOINT("request-begun");
    return t->sent;
}

/* Looking its name up is part of connecting. One lookup serves all who wait for the same. */
static bool wait_for_name(struct transfer *t)
{
    struct transfers *ts = t->all;
    struct route *route = t->destination->route;
    const struct mono until = mono_add(t->started, ts->settings.connect_timeout_us);
    if (!route->asked && !resolver_ask(ts->resolver, route->host, t->destination))
        return false;
    if (!route->asked)
        destination_ref(t->destination); /* the resolver's */
    route->asked = true;
    if (until.us < t->until.us)
        t->until = until;
    return true;
}

/* In its multi, or waiting for its name; or idle again. */
static struct transfer *take_off(struct transfer *t, bool built)
{
    const struct route *route = t->destination->route;
    const bool known = !route || route_known(route, t->started);
    if (built && (known ? depart(t) : wait_for_name(t)))
        return t;
    idle_give(t);
    return NULL;
}

struct transfer *transfer_start(struct transfers *ts, struct destination *destination,
                                const struct departure *departure, struct buf *response,
                                void *owner)
{
    const int64_t left_us = timeout_of(ts, destination) - departure->spent_us;
    struct transfer *t = launch(ts, destination, left_us, response, owner);
    return t ? take_off(t, request_build(&t->request, destination, departure->message,
                                         departure->token, departure->now))
             : NULL;
}

struct transfer *transfer_post(struct transfers *ts, struct destination *destination,
                               const struct transfer_post *post)
{
    const int64_t most = timeout_of(ts, destination);
    struct transfer *t = launch(ts, destination, post->timeout_us < most ? post->timeout_us : most,
                                post->response, post->owner);
    if (!t)
        return NULL;
    t->ended = post->ended;
    t->alone = true;
    t->request.headers = post->headers;
    t->request.body = post->body;
    return take_off(t, true);
}

void transfer_abort(struct transfer *t)
{
    if (t->sent)
        poll_remove(t->all->poll, t->shard, t->easy);
    idle_give(t);
}

static void finish(struct transfer *t, CURLcode code)
{
    t->code = code;
    if (!t->final)
        passage_failed(&t->passage);
    t->ended(t->owner, t);
    idle_give(t);
}

/* Its name was looked up. */
static void go_on(struct transfer *t, bool found, struct mono now)
{
    t->waited_us = now.us - t->started.us;
    t->until = overdue_at(t);
    if (!found)
        finish(t, CURLE_COULDNT_RESOLVE_HOST);
    else if (!depart(t))
        finish(t, CURLE_OUT_OF_MEMORY);
}

static void take_answers(struct transfers *ts)
{
    struct addresses found;
    void *owner;
    while (ts->resolver && resolver_take(ts->resolver, &owner, &found)) {
        struct destination *d = owner;
        const struct mono now = clock_mono();
        const bool good = route_found(d->route, &ts->settings.outbound->guard, &found, now);
        for (struct transfer *t = TAILQ_FIRST(&ts->flying), *next; t; t = next) {
            next = TAILQ_NEXT(t, link);
            if (!t->sent && t->destination == d)
                go_on(t, good, now);
        }
        destination_unref(&d);
    }
}

static void forget_answer(void *owner)
{
    struct destination *d = owner;
    destination_unref(&d);
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
    ts->passages = (struct passages){.outbound = settings->outbound, .poll = ts->poll};
    const bool proxied = settings->outbound->proxy.url != NULL;
    if (proxied)
        ts->resolver = resolver_new(wake_fd, forget_answer);
    if (!ts->poll || (proxied && !ts->resolver))
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
    resolver_free(&self->resolver);
    poll_free(&self->poll);
    free(self);
}

/* Ends those whose time to drain is over. */
static void cut_drained(struct transfers *ts, struct mono now)
{
    for (struct transfer *t; (t = TAILQ_FIRST(&ts->draining)) && t->until.us <= now.us;) {
        poll_remove(ts->poll, t->shard, t->easy);
        t->cut = true;
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
        if (t->sent)
            poll_remove(ts->poll, t->shard, t->easy);
        else
            t->waited_us = now.us - t->started.us;
        finish(t, CURLE_OPERATION_TIMEDOUT);
    }
}

void transfers_cut(struct transfers *ts)
{
    cut_drained(ts, MONO_NEVER);
}

void transfers_run(struct transfers *ts, struct mono deadline)
{
    take_answers(ts);
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
    return ts->passages.lookups;
}

/* ---------------------------------------------------------------- results */

/* A time of this transfer, from its start; 0: it did not come to that. */
static int64_t info_us(const struct transfer *t, CURLINFO what)
{
    curl_off_t us = 0;
    if (t->sent)
        curl_easy_getinfo(t->easy, what, &us);
    return us ? us + t->waited_us : 0;
}

/* What kind of failure it was when no final status came. */
static enum attempt_class class_of(const struct transfer *t)
{
    enum attempt_class own;
    if (passage_class(&t->passage, t->code, &own))
        return own;
    if (passage_tls_failed(t->code))
        return ATTEMPT_TLS;
    switch (t->code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return ATTEMPT_DNS;
    case CURLE_OPERATION_TIMEDOUT:
        return ATTEMPT_TIMEOUT;
    case CURLE_COULDNT_CONNECT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
        return ATTEMPT_REFUSED;
    case CURLE_OK: /* ended with an informational status alone */
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_PARTIAL_FILE:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING: /* of the transfer: more codings than libcurl stacks */
    case CURLE_UNSUPPORTED_PROTOCOL: /* a reply that is not HTTP/1 or later */
    case CURLE_WRITE_ERROR:          /* our callback refused headers over their bound */
        return ATTEMPT_PROTOCOL;
    case CURLE_OUT_OF_MEMORY: /* libcurl says so, too, of a header line over its bound */
        return info_us(t, CURLINFO_STARTTRANSFER_TIME_T) ? ATTEMPT_PROTOCOL : ATTEMPT_INTERNAL;
    default:
        return ATTEMPT_INTERNAL;
    }
}

bool transfer_was_cut(const struct transfer *t)
{
    return t->final && (t->cut || t->code == CURLE_OPERATION_TIMEDOUT);
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
        result->outcome = class_of(t);
    }
    /* Through a proxy curl looks nobody but that one up, and may have TLS with it. */
    timing->dns_us = t->destination->route ? t->waited_us : info_us(t, CURLINFO_NAMELOOKUP_TIME_T);
    timing->connect_us = info_us(t, CURLINFO_CONNECT_TIME_T);
    timing->tls_us = t->destination->tls ? info_us(t, CURLINFO_APPCONNECT_TIME_T) : 0;
    timing->first_byte_us = info_us(t, CURLINFO_STARTTRANSFER_TIME_T);
}
