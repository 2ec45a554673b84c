/* Endpoints. What is stored can be sent: URL, headers and secret pass the dispatcher's own
 * rules. */
#include "admin/endpoint.h"
#include "admin/context.h"
#include "admin/endpoint_auth.h"
#include "admin/endpoint_header.h"
#include "admin/endpoint_tls.h"
#include "admin/entity_out.h"
#include "admin/event_type.h"
#include "admin/field.h"
#include "admin/handlers.h"
#include "admin/list.h"
#include "admin/retry_policy.h"
#include "admin/write.h"

#define USER_VERSION_MAX 65535

static const struct text_rule url_rule = {.min = 1, .max = URL_MAX};
static const struct text_rule secret_rule = {.min = 1, .max = 256};
static const struct text_rule uid_rule = {
    .min = 1, .max = UID_MAX, .also = FIELD_IDENTIFIER, .not_prefix = ID_ENDPOINT};

static void read_url(struct request *req, struct write *w, bool patch)
{
    const struct admin *a = context_of(req);
    struct span text;
    const char *why = NULL;
    enum field state = body_text(&w->body, "url", &url_rule, &text);
    if (!patch)
        body_require(&w->body, "url", state);
    body_refuse_null(&w->body, "url", state);
    if (state != FIELD_VALUE)
        return;
    enum err e =
        dispatcher_url_check(a->dispatcher, text, a->settings.endpoint_https_only, &w->url, &why);
    if (e == ERR_NO_MEMORY || w->url.failed)
        w->body.result = ERR_NO_MEMORY;
    else if (e)
        body_refuse(&w->body, "url", why);
    w->endpoint.url = buf_view(&w->url);
}

static enum err find_operational_type(struct span name)
{
    const char *known;
    for (unsigned i = 0; (known = operational_event_name(i)); i++)
        if (span_is(name, known))
            return ERR_OK;
    return ERR_NOT_FOUND;
}

static bool filters_by(const struct endpoint *e, struct span name)
{
    for (unsigned i = 0; e && i < e->filter_count; i++)
        if (span_eq(e->filters[i], name))
            return true;
    return false;
}

/* One behind a feature flag is not there for a token without it, unless the endpoint has it. */
static enum err find_type(struct request *req, const struct write *w, struct span name)
{
    struct event_type *type;
    enum err e = store_event_type_get(w->found.read, &request_principal(req)->org, name, &type);
    if (e)
        return e;
    if (!event_type_visible(req, type) && !filters_by(w->found.endpoint, name))
        e = ERR_NOT_FOUND;
    event_type_free(&type);
    return e;
}

/* An endpoint may filter only by types that exist, so that a misspelt one does not swallow
 * events. */
static void check_types_exist(struct request *req, struct write *w, const char *field)
{
    for (unsigned i = 0; i < w->endpoint.filter_count && w->body.result == ERR_OK; i++) {
        char path[64];
        snprintf(path, sizeof path, "%s.%u", field, i);
        struct span name = w->endpoint.filters[i];
        enum err e =
            lookup_is_operational(req) ? find_operational_type(name) : find_type(req, w, name);
        if (e == ERR_NOT_FOUND)
            body_refuse(&w->body, path, "no event type has this name");
        else if (e)
            w->body.result = e;
    }
}

/* The list has two names: one of each generation of SDKs. */
static void read_filters(struct request *req, struct write *w, bool patch)
{
    static const char *const names[] = {"filterTypes", "eventTypes"};
    struct endpoint *e = &w->endpoint;
    if (!patch)
        e->filter_count = 0;
    bool named = false; /* a null under one name yields to a list under the other */
    for (int i = 0; i < 2; i++) {
        unsigned count = 0;
        enum field state = body_texts(&w->body, names[i], &field_event_type, 1,
                                      ENDPOINT_FILTERS_MAX, w->texts, &count);
        if (state == FIELD_ABSENT || (state == FIELD_NULL && named))
            continue;
        named = state == FIELD_VALUE;
        e->filters = w->texts;
        e->filter_count = count;
        check_types_exist(req, w, names[i]);
    }
}

static void read_channels(struct write *w, bool patch)
{
    struct endpoint *e = &w->endpoint;
    unsigned count = 0;
    enum field state = body_texts(&w->body, "channels", &field_channel, 1, ENDPOINT_CHANNELS_MAX,
                                  e->channels, &count);
    if (state != FIELD_ABSENT || !patch)
        e->channel_count = count;
}

static void read_secret(struct request *req, struct write *w, bool patch)
{
    struct endpoint *e = &w->endpoint;
    struct span text;
    enum field state = body_text(&w->body, "secret", &secret_rule, &text);
    if (patch)
        body_refuse_null(&w->body, "secret", state);
    if (state == FIELD_VALUE) {
        const char *why = NULL;
        enum err parsed = dispatcher_secret_parse(text, &e->keys[0], &why);
        if (parsed == ERR_NO_MEMORY)
            w->body.result = parsed;
        else if (parsed)
            body_refuse(&w->body, "secret", why);
    } else if (!e->key_count) {
        dispatcher_secret_make(context_of(req)->settings.default_signature, &e->keys[0]);
    }
    if (!e->key_count)
        e->key_count = 1;
}

static void read_headers(struct write *w)
{
    struct text_map map;
    enum field state = body_map(&w->body, "headers", false, &map);
    if (state == FIELD_NULL)
        w->endpoint.headers = span_text(NULL);
    if (state != FIELD_VALUE)
        return;
    endpoint_header_check(&w->body, "headers", &map);
    w->endpoint.headers = body_map_json(&w->body, "headers", &map, ENDPOINT_HEADERS_MAX);
}

static void read_disabled(struct write *w, bool patch)
{
    struct endpoint *e = &w->endpoint;
    bool disabled = false;
    enum field state = body_bool(&w->body, "disabled", &disabled);
    if (patch)
        body_refuse_null(&w->body, "disabled", state);
    if ((patch && state != FIELD_VALUE) || e->disabled == disabled)
        return;
    e->disabled = disabled;
    e->disabled_reason = disabled ? SPAN("manual") : span_text(NULL);
}

static void read_ordering(struct body *b, enum ordering *out)
{
    unsigned ordering = *out;
    field_choice(b, "ordering", ordering_name, "must be none, key or fifo", &ordering);
    *out = (enum ordering)ordering;
}

static void read_cloud_events(struct body *b, enum cloud_events *out)
{
    unsigned mode = *out;
    field_choice(b, "cloudEvents", cloud_events_name, "must be none, structured or binary", &mode);
    *out = (enum cloud_events)mode;
}

/* Merges the body into w->endpoint, which holds the present state (zero for a new one). Keys and
 * headers outlive a PUT without them: they have routes of their own. So does each field that is
 * ours alone: an SDK's PUT, which cannot name it, must not end what somebody relies on. */
static bool read_fields(struct request *req, struct write *w, struct span path)
{
    static const char *const unbuilt[] = {"transformation", NULL};
    static const char *const never[] = {"channels", NULL}; /* no operational event has one */
    struct body *b = &w->body;
    struct endpoint *e = &w->endpoint;
    bool patch = request_method(req) == METHOD_PATCH;
    write_open_body(req, w, false);

    read_url(req, w, patch);
    field_uid(b, &uid_rule, !patch, path, &e->uid);
    enum field description = body_text(b, "description", &field_description, &e->description);
    if (patch)
        body_refuse_null(b, "description", description);
    else if (description != FIELD_VALUE)
        e->description = span_text(NULL);
    enum field version = body_integer(b, "version", 1, USER_VERSION_MAX, &e->user_version);
    if (patch)
        body_refuse_null(b, "version", version);
    else if (version != FIELD_VALUE)
        e->user_version = 1;
    read_disabled(w, patch);
    read_filters(req, w, patch);
    read_channels(w, patch);
    field_metadata(b, !patch, &e->metadata);
    read_headers(w);
    read_secret(req, w, patch);
    field_rate(b, !patch, &e->throttle_rate);
    read_ordering(b, &e->ordering);
    read_cloud_events(b, &e->cloud_events);
    retry_policy_read_endpoint(b, dispatcher_endpoint_max(context_of(req)->dispatcher), e);
    endpoint_auth_agree(b, "headers", e);
    endpoint_tls_agree(b, "url", e);
    body_unsupported(b, unbuilt);
    if (lookup_is_operational(req))
        body_unsupported(b, never);
    return write_body_good(req, w);
}

static void begin_new(struct write *w)
{
    struct wall now = clock_wall();
    w->endpoint.id = id_fresh(now);
    w->endpoint.app = w->found.app->id;
    w->endpoint.app_number = w->found.app->number;
    w->endpoint.org = w->found.app->org;
    w->endpoint.created = now;
}

/* As the change will leave it. */
static enum err health_after(struct write *w, struct endpoint_health *health)
{
    const struct endpoint *before = w->found.endpoint;
    *health = (struct endpoint_health){.failures = 0};
    if (!before || endpoint_cured(before, &w->endpoint))
        return ERR_OK;
    enum err e = store_health_get(w->found.read, before->number, health);
    if (w->endpoint.disabled)
        health->breaker = (struct breaker_mark){.probes = 0};
    return e;
}

static bool submit_put(struct request *req, struct write *w, unsigned status)
{
    struct endpoint_health health;
    if (!write_good(req, health_after(w, &health)))
        return false;
    endpoint_prepare_put(w, status);
    w->conflict = "An endpoint with this uid exists";
    struct json_writer out = write_answer(w);
    entity_out_endpoint(&out, &w->endpoint, &health, w->endpoint.updated);
    return true;
}

void endpoint_prepare_put(struct write *w, unsigned status)
{
    w->endpoint.updated = w->endpoint.version ? clock_wall() : w->endpoint.created;
    w->endpoint_op.endpoint = &w->endpoint;
    write_prepare(w, STORE_ENDPOINT_PUT, status);
}

bool endpoint_load(struct request *req, struct write *w)
{
    if (!lookup_endpoint(req, &w->found))
        return false;
    w->endpoint = *w->found.endpoint;
    return true;
}

static bool create_step(struct request *req, struct write *w)
{
    if (!lookup_app(req, &w->found))
        return false;
    begin_new(w);
    return read_fields(req, w, span_text(NULL)) && submit_put(req, w, 201);
}

void endpoint_create_route(struct request *req)
{
    write_run(req, create_step);
}

/* PUT creates what is not there, under the uid in its path. */
static bool put_step(struct request *req, struct write *w)
{
    struct span path = request_param(req, "endpoint");
    enum err e = lookup_find_endpoint(req, &w->found);
    const char *why;
    if (e == ERR_NOT_FOUND && w->found.app && text_check(&uid_rule, path, &why))
        begin_new(w);
    else if (!write_good(req, e))
        return false;
    else
        w->endpoint = *w->found.endpoint;
    return read_fields(req, w, path) && submit_put(req, w, e ? 201 : 200);
}

void endpoint_put_route(struct request *req)
{
    write_run(req, put_step);
}

static bool patch_step(struct request *req, struct write *w)
{
    return endpoint_load(req, w) && read_fields(req, w, span_text(NULL)) && submit_put(req, w, 200);
}

void endpoint_patch_route(struct request *req)
{
    write_run(req, patch_step);
}

static bool delete_step(struct request *req, struct write *w)
{
    if (!lookup_endpoint(req, &w->found))
        return false;
    w->endpoint_op.number = w->found.endpoint->number;
    write_prepare(w, STORE_ENDPOINT_DELETE, 204);
    return true;
}

void endpoint_delete_route(struct request *req)
{
    write_run(req, delete_step);
}

void endpoint_get_route(struct request *req)
{
    struct lookup l = {0};
    struct endpoint_health health;
    if (!lookup_endpoint(req, &l))
        return;
    enum err e = store_health_get(l.read, l.endpoint->number, &health);
    if (e) {
        lookup_fail(req, &l, e);
        return;
    }
    struct buf out;
    struct json_writer w;
    buf_init(&out, ADMIN_BODY_MAX);
    jw_init(&w, &out);
    entity_out_endpoint(&w, l.endpoint, &health, clock_wall());
    lookup_release(&l);
    request_reply(req, 200, &out);
}

static enum err list_endpoint(struct list *list, struct store_read *read, const struct endpoint *ep)
{
    struct endpoint_health health;
    if (!list_row(list, &ep->id, 0))
        return ERR_OK;
    enum err e = store_health_get(read, ep->number, &health);
    if (!e)
        entity_out_endpoint(&list->json, ep, &health, clock_wall());
    return e;
}

void endpoint_list_route(struct request *req)
{
    static const struct page_kind kind = {.prefix = ID_ENDPOINT};
    struct page_params p;
    struct lookup l = {0};
    if (!page_params(req, &kind, &p) || !lookup_app(req, &l))
        return;
    struct endpoint *rows[PAGE_MAX];
    struct page_result result = {0};
    enum err e = store_endpoint_list(l.read, l.app->number, &p.page, rows, &result);
    if (e) {
        lookup_fail(req, &l, e);
        return;
    }
    struct list list;
    list_open(&list, ID_ENDPOINT, &p.page);
    for (unsigned i = 0; i < result.count; i++) {
        if (!e)
            e = list_endpoint(&list, l.read, rows[i]);
        endpoint_free(&rows[i]);
    }
    if (e) {
        buf_free(&list.out);
        lookup_fail(req, &l, e);
        return;
    }
    lookup_release(&l);
    list_reply(req, &list, &result);
}
