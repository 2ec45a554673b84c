/* The JSON bodies of refusals, and the statuses and codes that belong to them (API.md). Pure. */
#ifndef HTTP_ANSWER_H
#define HTTP_ANSWER_H

#include "base/err.h"
#include "base/json_writer.h"

/* "not_found" for 404, …; static storage. */
const char *answer_code(unsigned status);
/* The status of a store error. */
unsigned answer_status(enum err e);
/* What to say about a store error to a client; static storage. */
const char *answer_text(enum err e);

/* {"code":…,"detail":…} */
void answer_error(struct buf *out, unsigned status, const char *detail);
/* {"loc":[where, …],"msg":…,"type":…}: one item of a 422's detail. `field` is a dotted path whose
 * numbers become integers, or NULL; a dot inside an element is written as LOC_DOT. */
#define LOC_DOT '\x1f'
void answer_finding(struct json_writer *w, const char *where, const char *field,
                    const char *message, const char *type);
/* {"detail":[finding]} */
void answer_invalid(struct buf *out, const char *where, const char *field, const char *message,
                    const char *type);

#endif
