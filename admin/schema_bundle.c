/* OpenAPI keeps schemas in its components, and references lead there. An event type's schema has no
 * such document around it, so that what it needs is brought along.
 *
 * Invariant: a definition is written once, when its first reference was met, in that order. */
#include "admin/schema_bundle.h"

#include "admin/json_pointer.h"
#include "base/bounds.h"

#define REFERENCES_MAX 256 /* different ones of one schema */
#define POINTER_MAX 512
#define COMPONENTS "/components/schemas/"

struct bundle {
    const struct schema_source *source;
    struct buf *out;
    const char *home; /* "$defs" or "definitions" */
    const char *fault;
    struct buf pointers[REFERENCES_MAX]; /* "/components/schemas/…" */
    unsigned count;
    size_t *work;
};

static void fail(struct bundle *b, const char *why)
{
    if (!b->fault)
        b->fault = why;
}

/* ---------------------------------------------------------------- the document */

enum err schema_source_open(struct json_value document, struct schema_source *out)
{
    struct json_value components, schemas;
    *out = (struct schema_source){.document = document};
    bool some = json_pointer_member(document, SPAN("components"), &components) &&
                json_pointer_member(components, SPAN("schemas"), &schemas);
    return some ? json_index_build(schemas, &out->components) : ERR_OK;
}

void schema_source_close(struct schema_source *s)
{
    json_index_free(&s->components);
}

static bool find(const struct schema_source *s, struct span pointer, struct json_value *out,
                 size_t *work)
{
    struct span name = span_skip(pointer, sizeof COMPONENTS - 1);
    if (span_starts(pointer, SPAN(COMPONENTS)) && json_index_get(&s->components, name, out))
        return true;
    return json_pointer_get(s->document, pointer, out, work);
}

/* ---------------------------------------------------------------- references */

static bool is_plain_name(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
            return false;
    }
    return s.len > 0;
}

/* Its definition's name: a component keeps its own; a number cannot be one of those. */
static void write_name(struct bundle *b, unsigned index)
{
    struct span pointer = buf_view(&b->pointers[index]);
    struct span name = span_skip(pointer, sizeof COMPONENTS - 1);
    if (span_starts(pointer, SPAN(COMPONENTS)) && is_plain_name(name))
        buf_span(b->out, name);
    else
        buf_printf(b->out, "ref:%u", index);
}

/* REFERENCES_MAX: there is no room. */
static unsigned index_of(struct bundle *b, struct span pointer)
{
    for (unsigned i = 0; i < b->count; i++)
        if (span_eq(buf_view(&b->pointers[i]), pointer))
            return i;
    if (b->count == REFERENCES_MAX)
        return REFERENCES_MAX;
    buf_init(&b->pointers[b->count], POINTER_MAX);
    buf_span(&b->pointers[b->count], pointer);
    if (b->pointers[b->count].failed)
        fail(b, "has a reference that is too long");
    return b->count++;
}

static void write_reference(struct bundle *b, struct json_value text)
{
    struct buf target;
    buf_init(&target, POINTER_MAX);
    enum err e = json_text(text, &target);
    struct span pointer = span_skip(buf_view(&target), 1);
    if (e)
        fail(b, "has a reference that is too long");
    else if (!span_starts(buf_view(&target), SPAN("#")))
        fail(b, "refers to another document");
    else if (pointer.len == 0 || pointer.ptr[0] != '/')
        fail(b, "has a reference that leads nowhere");
    unsigned index = b->fault ? 0 : index_of(b, pointer);
    if (index == REFERENCES_MAX)
        fail(b, "has too many references");
    buf_free(&target);
    if (b->fault)
        return;
    buf_printf(b->out, "\"#/%s/", b->home);
    write_name(b, index);
    buf_char(b->out, '"');
}

/* ---------------------------------------------------------------- values */

/* What the members of an object are: keywords of a schema; or names, each with a schema. */
enum members { KEYWORDS, NAMES };

static bool holds_names(struct span keyword)
{
    static const char *const keywords[] = {"properties",  "patternProperties", "$defs",
                                           "definitions", "dependentSchemas",  NULL};
    for (const char *const *k = keywords; *k; k++)
        if (span_is(keyword, *k))
            return true;
    return false;
}

/* Values of people, in which "$ref" means nothing. */
static bool holds_data(struct span keyword)
{
    static const char *const keywords[] = {"const", "enum", "default", "example", "examples", NULL};
    for (const char *const *k = keywords; *k; k++)
        if (span_is(keyword, *k))
            return true;
    return false;
}

static void write_value(struct bundle *b, struct json_value v, enum members members);

static void write_member(struct bundle *b, struct span name, struct json_value v,
                         enum members members)
{
    buf_char(b->out, '"');
    buf_span(b->out, name);
    buf_text(b->out, "\":");
    if (members == NAMES)
        write_value(b, v, KEYWORDS);
    else if (span_is(name, "$ref") && v.type == JSON_STRING)
        write_reference(b, v);
    else if (holds_data(name))
        buf_span(b->out, v.raw);
    else
        write_value(b, v, holds_names(name) ? NAMES : KEYWORDS);
}

static void write_members(struct bundle *b, struct json_value v, enum members members)
{
    struct span name;
    struct json_value item;
    bool first = true;
    for (struct json_walk w = json_walk(v); json_next(&w, &name, &item) && !b->fault;) {
        if (!first)
            buf_char(b->out, ',');
        first = false;
        if (v.type == JSON_OBJECT)
            write_member(b, name, item, members);
        else
            write_value(b, item, KEYWORDS);
    }
}

static void write_value(struct bundle *b, struct json_value v, enum members members)
{
    *b->work += v.raw.len;
    if (*b->work > SCHEMA_WORK_MAX)
        fail(b, "is too large with what it refers to");
    if (v.type != JSON_OBJECT && v.type != JSON_ARRAY) {
        buf_span(b->out, v.raw);
        return;
    }
    buf_char(b->out, v.type == JSON_OBJECT ? '{' : '[');
    write_members(b, v, members);
    buf_char(b->out, v.type == JSON_OBJECT ? '}' : ']');
}

/* ---------------------------------------------------------------- the whole */

static bool lookup(struct bundle *b, unsigned index, struct json_value *out)
{
    if (find(b->source, buf_view(&b->pointers[index]), out, b->work))
        return true;
    fail(b, "has a reference that leads nowhere");
    return false;
}

static void write_definitions(struct bundle *b)
{
    struct json_value target;
    buf_printf(b->out, "\"%s\":{", b->home);
    for (unsigned i = 0; i < b->count && !b->fault && lookup(b, i, &target); i++) {
        buf_text(b->out, i ? ",\"" : "\"");
        write_name(b, i);
        buf_text(b->out, "\":");
        write_value(b, target, KEYWORDS);
    }
    buf_char(b->out, '}');
}

/* A schema that is a reference and no more is what it refers to. */
static struct json_value follow(struct bundle *b, struct json_value schema)
{
    struct json_value reference, item, target;
    struct span name, text;
    for (unsigned hops = 0; hops < 16 && schema.type == JSON_OBJECT; hops++) {
        struct json_walk w = json_walk(schema);
        bool alone = json_next(&w, &name, &reference) && span_is(name, "$ref") &&
                     !json_next(&w, &name, &item);
        if (!alone || json_plain(reference, &text) || !span_starts(text, SPAN("#/")) ||
            !find(b->source, span_skip(text, 1), &target, b->work))
            break;
        schema = target;
    }
    return schema;
}

const char *schema_bundle(const struct schema_source *source, struct json_value schema,
                          struct buf *out, size_t *work)
{
    struct bundle b = {.source = source, .out = out, .home = "$defs", .work = work};
    struct json_value own;
    schema = follow(&b, schema);
    if (json_pointer_member(schema, SPAN("$defs"), &own))
        b.home = "definitions";
    if (schema.type != JSON_OBJECT) {
        write_value(&b, schema, KEYWORDS);
    } else {
        buf_char(out, '{');
        write_members(&b, schema, KEYWORDS);
        bool any = out->len > 0 && out->ptr[out->len - 1] != '{';
        if (b.count && any)
            buf_char(out, ',');
        if (b.count && json_pointer_member(schema, span_text(b.home), &own))
            fail(&b, "has definitions of its own beside references");
        if (b.count)
            write_definitions(&b);
        buf_char(out, '}');
    }
    for (unsigned i = 0; i < b.count; i++)
        buf_free(&b.pointers[i]);
    if (out->failed)
        fail(&b, "is too large with what it refers to");
    return b.fault;
}
