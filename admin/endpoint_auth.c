/* Credentials are written once and never read back, as with headers that look like them: reading
 * shows whose they are and where they go.
 *
 * What is set replaces what was, whole: a secret must not outlive a change of whom it is shown. */
#include "admin/endpoint_auth.h"

#include "admin/context.h"
#include "admin/endpoint.h"
#include "admin/field.h"
#include "admin/handlers.h"

void endpoint_auth_agree(struct body *b, const char *field, const struct endpoint *e)
{
    struct text_map map = {0};
    if (b->result || e->auth.kind == AUTH_NONE)
        return;
    b->result = text_map_parse(&b->arena, e->headers, &map);
    if (!b->result && text_map_find_header(&map, SPAN("authorization")))
        body_refuse(b, field,
                    "the endpoint has an authentication: it cannot have an authorization among its "
                    "headers, too");
}

/* ---------------------------------------------------------------- reading */

static bool has_control_bytes(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
            return true;
    return false;
}

static void read_credential(struct body *b, const char *name, size_t min, size_t max,
                            struct span *out)
{
    const struct text_rule rule = {.min = min, .max = max};
    body_require(b, name, body_text(b, name, &rule, out));
    if (has_control_bytes(*out))
        body_refuse(b, name, "must not contain control characters");
}

static void read_basic(struct body *b, struct endpoint_auth *a)
{
    static const char *const others[] = {
        "tokenUrl", "clientId", "clientSecret", "clientAuthentication", "scope", "audience", NULL};
    body_refuse_present(b, others, "belongs to oauth2");
    read_credential(b, "username", 1, AUTH_USER_MAX, &a->user);
    if (a->user.len && memchr(a->user.ptr, ':', a->user.len))
        body_refuse(b, "username", "must not contain a colon, which would end it");
    read_credential(b, "password", 0, AUTH_SECRET_MAX, &a->secret);
}

static void read_token_url(struct request *req, struct write *w)
{
    static const struct text_rule rule = {.min = 1, .max = URL_MAX};
    const struct admin *admin = context_of(req);
    struct body *b = &w->body;
    struct span text;
    const char *why = NULL;
    enum field state = body_text(b, "tokenUrl", &rule, &text);
    body_require(b, "tokenUrl", state);
    if (state != FIELD_VALUE)
        return;
    enum err e = dispatcher_url_check(admin->dispatcher, text, admin->settings.endpoint_https_only,
                                      &w->url, &why);
    if (e == ERR_NO_MEMORY || w->url.failed)
        b->result = ERR_NO_MEMORY;
    else if (e)
        body_refuse(b, "tokenUrl", why);
    w->endpoint.auth.token_url = buf_view(&w->url);
}

/* RFC 6749 section 3.3: tokens of visible ASCII but for quotes and backslashes. */
static bool is_scope(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < ' ' || text.ptr[i] > '~' || text.ptr[i] == '"' || text.ptr[i] == '\\')
            return false;
    return true;
}

static void read_oauth2(struct request *req, struct write *w)
{
    static const char *const others[] = {"username", "password", NULL};
    static const struct text_rule rule = {.min = 1, .max = AUTH_SCOPE_MAX};
    struct body *b = &w->body;
    struct endpoint_auth *a = &w->endpoint.auth;
    unsigned how = CLIENT_SECRET_BASIC;
    body_refuse_present(b, others, "belongs to basic");
    read_token_url(req, w);
    read_credential(b, "clientId", 1, AUTH_USER_MAX, &a->user);
    read_credential(b, "clientSecret", 1, AUTH_SECRET_MAX, &a->secret);
    field_choice(b, "clientAuthentication", transport_client_auth_name,
                 "must be client_secret_basic or client_secret_post", &how);
    a->client_auth = (enum client_auth)how;
    body_text(b, "scope", &rule, &a->scope);
    if (!is_scope(a->scope))
        body_refuse(b, "scope", "must be names of visible ASCII with spaces between them");
    body_text(b, "audience", &rule, &a->audience);
    if (has_control_bytes(a->audience))
        body_refuse(b, "audience", "must not contain control characters");
}

static bool put_step(struct request *req, struct write *w)
{
    unsigned kind = AUTH_NONE;
    if (!endpoint_load(req, w))
        return false;
    write_open_body(req, w, false);
    field_choice(&w->body, "type", transport_auth_name, "must be basic or oauth2", &kind);
    w->endpoint.auth = (struct endpoint_auth){.kind = (enum auth_kind)kind};
    if (kind == AUTH_BASIC)
        read_basic(&w->body, &w->endpoint.auth);
    else if (kind == AUTH_OAUTH2)
        read_oauth2(req, w);
    else
        body_refuse(&w->body, "type", "must be basic or oauth2");
    endpoint_auth_agree(&w->body, "type", &w->endpoint);
    endpoint_prepare_put(w, 204);
    return write_body_good(req, w);
}

void endpoint_auth_put_route(struct request *req)
{
    write_run(req, put_step);
}

static bool delete_step(struct request *req, struct write *w)
{
    if (!endpoint_load(req, w))
        return false;
    w->endpoint.auth = (struct endpoint_auth){.kind = AUTH_NONE};
    endpoint_prepare_put(w, 204);
    return true;
}

void endpoint_auth_delete_route(struct request *req)
{
    write_run(req, delete_step);
}

/* ---------------------------------------------------------------- showing */

static void member(struct json_writer *w, const char *name, struct span text)
{
    if (text.len)
        jw_member_string(w, name, text);
    else
        jw_member_null(w, name);
}

static void show(struct json_writer *w, const struct endpoint_auth *a)
{
    const struct span none = {0};
    const bool basic = a->kind == AUTH_BASIC, oauth = a->kind == AUTH_OAUTH2;
    jw_object(w);
    jw_member_string(w, "type", span_text(transport_auth_name(a->kind)));
    member(w, "username", basic ? a->user : none);
    member(w, "tokenUrl", a->token_url);
    member(w, "clientId", oauth ? a->user : none);
    member(w, "clientAuthentication",
           oauth ? span_text(transport_client_auth_name(a->client_auth)) : none);
    member(w, "scope", a->scope);
    member(w, "audience", a->audience);
    jw_end_object(w);
}

void endpoint_auth_get_route(struct request *req)
{
    struct lookup l = {0};
    if (!lookup_endpoint(req, &l))
        return;
    struct buf out;
    struct json_writer w;
    buf_init(&out, ADMIN_BODY_MAX);
    jw_init(&w, &out);
    show(&w, &l.endpoint->auth);
    lookup_release(&l);
    request_reply(req, 200, &out);
}
