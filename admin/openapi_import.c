/* Event types from the webhooks of an OpenAPI description. All of them are read and checked before
 * any is stored, in one commit. What a description cannot say (the group, the feature flags) stays
 * as it is; an archived type that it names comes back. */
#include "admin/handlers.h"
#include "admin/openapi_webhook.h"
#include "admin/write.h"
#include "admin/yaml.h"

struct import {
    struct request *req;
    struct write *w;
    bool dry, replace;
    const char *where; /* "spec" or "specRaw" */
    struct event_type *types;
    bool changes[IMPORT_TYPES_MAX]; /* by type: whether it is new or says something else */
    struct span archive[COMMIT_ROWS_MAX];
    unsigned count, archive_count;
    struct json_writer json; /* of the answer */
};

static const char too_many[] = "more event types than one import can change";

/* ---------------------------------------------------------------- the description */

/* As JSON, in the body's memory. */
static bool parse_raw(struct import *im, struct span text)
{
    struct body *b = &im->w->body;
    struct json_value value;
    struct json_error error;
    struct buf json;
    char why[160];
    if (json_check(text, JSON_DEPTH_MAX, &value, &error) == ERR_OK) {
        body_open(&im->w->described, text, false);
        return true;
    }
    buf_init(&json, 2 * IMPORT_BODY_MAX);
    enum err e = yaml_to_json(text, &json, why);
    struct span copy = e ? span_of(NULL, 0) : arena_copy(&b->arena, buf_view(&json));
    buf_free(&json);
    if (e == ERR_INVALID)
        body_refuse(b, "specRaw", why);
    else if (e == ERR_TOO_LARGE)
        body_refuse(b, "specRaw", "is too large as JSON");
    else if (e || !copy.ptr)
        b->result = ERR_NO_MEMORY;
    else
        body_open(&im->w->described, copy, false);
    return b->result == ERR_OK;
}

/* The document becomes w->described. */
static bool read_document(struct import *im)
{
    static const struct text_rule raw_rule = {.min = 1, .max = IMPORT_BODY_MAX};
    struct body *b = &im->w->body;
    struct json_value spec;
    struct span raw;
    body_bool(b, "dryRun", &im->dry);
    body_bool(b, "replaceAll", &im->replace);
    bool parsed = body_object(b, "spec", IMPORT_BODY_MAX, &spec) == FIELD_VALUE;
    bool text = body_text(b, "specRaw", &raw_rule, &raw) == FIELD_VALUE;
    if (!write_body_good(im->req, im->w))
        return false;
    if (parsed == text) {
        request_fail(im->req, 400, "exactly one of spec and specRaw must be given");
        return false;
    }
    im->where = parsed ? "spec" : "specRaw";
    if (parsed)
        body_open(&im->w->described, spec.raw, false);
    else
        parse_raw(im, raw);
    return write_body_good(im->req, im->w);
}

static bool read_types(struct import *im)
{
    openapi_webhook_read(&im->w->described, &im->types, &im->count);
    body_adopt(&im->w->body, im->where, &im->w->described);
    return write_body_good(im->req, im->w);
}

/* ---------------------------------------------------------------- what changes */

static struct span keep(struct import *im, struct span text)
{
    struct span copy = arena_copy(&im->w->body.arena, text);
    if (!copy.ptr)
        im->w->body.result = ERR_NO_MEMORY;
    return copy;
}

static void show_change(struct json_writer *w, const struct event_type *t)
{
    jw_object(w);
    jw_member_string(w, "name", t->name);
    jw_member_string(w, "description", t->description);
    jw_member_raw(w, "schemas", t->schemas);
    jw_member_bool(w, "deprecated", t->deprecated);
    jw_member_bool(w, "archived", t->archived);
    jw_name(w, "groupName");
    if (t->group_name.len)
        jw_string(w, t->group_name);
    else
        jw_null(w);
    jw_name(w, "featureFlags");
    if (t->flag_count) {
        jw_array(w);
        for (unsigned i = 0; i < t->flag_count; i++)
            jw_string(w, t->flags[i]);
        jw_end_array(w);
    } else {
        jw_null(w);
    }
    jw_end_object(w);
}

static bool says_the_same(const struct event_type *a, const struct event_type *b)
{
    return span_eq(a->description, b->description) && span_eq(a->schemas, b->schemas) &&
           a->deprecated == b->deprecated && a->archived == b->archived;
}

/* Completes the types by what is stored, and finds out which of them change. */
static enum err compare(struct import *im)
{
    enum err e = lookup_begin(im->req, &im->w->found);
    for (unsigned i = 0; i < im->count && !e; i++) {
        struct event_type *t = &im->types[i], *old = NULL;
        e = store_event_type_get(im->w->found.read, &request_principal(im->req)->org, t->name,
                                 &old);
        if (e == ERR_NOT_FOUND || e == ERR_CORRUPT)
            e = ERR_OK;
        im->changes[i] = !old || !says_the_same(t, old);
        if (old) {
            t->group_name = keep(im, old->group_name);
            for (unsigned f = 0; f < old->flag_count; f++)
                t->flags[t->flag_count++] = keep(im, old->flags[f]);
            t->retry = old->retry;
            event_type_free(&old);
        }
        if (!e && im->dry && im->changes[i])
            show_change(&im->json, t);
    }
    lookup_unpin(&im->w->found);
    return e;
}

static bool is_named(const struct import *im, struct span name)
{
    for (unsigned i = 0; i < im->count; i++)
        if (span_eq(im->types[i].name, name))
            return true;
    return false;
}

/* One that is stored and not in the description. ERR_TOO_LARGE: one commit cannot hold them. */
static enum err add_archived(struct import *im, struct event_type *t)
{
    if (im->count + im->archive_count == COMMIT_ROWS_MAX)
        return ERR_TOO_LARGE;
    t->archived = true;
    if (im->dry)
        show_change(&im->json, t);
    else
        im->archive[im->archive_count] = keep(im, t->name);
    im->archive_count++;
    return ERR_OK;
}

static enum err find_others(struct import *im)
{
    const struct page page = {.limit = PAGE_MAX};
    char name[EVENT_TYPE_MAX + 1] = "";
    bool more = true;
    enum err e = ERR_OK;
    while (more && !e) {
        struct event_type *rows[PAGE_MAX];
        struct page_result result = {0};
        e = lookup_begin(im->req, &im->w->found);
        if (!e)
            e = store_event_type_list(im->w->found.read, &request_principal(im->req)->org, &page,
                                      span_text(name), true, rows, &result);
        lookup_unpin(&im->w->found);
        for (unsigned i = 0; i < result.count; i++) {
            snprintf(name, sizeof name, "%.*s", SPAN_ARG(rows[i]->name));
            if (!e && !rows[i]->archived && !is_named(im, rows[i]->name))
                e = add_archived(im, rows[i]);
            event_type_free(&rows[i]);
        }
        more = result.more && result.count > 0;
    }
    return e;
}

/* ---------------------------------------------------------------- answers */

/* The answer of a dry run holds whole types: it is written while they are found. */
static void open_answer(struct import *im, struct buf *out)
{
    jw_init(&im->json, out);
    jw_object(&im->json);
    jw_name(&im->json, "data");
    jw_object(&im->json);
    jw_name(&im->json, "modified");
    jw_array(&im->json);
    if (!im->dry)
        return;
    jw_end_array(&im->json);
    jw_name(&im->json, "to_modify");
    jw_array(&im->json);
}

static void close_answer(struct import *im)
{
    jw_end_array(&im->json);
    jw_end_object(&im->json);
    jw_end_object(&im->json);
}

static void name_changes(struct import *im)
{
    for (unsigned i = 0; i < im->count; i++)
        if (im->changes[i])
            jw_string(&im->json, im->types[i].name);
    for (unsigned i = 0; i < im->archive_count; i++)
        jw_string(&im->json, im->archive[i]);
}

static enum err find_changes(struct import *im, struct buf *out)
{
    open_answer(im, out);
    enum err e = compare(im);
    if (!e && im->replace)
        e = find_others(im);
    if (!im->dry)
        name_changes(im);
    close_answer(im);
    return e ? e : im->w->body.result;
}

static bool good(struct import *im, enum err e)
{
    if (e)
        request_fail_err(im->req, e, e == ERR_TOO_LARGE ? too_many : NULL);
    return !e;
}

/* Nothing is stored: the answer leaves at once, and a repeated request gets a newer one. */
static bool answer_dry(struct import *im)
{
    struct buf out;
    buf_init(&out, REPLY_MAX);
    if (good(im, find_changes(im, &out)))
        request_reply(im->req, 200, &out);
    buf_free(&out);
    return false;
}

static bool submit(struct import *im)
{
    struct event_types_op *op = &im->w->event_types_op;
    op->org = request_principal(im->req)->org;
    op->now = clock_wall();
    op->types = im->types;
    op->count = im->count;
    op->archive = im->archive;
    write_prepare(im->w, STORE_EVENT_TYPES_PUT, 200);
    enum err e = find_changes(im, &im->w->op.answer);
    op->archive_count = im->archive_count;
    return good(im, !e && im->w->op.answer.failed ? ERR_TOO_LARGE : e);
}

static bool step(struct request *req, struct write *w)
{
    struct import *im = request_alloc(req, sizeof *im);
    if (!im)
        return write_good(req, ERR_NO_MEMORY);
    *im = (struct import){.req = req, .w = w};
    write_open_body(req, w, false);
    if (!read_document(im) || !read_types(im))
        return false;
    return im->dry ? answer_dry(im) : submit(im);
}

void openapi_import_route(struct request *req)
{
    write_run(req, step);
}
