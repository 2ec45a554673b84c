/* An organisation's configuration as one document: what is exported from one service can be
 * imported into another. It holds event types; the settings and connectors that the API also has
 * here belong to parts of the hosted service that we do not have, so that naming one is refused.
 *
 * An import is checked whole before anything of it is stored, and stored in one commit; a type
 * that says the same already is left alone, so that a repeated import changes nothing. */
#include "admin/entity_out.h"
#include "admin/event_type.h"
#include "admin/field.h"
#include "admin/handlers.h"
#include "admin/write.h"

#define FORM 1 /* of the document */

/* ---------------------------------------------------------------- export */

/* The next page behind `name`, which becomes the last one's. */
static enum err export_page(struct request *req, struct json_writer *w,
                            char name[EVENT_TYPE_MAX + 1], bool *more)
{
    const struct page page = {.limit = PAGE_MAX};
    struct event_type *rows[PAGE_MAX];
    struct page_result result = {0};
    struct lookup l = {0};
    *more = false;
    enum err e = lookup_begin(req, &l);
    if (!e)
        e = store_event_type_list(l.read, &request_principal(req)->org, &page, span_text(name),
                                  true, rows, &result);
    lookup_release(&l);
    if (e)
        return e;
    for (unsigned i = 0; i < result.count; i++) {
        entity_out_event_type(w, rows[i], true);
        snprintf(name, EVENT_TYPE_MAX + 1, "%.*s", SPAN_ARG(rows[i]->name));
        event_type_free(&rows[i]);
    }
    *more = result.more && result.count > 0;
    return ERR_OK;
}

void environment_export_route(struct request *req)
{
    char name[EVENT_TYPE_MAX + 1] = "";
    struct buf out;
    struct json_writer w;
    bool more = true;
    enum err e = ERR_OK;
    buf_init(&out, REPLY_MAX);
    jw_init(&w, &out);
    jw_object(&w);
    jw_member_int(&w, "version", FORM);
    jw_member_time(&w, "createdAt", clock_wall());
    jw_name(&w, "eventTypes");
    jw_array(&w);
    while (more && !e && !out.failed)
        e = export_page(req, &w, name, &more);
    jw_end_array(&w);
    jw_member_raw(&w, "settings", SPAN("{}"));
    jw_member_raw(&w, "connectors", SPAN("[]"));
    jw_member_raw(&w, "transformationTemplates", SPAN("[]"));
    jw_end_object(&w);
    if (!e && out.failed && out.len + ADMIN_BODY_MAX > REPLY_MAX)
        request_fail(req, 413, "the environment is too large for one answer: list its event types");
    else if (e)
        request_fail_err(req, e, NULL);
    else
        request_reply(req, 200, &out);
    buf_free(&out);
}

/* ---------------------------------------------------------------- import */

static void refuse_settings(struct body *b)
{
    struct json_value settings, item;
    struct span name;
    if (body_object(b, "settings", IMPORT_BODY_MAX, &settings) != FIELD_VALUE)
        return;
    struct json_walk w = json_walk(settings);
    while (json_next(&w, &name, &item)) {
        char field[BODY_FIELD_MAX + 1];
        snprintf(field, sizeof field, "settings.%.*s", (int)(name.len < 400 ? name.len : 400),
                 name.ptr);
        if (item.type != JSON_NULL)
            body_refuse(b, field, "not supported by this version");
    }
}

/* Connectors, by the name that they have and by the one that they had in older SDKs. */
static void refuse_list(struct body *b, const char *name, const char *first)
{
    struct json_value list;
    unsigned count = 0;
    body_list(b, name, IMPORT_TYPES_MAX, &list, &count);
    if (count)
        body_refuse(b, first, "not supported by this version");
}

static void read_type(struct body *b, struct event_type *types, unsigned i, struct json_value item)
{
    char field[32];
    struct body inner;
    body_enter(b, item, &inner);
    body_require(&inner, "name", body_text(&inner, "name", &field_event_type, &types[i].name));
    event_type_read(&inner, &types[i], false);
    for (unsigned k = 0; k < i && !inner.result; k++)
        if (span_eq(types[k].name, types[i].name))
            body_refuse(&inner, "name", "is there twice");
    snprintf(field, sizeof field, "eventTypes.%u", i);
    body_leave(b, field, &inner);
}

static void read_types(struct body *b, struct event_types_op *op)
{
    struct json_value list, item;
    struct span none;
    unsigned count, i = 0;
    if (body_list(b, "eventTypes", IMPORT_TYPES_MAX, &list, &count) != FIELD_VALUE || !count)
        return;
    struct event_type *types = arena_alloc(&b->arena, count * sizeof *types);
    if (!types) {
        b->result = ERR_NO_MEMORY;
        return;
    }
    memset(types, 0, count * sizeof *types);
    for (struct json_walk w = json_walk(list); json_next(&w, &none, &item) && !b->result; i++)
        read_type(b, types, i, item);
    op->types = types;
    op->count = count;
}

static bool import_step(struct request *req, struct write *w)
{
    struct event_types_op *op = &w->event_types_op;
    write_open_body(req, w, false);
    refuse_settings(&w->body);
    refuse_list(&w->body, "connectors", "connectors.0");
    refuse_list(&w->body, "transformationTemplates", "transformationTemplates.0");
    read_types(&w->body, op);
    if (!write_body_good(req, w))
        return false;
    op->org = request_principal(req)->org;
    op->now = clock_wall();
    write_prepare(w, STORE_EVENT_TYPES_PUT, 204);
    return true;
}

void environment_import_route(struct request *req)
{
    write_run(req, import_step);
}
