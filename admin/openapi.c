/* The description cannot disagree with the service about what exists and who may use it: paths,
 * methods and scopes come from the tables that the router and the token check use. */
#include "admin/openapi.h"

#include "admin/context.h"
#include "admin/handlers.h"
#include "admin/key.h"
#include "admin/schema_operation.h"
#include "admin/schemas.h"
#include "http/router.h"
#include "http/token.h"

#include <assert.h>
#include <ctype.h>

static const char about_the_api[] =
    "Wire-compatible with the Svix API. An id and the uid (of a message: the eventId) serve alike. "
    "Unknown members are ignored, members that are not supported are refused. A repeated "
    "Idempotency-Key gets the first answer again.";

/* ---- refusals ---- */

enum when { ALWAYS, WITH_TOKEN, WITH_PARAMETER, WITH_WRITE, WITH_EVENT };

static const struct refusal_text {
    unsigned status;
    enum when when;
    const char *name, *about;
} refusals[] = {
    {400, ALWAYS, "Malformed", "Not well-formed HTTP, or more than one list can look at."},
    {401, WITH_TOKEN, "Unauthenticated", "No token, or none that is good."},
    {403, WITH_TOKEN, "Forbidden", "The token's scope does not reach this far."},
    {404, WITH_PARAMETER, "NotFound", "Nothing of that name that the token may see."},
    {409, WITH_WRITE, "Conflict", "A name is taken, or the state does not allow it."},
    {413, ALWAYS, "TooLarge", "The body is larger than the route takes."},
    {414, ALWAYS, "AddressTooLong", "The address does not fit into the head of a request."},
    {415, WITH_EVENT, "UnsupportedMedia", "A format of CloudEvents that is not taken here."},
    {422, WITH_TOKEN, "Invalid", "A value is wrong; the answer names the place."},
    {431, ALWAYS, "HeadTooLarge", "The headers do not fit into the head of a request."},
    {503, WITH_TOKEN, "Unavailable", "Too much to do at the moment: try again."},
    {507, WITH_WRITE, "Full", "The storage is full: what was sent is not stored."},
};

static bool may_refuse(const struct refusal_text *r, const struct route *route)
{
    switch (r->when) {
    case ALWAYS:
        return true;
    case WITH_TOKEN:
        return route->access != ACCESS_PUBLIC;
    case WITH_PARAMETER:
        return strchr(route->path, '{') != NULL;
    case WITH_WRITE:
        /* Who has attempts made changes something: a consumer polls by a GET, and moves. */
        return route->method != METHOD_GET || route->access == ACCESS_APP_ATTEMPT;
    case WITH_EVENT:
        return route->access == ACCESS_INGEST;
    }
    return false;
}

static void write_reference(struct json_writer *w, const char *kind, const char *name)
{
    char path[128];
    int n = snprintf(path, sizeof path, "#/components/%s/%s", kind, name);
    assert(n > 0 && (size_t)n < sizeof path);
    jw_object(w);
    jw_member_string(w, "$ref", span_text(path));
    jw_end_object(w);
}

static void open_status(struct json_writer *w, unsigned status)
{
    char text[16];
    snprintf(text, sizeof text, "%u", status);
    jw_name(w, text);
}

/* type: {"schema": …, closed by the caller, inside an object. */
static void open_type(struct json_writer *w, const char *type)
{
    jw_name(w, type);
    jw_object(w);
    jw_name(w, "schema");
}

/* "content": {type: { …  ; closed by close_content. */
static void open_content(struct json_writer *w, const char *type)
{
    jw_name(w, "content");
    jw_object(w);
    open_type(w, type);
}

static void close_content(struct json_writer *w)
{
    jw_end_object(w);
    jw_end_object(w);
}

static void write_refusal(struct json_writer *w, const struct refusal_text *r)
{
    jw_name(w, r->name);
    jw_object(w);
    jw_member_string(w, "description", span_text(r->about));
    if (r->status >= 500) {
        jw_member_raw(w, "headers",
                      SPAN("{\"Retry-After\":{\"description\":\"In seconds.\","
                           "\"schema\":{\"type\":\"integer\",\"minimum\":1}}}"));
    }
    /* Those two come from libmicrohttpd, before there is a request that could be answered. */
    if (r->status != 414 && r->status != 431) {
        open_content(w, "application/json");
        schema_write_use(w, r->status == 422 ? &schema_validation_error : &schema_error);
        close_content(w);
    }
    jw_end_object(w);
}

/* ---- parameters ---- */

static void write_parameter(struct json_writer *w, const char *in, struct span name,
                            const struct schema_field *f)
{
    const char *about = f->about ? f->about : f->type->about;
    jw_object(w);
    jw_member_string(w, "name", name);
    jw_member_string(w, "in", span_text(in));
    jw_member_bool(w, "required", f->marks & SCHEMA_REQUIRED);
    if (about)
        jw_member_string(w, "description", span_text(about));
    jw_name(w, "schema");
    schema_write_use(w, f->type);
    jw_name(w, "example");
    schema_write_example(w, f->type);
    jw_end_object(w);
}

static void write_parameters(struct json_writer *w, const struct route *route,
                             const struct operation *op)
{
    jw_name(w, "parameters");
    jw_array(w);
    unsigned i = 0;
    for (const char *at = strchr(route->path, '{'); at; at = strchr(at + 1, '{')) {
        struct span name = router_param_name(route, i++);
        const struct schema_field f = {.type = schema_parameter(name), .marks = SCHEMA_REQUIRED};
        write_parameter(w, "path", name, &f);
    }
    for (const struct schema_field *f = op ? op->query : NULL; f && f->name; f++)
        write_parameter(w, "query", span_text(f->name), f);
    if (route->method == METHOD_POST)
        write_reference(w, "parameters", "IdempotencyKey");
    jw_end_array(w);
}

/* ---- operations ---- */

static void write_page(struct json_writer *w, const struct schema *row)
{
    const struct schema rows = {.kind = SCHEMA_LIST, .max = PAGE_MAX, .item = row};
    const struct schema_field fields[] = {
        FIELD_MUST("data", rows, NULL),
        {"iterator", &schema_text, SCHEMA_REQUIRED | SCHEMA_NULLABLE, "Continues the list.", NULL},
        {"prevIterator", &schema_text, SCHEMA_REQUIRED | SCHEMA_NULLABLE, "Walks back.", NULL},
        FIELD_MUST("done", schema_boolean, "Whether this was the last page."),
        FIELD_END,
    };
    schema_write(w, &(struct schema){.kind = SCHEMA_OBJECT, .fields = fields});
}

static const char *media_type(const struct operation *op)
{
    if (op->marks & OPERATION_TEXT)
        return "text/plain";
    return op->marks & OPERATION_HTML ? "text/html" : "application/json";
}

static void write_success(struct json_writer *w, const struct operation *op, unsigned status)
{
    open_status(w, status);
    jw_object(w);
    jw_member_string(w, "description", status == 204 ? SPAN("Done.") : SPAN("Done; the result."));
    if (op->out && status != 204) {
        open_content(w, media_type(op));
        if (op->marks & OPERATION_PAGE)
            write_page(w, op->out);
        else
            schema_write_use(w, op->out);
        close_content(w);
    }
    jw_end_object(w);
}

static void write_responses(struct json_writer *w, const struct route *route,
                            const struct operation *op)
{
    jw_name(w, "responses");
    jw_object(w);
    if (op)
        write_success(w, op, op->status);
    if (op && op->other_status)
        write_success(w, op, op->other_status);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (!may_refuse(&refusals[i], route))
            continue;
        open_status(w, refusals[i].status);
        write_reference(w, "responses", refusals[i].name);
    }
    jw_end_object(w);
}

static void write_body(struct json_writer *w, const struct operation *op)
{
    jw_name(w, "requestBody");
    jw_object(w);
    jw_member_bool(w, "required", !(op->marks & OPERATION_BODY_OPTIONAL));
    open_content(w, "application/json");
    schema_write_use(w, op->in);
    for (const struct operation_body *b = schema_other_bodies(op); b->type; b++) {
        jw_end_object(w);
        open_type(w, b->type);
        schema_write_use(w, b->in);
    }
    close_content(w);
    jw_end_object(w);
}

/* The scopes that the token check lets through. */
static void write_security(struct json_writer *w, const struct route *route)
{
    jw_name(w, "security");
    jw_array(w);
    if (route->access != ACCESS_PUBLIC) {
        jw_object(w);
        jw_name(w, "token");
        jw_array(w);
        for (int i = SCOPE_ADMIN; i <= SCOPE_APP; i++) {
            const struct principal who = {.scope = (enum key_scope)i};
            if (token_allows(route->access, &who, span_text(NULL)) == ERR_OK)
                jw_string(w, span_text(key_scope_name(who.scope)));
        }
        jw_end_array(w);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void write_operation(struct json_writer *w, const struct route *route)
{
    const struct operation *op = schema_operation(route->operation);
    struct span rest = span_text(route->operation);
    jw_object(w);
    jw_member_string(w, "operationId", span_text(route->operation));
    jw_name(w, "tags");
    jw_array(w);
    jw_string(w, span_cut(&rest, '.'));
    jw_end_array(w);
    if (op)
        jw_member_string(w, "summary", span_text(op->about));
    write_security(w, route);
    write_parameters(w, route, op);
    if (op && op->in)
        write_body(w, op);
    write_responses(w, route, op);
    jw_end_object(w);
}

/* ---- the document ---- */

/* A place among the routes of all tables. */
struct walk {
    const struct route_table *tables;
    size_t count, table, at;
};

/* NULL past the last. With a path: of those of that path alone. */
static const struct route *next_route(struct walk *walk, const char *path)
{
    for (; walk->table < walk->count; walk->table++, walk->at = 0)
        while (walk->at < walk->tables[walk->table].count) {
            const struct route *r = &walk->tables[walk->table].routes[walk->at++];
            if (!path || strcmp(r->path, path) == 0)
                return r;
        }
    return NULL;
}

static void write_path(struct json_writer *w, struct walk walk, const char *path)
{
    jw_name(w, path);
    jw_object(w);
    for (const struct route *r; (r = next_route(&walk, path));) {
        char method[16];
        size_t len = 0;
        for (const char *c = router_method_name(r->method); *c && len + 1 < sizeof method; c++)
            method[len++] = (char)tolower((unsigned char)*c);
        method[len] = '\0';
        jw_name(w, method);
        write_operation(w, r);
    }
    jw_end_object(w);
}

static void write_paths(struct json_writer *w, struct walk start)
{
    struct walk walk = start;
    jw_name(w, "paths");
    jw_object(w);
    for (const struct route *r; (r = next_route(&walk, NULL));) {
        struct walk again = start;
        if (next_route(&again, r->path) == r)
            write_path(w, start, r->path);
    }
    jw_end_object(w);
}

static void collect(struct walk walk, struct schema_set *set)
{
    schema_collect(set, &schema_error);
    schema_collect(set, &schema_validation_error);
    for (const struct route *r; (r = next_route(&walk, NULL));) {
        const struct operation *op = schema_operation(r->operation);
        if (op && op->in)
            schema_collect(set, op->in);
        for (const struct operation_body *b = op ? schema_other_bodies(op) : NULL; b && b->type;
             b++)
            schema_collect(set, b->in);
        if (op && op->out)
            schema_collect(set, op->out);
        for (const struct schema_field *f = op ? op->query : NULL; f && f->name; f++)
            schema_collect(set, f->type);
    }
}

static void write_components(struct json_writer *w, struct walk walk)
{
    struct schema_set set = {0};
    collect(walk, &set);
    jw_name(w, "components");
    jw_object(w);
    jw_member_raw(w, "securitySchemes",
                  SPAN("{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":"
                       "\"A key; each operation names the scopes that may call it.\"}}"));
    jw_member_raw(w, "parameters",
                  SPAN("{\"IdempotencyKey\":{\"name\":\"Idempotency-Key\",\"in\":\"header\","
                       "\"required\":false,\"description\":\"A repeated request with the same key "
                       "gets the first answer and changes nothing.\",\"schema\":{\"type\":"
                       "\"string\",\"minLength\":1,\"maxLength\":255,\"pattern\":"
                       "\"^[!-~]+$\"},\"example\":\"order-1001\"}}"));
    jw_name(w, "responses");
    jw_object(w);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        write_refusal(w, &refusals[i]);
    jw_end_object(w);
    jw_name(w, "schemas");
    jw_object(w);
    for (unsigned i = 0; i < set.count; i++) {
        jw_name(w, set.items[i]->name);
        schema_write(w, set.items[i]);
    }
    jw_end_object(w);
    jw_end_object(w);
}

void openapi_write(const struct route_table *tables, size_t count, struct buf *out)
{
    struct walk walk = {.tables = tables, .count = count};
    struct json_writer w;
    jw_init(&w, out);
    jw_object(&w);
    jw_member_string(&w, "openapi", SPAN("3.1.0"));
    jw_name(&w, "info");
    jw_object(&w);
    jw_member_string(&w, "title", SPAN("Surehook"));
    jw_member_string(&w, "version", SPAN(SUREHOOK_VERSION));
    jw_member_string(&w, "description", span_text(about_the_api));
    jw_end_object(&w);
    jw_member_raw(&w, "servers", SPAN("[{\"url\":\"/\"}]"));
    write_paths(&w, walk);
    write_components(&w, walk);
    jw_end_object(&w);
    jw_finish(&w);
}

void openapi_get_route(struct request *req)
{
    struct buf copy;
    buf_init(&copy, REPLY_MAX);
    buf_span(&copy, buf_view(&context_of(req)->description));
    request_reply(req, 200, &copy);
}
