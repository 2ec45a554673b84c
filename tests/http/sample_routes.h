/* A few routes that show what a handler sees. Included behind fixture.h. */
#ifndef TESTS_HTTP_SAMPLE_ROUTES_H
#define TESTS_HTTP_SAMPLE_ROUTES_H

#include "tests/http/fixture.h"

static void reply_text(struct request *req, unsigned status, struct span text)
{
    struct buf body;
    buf_init(&body, REPLY_MAX);
    buf_span(&body, text);
    request_reply(req, status, &body);
}

static void echo(struct request *req)
{
    reply_text(req, 200, request_body(req));
}

static void hello(struct request *req)
{
    reply_text(req, 200, SPAN("{\"hello\":true}"));
}

static void show_app(struct request *req)
{
    reply_text(req, 200, request_param(req, "app"));
}

static void reply_large(struct request *req)
{
    struct buf body;
    buf_init(&body, REPLY_MAX);
    for (int i = 0; i < 1024 * 1024; i++)
        buf_char(&body, 'x');
    request_reply(req, 200, &body);
}

static void after_store(struct request *req, struct store_op *op)
{
    if (op->result)
        request_fail_err(req, op->result, NULL);
    else
        reply_text(req, 202, SPAN("{\"stored\":true}"));
    free(op);
}

static void drop_op(struct request *req, struct store_op *op)
{
    (void)req;
    free(op);
}

static void wait_for_store(struct request *req)
{
    struct store_op *op = calloc(1, sizeof *op);
    assert_non_null(op);
    request_submit(req, op, after_store, drop_op);
}

static void show_identity(struct request *req)
{
    struct idempotency identity;
    request_idempotency(req, &identity);
    struct buf body;
    buf_init(&body, 1024);
    for (unsigned i = 0; identity.used && i < 16; i++)
        buf_printf(&body, "%02x", identity.key[i]);
    buf_printf(&body, " %lld", (long long)identity.lifetime_us);
    request_reply(req, 200, &body);
}

static const struct route sample_routes[] = {
    {METHOD_GET, "/api/v1/hello", ACCESS_PUBLIC, 0, hello, "hello"},
    {METHOD_POST, "/api/v1/echo", ACCESS_PUBLIC, 1000, echo, "echo"},
    {METHOD_PUT, "/api/v1/echo", ACCESS_PUBLIC, MESSAGE_BODY_MAX, echo, "echo.put"},
    {METHOD_POST, "/api/v1/wait", ACCESS_PUBLIC, 1000, wait_for_store, "wait"},
    {METHOD_GET, "/api/v1/large", ACCESS_PUBLIC, 0, reply_large, "large"},
    {METHOD_GET, "/api/v1/app/{app}", ACCESS_READ, 0, show_app, "app.get"},
    {METHOD_GET, "/api/v1/org", ACCESS_READ_ORG, 0, hello, "org.get"},
    {METHOD_POST, "/api/v1/app/{app}/msg", ACCESS_INGEST, 1000, show_identity, "message.create"},
};

static int serve_samples(void **state)
{
    (void)state;
    served =
        (struct route_table){sample_routes, sizeof sample_routes / sizeof sample_routes[0], NULL};
    return 0;
}

#endif
