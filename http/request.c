/* The handlers' side of a request: what they read, how they answer, how they wait for the store.
 *
 * Invariants: exactly one reply; a reply changes only memory of the request, libmicrohttpd gets it
 * when the handler has returned; after request_submit succeeded nothing of the request is touched
 * until its operation came back; one that waits otherwise is touched by its thread alone, but for
 * what request_wake says. */
#include "http/request_state.h"

#include "base/hash.h"
#include "http/answer.h"
#include "http/router.h"
#include "http/token.h"

#include <assert.h>
#include <microhttpd.h>

#define AUTOMATIC_KEY_US (10 * 60 * US_PER_S)
#define EXPLICIT_KEY_US (IDEMPOTENCY_KEPT_S * US_PER_S)

/* ---------------------------------------------------------------- reading */

void *request_context(const struct request *req)
{
    return req->context;
}

struct store *request_store(const struct request *req)
{
    return req->site->store;
}

const struct principal *request_principal(const struct request *req)
{
    return &req->principal;
}

enum method request_method(const struct request *req)
{
    return req->method;
}

/* Its place; the count when the route has none of this name. */
static unsigned param_at(const struct request *req, const char *name)
{
    unsigned i = 0;
    while (i < req->param_count && !span_is(router_param_name(req->route, i), name))
        i++;
    return i;
}

struct span request_param(const struct request *req, const char *name)
{
    unsigned i = param_at(req, name);
    assert(i < req->param_count); /* the route has no such parameter */
    return req->params[i];
}

bool request_has_param(const struct request *req, const char *name)
{
    return param_at(req, name) < req->param_count;
}

bool request_query(const struct request *req, const char *name, struct span *value)
{
    return query_get(&req->query, name, value);
}

bool request_query_item(const struct request *req, const char *name, unsigned i, struct span *value)
{
    return query_item(&req->query, name, i, value);
}

bool request_header(const struct request *req, const char *name, struct span *value)
{
    const char *text = MHD_lookup_connection_value(req->mhd, MHD_HEADER_KIND, name);
    if (!text)
        return false;
    *value = span_text(text);
    return true;
}

struct header_visit {
    void (*each)(void *context, struct span name, struct span value);
    void *context;
};

static enum MHD_Result visit_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                    size_t name_len, const char *value, size_t value_len)
{
    (void)kind;
    const struct header_visit *visit = cls;
    visit->each(visit->context, span_of(name, name_len), span_of(value, value_len));
    return MHD_YES;
}

void request_each_header(const struct request *req,
                         void (*each)(void *context, struct span name, struct span value),
                         void *context)
{
    struct header_visit visit = {each, context};
    MHD_get_connection_values_n(req->mhd, MHD_HEADER_KIND, visit_header, &visit);
}

struct span request_body(const struct request *req)
{
    return span_of(req->body, req->body_len);
}

char *request_take_body(struct request *req, size_t *len)
{
    char *body = req->body;
    if (len)
        *len = req->body_len;
    req->body = NULL;
    req->body_len = req->body_cap = 0;
    return body;
}

/* Two different requests must never make the same text, hence a length before each part. */
static void identity_part(struct buf *b, struct span part)
{
    buf_u32(b, (uint32_t)part.len);
    buf_span(b, part);
}

void request_idempotency(const struct request *req, struct idempotency *out)
{
    memset(out, 0, sizeof *out);
    if (req->idempotency_key.len == 0)
        return;
    char text[HEAD_MAX + 1024];
    struct buf b = {.ptr = text, .cap = sizeof text, .max = sizeof text - 1};
    identity_part(&b, span_of(req->principal.identity, sizeof req->principal.identity));
    identity_part(&b, span_text(router_method_name(req->method)));
    identity_part(&b, req->path);
    identity_part(&b, req->query_text);
    identity_part(&b, req->idempotency_key);
    assert(!b.failed && b.ptr == text); /* all of it came out of one head */
    hash_128(buf_view(&b), out->key);
    uint8_t body[16];
    hash_128(request_body(req), body);
    memcpy(out->body, body, sizeof out->body);
    out->lifetime_us =
        span_starts(req->idempotency_key, SPAN("auto_")) ? AUTOMATIC_KEY_US : EXPLICIT_KEY_US;
    out->used = true;
}

void *request_alloc(struct request *req, size_t size)
{
    return arena_alloc(&req->arena, size);
}

/* ---------------------------------------------------------------- the body */

#define BODY_FIRST (64 * 1024) /* what a body gets at once; more only as it arrives */

static enum err grow_body(struct request *req, size_t least)
{
    size_t cap = req->body_cap ? 2 * req->body_cap : BODY_FIRST;
    if (req->body_expected && cap > req->body_expected)
        cap = req->body_expected;
    if (cap < least)
        cap = least;
    if (!budget_move(&req->site->bodies, &req->budget, cap))
        return ERR_BUSY;
    char *body = realloc(req->body, cap);
    if (!body)
        return ERR_NO_MEMORY;
    req->body = body;
    req->body_cap = cap;
    return ERR_OK;
}

enum err request_append(struct request *req, const char *data, size_t len)
{
    if (len > req->body_max - req->body_len)
        return ERR_TOO_LARGE;
    if (len > req->body_cap - req->body_len) {
        enum err e = grow_body(req, req->body_len + len);
        if (e)
            return e;
    }
    memcpy(req->body + req->body_len, data, len);
    req->body_len += len;
    return ERR_OK;
}

void request_release(struct request *req)
{
    if (req->budget)
        budget_leave(&req->site->bodies, &req->budget);
    if (req->reply_budget)
        budget_leave(&req->site->replies, &req->reply_budget);
    free(req->body);
    req->body = NULL;
    buf_free(&req->reply);
    arena_free(&req->arena);
}

/* ---------------------------------------------------------------- answering */

void request_reply(struct request *req, unsigned status, struct buf *body)
{
    assert(req->phase <= REQUEST_HANDLING); /* one reply */
    req->phase = REQUEST_ANSWERED;
    req->status = status;
    req->no_memory = req->no_memory || body->failed;
    req->reply = *body;
    buf_init(body, body->max);
}

void request_reply_empty(struct request *req, unsigned status)
{
    struct buf none;
    buf_init(&none, 1);
    request_reply(req, status, &none);
}

void request_fail(struct request *req, unsigned status, const char *detail)
{
    struct buf body;
    buf_init(&body, 64 * 1024);
    answer_error(&body, status, detail);
    if (status == 503 || status == 507)
        request_reply_header(req, "Retry-After", "1");
    request_reply(req, status, &body);
}

void request_fail_err(struct request *req, enum err e, const char *detail)
{
    assert(e != ERR_OK);
    const char *text = detail ? detail : answer_text(e);
    if (e == ERR_INVALID)
        request_invalid(req, "body", NULL, text);
    else
        request_fail(req, answer_status(e), text);
}

void request_invalid(struct request *req, const char *where, const char *field, const char *message)
{
    request_invalid_type(req, where, field, message, "value_error");
}

void request_invalid_type(struct request *req, const char *where, const char *field,
                          const char *message, const char *type)
{
    struct buf body;
    buf_init(&body, 64 * 1024);
    answer_invalid(&body, where, field, message, type);
    request_reply(req, 422, &body);
}

void request_reply_header(struct request *req, const char *name, const char *value)
{
    assert(req->reply_header_count < REPLY_HEADERS_MAX);
    struct span n = arena_copy(&req->arena, span_text(name));
    struct span v = arena_copy(&req->arena, span_text(value));
    if (!n.ptr || !v.ptr) {
        req->no_memory = true;
        return;
    }
    req->reply_headers[req->reply_header_count].name = n.ptr;
    req->reply_headers[req->reply_header_count++].value = v.ptr;
}

/* ---------------------------------------------------------------- waiting for the store */

/* On the writer's thread. */
static void come_back(struct store_op *op)
{
    struct request *req = op->owner;
    inbox_put(req->inbox, &req->item);
}

void request_submit(struct request *req, struct store_op *op,
                    void (*then)(struct request *req, struct store_op *op),
                    void (*drop)(struct request *req, struct store_op *op))
{
    assert(req->phase == REQUEST_HANDLING);
    op->done = come_back;
    op->owner = req;
    req->op = op;
    req->then = then;
    req->phase = REQUEST_WAITING;
    enum err e = store_submit(req->site->store, op);
    if (!e)
        return;
    req->op = NULL;
    req->phase = REQUEST_HANDLING;
    request_fail_err(req, e, NULL);
    if (drop)
        drop(req, op);
}

void request_continue(struct request *req)
{
    assert(req->phase == REQUEST_WAITING);
    struct store_op *op = req->op;
    if (req->wait.request)
        waits_end(req->waits, req);
    req->op = NULL;
    req->phase = REQUEST_HANDLING;
    req->then(req, op);
    assert(req->phase == REQUEST_ANSWERED || req->phase == REQUEST_WAITING);
}

bool request_pass_token(struct request *req)
{
    if (req->route->access == ACCESS_PUBLIC)
        return true;
    struct span header, token, app = {0};
    enum err e = ERR_INVALID;
    if (request_header(req, "authorization", &header) && token_of_header(header, &token))
        e = token_principal(req->site->store, span_text(req->site->settings.jwt_secret), token,
                            clock_wall(), &req->principal);
    if (e && answer_status(e) == 503) { /* one that cannot be looked up now is not a bad one */
        request_fail_err(req, e, NULL);
        return false;
    }
    if (e) {
        request_reply_header(req, "WWW-Authenticate", "Bearer");
        request_fail(req, 401, "Invalid token");
        return false;
    }
    for (unsigned i = 0; i < req->param_count; i++)
        if (span_is(router_param_name(req->route, i), "app"))
            app = req->params[i];
    switch (token_allows(req->route->access, &req->principal, app)) {
    case ERR_OK:
        return true;
    case ERR_NOT_FOUND:
        request_fail_err(req, ERR_NOT_FOUND, NULL);
        return false;
    default:
        request_fail(req, 403, "The token may not do this");
        return false;
    }
}

bool request_wait(struct request *req, struct mono until, struct store_op *op,
                  void (*then)(struct request *req, struct store_op *op))
{
    assert(req->phase == REQUEST_HANDLING);
    int fd = MHD_get_connection_info(req->mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    if (!waits_begin(req->waits, req, fd, until))
        return false;
    req->op = op;
    req->then = then;
    req->phase = REQUEST_WAITING;
    return true;
}

void request_wake(struct request *req)
{
    if (!atomic_exchange(&req->wait.woken, true))
        inbox_put(req->inbox, &req->item);
}

bool request_replayed(struct request *req, struct store_op *op)
{
    if (!op->replayed)
        return false;
    request_reply(req, op->answer_status, &op->answer);
    return true;
}
