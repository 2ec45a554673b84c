/* Access to the application portal: short-lived tokens for the people of one tenant. A token is in
 * the answer that makes it and nowhere else, so that a repeated request gets another one. */
#include "admin/portal.h"

#include "admin/app.h"
#include "admin/context.h"
#include "admin/field.h"
#include "admin/handlers.h"
#include "base/rand.h"
#include "http/token.h"

#define HOUR_S 3600
#define EXPIRY_MAX_S (7 * 24 * HOUR_S)
#define URL_BYTES_MAX 4096

static const struct text_rule session_rule = {.min = 1, .max = NAME_MAX_LEN};

static const char *const capability_names[] = {
    "ViewBase",       "ViewEndpointSecret", "ManageEndpointSecret", "ManageTransformations",
    "CreateAttempts", "ManageEndpoint"};
#define CAPABILITIES (sizeof capability_names / sizeof *capability_names)
_Static_assert(CAPABILITY_ALL == (1u << CAPABILITIES) - 1, "a name for each bit");

const char *portal_capability_name(unsigned i)
{
    return i < CAPABILITIES ? capability_names[i] : NULL;
}

/* ---------------------------------------------------------------- the body */

static unsigned capability_of(struct body *b, struct span name)
{
    for (unsigned i = 0; i < CAPABILITIES; i++)
        if (span_is(name, capability_names[i]))
            return 1u << i;
    body_refuse(b, "capabilities", "is not one of the known capabilities");
    return 0;
}

static void read_capabilities(struct write *w, struct portal_token *t)
{
    struct body *b = &w->body;
    bool read_only = false;
    unsigned count = 0;
    body_bool(b, "readOnly", &read_only);
    t->capabilities = CAPABILITY_ALL;
    if (body_texts(b, "capabilities", &session_rule, 1, CAPABILITIES, w->texts, &count) ==
        FIELD_VALUE) {
        t->capabilities = 0;
        for (unsigned i = 0; i < count; i++)
            t->capabilities |= capability_of(b, w->texts[i]);
        if (!(t->capabilities & CAPABILITY_VIEW_BASE))
            body_refuse(b, "capabilities", "must have ViewBase");
    }
    if (read_only)
        t->capabilities &= CAPABILITY_VIEW_BASE;
}

static void read_feature_flags(struct write *w, struct portal_token *t)
{
    unsigned count = 0;
    body_texts(&w->body, "featureFlags", &field_feature_flag, 0, ENDPOINT_FILTERS_MAX, w->texts,
               &count);
    for (unsigned i = 0; i < count; i++)
        if (!feature_flags_add(&t->flags, w->texts[i]))
            body_refuse(&w->body, "featureFlags", "are more than 511 bytes in all");
}

static void read_expiry(struct write *w, struct portal_token *t)
{
    int64_t seconds = EXPIRY_MAX_S;
    body_integer(&w->body, "expiry", HOUR_S, EXPIRY_MAX_S, &seconds);
    t->created = clock_wall();
    t->expires = wall_add(t->created, seconds * US_PER_S);
}

/* The member `application` is read even when it is not needed: what is wrong is said at once. */
static bool read_fields(struct request *req, struct write *w, enum field *application)
{
    struct portal_token *t = &w->portal_op.token;
    struct span session = {0};
    write_open_body(req, w, true);
    *application = app_read_described(req, w, request_param(req, "app"));
    read_capabilities(w, t);
    read_feature_flags(w, t);
    read_expiry(w, t);
    if (body_text(&w->body, "sessionId", &session_rule, &session) == FIELD_VALUE)
        hash_128(session, t->session);
    return write_body_good(req, w);
}

/* ---------------------------------------------------------------- access */

static bool settle_app(struct request *req, struct write *w, enum field application)
{
    struct portal_op *op = &w->portal_op;
    enum err e = lookup_find_app(req, &w->found);
    op->token.org = request_principal(req)->org;
    if (!e) {
        op->token.app = w->found.app->id;
        return true;
    }
    bool may = e == ERR_NOT_FOUND && application == FIELD_VALUE && w->app.uid.len;
    if (!may)
        return write_good(req, e);
    if (!span_eq(w->app.uid, request_param(req, "app"))) {
        request_invalid(req, "body", "application.uid", "must be the uid in the path");
        return false;
    }
    op->token.app = w->app.id;
    op->create = &w->app;
    return true;
}

static void make_token(struct write *w)
{
    char *at = w->portal_token;
    at += id_format(&w->portal_op.token.app, TOKEN_PORTAL, at);
    *at++ = '_';
    key_secret_make(at);
    hash_sha256(span_text(w->portal_token), w->portal_op.token.hash);
}

/* The page, with the application and the token where only the browser sees them. */
static void make_url(struct request *req, struct write *w)
{
    const char *page = context_of(req)->settings.portal_url;
    struct span host = {0};
    struct buf key;
    struct json_writer json;
    if (page && *page) {
        buf_text(&w->url, page);
    } else {
        request_header(req, "host", &host);
        buf_text(&w->url, "http://");
        buf_span(&w->url, host);
        buf_text(&w->url, "/portal");
    }
    buf_init(&key, URL_BYTES_MAX);
    jw_init(&json, &key);
    jw_object(&json);
    jw_member_id(&json, "appId", ID_APP, &w->portal_op.token.app);
    jw_member_string(&json, "token", span_text(w->portal_token));
    jw_end_object(&json);
    buf_text(&w->url, "#key=");
    base64_encode(buf_view(&key), &w->url);
    buf_free(&key);
}

static bool access_step(struct request *req, struct write *w)
{
    enum field application;
    if (!read_fields(req, w, &application) || !settle_app(req, w, application))
        return false;
    make_token(w);
    make_url(req, w);
    if (w->url.failed)
        return write_good(req, ERR_NO_MEMORY);
    write_prepare(w, STORE_PORTAL_PUT, 200);
    struct json_writer out = write_answer(w);
    jw_object(&out);
    jw_member_string(&out, "url", buf_view(&w->url));
    jw_member_string(&out, "token", span_text(w->portal_token));
    jw_end_object(&out);
    w->anew = true;
    return true;
}

void portal_access_route(struct request *req)
{
    write_run(req, access_step);
}

/* ---------------------------------------------------------------- ends */

static bool logout_step(struct request *req, struct write *w)
{
    struct portal_end_op *op = &w->portal_end_op;
    struct span header, token;
    if (!request_principal(req)->portal || !request_header(req, "authorization", &header) ||
        !token_of_header(header, &token)) {
        request_fail(req, 403, "Only a token of the application portal can be logged out");
        return false;
    }
    hash_sha256(token, w->hash);
    op->app = request_principal(req)->app;
    op->hash = w->hash;
    write_prepare(w, STORE_PORTAL_END, 204);
    w->anew = true;
    return true;
}

void portal_logout_route(struct request *req)
{
    write_run(req, logout_step);
}

static bool read_sessions(struct request *req, struct write *w)
{
    struct portal_end_op *op = &w->portal_end_op;
    unsigned count = 0;
    body_texts(&w->body, "sessionIds", &session_rule, 0, PORTAL_SESSIONS_MAX, w->texts, &count);
    uint8_t(*hashes)[16] = request_alloc(req, (count + 1) * sizeof *hashes);
    if (!hashes)
        return write_good(req, ERR_NO_MEMORY);
    for (unsigned i = 0; i < count; i++)
        hash_128(w->texts[i], hashes[i]);
    op->sessions = (const uint8_t(*)[16])hashes;
    op->session_count = count;
    return true;
}

static bool expire_step(struct request *req, struct write *w)
{
    struct portal_end_op *op = &w->portal_end_op;
    int64_t seconds = 0;
    if (!lookup_app(req, &w->found))
        return false;
    write_open_body(req, w, true);
    body_integer(&w->body, "expiry", 0, EXPIRY_MAX_S, &seconds);
    if (!read_sessions(req, w) || !write_body_good(req, w))
        return false;
    op->app = w->found.app->id;
    op->at = wall_add(clock_wall(), seconds * US_PER_S);
    write_prepare(w, STORE_PORTAL_END, 204);
    return true;
}

void portal_expire_route(struct request *req)
{
    write_run(req, expire_step);
}
