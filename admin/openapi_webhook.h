/* The webhooks that an OpenAPI description names, as event types. Pure; any thread. */
#ifndef ADMIN_OPENAPI_WEBHOOK_H
#define ADMIN_OPENAPI_WEBHOOK_H

#include "admin/body.h"
#include "store/model.h"

/* Reads `webhooks` (OpenAPI 3.1), or `x-webhooks` where that is absent, of the document at b->root:
 * for each its name, description, whether it is deprecated, and the schema of its JSON body as
 * version 1. *types (with *count, at most IMPORT_TYPES_MAX) and what they point to live as long as
 * the body; what breaks a rule is recorded there. */
void openapi_webhook_read(struct body *b, struct event_type **types, unsigned *count);

#endif
