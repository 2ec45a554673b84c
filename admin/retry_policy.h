/* How attempts are made, as a request says it and an answer shows it: the retry policy of an
 * endpoint or an event type, and what else an endpoint has a say in. */
#ifndef ADMIN_RETRY_POLICY_H
#define ADMIN_RETRY_POLICY_H

#include "admin/body.h"
#include "base/json_writer.h"
#include "store/model.h"

/* Each leaves alone what is absent, in a PUT too: a client that does not know the field must not
 * undo what somebody relies on. Null clears. */

/* `retryPolicy`: replaced as a whole. */
void retry_policy_read(struct body *b, struct retry_policy *out);
/* `paused`, `retryPolicy`, `attemptTimeout`, `maxInFlight` up to `most`, and `freshShare`. The
 * ordering must have been read. */
void retry_policy_read_endpoint(struct body *b, int64_t most, struct endpoint *out);

/* The members of the same names. */
void retry_policy_out(struct json_writer *w, const struct retry_policy *p);
void retry_policy_out_endpoint(struct json_writer *w, const struct endpoint *e);

#endif
