/* Operational events: what an organisation is told about its own endpoints, deliveries and tasks.
 * Each is a message of the organisation's operational application, written by the operation that
 * causes it, so that neither commits without the other. Private to store/; the writer thread alone
 * uses this.
 *
 * What happens to operational endpoints, and to what is sent to them, causes no event: one that
 * fails would feed itself. While there is no room for new messages no event is made either, and the
 * log says so: fails open, because an outcome that waits for room would be repeated for ever. */
#ifndef STORE_OPERATIONAL_H
#define STORE_OPERATIONAL_H

#include "store/batch.h"

/* Whose endpoint an event is about. */
struct operational_subject {
    const struct id *org, *app, *endpoint;
    struct span app_uid, endpoint_uid; /* empty: none */
};
struct operational_subject operational_subject_of(const struct table_endpoint *ep);

/* One of the kinds that name an endpoint. `reason` of OPERATIONAL_ENDPOINT_DISABLED, as the
 * endpoint keeps it. */
enum err operational_endpoint(struct batch *b, enum operational_event kind,
                              const struct operational_subject *s, struct span reason) MUST_CHECK;

/* One of the kinds that name an attempt, which has its id. *told: somebody listens. */
enum err operational_attempt(struct batch *b, enum operational_event kind,
                             const struct table_endpoint *ep, const struct attempt *a,
                             bool *told) MUST_CHECK;

/* The end of a task that a client was told of. */
enum err operational_task(struct batch *b, const struct task *t) MUST_CHECK;

/* At most this many index entries come with the events of one operation or step: their room is
 * asked for before. */
unsigned operational_entries(const struct batch *b);

#endif
