/* The members of an object by name, for objects that are asked often: json_walk looks at each in
 * turn. Owned by one thread. */
#ifndef ADMIN_JSON_INDEX_H
#define ADMIN_JSON_INDEX_H

#include "base/json_scan.h"

struct json_index {
    struct json_index_entry *entries; /* malloc'ed, by name */
    size_t count;
};

/* Empty for what is no object. Spans point into it. ERR_NO_MEMORY. */
enum err json_index_build(struct json_value object, struct json_index *out) MUST_CHECK;
void json_index_free(struct json_index *index);

/* False when there is none. Names that JSON or a pointer writes with escapes, and pointers of more
 * than one element, are not found: the caller falls back on json_pointer_get, which decodes. */
bool json_index_get(const struct json_index *index, struct span name, struct json_value *out);

#endif
