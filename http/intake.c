/* One request's way through libmicrohttpd's callbacks.
 *
 * The access handler is called once when the head is there, once for each piece of the body, once
 * when the body is complete, and once more after a suspended request was resumed; the request's
 * phase says which of these it is. Everything that can be refused by the head alone is refused in
 * the first call, before a byte of the body is taken; libmicrohttpd then closes the connection
 * itself when a body was announced. */
#include "http/intake.h"

#include "base/log.h"
#include "http/answer.h"
#include "http/cors.h"
#include "http/guard.h"
#include "http/reply.h"

#include <assert.h>
#include <sys/socket.h>

/* Reads over bare line feeds, folded lines and NUL bytes; 1.x refuses them when told to be strict. */
#define MHD_IS_LENIENT (MHD_VERSION < 0x01000000)
#define REQUEST_BLOCK (8 * 1024) /* a request and its first memory */
#define SPARE_MAX 256
#define READING_US (5 * US_PER_MS) /* for lists and the like, at once */
#define PUT_OFF_US US_PER_S        /* until the last of those that wait for it begins … */
#define PUT_OFF_LEAST 64           /* … but so many may wait at any rate, … */
#define DEAR_US (PUT_OFF_US / 2 / PUT_OFF_LEAST) /* … for none counts as dearer than this */
#define WEIGHT 3                                 /* of the average against one more */
#define IDEMPOTENCY_KEY_MAX 255
#define GOODBYE_US \
    US_PER_S /* for a client to read an answer that was written around libmicrohttpd */

/* ---------------------------------------------------------------- begin and end */

void intake_init(struct intake *in, struct site *site, struct inbox *inbox,
                 struct connections *connections, struct waits *waits)
{
    *in = (struct intake){.site = site, .inbox = inbox, .connections = connections, .waits = waits};
}

void intake_free(struct intake *in)
{
    assert(in->waiting == 0);
    while (in->spare) {
        struct request *req = in->spare;
        in->spare = (struct request *)req->item.next;
        free(req);
    }
}

static struct request *request_new(struct intake *in)
{
    struct request *req = in->spare;
    if (req) {
        in->spare = (struct request *)req->item.next;
        in->spare_count--;
    } else {
        req = malloc(REQUEST_BLOCK);
        if (!req)
            return NULL;
    }
    memset(req, 0, offsetof(struct request, query));
    req->query.count = 0;
    arena_init(&req->arena, req + 1, REQUEST_BLOCK - sizeof *req, REQUEST_MEMORY_MAX);
    req->site = in->site;
    req->inbox = in->inbox;
    req->waits = in->waits;
    req->began = in->connections->now;
    return req;
}

static void request_free(struct intake *in, struct request *req)
{
    request_release(req);
    if (in->spare_count == SPARE_MAX) {
        free(req);
        return;
    }
    req->item.next = (struct inbox_item *)in->spare;
    in->spare = req;
    in->spare_count++;
}

/* Splits "/path?query" or "http://host/path?query" (RFC 9112 section 3.2.2). */
static void split_target(struct span target, struct request *req)
{
    if (span_starts(target, SPAN("http://")) || span_starts(target, SPAN("https://"))) {
        struct span rest = target;
        span_cut(&rest, '/');
        span_cut(&rest, '/');
        span_cut(&rest, '/');
        target = rest.ptr ? span_of(rest.ptr - 1, rest.len + 1) : SPAN("/");
    }
    struct span path = span_cut(&target, '?');
    if (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    req->path = path;
    req->query_text = target;
}

/* Answers a request that libmicrohttpd would lose or answer wrongly; the socket takes
 * no other answer afterwards. */
static void answer_instead(struct intake *in, struct connection *c, unsigned status,
                           const char *why)
{
    struct request *req = c->request;
    counter_add(&in->site->stats.refused[REFUSED_MALFORMED], 1);
    connection_drain(c);
    req->counted = true;
    request_fail(req, status, why);
    reply_write_now(in, req, c->fd);
    shutdown(c->fd, SHUT_WR);
    connection_allow(c, GOODBYE_US);
}

/* 0.9.75 keeps every parameter in the connection's memory and stalls when that is full. */
static bool has_too_many_parameters(struct span query)
{
    unsigned count = 1;
    for (size_t i = 0; i < query.len; i++)
        count += query.ptr[i] == '&';
    return count > QUERY_PARAMS_MAX;
}

void *intake_begin(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct intake *in = cls;
    struct connection *c = connection_of(mhd);
    if (!c)
        return NULL;
    struct request *req = request_new(in);
    if (!req)
        return NULL;
    struct span target = arena_copy(&req->arena, span_text(uri));
    req->target_len = target.len;
    if (!target.ptr) {
        request_free(in, req);
        return NULL;
    }
    req->mhd = mhd;
    split_target(target, req);
    c->request = req;
    c->served = true;
    connection_allow(c, in->site->settings.head_timeout_us);
    if (!has_too_many_parameters(req->query_text))
        return req;
    answer_instead(in, c, 400, "the query has more than 64 parameters");
    c->request = NULL;
    request_free(in, req);
    return NULL;
}

/* One line a request; only asked for when something must be found out. */
static void log_request(const struct request *req, int64_t us)
{
    struct span id = {0};
    if (!log_on(LOG_DEBUG))
        return;
    if (!request_header(req, "svix-req-id", &id))
        request_header(req, "x-request-id", &id);
    log_debug("request", LOG_SPAN("request_id", id),
              LOG_TEXT_FIELD("operation", req->route ? req->route->operation : "none"),
              LOG_SPAN("path", req->path), LOG_INT("status", req->status), LOG_INT("us", us),
              LOG_END);
}

void intake_end(void *cls, struct MHD_Connection *mhd, void **con_cls,
                enum MHD_RequestTerminationCode code)
{
    (void)code;
    struct intake *in = cls;
    struct request *req = *con_cls;
    if (!req)
        return;
    assert(req->phase != REQUEST_WAITING);
    int64_t us = clock_mono().us - req->began.us;
    histogram_add(&in->site->stats.request_us, us > 0 ? (uint64_t)us : 0);
    log_request(req, us);
    struct connection *c = connection_of(mhd);
    if (c) {
        c->request = NULL;
        connection_idle(c);
    }
    request_free(in, req);
    *con_cls = NULL;
}

void intake_notify(void *cls, struct MHD_Connection *mhd, void **socket_context,
                   enum MHD_ConnectionNotificationCode code)
{
    struct intake *in = cls;
    const struct connection *c = *socket_context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED && c && c->request) {
        void *forgotten = c->request;
        intake_end(in, mhd, &forgotten, MHD_REQUEST_TERMINATED_WITH_ERROR);
    }
    connection_notify(in->connections, mhd, socket_context, code);
}

/* ---------------------------------------------------------------- libmicrohttpd's own refusals */

/* Refused after its head was complete, 0.9.75 sends the head of its answer twice, so ours goes out
 * before. Whether libmicrohttpd is between the end of its head and our handler: then its request is
 * the one that is being refused, for nobody else stays in that place. */
static bool head_is_under_way(const struct connection *c)
{
    return c->request && c->request->phase == REQUEST_HEAD &&
           MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE) &&
           !MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_HTTP_STATUS);
}

void intake_log(void *cls, const char *format, va_list args)
{
    static const char refusal[] = "Error processing request";
    struct intake *in = cls;
    if (strncmp(format, refusal, sizeof refusal - 1) != 0)
        return;
    unsigned status = va_arg(args, unsigned);
    struct connection *c = in->connections->first;
    while (c && !head_is_under_way(c))
        c = c->next;
    if (c)
        answer_instead(in, c, status, "the request's head cannot be processed");
    else
        counter_add(&in->site->stats.refused[REFUSED_MALFORMED], 1);
}

/* ---------------------------------------------------------------- the head */

struct header_list {
    size_t count;
    size_t bytes; /* of the head that they stand for, line ends included */
    struct guard_header headers[HEADERS_MAX + 1];
};

static enum MHD_Result collect_header(void *cls, enum MHD_ValueKind kind, const char *key,
                                      size_t key_len, const char *value, size_t value_len)
{
    (void)kind;
    struct header_list *list = cls;
    list->headers[list->count].name = span_of(key, key_len);
    list->headers[list->count].value = span_of(value, value_len);
    list->count++;
    /* Name and value stand in one line, unless it was folded: then the sum comes out wrong. */
    list->bytes += (size_t)((uintptr_t)value + value_len - (uintptr_t)key) + 2;
    return list->count <= HEADERS_MAX ? MHD_YES : MHD_NO;
}

static bool refuse_malformed(struct request *req, unsigned status, const char *why)
{
    counter_add(&req->site->stats.refused[REFUSED_MALFORMED], 1);
    req->counted = true;
    req->close = true;
    request_fail(req, status, why);
    return false;
}

/* A target with a space or a control byte has another end for another parser. */
static bool is_target(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] <= 0x20 || s.ptr[i] == 0x7f)
            return false;
    return true;
}

/* Method, target and version with what stands between them, and the empty line. */
static size_t frame_of_head(const struct request *req, const char *method, const char *version)
{
    return strlen(method) + 1 + req->target_len + 1 + strlen(version) + 2 + 2;
}

static bool pass_limit(const struct connection *c, struct request *req)
{
    if (!c->excess)
        return true;
    req->counted = true;
    req->close = true;
    request_fail(req, 503, "There are too many connections");
    return false;
}

static bool pass_guard(struct request *req, const char *method, const char *version,
                       struct guard_frame *frame)
{
    struct header_list list;
    list.count = 0;
    list.bytes = frame_of_head(req, method, version);
    MHD_get_connection_values_n(req->mhd, MHD_HEADER_KIND, collect_header, &list);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    const char *wrong = guard_check(span_text(version), list.headers, list.count, frame);
    if (!wrong && !(is_target(req->path) && is_target(req->query_text)))
        wrong = "the request target has spaces or control characters";
    /* libmicrohttpd reads over these; a proxy in front may not. */
    if (!wrong && MHD_IS_LENIENT && info && info->header_size != list.bytes)
        wrong = "the head has bare line feeds, folded lines, NUL bytes or extra spaces";
    if (wrong)
        return refuse_malformed(req, 400, wrong);
    if (info && info->header_size > HEAD_MAX)
        return refuse_malformed(req, 431, "the request's head is too large");
    return true;
}

static bool decode_params(struct request *req, const struct router_match *match)
{
    req->param_count = match->param_count;
    for (unsigned i = 0; i < match->param_count; i++)
        if (query_decode(&req->arena, match->params[i], false, &req->params[i]))
            return false;
    return !query_parse(&req->arena, req->query_text, &req->query);
}

static bool find_route(struct request *req, const char *method)
{
    struct router_match match;
    if (!router_find(req->site->router, req->path, &match)) {
        request_fail(req, 404, "No such route");
        return false;
    }
    if (cors_preflight(req, span_text(method), &match))
        return false;
    if (!router_method(span_text(method), &req->method) || !match.by_method[req->method]) {
        char allow[ROUTER_ALLOW_MAX];
        router_allow(&match, allow);
        request_reply_header(req, "Allow", allow);
        request_fail(req, 405, "The route does not have this method");
        return false;
    }
    req->route = match.by_method[req->method];
    req->context = match.context[req->method];
    if (!decode_params(req, &match)) {
        request_fail(req, 400, "The path or the query is not well encoded");
        return false;
    }
    return true;
}

static size_t body_bound(const struct site *site, const struct route *route)
{
    if (route->body_max == MESSAGE_BODY_MAX && site->settings.max_body > 0)
        return (size_t)site->settings.max_body;
    if (route->body_max == BATCH_BODY_MAX && site->settings.max_batch_body > 0)
        return (size_t)site->settings.max_batch_body;
    return route->body_max;
}

static bool pass_bound(struct request *req, const struct guard_frame *frame)
{
    req->body_max = body_bound(req->site, req->route);
    req->body_expected = (size_t)frame->length;
    if (frame->length <= req->body_max)
        return true;
    req->close = true;
    request_fail(req, 413, "The body is larger than this route takes");
    return false;
}

static bool read_idempotency_key(struct request *req)
{
    struct span key;
    if (req->method != METHOD_POST || !request_header(req, "idempotency-key", &key))
        return true;
    bool good = key.len >= 1 && key.len <= IDEMPOTENCY_KEY_MAX;
    for (size_t i = 0; good && i < key.len; i++)
        good = key.ptr[i] > 0x20 && key.ptr[i] < 0x7f;
    if (!good) {
        request_fail(req, 400, "Idempotency-Key must be 1 to 255 visible characters");
        return false;
    }
    req->idempotency_key = key;
    return true;
}

/* The first call. The order is that of what a refusal gives away: nothing about routes to malformed
 * requests, nothing about what is stored to those without a token. */
static enum MHD_Result accept_head(struct intake *in, struct request *req, const char *method,
                                   const char *version)
{
    struct guard_frame frame = {0};
    struct connection *c = connection_of(req->mhd);
    counter_add(&in->site->stats.requests, 1);
    req->method = METHOD_POST;
    cors_allow(req);
    if (pass_limit(c, req) && pass_guard(req, method, version, &frame) && find_route(req, method) &&
        pass_bound(req, &frame) && request_pass_token(req) && read_idempotency_key(req)) {
        /* 0.9.75 reads over bare line feeds between chunks, too, and those cannot be seen from
         * here: so nothing behind such a body is taken for a request. */
        req->close = frame.chunked;
        req->phase = REQUEST_BODY;
        if (frame.length > 0 || frame.chunked)
            connection_allow(c, in->site->settings.body_timeout_us);
        else
            connection_allow_for_ever(c);
        return MHD_YES;
    }
    if (!req->close && frame.length == 0 && !frame.chunked)
        return MHD_YES; /* a reply in this call would close the connection; the next is at once */
    req->close = true;
    connection_drain(c);
    return reply_queue(in, req);
}

/* ---------------------------------------------------------------- the body and the handler */

/* libmicrohttpd takes no reply in the middle of a body, so this one goes around it. */
static enum MHD_Result refuse_in_body(struct intake *in, struct request *req, enum err e)
{
    struct connection *c = connection_of(req->mhd);
    connection_drain(c);
    request_fail_err(req, e, NULL);
    reply_write_now(in, req, c->fd);
    return MHD_NO;
}

/* What is public is for those who watch us, and is not long. */
static bool may_be_put_off(const struct request *req)
{
    bool reads = req->method == METHOD_GET || req->method == METHOD_HEAD;
    return reads && req->route->access != ACCESS_PUBLIC;
}

static void run_handler(struct intake *in, struct request *req)
{
    bool reads = may_be_put_off(req);
    struct mono begun = reads ? clock_mono() : (struct mono){0};
    req->phase = REQUEST_HANDLING;
    req->route->handler(req);
    assert(req->phase == REQUEST_ANSWERED || req->phase == REQUEST_WAITING);
    if (!reads)
        return;
    const int64_t us = clock_mono().us - begun.us;
    in->reading_us -= us;
    in->list_us = (WEIGHT * in->list_us + (us < DEAR_US ? us : DEAR_US)) / (WEIGHT + 1);
}

static void put_off(struct intake *in, struct request *req)
{
    req->phase = REQUEST_WAITING;
    req->item.next = NULL;
    if (in->last_put_off)
        in->last_put_off->item.next = &req->item;
    else
        in->put_off = req;
    in->last_put_off = req;
    in->put_off_count++;
}

static struct request *take_put_off(struct intake *in)
{
    struct request *req = in->put_off;
    in->put_off = (struct request *)req->item.next;
    if (!in->put_off)
        in->last_put_off = NULL;
    in->put_off_count--;
    return req;
}

/* In half of the time they take twice as long. */
static bool may_put_off_more(const struct intake *in)
{
    return 2 * in->list_us * in->put_off_count < PUT_OFF_US;
}

static enum MHD_Result handle(struct intake *in, struct request *req)
{
    connection_allow_for_ever(connection_of(req->mhd));
    if (in->reading_us > 0 || !may_be_put_off(req))
        run_handler(in, req);
    else if (may_put_off_more(in))
        put_off(in, req);
    else
        request_fail_err(req, ERR_BUSY, NULL);
    if (req->phase == REQUEST_ANSWERED)
        return reply_queue(in, req);
    in->waiting++;
    MHD_suspend_connection(req->mhd);
    return MHD_YES;
}

enum MHD_Result intake_access(void *cls, struct MHD_Connection *mhd, const char *url,
                              const char *method, const char *version, const char *upload_data,
                              size_t *upload_data_size, void **con_cls)
{
    (void)url;
    (void)mhd;
    struct intake *in = cls;
    struct request *req = *con_cls;
    if (!req)
        return MHD_NO;
    switch (req->phase) {
    case REQUEST_HEAD:
        return accept_head(in, req, method, version);
    case REQUEST_BODY:
        if (*upload_data_size == 0)
            return handle(in, req);
        enum err e = request_append(req, upload_data, *upload_data_size);
        if (e)
            return refuse_in_body(in, req, e);
        *upload_data_size = 0;
        return MHD_YES;
    case REQUEST_ANSWERED:
        return reply_queue(in, req);
    default:
        return MHD_YES;
    }
}

static void resume_answered(struct intake *in, struct request *req)
{
    if (req->phase == REQUEST_WAITING)
        return;
    in->waiting--;
    MHD_resume_connection(req->mhd);
}

static void earn_reading(struct intake *in, bool idle)
{
    struct mono now = in->connections->now;
    in->reading_us += (now.us - in->earned_at.us) / 2;
    in->earned_at = now;
    if (idle || in->reading_us > READING_US)
        in->reading_us = READING_US;
}

void intake_continue(struct intake *in, bool idle)
{
    struct inbox_item *item = inbox_take(in->inbox);
    while (item) {
        struct request *req = (struct request *)item;
        item = item->next;
        request_continue(req);
        resume_answered(in, req);
    }
    earn_reading(in, idle);
    while (in->put_off && in->reading_us > 0) {
        struct request *req = take_put_off(in);
        run_handler(in, req);
        resume_answered(in, req);
    }
}

bool intake_is_behind(const struct intake *in)
{
    return in->put_off != NULL;
}
