/* One walk over the tables for each output. A schema refers to others by pointer, so that a
 * reference to a shape which does not exist cannot be written. No schema contains itself: the
 * recursion ends. */
#include "admin/schema.h"

#include <assert.h>

static const char *const type_names[] = {
    [SCHEMA_TEXT] = "string",     [SCHEMA_TIME] = "string",     [SCHEMA_CHOICE] = "string",
    [SCHEMA_INTEGER] = "integer", [SCHEMA_BOOLEAN] = "boolean", [SCHEMA_OBJECT] = "object",
    [SCHEMA_MAP] = "object",      [SCHEMA_LIST] = "array",      [SCHEMA_NULL] = "null",
};

static void write_text(struct json_writer *w, const char *name, const char *text)
{
    if (text)
        jw_member_string(w, name, span_text(text));
}

static void write_limits(struct json_writer *w, const struct schema *s, const char *least,
                         const char *most)
{
    if (s->max == 0)
        return;
    jw_member_int(w, least, s->min);
    jw_member_int(w, most, s->max);
}

static void write_choices(struct json_writer *w, const struct schema *s, bool null)
{
    jw_name(w, "enum");
    jw_array(w);
    for (unsigned i = 0; s->choice(i); i++) {
        if (s->kind == SCHEMA_INTEGER)
            jw_raw(w, span_text(s->choice(i)));
        else
            jw_string(w, span_text(s->choice(i)));
    }
    if (null)
        jw_null(w);
    jw_end_array(w);
}

static void write_fields(struct json_writer *w, const struct schema *s)
{
    if (!s->fields)
        return;
    bool any = false;
    jw_name(w, "properties");
    jw_object(w);
    for (const struct schema_field *f = s->fields; f->name; f++) {
        any = any || f->marks & SCHEMA_REQUIRED;
        jw_name(w, f->name);
        schema_write_field(w, f);
    }
    jw_end_object(w);
    if (!any)
        return;
    jw_name(w, "required");
    jw_array(w);
    for (const struct schema_field *f = s->fields; f->name; f++)
        if (f->marks & SCHEMA_REQUIRED)
            jw_string(w, span_text(f->name));
    jw_end_array(w);
}

static void write_either(struct json_writer *w, const struct schema *s, bool null)
{
    jw_name(w, "anyOf");
    jw_array(w);
    schema_write_use(w, s->item);
    if (s->other)
        schema_write_use(w, s->other);
    if (null) {
        jw_object(w);
        jw_member_string(w, "type", SPAN("null"));
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void write_type(struct json_writer *w, const struct schema *s, bool null)
{
    jw_name(w, "type");
    if (null)
        jw_array(w);
    jw_string(w, span_text(type_names[s->kind]));
    if (null) {
        jw_string(w, SPAN("null"));
        jw_end_array(w);
    }
}

/* The keywords of the kind, inside an object that the caller opened. */
static void write_keywords(struct json_writer *w, const struct schema *s, bool null)
{
    if (s->kind == SCHEMA_EITHER) {
        write_either(w, s, null);
        return;
    }
    if (s->kind == SCHEMA_ANY)
        return;
    write_type(w, s, null);
    switch (s->kind) {
    case SCHEMA_TEXT:
        write_limits(w, s, "minLength", "maxLength");
        write_text(w, "pattern", s->pattern);
        write_text(w, "format", s->format);
        break;
    case SCHEMA_TIME:
        write_text(w, "format", "date-time");
        break;
    case SCHEMA_CHOICE:
        write_choices(w, s, null);
        break;
    case SCHEMA_INTEGER:
        write_limits(w, s, "minimum", "maximum");
        if (s->choice)
            write_choices(w, s, null);
        break;
    case SCHEMA_OBJECT:
        write_fields(w, s);
        break;
    case SCHEMA_MAP:
        jw_name(w, "additionalProperties");
        schema_write_use(w, s->item);
        break;
    case SCHEMA_LIST:
        jw_name(w, "items");
        schema_write_use(w, s->item);
        write_limits(w, s, "minItems", "maxItems");
        if (s->unique)
            jw_member_bool(w, "uniqueItems", true);
        break;
    case SCHEMA_BOOLEAN:
    case SCHEMA_NULL:
    case SCHEMA_EITHER:
    case SCHEMA_ANY:
        break;
    }
}

static bool has_example(const struct schema *s)
{
    return s->example || s->kind == SCHEMA_TIME || s->kind == SCHEMA_CHOICE || s->fields ||
           ((s->kind == SCHEMA_LIST || s->kind == SCHEMA_EITHER) && has_example(s->item));
}

static void write_example_member(struct json_writer *w, const struct schema *s)
{
    if (!has_example(s))
        return;
    jw_name(w, "examples");
    jw_array(w);
    schema_write_example(w, s);
    jw_end_array(w);
}

void schema_write(struct json_writer *w, const struct schema *s)
{
    jw_object(w);
    write_text(w, "description", s->about);
    write_keywords(w, s, false);
    if (s->name)
        write_example_member(w, s);
    jw_end_object(w);
}

static void write_reference(struct json_writer *w, const struct schema *s)
{
    char path[128];
    int n = snprintf(path, sizeof path, "#/components/schemas/%s", s->name);
    assert(n > 0 && (size_t)n < sizeof path);
    write_text(w, "$ref", path);
}

void schema_write_use(struct json_writer *w, const struct schema *s)
{
    if (!s->name) {
        schema_write(w, s);
        return;
    }
    jw_object(w);
    write_reference(w, s);
    jw_end_object(w);
}

void schema_write_field(struct json_writer *w, const struct schema_field *f)
{
    const struct schema *s = f->type;
    bool null = f->marks & SCHEMA_NULLABLE;
    jw_object(w);
    if (f->about || !s->name)
        write_text(w, "description", f->about ? f->about : s->about);
    if (s->name && null)
        write_either(w, &(struct schema){.kind = SCHEMA_EITHER, .item = s}, true);
    else if (s->name)
        write_reference(w, s);
    else
        write_keywords(w, s, null);
    if (f->example) {
        jw_name(w, "examples");
        jw_array(w);
        jw_raw(w, span_text(f->example));
        jw_end_array(w);
    }
    jw_end_object(w);
}

static void write_example_fields(struct json_writer *w, const struct schema *s)
{
    jw_object(w);
    for (const struct schema_field *f = s->fields; f && f->name; f++) {
        bool shown = f->example || has_example(f->type);
        assert(shown || !(f->marks & SCHEMA_REQUIRED));
        if (!shown || f->marks & SCHEMA_RARE)
            continue;
        jw_name(w, f->name);
        if (f->example)
            jw_raw(w, span_text(f->example));
        else
            schema_write_example(w, f->type);
    }
    jw_end_object(w);
}

void schema_write_example(struct json_writer *w, const struct schema *s)
{
    assert(has_example(s));
    if (s->example) {
        jw_raw(w, span_text(s->example));
    } else if (s->kind == SCHEMA_TIME) {
        jw_string(w, SPAN("2026-01-02T03:04:05.678Z"));
    } else if (s->kind == SCHEMA_CHOICE) {
        jw_string(w, span_text(s->choice(0)));
    } else if (s->kind == SCHEMA_LIST) {
        jw_array(w);
        schema_write_example(w, s->item);
        jw_end_array(w);
    } else if (s->kind == SCHEMA_EITHER) {
        schema_write_example(w, s->item);
    } else {
        write_example_fields(w, s);
    }
}

void schema_collect(struct schema_set *set, const struct schema *s)
{
    for (unsigned i = 0; s->name && i < set->count; i++)
        if (set->items[i] == s)
            return;
    if (s->name) {
        assert(set->count < SCHEMA_COMPONENTS_MAX);
        set->items[set->count++] = s;
    }
    if (s->item)
        schema_collect(set, s->item);
    if (s->other)
        schema_collect(set, s->other);
    for (const struct schema_field *f = s->fields; f && f->name; f++)
        schema_collect(set, f->type);
}
