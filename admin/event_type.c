/* Event types. Deleting archives, so that endpoints which filter on a type go on; creating an
 * archived one brings it back. Schemas are checked, and stored as given. */
#include "admin/event_type.h"

#include "admin/entity_out.h"
#include "admin/field.h"
#include "admin/handlers.h"
#include "admin/json_schema.h"
#include "admin/list.h"
#include "admin/params.h"
#include "admin/retry_policy.h"
#include "admin/write.h"
#include "http/answer.h"

static const struct text_rule group_rule = {
    .min = 1, .max = NAME_MAX_LEN, .also = FIELD_IDENTIFIER};

bool event_type_visible(const struct request *req, const struct event_type *t)
{
    const struct principal *who = request_principal(req);
    bool shown = who->scope != SCOPE_APP || t->flag_count == 0;
    for (unsigned i = 0; i < t->flag_count && !shown; i++)
        shown = feature_flags_have(&who->flags, t->flags[i]);
    return shown;
}

/* Where in `schemas` a fault lies: the version, then the place in its schema. */
static void refuse_schema(struct body *b, struct span version, const struct json_schema_fault *f)
{
    struct buf field;
    buf_init(&field, ADMIN_BODY_MAX);
    buf_text(&field, "schemas.");
    for (size_t i = 0; i < version.len; i++)
        buf_char(&field, version.ptr[i] == '.' ? LOC_DOT : version.ptr[i]);
    if (f->path[0])
        buf_printf(&field, ".%s", f->path);
    body_refuse(b, field.failed || !field.ptr ? "schemas" : field.ptr, f->message);
    buf_free(&field);
}

static void read_schemas(struct body *b, struct event_type *t, bool patch)
{
    struct json_value schemas, schema;
    struct json_schema_fault fault;
    struct span version;
    enum field state = body_object(b, "schemas", ADMIN_BODY_MAX, &schemas);
    if (state == FIELD_ABSENT && patch)
        return;
    t->schemas = state == FIELD_VALUE ? schemas.raw : span_text(NULL);
    if (state != FIELD_VALUE)
        return;
    for (struct json_walk walk = json_walk(schemas); json_next(&walk, &version, &schema);)
        if (!b->result && !json_schema_check(schema, &b->work, &fault))
            refuse_schema(b, version, &fault);
}

/* The newer SDKs have a list, the older ones its first flag; a list decides. */
static void read_feature_flags(struct body *b, struct event_type *t, bool patch)
{
    struct span flag = {0}, list[EVENT_TYPE_FLAGS_MAX];
    unsigned count = 0;
    enum field one = body_text(b, "featureFlag", &field_feature_flag, &flag);
    enum field many =
        body_texts(b, "featureFlags", &field_feature_flag, 0, EVENT_TYPE_FLAGS_MAX, list, &count);
    if (patch && one == FIELD_ABSENT && many == FIELD_ABSENT)
        return;
    if (many != FIELD_VALUE && one == FIELD_VALUE)
        list[count++] = flag;
    memcpy(t->flags, list, count * sizeof *list);
    t->flag_count = count;
}

static void read_flags(struct body *b, struct event_type *t, bool patch)
{
    static const char *const names[] = {"archived", "deprecated"};
    bool *const out[] = {&t->archived, &t->deprecated};
    for (int i = 0; i < 2; i++) {
        enum field state = body_bool(b, names[i], out[i]);
        if (patch)
            body_refuse_null(b, names[i], state);
        else if (state != FIELD_VALUE)
            *out[i] = false;
    }
}

static void read_optional(struct body *b, const char *name, const struct text_rule *rule,
                          bool patch, struct span *out)
{
    enum field state = body_text(b, name, rule, out);
    if (state == FIELD_NULL || (state == FIELD_ABSENT && !patch))
        *out = span_text(NULL);
}

void event_type_read(struct body *b, struct event_type *t, bool patch)
{
    enum field description = body_text(b, "description", &field_description, &t->description);
    if (!patch)
        body_require(b, "description", description);
    body_refuse_null(b, "description", description);
    read_flags(b, t, patch);
    read_schemas(b, t, patch);
    read_optional(b, "groupName", &group_rule, patch, &t->group_name);
    read_feature_flags(b, t, patch);
    retry_policy_read(b, &t->retry);
}

static bool read_fields(struct request *req, struct write *w)
{
    event_type_read(&w->body, &w->event_type, request_method(req) == METHOD_PATCH);
    return write_body_good(req, w);
}

/* The present state of the type, if there is one, into w->event_type. */
static enum err load(struct request *req, struct write *w, struct span name)
{
    enum err e = lookup_begin(req, &w->found);
    if (!e)
        e = store_event_type_get(w->found.read, &request_principal(req)->org, name, &w->replaced);
    if (!e)
        w->event_type = *w->replaced;
    return e;
}

static void begin_new(struct request *req, struct write *w, struct span name)
{
    w->event_type.org = request_principal(req)->org;
    w->event_type.name = name;
    w->event_type.created = clock_wall();
}

static void prepare_put(struct write *w, unsigned status)
{
    w->event_type.updated = w->event_type.version ? clock_wall() : w->event_type.created;
    w->event_type_op.type = &w->event_type;
    w->conflict = "An event type with this name exists";
    write_prepare(w, STORE_EVENT_TYPE_PUT, status);
}

static bool submit_put(struct write *w, unsigned status)
{
    prepare_put(w, status);
    struct json_writer out = write_answer(w);
    entity_out_event_type(&out, &w->event_type, true);
    return true;
}

static bool create_step(struct request *req, struct write *w)
{
    struct span name = {0};
    write_open_body(req, w, false);
    body_require(&w->body, "name", body_text(&w->body, "name", &field_event_type, &name));
    if (!write_body_good(req, w))
        return false;
    enum err e = load(req, w, name);
    if (e == ERR_NOT_FOUND)
        begin_new(req, w, name);
    else if (!write_good(req, e))
        return false;
    else if (!w->event_type.archived)
        w->event_type.version =
            0; /* the writer answers the conflict, or repeats the first answer */
    w->event_type.retry = (struct retry_policy){.kind = RETRY_NONE}; /* not an archived one's */
    return read_fields(req, w) && submit_put(w, 201);
}

void event_type_create_route(struct request *req)
{
    write_run(req, create_step);
}

static bool put_step(struct request *req, struct write *w)
{
    struct span name = request_param(req, "name");
    const char *why;
    enum err e = load(req, w, name);
    if (e == ERR_NOT_FOUND && text_check(&field_event_type, name, &why))
        begin_new(req, w, name);
    else if (!write_good(req, e))
        return false;
    write_open_body(req, w, false);
    return read_fields(req, w) && submit_put(w, e ? 201 : 200);
}

void event_type_put_route(struct request *req)
{
    write_run(req, put_step);
}

static bool patch_step(struct request *req, struct write *w)
{
    if (!write_good(req, load(req, w, request_param(req, "name"))))
        return false;
    write_open_body(req, w, false);
    return read_fields(req, w) && submit_put(w, 200);
}

void event_type_patch_route(struct request *req)
{
    write_run(req, patch_step);
}

static bool delete_step(struct request *req, struct write *w)
{
    bool expunge = false;
    if (!params_flag(req, "expunge", &expunge) ||
        !write_good(req, load(req, w, request_param(req, "name"))))
        return false;
    w->event_type.archived = true;
    prepare_put(w, 204);
    if (expunge)
        w->op.kind = STORE_EVENT_TYPE_DELETE;
    return true;
}

void event_type_delete_route(struct request *req)
{
    write_run(req, delete_step);
}

void event_type_get_route(struct request *req)
{
    struct lookup l = {0};
    struct event_type *type = NULL;
    enum err e = lookup_begin(req, &l);
    if (!e)
        e = store_event_type_get(l.read, &request_principal(req)->org, request_param(req, "name"),
                                 &type);
    lookup_release(&l);
    if (!e && !event_type_visible(req, type))
        e = ERR_NOT_FOUND;
    struct buf out;
    struct json_writer w;
    buf_init(&out, 4 * ADMIN_BODY_MAX);
    jw_init(&w, &out);
    if (!e)
        entity_out_event_type(&w, type, true);
    if (type)
        event_type_free(&type);
    if (e)
        request_fail_err(req, e, NULL);
    else
        request_reply(req, 200, &out);
}

static void write_rows(struct request *req, struct json_writer *w, struct event_type **rows,
                       const struct page_result *result, bool content)
{
    char first[EVENT_TYPE_MAX], last[EVENT_TYPE_MAX];
    struct span ends[2] = {{first, 0}, {last, 0}};
    page_params_open(w);
    bool full = false;
    for (unsigned i = 0; i < result->count; i++) {
        struct event_type *t = rows[i];
        full = full || w->out->len + t->schemas.len + DESCRIPTION_MAX * 8 > REPLY_MAX;
        if (!full && ends[0].len == 0) {
            memcpy(first, t->name.ptr, t->name.len);
            ends[0].len = t->name.len;
        }
        if (!full) {
            memcpy(last, t->name.ptr, t->name.len);
            ends[1].len = t->name.len;
        }
        if (!full && event_type_visible(req, t))
            entity_out_event_type(w, t, content);
        event_type_free(&rows[i]);
    }
    page_params_close(w, ends[0], ends[1], !result->more && !full);
    jw_finish(w);
}

void event_type_list_route(struct request *req)
{
    static const struct page_kind kind = {.ascending = true};
    struct page_params p;
    bool archived = false, content = false;
    if (!page_params(req, &kind, &p) || !params_flag(req, "include_archived", &archived) ||
        !params_flag(req, "with_content", &content))
        return;
    struct lookup l = {0};
    struct event_type *rows[PAGE_MAX];
    struct page_result result = {0};
    enum err e = lookup_begin(req, &l);
    if (!e)
        e = store_event_type_list(l.read, &request_principal(req)->org, &p.page, p.cursor_name,
                                  archived, rows, &result);
    lookup_release(&l);
    if (e) {
        request_fail_err(req, e, NULL);
        return;
    }
    struct buf out;
    struct json_writer w;
    buf_init(&out, REPLY_MAX);
    jw_init(&w, &out);
    write_rows(req, &w, rows, &result, content);
    request_reply(req, 200, &out);
}
