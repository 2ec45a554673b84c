/* What an admin route accepts is described by calls of this module, one a field, so that a refusal
 * always names the field. It stands on the same scanner as ingest: what is JSON to one is JSON to
 * the other. Unknown members are ignored, as clients expect; members of the same name are not,
 * because two readers of such a body may see two different values. */
#include "admin/body.h"

#include "base/bounds.h"

#define TYPE_VALUE "value_error"
#define TYPE_MISSING "value_error.missing"
#define TYPE_JSON "value_error.jsondecode"

/* Decoded texts and the names of one object at a time; a body is IMPORT_BODY_MAX at most. */
#define BODY_ARENA_MAX (4u * IMPORT_BODY_MAX)

static void refuse(struct body *b, const char *field, const char *message, const char *type)
{
    if (b->result != ERR_OK)
        return;
    b->result = ERR_INVALID;
    snprintf(b->field, sizeof b->field, "%s", field);
    snprintf(b->message, sizeof b->message, "%s", message);
    b->type = type;
}

/* A failed decoding: the client's fault or ours. */
static void refuse_text(struct body *b, const char *field, enum err e)
{
    if (e == ERR_NO_MEMORY)
        b->result = b->result ? b->result : ERR_NO_MEMORY;
    else
        refuse(b, field, "the text has an escape that stands for no character", TYPE_VALUE);
}

static int compare_names(const void *left, const void *right)
{
    const struct span *a = left, *b = right;
    if (a->len != b->len)
        return a->len < b->len ? -1 : 1;
    return a->len ? memcmp(a->ptr, b->ptr, a->len) : 0;
}

static bool decode_name(struct body *b, struct span name, bool escaped, struct span *out)
{
    *out = name;
    if (!escaped)
        return true;
    struct json_value quoted = {
        .type = JSON_STRING, .raw = span_of(name.ptr - 1, name.len + 2), .escaped = true};
    enum err e = text_decode(&b->arena, quoted, out);
    if (e)
        refuse_text(b, "", e);
    return e == ERR_OK;
}

/* The names of an object's own members differ. */
static bool names_differ(struct body *b, struct json_value object)
{
    size_t count = 0;
    struct span name;
    struct json_value item;
    for (struct json_walk w = json_walk(object); json_next(&w, &name, &item);)
        count++;
    struct span *names = malloc((count + 1) * sizeof *names);
    if (!names) {
        b->result = ERR_NO_MEMORY;
        return false;
    }
    bool good = true;
    count = 0;
    for (struct json_walk w = json_walk(object); good && json_next(&w, &name, &item); count++)
        good = decode_name(b, name, w.name_escaped, &names[count]);
    if (good && count > 1)
        qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 1; good && i < count; i++) {
        good = !span_eq(names[i - 1], names[i]);
        if (!good)
            refuse(b, "", "an object has two members of the same name", TYPE_VALUE);
    }
    free(names);
    return good;
}

/* The same for every object inside; the depth was bounded by json_check. */
static bool all_names_differ(struct body *b, struct json_value value)
{
    if (value.type != JSON_OBJECT && value.type != JSON_ARRAY)
        return true;
    if (value.type == JSON_OBJECT && !names_differ(b, value))
        return false;
    struct span name;
    struct json_value item;
    for (struct json_walk w = json_walk(value); json_next(&w, &name, &item);)
        if (!all_names_differ(b, item))
            return false;
    return true;
}

void body_open(struct body *b, struct span raw, bool optional)
{
    *b = (struct body){0};
    arena_init(&b->arena, NULL, 0, BODY_ARENA_MAX);
    struct json_error error;
    if (raw.len == 0) {
        if (!optional)
            refuse(b, "", "a JSON object is required", TYPE_JSON);
    } else if (json_check(raw, JSON_DEPTH_MAX, &b->root, &error) != ERR_OK) {
        refuse(b, "", error.what, TYPE_JSON);
        snprintf(b->message, sizeof b->message, "%s at byte %zu", error.what, error.at);
    } else if (b->root.type != JSON_OBJECT) {
        refuse(b, "", "value is not a valid object", TYPE_VALUE);
    } else {
        all_names_differ(b, b->root);
    }
}

void body_close(struct body *b)
{
    arena_free(&b->arena);
}

bool body_good(struct request *req, const struct body *b)
{
    if (b->result == ERR_INVALID)
        request_invalid_type(req, "body", b->field[0] ? b->field : NULL, b->message, b->type);
    else if (b->result)
        request_fail_err(req, b->result, NULL);
    return b->result == ERR_OK;
}

void body_refuse(struct body *b, const char *field, const char *message)
{
    refuse(b, field, message, TYPE_VALUE);
}

void body_adopt(struct body *b, const char *name, const struct body *inner)
{
    if (b->result != ERR_OK)
        return;
    b->result = inner->result;
    if (inner->result != ERR_INVALID)
        return;
    struct buf field;
    buf_init(&field, 2 * BODY_FIELD_MAX + 2);
    buf_printf(&field, "%s%s%s", name, inner->field[0] ? "." : "", inner->field);
    size_t len = field.len < BODY_FIELD_MAX ? field.len : BODY_FIELD_MAX;
    if (len)
        memcpy(b->field, field.ptr, len);
    b->field[len] = '\0';
    buf_free(&field);
    memcpy(b->message, inner->message, sizeof b->message);
    b->type = inner->type;
}

void body_enter(struct body *outer, struct json_value object, struct body *inner)
{
    *inner = (struct body){
        .root = object, .arena = outer->arena, .result = outer->result, .work = outer->work};
    if (!inner->result && object.type != JSON_OBJECT)
        body_refuse(inner, "", "value is not a valid object");
}

void body_leave(struct body *outer, const char *name, struct body *inner)
{
    outer->arena = inner->arena;
    outer->work = inner->work;
    inner->arena = (struct arena){0};
    body_adopt(outer, name, inner);
}

void body_require(struct body *b, const char *field, enum field state)
{
    if (state == FIELD_ABSENT)
        refuse(b, field, "field required", TYPE_MISSING);
    body_refuse_null(b, field, state);
}

void body_refuse_null(struct body *b, const char *field, enum field state)
{
    if (state == FIELD_NULL)
        body_refuse(b, field, "null is not an allowed value");
}

/* A body that broke a rule has no more members. */
static enum field member(struct body *b, const char *wanted, struct json_value *out)
{
    if (b->result != ERR_OK || b->root.raw.len == 0)
        return FIELD_ABSENT;
    struct span name;
    struct json_value item;
    for (struct json_walk w = json_walk(b->root); json_next(&w, &name, &item);) {
        if (!decode_name(b, name, w.name_escaped, &name))
            return FIELD_ABSENT;
        if (!span_is(name, wanted))
            continue;
        *out = item;
        return item.type == JSON_NULL ? FIELD_NULL : FIELD_VALUE;
    }
    return FIELD_ABSENT;
}

void body_refuse_present(struct body *b, const char *const *fields, const char *message)
{
    struct json_value value;
    for (; *fields; fields++)
        if (member(b, *fields, &value) == FIELD_VALUE)
            body_refuse(b, *fields, message);
}

void body_unsupported(struct body *b, const char *const *fields)
{
    body_refuse_present(b, fields, "not supported by this version");
}

static bool only_of(struct span text, const char *also)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || !strchr(also, c)))
            return false;
    }
    return true;
}

bool text_check(const struct text_rule *rule, struct span text, const char **why)
{
    *why = NULL;
    if (text.len < rule->min)
        *why = rule->min == 1 ? "must not be empty" : "the text is too short";
    else if (text.len > rule->max)
        *why = "the text is too long";
    else if (rule->also && !only_of(text, rule->also))
        *why = "the text has a character that is not allowed here";
    else if (rule->not_prefix && span_starts(text, span_text(rule->not_prefix)))
        *why = "must not begin like an id";
    return *why == NULL;
}

static bool read_text(struct body *b, const char *field, struct json_value value,
                      const struct text_rule *rule, struct span *out)
{
    if (value.type != JSON_STRING) {
        body_refuse(b, field, "value is not a valid string");
        return false;
    }
    struct span text;
    const char *why;
    enum err e = text_decode(&b->arena, value, &text);
    if (e)
        refuse_text(b, field, e);
    else if (!text_check(rule, text, &why))
        body_refuse(b, field, why);
    else
        *out = text;
    return b->result == ERR_OK;
}

enum field body_text(struct body *b, const char *name, const struct text_rule *rule,
                     struct span *out)
{
    struct json_value value;
    enum field state = member(b, name, &value);
    if (state == FIELD_VALUE && !read_text(b, name, value, rule, out))
        return FIELD_ABSENT;
    return state;
}

enum field body_bool(struct body *b, const char *name, bool *out)
{
    struct json_value value;
    enum field state = member(b, name, &value);
    if (state != FIELD_VALUE)
        return state;
    if (value.type != JSON_BOOL) {
        body_refuse(b, name, "value is not a valid boolean");
        return FIELD_ABSENT;
    }
    *out = span_is(value.raw, "true");
    return FIELD_VALUE;
}

enum field body_integer(struct body *b, const char *name, int64_t min, int64_t max, int64_t *out)
{
    struct json_value value;
    enum field state = member(b, name, &value);
    if (state != FIELD_VALUE)
        return state;
    if (value.type != JSON_NUMBER || json_int64(value, min, max, out) != ERR_OK) {
        char why[96];
        snprintf(why, sizeof why, "value is not an integer from %lld to %lld", (long long)min,
                 (long long)max);
        body_refuse(b, name, why);
        return FIELD_ABSENT;
    }
    return FIELD_VALUE;
}

enum field body_time(struct body *b, const char *name, struct wall *out)
{
    static const struct text_rule any = {.max = 64};
    struct span text;
    enum field state = body_text(b, name, &any, &text);
    if (state == FIELD_VALUE && wall_parse(text, out) != ERR_OK) {
        body_refuse(b, name, "value is not an RFC 3339 time");
        return FIELD_ABSENT;
    }
    return state;
}

static bool known(const struct span *texts, unsigned count, struct span text)
{
    for (unsigned i = 0; i < count; i++)
        if (span_eq(texts[i], text))
            return true;
    return false;
}

enum field body_texts(struct body *b, const char *name, const struct text_rule *rule, unsigned min,
                      unsigned max, struct span *out, unsigned *count)
{
    struct json_value value, item;
    enum field state = member(b, name, &value);
    if (state != FIELD_VALUE)
        return state;
    size_t items = 0;
    struct span none;
    if (value.type == JSON_ARRAY)
        for (struct json_walk w = json_walk(value); json_next(&w, &none, &item);)
            items++;
    if (value.type != JSON_ARRAY || items < min || items > max) {
        char why[96];
        snprintf(why, sizeof why, "value is not a list of %u to %u items", min, max);
        body_refuse(b, name, why);
        return FIELD_ABSENT;
    }
    unsigned taken = 0;
    size_t i = 0;
    for (struct json_walk w = json_walk(value); json_next(&w, &none, &item); i++) {
        char field[BODY_FIELD_MAX + 1];
        snprintf(field, sizeof field, "%s.%zu", name, i);
        if (!read_text(b, field, item, rule, &out[taken]))
            return FIELD_ABSENT;
        if (!known(out, taken, out[taken]))
            taken++;
    }
    *count = taken;
    return FIELD_VALUE;
}

enum field body_object(struct body *b, const char *name, size_t max, struct json_value *out)
{
    enum field state = member(b, name, out);
    if (state != FIELD_VALUE)
        return state;
    if (out->type != JSON_OBJECT)
        body_refuse(b, name, "value is not a valid object");
    else if (out->raw.len > max)
        body_refuse(b, name, "the value is too large");
    return b->result == ERR_OK ? FIELD_VALUE : FIELD_ABSENT;
}

enum field body_list(struct body *b, const char *name, unsigned max, struct json_value *out,
                     unsigned *count)
{
    enum field state = member(b, name, out);
    struct json_value item;
    struct span none;
    size_t items = 0;
    if (state != FIELD_VALUE)
        return state;
    if (out->type == JSON_ARRAY)
        for (struct json_walk w = json_walk(*out); json_next(&w, &none, &item);)
            items++;
    if (out->type == JSON_ARRAY && items <= max) {
        *count = (unsigned)items;
        return FIELD_VALUE;
    }
    char why[96];
    snprintf(why, sizeof why, "value is not a list of at most %u items", max);
    body_refuse(b, name, why);
    return FIELD_ABSENT;
}

enum field body_map(struct body *b, const char *name, bool nulls, struct text_map *out)
{
    struct json_value object;
    enum field state = body_object(b, name, ADMIN_BODY_MAX, &object);
    if (state != FIELD_VALUE)
        return state;
    const char *why = NULL;
    enum err e = text_map_read(&b->arena, object, out, &why);
    if (e == ERR_NO_MEMORY)
        b->result = e;
    else if (e)
        body_refuse(b, name, why);
    for (unsigned i = 0; !e && !nulls && i < out->count; i++)
        if (out->pairs[i].null)
            body_refuse(b, name, "every value must be a string");
    return b->result == ERR_OK ? FIELD_VALUE : FIELD_ABSENT;
}

struct span body_map_json(struct body *b, const char *field, const struct text_map *map, size_t max)
{
    struct buf text;
    buf_init(&text, max);
    text_map_write(map, &text);
    struct span copy = arena_copy(&b->arena, buf_view(&text));
    if (text.failed)
        body_refuse(b, field, "the value is too large");
    else if (!copy.ptr)
        b->result = ERR_NO_MEMORY;
    buf_free(&text);
    return copy;
}
