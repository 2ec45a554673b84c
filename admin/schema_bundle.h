/* A schema of a larger document as one that stands alone. Pure; any thread. */
#ifndef ADMIN_SCHEMA_BUNDLE_H
#define ADMIN_SCHEMA_BUNDLE_H

#include "admin/json_index.h"

/* A document with its schemas by name, for many bundles. */
struct schema_source {
    struct json_value document;
    struct json_index components; /* of "/components/schemas" */
};
/* ERR_NO_MEMORY. */
enum err schema_source_open(struct json_value document, struct schema_source *out) MUST_CHECK;
void schema_source_close(struct schema_source *s);

/* Appends `schema` to `out` with every schema of the document that it refers to, directly or by
 * others, below its "$defs" (or "definitions", where it has its own), each once, so that schemas
 * which contain themselves have an end; references are rewritten. NULL, or what is wrong (static
 * text): a reference that leads nowhere or to another document, too many of them, too large a
 * result. *work grows by the bytes that were walked; above SCHEMA_WORK_MAX that is wrong, too. */
const char *schema_bundle(const struct schema_source *source, struct json_value schema,
                          struct buf *out, size_t *work);

#endif
