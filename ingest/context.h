/* What the handlers of ingest share. */
#ifndef INGEST_CONTEXT_H
#define INGEST_CONTEXT_H

#include "base/json_scan.h"
#include "ingest/head.h"
#include "ingest/ingest.h"

struct ingest {
    struct ingest_settings settings;
};

/* Fills what every operation of this request has: kind, organisation, application, idempotency. The
 * body must not have been changed yet: its hash is part of the idempotency. */
void ingest_prepare(struct request *req, struct ingest_op *op);

/* Lets the operation make its application, which a message of it described, when that is in the
 * token's power and fits the path. `app` lives as long as the operation. */
void ingest_offer(struct request *req, struct ingest_op *op, struct app *app);
/* Replies to an error of the operation; `app` is what its messages described. */
void ingest_fail(struct request *req, const struct ingest_op *op, const struct app *app);

/* Checks that the body is JSON and of this type; false: a 422 was replied. */
bool ingest_body(struct request *req, enum json_type type, struct json_value *out);
/* Reads the head; false: a 415 was replied. */
bool ingest_head(struct request *req, struct head *out);

#endif
