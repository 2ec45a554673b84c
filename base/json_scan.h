/* JSON coming in on the hot path: a validating scanner that finds the raw extent of a value.
 *
 * Strict RFC 8259: UTF-8 checked (no surrogates, no overlong forms), numbers by the grammar,
 * control bytes refused in strings, depth bounded. It builds nothing; the caller walks one object's
 * members and keeps spans of the input. A token is borrowed from the input. */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include "base/buf.h"

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_value {
    enum json_type type;
    struct span
        raw; /* the exact bytes, quotes and brackets included, white space around excluded */
    struct span longest; /* of a document's containers one level down: walks need not look for its
                            end. Empty in what a walk returns */
    bool escaped;        /* a string that has a backslash: its text is not raw without the quotes */
};

/* Why and where a document was refused. */
struct json_error {
    const char *what; /* static text */
    size_t at;        /* offset in the input */
};

/* Open containers are one bit each of a word. */
#define JSON_SCAN_DEPTH 64

/* The whole input is one value and nothing else but white space. depth_max is at most
 * JSON_SCAN_DEPTH (asserted). ERR_INVALID fills *error. */
enum err json_check(struct span input, unsigned depth_max, struct json_value *out,
                    struct json_error *error) MUST_CHECK;

/* Walks the members of an object (or the items of an array) that json_check accepted:
 *     struct json_walk w = json_walk(value); while (json_next(&w, &name, &item)) …
 * For an array `name` is left empty. `name` has its quotes stripped, escapes not decoded (a member
 * whose name is written with escapes has name_escaped set). Cannot fail on validated input. */
struct json_walk {
    const char *at;
    const char *end;
    struct span longest;
    bool in_object;
    bool name_escaped;
};
struct json_walk json_walk(struct json_value container);
bool json_next(struct json_walk *w, struct span *name, struct json_value *item);

/* The text of a string value, escapes decoded to UTF-8, appended to `out`. ERR_INVALID on a lone
 * surrogate or an escaped NUL, which no store or receiver handles well, and on another type;
 * ERR_TOO_LARGE when the buffer failed. */
enum err json_text(struct json_value value, struct buf *out) MUST_CHECK;
/* The text of a string value without escapes, borrowed; ERR_INVALID when it has any. */
enum err json_plain(struct json_value value, struct span *out) MUST_CHECK;
/* An integer without fraction or exponent in [min, max]; ERR_INVALID otherwise. */
enum err json_int64(struct json_value value, int64_t min, int64_t max, int64_t *out) MUST_CHECK;

#endif
