/* Of a webhook's path item the first operation counts, POST before others; what it has not, the
 * path item may have. Path items and bodies may be references into the document. */
#include "admin/openapi_webhook.h"

#include "admin/field.h"
#include "admin/json_pointer.h"
#include "admin/json_schema.h"
#include "admin/schema_bundle.h"
#include "http/answer.h"

#define HOPS_MAX 16 /* references that lead to references */

/* One webhook, being read. */
struct webhook {
    struct body *b;
    struct span name; /* decoded; empty until then */
    const char *section;
    struct schema_source source;
};

/* Records a fault at `place` ("" for the webhook itself) below the webhook. */
static void refuse(struct webhook *h, const char *place, const char *message)
{
    struct buf field;
    buf_init(&field, ADMIN_BODY_MAX);
    buf_printf(&field, "%s.", h->section);
    for (size_t i = 0; i < h->name.len; i++)
        buf_char(&field, h->name.ptr[i] == '.' ? LOC_DOT : h->name.ptr[i]);
    if (*place)
        buf_printf(&field, ".%s", place);
    body_refuse(h->b, field.failed ? h->section : field.ptr, message);
    buf_free(&field);
}

/* ---------------------------------------------------------------- pieces of the document */

/* The member, followed through references. False: there is none, or its reference leads nowhere,
 * which is refused. */
static bool follow(struct webhook *h, struct json_value *v)
{
    struct json_value reference, target;
    struct span text;
    for (unsigned hops = 0; json_pointer_member(*v, SPAN("$ref"), &reference); hops++) {
        if (hops == HOPS_MAX || json_plain(reference, &text) || !span_starts(text, SPAN("#/")) ||
            !json_pointer_get(h->b->root, span_skip(text, 1), &target, &h->b->work)) {
            refuse(h, "$ref", "leads nowhere in this document");
            return false;
        }
        *v = target;
    }
    return true;
}

static bool find(struct webhook *h, struct json_value from, const char *name,
                 struct json_value *out)
{
    return json_pointer_member(from, span_text(name), out) && follow(h, out) &&
           out->type == JSON_OBJECT;
}

static bool find_operation(struct webhook *h, struct json_value path, struct json_value *out)
{
    static const char *const methods[] = {"post",   "put",     "patch", "get",
                                          "delete", "options", "head",  "trace"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (find(h, path, methods[i], out))
            return true;
    return false;
}

/* application/json, with or without parameters; else the first type that ends in +json. */
static bool find_media(struct json_value content, struct json_value *out)
{
    struct span name;
    struct json_value item;
    bool found = false;
    for (struct json_walk w = json_walk(content); json_next(&w, &name, &item);) {
        struct span type = name, rest = name;
        type = span_trim(span_cut(&rest, ';'));
        bool json = span_eq_nocase(type, SPAN("application/json"));
        bool like = type.len > 5 && span_is(span_skip(type, type.len - 5), "+json");
        if (json || (like && !found))
            *out = item;
        found = found || json || like;
        if (json)
            break;
    }
    return found;
}

static bool find_schema(struct webhook *h, struct json_value operation, struct json_value *out)
{
    struct json_value body, content, media;
    return find(h, operation, "requestBody", &body) && find(h, body, "content", &content) &&
           find_media(content, &media) && json_pointer_member(media, SPAN("schema"), out);
}

/* ---------------------------------------------------------------- fields */

/* The first text of these members, of the operation or the path item. */
static void read_description(struct webhook *h, struct json_value operation, struct json_value path,
                             struct span *out)
{
    static const char *const names[] = {"description", "summary"};
    struct json_value v;
    for (size_t i = 0; i < 4; i++) {
        if (!json_pointer_member(i % 2 ? path : operation, span_text(names[i / 2]), &v) ||
            v.type != JSON_STRING)
            continue;
        if (text_decode(&h->b->arena, v, out))
            refuse(h, names[i / 2], "has an escape that stands for no character");
        else if (out->len > DESCRIPTION_MAX)
            refuse(h, names[i / 2], "the text is too long");
        return;
    }
}

static void check_schema(struct webhook *h, struct span text)
{
    struct json_schema_fault fault;
    struct json_error error;
    struct json_value schemas, schema;
    struct span version;
    if (json_check(text, JSON_DEPTH_MAX, &schemas, &error)) {
        refuse(h, "", "its schema nests too deeply");
        return;
    }
    struct json_walk w = json_walk(schemas);
    if (json_next(&w, &version, &schema) && !json_schema_check(schema, &h->b->work, &fault))
        refuse(h, fault.path, fault.message);
}

static void read_schema(struct webhook *h, struct json_value operation, struct span *out)
{
    struct json_value schema;
    struct buf text;
    if (!find_schema(h, operation, &schema))
        return;
    buf_init(&text, ADMIN_BODY_MAX);
    buf_text(&text, "{\"1\":");
    const char *fault = schema_bundle(&h->source, schema, &text, &h->b->work);
    buf_char(&text, '}');
    if (!fault && text.failed)
        fault = "is too large with what it refers to";
    if (fault) {
        refuse(h, "", fault);
    } else {
        *out = arena_copy(&h->b->arena, buf_view(&text));
        if (out->ptr)
            check_schema(h, *out);
        else
            refuse(h, "", "is too large together with the others");
    }
    buf_free(&text);
}

static void read_webhook(struct webhook *h, struct json_value path, struct event_type *type)
{
    struct json_value operation, v;
    if (path.type != JSON_OBJECT) {
        refuse(h, "", "value is not a valid object");
        return;
    }
    if (!follow(h, &path))
        return;
    if (!find_operation(h, path, &operation))
        operation = path;
    read_description(h, operation, path, &type->description);
    if (json_pointer_member(operation, SPAN("deprecated"), &v))
        type->deprecated = span_is(v.raw, "true");
    read_schema(h, operation, &type->schemas);
}

static void read_name(struct webhook *h, struct span raw, bool escaped)
{
    const struct json_value quoted = {
        .type = JSON_STRING, .raw = span_of(raw.ptr - 1, raw.len + 2), .escaped = escaped};
    const char *why;
    h->name = raw;
    if (text_decode(&h->b->arena, quoted, &h->name))
        refuse(h, "", "has an escape that stands for no character");
    else if (!text_check(&field_event_type, h->name, &why))
        refuse(h, "", why);
}

/* ---------------------------------------------------------------- the document */

static bool read_version(struct body *b)
{
    struct json_value version;
    bool good = json_pointer_member(b->root, SPAN("openapi"), &version) &&
                version.type == JSON_STRING && span_starts(version.raw, SPAN("\"3."));
    if (!good)
        body_refuse(b, "openapi", "must be a version of OpenAPI 3");
    return good;
}

static bool find_webhooks(struct body *b, const char **section, struct json_value *out,
                          unsigned *count)
{
    struct span name;
    struct json_value item;
    *section = "webhooks";
    if (!json_pointer_member(b->root, SPAN("webhooks"), out)) {
        *section = "x-webhooks";
        if (!json_pointer_member(b->root, SPAN("x-webhooks"), out)) {
            body_refuse(b, "webhooks", "the document has neither webhooks nor x-webhooks");
            return false;
        }
    }
    *count = 0;
    if (out->type != JSON_OBJECT)
        body_refuse(b, *section, "value is not a valid object");
    else
        for (struct json_walk w = json_walk(*out); json_next(&w, &name, &item);)
            ++*count;
    if (*count > IMPORT_TYPES_MAX)
        body_refuse(b, *section, "are more than one import may have");
    return b->result == ERR_OK;
}

void openapi_webhook_read(struct body *b, struct event_type **types, unsigned *count)
{
    struct json_value webhooks, path;
    unsigned i = 0;
    struct webhook h = {.b = b};
    struct span raw;
    *types = NULL;
    *count = 0;
    if (b->result || !read_version(b) || !find_webhooks(b, &h.section, &webhooks, count) || !*count)
        return;
    struct event_type *all = arena_alloc(&b->arena, *count * sizeof *all);
    if (!all || schema_source_open(b->root, &h.source)) {
        b->result = ERR_NO_MEMORY;
        return;
    }
    memset(all, 0, *count * sizeof *all);
    for (struct json_walk w = json_walk(webhooks); !b->result && json_next(&w, &raw, &path); i++) {
        read_name(&h, raw, w.name_escaped);
        all[i].name = h.name;
        read_webhook(&h, path, &all[i]);
    }
    schema_source_close(&h.source);
    *types = all;
}
