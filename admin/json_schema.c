/* A schema that no validator can read helps nobody who subscribes to the event type, so it is
 * refused when it is given, with its place. The keywords stand in one table; what a keyword's
 * value must be is one function a kind.
 *
 * Bounds: nesting is that of the JSON (JSON_DEPTH_MAX), and the bytes walked to look references up
 * are counted, since each of many may walk all of a large schema. */
#include "admin/json_schema.h"

#include "admin/json_index.h"
#include "admin/json_pattern.h"
#include "admin/json_pointer.h"
#include "base/bounds.h"
#include "http/answer.h"

#define TEXT_BYTES_MAX (64 * 1024)

/* Where the check is: frames of the recursion, innermost first. */
struct place {
    const struct place *up; /* NULL at the root */
    struct span name;       /* a member's; empty ptr: an item */
    size_t index;
};

struct checker {
    struct json_schema_fault *fault;
    size_t *work;
    struct json_value root;
    struct json_index homes[2]; /* of what most references lead to, by `home_names` */
};

static const char *const home_names[] = {"$defs", "definitions"};

/* What references are relative to: the nearest schema around them that has an $id, or the root. */
struct scope {
    struct json_value base;
};

/* ---------------------------------------------------------------- faults */

static void write_element(struct buf *out, const struct place *p)
{
    struct buf text;
    buf_init(&text, JSON_SCHEMA_PATH_MAX);
    if (p->name.ptr)
        buf_span(&text, p->name);
    else
        buf_decimal(&text, p->index);
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '.')
            text.ptr[i] = LOC_DOT;
    size_t more = text.len + (out->len > 0);
    if (text.failed || more > out->max - out->len)
        out->failed = true;
    if (!out->failed && out->len)
        buf_char(out, '.');
    if (!out->failed)
        buf_span(out, buf_view(&text));
    buf_free(&text);
}

static void write_path(struct buf *out, const struct place *p)
{
    if (!p || !p->up)
        return;
    write_path(out, p->up);
    write_element(out, p);
}

static bool fail(struct checker *c, const struct place *p, const char *message)
{
    struct buf path;
    buf_init(&path, JSON_SCHEMA_PATH_MAX);
    write_path(&path, p);
    if (path.len)
        memcpy(c->fault->path, path.ptr, path.len);
    c->fault->path[path.len] = '\0';
    c->fault->message = message;
    buf_free(&path);
    return false;
}

/* ---------------------------------------------------------------- plain values */

static bool is_count(struct json_value v)
{
    int64_t n;
    struct span raw = v.raw, whole = raw.ptr ? span_cut(&raw, '.') : raw;
    for (size_t i = 0; i < raw.len; i++)
        if (raw.ptr[i] != '0')
            return false;
    v.raw = whole;
    return json_int64(v, 0, INT64_MAX, &n) == ERR_OK;
}

static bool is_positive(struct json_value v)
{
    bool zero = true;
    for (size_t i = 0; i < v.raw.len && v.raw.ptr[i] != 'e' && v.raw.ptr[i] != 'E'; i++)
        zero = zero && (v.raw.ptr[i] == '0' || v.raw.ptr[i] == '.');
    return v.type == JSON_NUMBER && v.raw.ptr[0] != '-' && !zero;
}

static bool is_type_name(struct json_value v)
{
    static const char *const names[] = {"\"array\"",  "\"boolean\"", "\"integer\"", "\"null\"",
                                        "\"number\"", "\"object\"",  "\"string\""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (span_is(v.raw, names[i]))
            return true;
    return false;
}

/* Each item is as `good` says, and none is there twice. */
static bool check_list(struct checker *c, const struct place *p, struct json_value list,
                       bool (*good)(struct json_value), const char *message)
{
    struct json_value item, other;
    struct span none;
    struct place at = {.up = p};
    for (struct json_walk w = json_walk(list); json_next(&w, &none, &item); at.index++) {
        if (!good(item))
            return fail(c, &at, message);
        struct json_walk rest = w;
        while (json_next(&rest, &none, &other)) {
            *c->work += other.raw.len;
            if (span_eq(item.raw, other.raw))
                return fail(c, &at, "is there twice");
        }
        if (*c->work > SCHEMA_WORK_MAX)
            return fail(c, p, "is too large to be checked");
    }
    return true;
}

static bool is_text(struct json_value v)
{
    return v.type == JSON_STRING;
}

static bool check_texts(struct checker *c, const struct place *p, struct json_value v)
{
    if (v.type != JSON_ARRAY)
        return fail(c, p, "must be a list of texts");
    return check_list(c, p, v, is_text, "must be a text");
}

static bool check_type(struct checker *c, const struct place *p, struct json_value v)
{
    static const char unknown[] = "is not a type of JSON Schema";
    struct span none;
    struct json_value item;
    if (v.type != JSON_ARRAY)
        return is_type_name(v) || fail(c, p, unknown);
    struct json_walk w = json_walk(v);
    if (!json_next(&w, &none, &item))
        return fail(c, p, "must name a type");
    return check_list(c, p, v, is_type_name, unknown);
}

static bool check_pattern(struct checker *c, const struct place *p, struct json_value v)
{
    struct buf text;
    const char *why;
    if (v.type != JSON_STRING)
        return fail(c, p, "must be a text");
    buf_init(&text, TEXT_BYTES_MAX);
    why = json_text(v, &text) ? "is not a text that can be matched"
                              : json_pattern_fault(buf_view(&text));
    buf_free(&text);
    return !why || fail(c, p, why);
}

/* ---------------------------------------------------------------- references */

/* Whether the value has `name` as its $anchor, $dynamicAnchor or, as in draft-07, "#name" as $id. */
static bool names_anchor(struct json_value v, struct span name)
{
    static const char *const keywords[] = {"$anchor", "$dynamicAnchor", "$id"};
    struct json_value text;
    struct span plain;
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        if (!json_pointer_member(v, span_text(keywords[i]), &text) || json_plain(text, &plain))
            continue;
        if (i == 2 && (plain.len == 0 || plain.ptr[0] != '#'))
            continue;
        if (span_eq(i == 2 ? span_skip(plain, 1) : plain, name))
            return true;
    }
    return false;
}

static bool has_anchor(struct checker *c, struct json_value v, struct span name)
{
    struct span none;
    struct json_value item;
    *c->work += v.raw.len;
    if (*c->work > SCHEMA_WORK_MAX || (v.type != JSON_OBJECT && v.type != JSON_ARRAY))
        return false;
    if (v.type == JSON_OBJECT && names_anchor(v, name))
        return true;
    for (struct json_walk w = json_walk(v); json_next(&w, &none, &item);)
        if (has_anchor(c, item, name))
            return true;
    return false;
}

/* "/$defs/name" and its like, in the root. */
static bool leads_home(const struct checker *c, const struct scope *s, struct span pointer)
{
    struct json_value target;
    struct span rest = span_skip(pointer, 1), home = span_cut(&rest, '/');
    for (size_t i = 0; i < 2 && s->base.raw.ptr == c->root.raw.ptr && rest.ptr; i++)
        if (span_is(home, home_names[i]))
            return json_index_get(&c->homes[i], rest, &target);
    return false;
}

static bool leads_somewhere(struct checker *c, const struct scope *s, struct span reference)
{
    struct json_value target;
    if (reference.len == 0 || reference.ptr[0] != '#')
        return true;
    struct span fragment = span_skip(reference, 1);
    if (fragment.len == 0 || fragment.ptr[0] == '/')
        return leads_home(c, s, fragment) || json_pointer_get(s->base, fragment, &target, c->work);
    return has_anchor(c, s->base, fragment);
}

static bool check_reference(struct checker *c, const struct scope *s, const struct place *p,
                            struct json_value v)
{
    struct buf text;
    buf_init(&text, TEXT_BYTES_MAX);
    bool good = v.type == JSON_STRING && json_text(v, &text) == ERR_OK;
    const char *why = good ? "leads nowhere in this schema" : "must be a text";
    good = good && leads_somewhere(c, s, buf_view(&text));
    buf_free(&text);
    if (*c->work > SCHEMA_WORK_MAX)
        why = "is one of too many references to be checked";
    return (good && *c->work <= SCHEMA_WORK_MAX) || fail(c, p, why);
}

/* ---------------------------------------------------------------- keywords */

enum kind {
    BOOLEAN,
    NUMBER,
    POSITIVE,
    COUNT,
    TEXT,
    TEXTS,
    LIST,
    PATTERN,
    TYPE,
    REFERENCE,
    SCHEMA,
    SCHEMA_OR_SCHEMAS,
    SCHEMAS,
    SCHEMA_MAP,
    PATTERN_MAP,
    TEXTS_MAP,
    DEPENDENCIES,
    BOOLEAN_MAP,
};

static const struct keyword {
    const char *name;
    enum kind kind;
} keywords[] = {
    {"$anchor", TEXT},
    {"$comment", TEXT},
    {"$defs", SCHEMA_MAP},
    {"$dynamicAnchor", TEXT},
    {"$dynamicRef", REFERENCE},
    {"$id", TEXT},
    {"$ref", REFERENCE},
    {"$schema", TEXT},
    {"$vocabulary", BOOLEAN_MAP},
    {"additionalItems", SCHEMA},
    {"additionalProperties", SCHEMA},
    {"allOf", SCHEMAS},
    {"anyOf", SCHEMAS},
    {"contains", SCHEMA},
    {"contentEncoding", TEXT},
    {"contentMediaType", TEXT},
    {"contentSchema", SCHEMA},
    {"definitions", SCHEMA_MAP},
    {"dependencies", DEPENDENCIES},
    {"dependentRequired", TEXTS_MAP},
    {"dependentSchemas", SCHEMA_MAP},
    {"deprecated", BOOLEAN},
    {"description", TEXT},
    {"else", SCHEMA},
    {"enum", LIST},
    {"examples", LIST},
    {"exclusiveMaximum", NUMBER},
    {"exclusiveMinimum", NUMBER},
    {"format", TEXT},
    {"if", SCHEMA},
    {"items", SCHEMA_OR_SCHEMAS},
    {"maxContains", COUNT},
    {"maxItems", COUNT},
    {"maxLength", COUNT},
    {"maxProperties", COUNT},
    {"maximum", NUMBER},
    {"minContains", COUNT},
    {"minItems", COUNT},
    {"minLength", COUNT},
    {"minProperties", COUNT},
    {"minimum", NUMBER},
    {"multipleOf", POSITIVE},
    {"not", SCHEMA},
    {"oneOf", SCHEMAS},
    {"pattern", PATTERN},
    {"patternProperties", PATTERN_MAP},
    {"prefixItems", SCHEMAS},
    {"properties", SCHEMA_MAP},
    {"propertyNames", SCHEMA},
    {"readOnly", BOOLEAN},
    {"required", TEXTS},
    {"then", SCHEMA},
    {"title", TEXT},
    {"type", TYPE},
    {"unevaluatedItems", SCHEMA},
    {"unevaluatedProperties", SCHEMA},
    {"uniqueItems", BOOLEAN},
    {"writeOnly", BOOLEAN},
};

static const struct keyword *keyword_of(struct span name)
{
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (span_is(name, keywords[i].name))
            return &keywords[i];
    return NULL;
}

static bool check_schema(struct checker *c, const struct scope *outer, const struct place *p,
                         struct json_value v);

static bool check_schemas(struct checker *c, const struct scope *s, const struct place *p,
                          struct json_value v, bool may_be_empty)
{
    struct place at = {.up = p};
    struct span none;
    struct json_value item;
    if (v.type != JSON_ARRAY)
        return fail(c, p, "must be a list of schemas");
    for (struct json_walk w = json_walk(v); json_next(&w, &none, &item); at.index++)
        if (!check_schema(c, s, &at, item))
            return false;
    return at.index > 0 || may_be_empty || fail(c, p, "must not be empty");
}

static bool check_member(struct checker *c, const struct scope *s, const struct place *p,
                         enum kind kind, struct span name, struct json_value v)
{
    switch (kind) {
    case PATTERN_MAP: {
        struct json_value pattern = {.type = JSON_STRING,
                                     .raw = span_of(name.ptr - 1, name.len + 2)};
        return check_pattern(c, p, pattern) && check_schema(c, s, p, v);
    }
    case TEXTS_MAP:
        return check_texts(c, p, v);
    case DEPENDENCIES:
        return v.type == JSON_ARRAY ? check_texts(c, p, v) : check_schema(c, s, p, v);
    case BOOLEAN_MAP:
        return v.type == JSON_BOOL || fail(c, p, "must be true or false");
    default:
        return check_schema(c, s, p, v);
    }
}

static bool check_map(struct checker *c, const struct scope *s, const struct place *p,
                      enum kind kind, struct json_value v)
{
    struct place at = {.up = p};
    struct json_value item;
    if (v.type != JSON_OBJECT)
        return fail(c, p, "must be an object");
    for (struct json_walk w = json_walk(v); json_next(&w, &at.name, &item);)
        if (!check_member(c, s, &at, kind, at.name, item))
            return false;
    return true;
}

static bool check_keyword(struct checker *c, const struct scope *s, const struct place *p,
                          enum kind kind, struct json_value v)
{
    switch (kind) {
    case BOOLEAN:
        return v.type == JSON_BOOL || fail(c, p, "must be true or false");
    case NUMBER:
        return v.type == JSON_NUMBER || fail(c, p, "must be a number");
    case POSITIVE:
        return is_positive(v) || fail(c, p, "must be a number above 0");
    case COUNT:
        return (v.type == JSON_NUMBER && is_count(v)) ||
               fail(c, p, "must be an integer that is not negative");
    case TEXT:
        return v.type == JSON_STRING || fail(c, p, "must be a text");
    case LIST:
        return v.type == JSON_ARRAY || fail(c, p, "must be a list");
    case TEXTS:
        return check_texts(c, p, v);
    case PATTERN:
        return check_pattern(c, p, v);
    case TYPE:
        return check_type(c, p, v);
    case REFERENCE:
        return check_reference(c, s, p, v);
    case SCHEMA:
        return check_schema(c, s, p, v);
    case SCHEMA_OR_SCHEMAS:
        return v.type == JSON_ARRAY ? check_schemas(c, s, p, v, true) : check_schema(c, s, p, v);
    case SCHEMAS:
        return check_schemas(c, s, p, v, false);
    case SCHEMA_MAP:
    case PATTERN_MAP:
    case TEXTS_MAP:
    case DEPENDENCIES:
    case BOOLEAN_MAP:
        return check_map(c, s, p, kind, v);
    }
    return true;
}

/* An $id that is more than a fragment makes the schema a document of its own. */
static bool is_document(struct json_value schema)
{
    struct json_value id;
    return json_pointer_member(schema, SPAN("$id"), &id) && id.type == JSON_STRING &&
           id.raw.len > 2 && id.raw.ptr[1] != '#';
}

static bool check_schema(struct checker *c, const struct scope *outer, const struct place *p,
                         struct json_value v)
{
    struct place at = {.up = p};
    struct json_value item;
    if (v.type == JSON_BOOL)
        return true;
    if (v.type != JSON_OBJECT)
        return fail(c, p, "must be a JSON Schema: an object, true or false");
    const struct scope s = {is_document(v) ? v : outer->base};
    for (struct json_walk w = json_walk(v); json_next(&w, &at.name, &item);) {
        const struct keyword *k = w.name_escaped ? NULL : keyword_of(at.name);
        if (k && !check_keyword(c, &s, &at, k->kind, item))
            return false;
    }
    return true;
}

bool json_schema_check(struct json_value schema, size_t *work, struct json_schema_fault *fault)
{
    const struct scope outer = {schema};
    const struct place root = {.up = NULL};
    struct checker c = {.fault = fault, .work = work, .root = schema};
    struct json_value home;
    enum err e = ERR_OK;
    *fault = (struct json_schema_fault){.message = NULL};
    for (size_t i = 0; i < 2 && !e; i++)
        if (json_pointer_member(schema, span_text(home_names[i]), &home))
            e = json_index_build(home, &c.homes[i]);
    bool good = e ? fail(&c, &root, "cannot be checked for want of memory")
                  : check_schema(&c, &outer, &root, schema);
    for (size_t i = 0; i < 2; i++)
        json_index_free(&c.homes[i]);
    return good;
}
