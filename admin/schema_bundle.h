/* A schema of a larger document as one that stands alone. Pure; any thread. */
#ifndef ADMIN_SCHEMA_BUNDLE_H
#define ADMIN_SCHEMA_BUNDLE_H

#include "base/json_scan.h"

/* Appends `schema` to `out` with every schema of `document` that it refers to, directly or by
 * others, below its "$defs" (or "definitions", where it has its own), each once, so that schemas
 * which contain themselves have an end; references are rewritten. NULL, or what is wrong (static
 * text): a reference that leads nowhere or to another document, too many of them, too large a
 * result. *work grows by the bytes that were walked and is bounded, too. */
const char *schema_bundle(struct json_value document, struct json_value schema, struct buf *out,
                          size_t *work);

#endif
