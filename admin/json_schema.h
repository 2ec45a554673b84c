/* Whether a JSON value is a JSON Schema: the rules of the meta-schemas of draft-07 and 2020-12,
 * each keyword of either. Pure; any thread.
 *
 * Unknown keywords are allowed, as the drafts say. References that begin with "#" must lead
 * somewhere inside the schema; others are not followed. */
#ifndef ADMIN_JSON_SCHEMA_H
#define ADMIN_JSON_SCHEMA_H

#include "base/json_scan.h"

#define JSON_SCHEMA_PATH_MAX 384

struct json_schema_fault {
    /* From the schema's root, as request_invalid wants it: elements with dots between; those that
     * would not fit are left out. Empty: the root itself. */
    char path[JSON_SCHEMA_PATH_MAX + 1];
    const char *message; /* static text */
};

/* `schema` is a value that json_check accepted. False: *fault says the first thing that is wrong.
 * *work grows by the bytes that references and lists make it walk over; above SCHEMA_WORK_MAX, for
 * all schemas of a request together, that is a fault. */
bool json_schema_check(struct json_value schema, size_t *work, struct json_schema_fault *fault);

#endif
