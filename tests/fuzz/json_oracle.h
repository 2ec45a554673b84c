/* jansson beside our own scanner. It is more particular in what a number or a text may be, and
 * less in depth, and that is all: where it differs, the difference must be one of these. */
#ifndef FUZZ_JSON_ORACLE_H
#define FUZZ_JSON_ORACLE_H

#include "base/bounds.h"
#include "base/json_scan.h"
#include "tests/fuzz/fuzz.h"

/* jansson names its types as we name ours: here they get other names, and what asks for them are
 * functions, since its macros would ask for ours. */
#define JSON_OBJECT JANSSON_OBJECT
#define JSON_ARRAY JANSSON_ARRAY
#define JSON_STRING JANSSON_STRING
#define JSON_NULL JANSSON_NULL
#include <jansson.h>

static inline bool oracle_is_object(const json_t *v)
{
    return json_is_object(v);
}

static inline bool oracle_is_string(const json_t *v)
{
    return json_is_string(v);
}

static inline bool oracle_is_null(const json_t *v)
{
    return json_is_null(v);
}

#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_NULL
#undef json_is_object
#undef json_is_array
#undef json_is_string
#undef json_is_null

/* A number that no double holds, half a surrogate pair, or a name with a NUL. */
static inline bool oracle_is_choosy(const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);
    return code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
           strstr(error->text, "invalid Unicode");
}

/* NULL when only jansson refuses it. Of members of one name it keeps the last. */
static inline json_t *oracle_value(struct span text)
{
    json_error_t error;
    json_t *value = json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    HOLDS(value || oracle_is_choosy(&error));
    return value;
}

/* json_check, judged: what it refuses jansson refuses too, unless it is too deep, or has a NUL,
 * which jansson passes over behind a number. */
static inline bool oracle_check(struct span text, struct json_value *out)
{
    struct json_error ours = {0};
    json_error_t theirs;
    if (json_check(text, JSON_DEPTH_MAX, out, &ours) == ERR_OK)
        return true;
    HOLDS(ours.what && ours.at <= text.len);
    if (strcmp(ours.what, "nested too deeply") == 0 || (text.len && memchr(text.ptr, 0, text.len)))
        return false;
    json_t *value =
        json_loadb(text.ptr ? text.ptr : "", text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &theirs);
    HOLDS(!value);
    return false;
}

/* Whether the member is a text of these bytes. */
static inline bool oracle_text_is(const json_t *object, const char *name, struct span text)
{
    const json_t *v = json_object_get(object, name);
    return oracle_is_string(v) &&
           span_eq(span_of(json_string_value(v), json_string_length(v)), text);
}

/* Whether the bytes are JSON of the same value. NULL stands for nothing. */
static inline bool oracle_same(struct span text, const json_t *value)
{
    json_t *read = oracle_value(text);
    bool same = !read || json_equal(read, value);
    json_decref(read);
    return same;
}

#endif
