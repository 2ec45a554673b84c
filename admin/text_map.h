/* An object of texts, {"name":"value",…}: metadata and headers, as JSON at rest and as pairs in
 * memory. Pure. */
#ifndef ADMIN_TEXT_MAP_H
#define ADMIN_TEXT_MAP_H

#include "base/json_scan.h"
#include "http/arena.h"

#define TEXT_MAP_MAX 1024 /* entries: more than any map that fits its bound in bytes */

struct text_pair {
    struct span name; /* has a NUL behind it and none inside */
    struct span value;
    bool null; /* the value was null */
};
struct text_map {
    unsigned count;
    struct text_pair *pairs;
};

/* A string's text, decoded into the arena when it has escapes. ERR_INVALID (an escape without a
 * character), ERR_NO_MEMORY. */
enum err text_decode(struct arena *a, struct json_value string, struct span *out) MUST_CHECK;

/* Pairs of an object that json_check accepted; spans point into it or into the arena. ERR_INVALID
 * with *why (static text) for a value that is neither text nor null, ERR_NO_MEMORY. */
enum err text_map_read(struct arena *a, struct json_value object, struct text_map *out,
                       const char **why) MUST_CHECK;
/* The same of a stored map; empty bytes are the empty map. ERR_CORRUPT when it is not one. */
enum err text_map_parse(struct arena *a, struct span raw, struct text_map *out) MUST_CHECK;
/* Appends compact JSON; a null value is written as null. */
void text_map_write(const struct text_map *m, struct buf *out);

/* Names are compared as HTTP header names are, without case. NULL when there is none. */
struct text_pair *text_map_find_header(const struct text_map *m, struct span name);

#endif
