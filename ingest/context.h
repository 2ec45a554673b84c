/* What the handlers of ingest share. */
#ifndef INGEST_CONTEXT_H
#define INGEST_CONTEXT_H

#include "base/json_scan.h"
#include "ingest/ingest.h"

struct ingest {
    struct ingest_settings settings;
};

/* Fills what every operation of this request has: kind, organisation, application, idempotency. The
 * body must not have been changed yet: its hash is part of the idempotency. */
void ingest_prepare(struct request *req, struct ingest_op *op);

/* Checks that the body is JSON and an object; false: a 422 was replied. */
bool ingest_body(struct request *req, struct json_value *object);

#endif
