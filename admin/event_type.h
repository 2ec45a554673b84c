/* What other routes need of event types: who sees them, and how one is read. */
#ifndef ADMIN_EVENT_TYPE_H
#define ADMIN_EVENT_TYPE_H

#include "admin/body.h"
#include "http/request.h"

/* A type behind feature flags shows only to tokens that carry one of them. To any other it is as if
 * it did not exist. */
bool event_type_visible(const struct request *req, const struct event_type *t);

/* Reads all fields but the name into *t; what breaks a rule is in `b`. `patch`: what is absent
 * stays, else it is cleared. Spans live as long as the body. */
void event_type_read(struct body *b, struct event_type *t, bool patch);

#endif
