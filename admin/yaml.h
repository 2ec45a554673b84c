/* YAML as JSON, for people's descriptions of their API: the SDKs promise that the server takes
 * both. Pure; any thread. The only module that knows libyaml. */
#ifndef ADMIN_YAML_H
#define ADMIN_YAML_H

#include "base/buf.h"

/* Appends the one document of `text` to `out` as JSON. Plain scalars are read by YAML 1.2's core
 * schema; keys are texts. Refused: aliases (a document of a few lines can stand for gigabytes),
 * collections as keys, more than one document, nesting over JSON_DEPTH_MAX. ERR_INVALID fills
 * `why`, with the line; ERR_TOO_LARGE, ERR_NO_MEMORY. Names may be there twice: whoever reads the
 * JSON looks. */
enum err yaml_to_json(struct span text, struct buf *out, char why[160]) MUST_CHECK;

#endif
