/* A request as handlers see it, and the ways to answer it.
 *
 * A handler runs on an HTTP thread when the whole body is there and the token was checked. It
 * either replies before it returns, or submits one store operation with request_submit: the request
 * is then suspended until the commit, and `then` continues on the same HTTP thread. Exactly one
 * reply. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "base/json_writer.h"
#include "store/feature_flag.h"
#include "store/store.h"

struct request;

enum method { METHOD_GET, METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE, METHOD_HEAD };

/* Who asks. */
struct principal {
    struct id org;
    enum key_scope scope;
    struct id app;              /* of SCOPE_APP */
    struct feature_flags flags; /* of SCOPE_APP */
    unsigned withheld;          /* bits of enum capability that it lacks, of SCOPE_APP */
    bool portal;                /* a token of the application portal */
    uint8_t identity[16];       /* of the token, for idempotency */
};

/* What a route asks of the token. */
enum access {
    ACCESS_PUBLIC, /* no token */
    ACCESS_READ,   /* admin, read; an application token on its own application */
    ACCESS_INGEST, /* admin, ingest */
    ACCESS_APP,    /* admin; an application token on its own application, with the capability … */
    ACCESS_APP_SECRET_VIEW, /* … to see signing secrets, where ACCESS_APP is to manage endpoints, */
    ACCESS_APP_SECRET,      /* … to change them, */
    ACCESS_APP_ATTEMPT,     /* … to have attempts made, */
    ACCESS_APP_TRANSFORMATION, /* … to change what payloads become, … */
    ACCESS_APP_ANY,            /* … or with any */
    ACCESS_ADMIN,              /* admin only */
    ACCESS_READ_ORG,           /* admin, read: not application tokens */
    ACCESS_READ_TYPES,         /* admin, read, any application token */
};

struct route {
    enum method method;
    const char *path; /* "/api/v1/app/{app}/msg": {name} takes one non-empty segment */
    enum access access;
    size_t body_max; /* 0: no body is read; a body is 413 */
    void (*handler)(struct request *req);
    const char *operation; /* "message.create": for logs and the API description */
};

#define ROUTE_PARAMS_MAX 4

/* ---- reading ---- */
void *request_context(const struct request *req); /* the one given with the route table */
struct store *request_store(const struct request *req);
const struct principal *request_principal(const struct request *req);
enum method request_method(const struct request *req);
/* Path parameter, percent-decoded; asserts that the route has it. */
struct span request_param(const struct request *req, const char *name);
bool request_has_param(const struct request *req, const char *name);
/* Query parameter, percent-decoded; false when absent. Repeated ones: the first. */
bool request_query(const struct request *req, const char *name, struct span *value);
/* The i-th value of an array parameter: repeated ("a=1&a=2"), with brackets ("a[]=1") and
 * comma-separated ("a=1,2") forms alike; false past the end. */
bool request_query_item(const struct request *req, const char *name, unsigned i,
                        struct span *value);
/* Header, first value; false when absent. */
bool request_header(const struct request *req, const char *name, struct span *value);
/* Hands every header to `each`, in their order. At most HEADERS_MAX; they live as long as the
 * request. */
void request_each_header(const struct request *req,
                         void (*each)(void *context, struct span name, struct span value),
                         void *context);
struct span request_body(const struct request *req);
/* Takes the body's malloc'ed memory over (messages keep it as their block). NULL when empty. */
char *request_take_body(struct request *req, size_t *len);
/* The idempotency identity of this request; `used` is false without the header. A key that breaks
 * the rule (1-255 visible characters) was refused before the handler ran. */
void request_idempotency(const struct request *req, struct idempotency *out);

/* Memory that lives as long as the request; NULL when out of memory or over its bound. */
void *request_alloc(struct request *req, size_t size);

/* ---- answering ---- */

/* Takes the content of `body` (which is empty afterwards). A failed buf becomes a 503. */
void request_reply(struct request *req, unsigned status, struct buf *body);
/* 204. */
void request_reply_empty(struct request *req, unsigned status);
/* {"code":…,"detail":…} with the code that belongs to the status (API.md). 503 and 507 carry
 * Retry-After. */
void request_fail(struct request *req, unsigned status, const char *detail);
/* The answer for a store error: 404, 409, 413, 503, 507 …; `detail` may be NULL. */
void request_fail_err(struct request *req, enum err e, const char *detail);
/* 422 {"detail":[{"loc":[…],"msg":…,"type":…}]}. `where` is "body", "query" or "path"; `field` a
 * dotted path, "filterTypes.2" (numbers become integers), or NULL. */
void request_invalid(struct request *req, const char *where, const char *field,
                     const char *message);
/* The same with another type than "value_error", for instance "value_error.jsondecode". */
void request_invalid_type(struct request *req, const char *where, const char *field,
                          const char *message, const char *type);
/* An extra header of the reply, before replying. Both are copied. */
void request_reply_header(struct request *req, const char *name, const char *value);

/* ---- waiting for the store ---- */

/* Submits `op` and suspends the request; `then` runs on the HTTP thread after the commit. When the
 * store refuses (busy, full) the request is failed here and `then` is not called, but `drop` is
 * (may be NULL), to free what the operation owns. `then` owns the op afterwards. */
void request_submit(struct request *req, struct store_op *op,
                    void (*then)(struct request *req, struct store_op *op),
                    void (*drop)(struct request *req, struct store_op *op));
/* ---- waiting for something else ---- */

/* Suspends the request until request_wake or this moment, or until the client leaves or the server
 * stops; then `then` runs on the HTTP thread. It gets `op`, which is not submitted and stays the
 * caller's (may be NULL). False, and nothing was done: the client has left, the server stops, or
 * there is no memory: reply now. */
bool request_wait(struct request *req, struct mono until, struct store_op *op,
                  void (*then)(struct request *req, struct store_op *op)) MUST_CHECK;
/* What every request passes before its handler, and one that waited does again, since its token may
 * have ended meanwhile. False: it replied, 401 or what else is due. HTTP thread. */
bool request_pass_token(struct request *req) MUST_CHECK;
/* Any thread, between request_wait and the reply: the caller sees to it that it comes no later. In
 * the same wait only the first call has an effect. */
void request_wake(struct request *req);

/* If the op was answered from its idempotency record, replies with that and returns true. */
bool request_replayed(struct request *req, struct store_op *op);

#endif
