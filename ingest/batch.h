/* POST /api/v1/app/{app}/msg/batch (ours): {"messages":[MessageIn, …]}, or CloudEvents as a JSON
 * array; one commit, a result each. */
#ifndef INGEST_BATCH_H
#define INGEST_BATCH_H

#include "ingest/head.h"

/* The handler; its context is the struct ingest. */
void batch_create(struct request *req);
/* The same with a head that was read: HEAD_BATCH, on whichever route. */
void batch_create_events(struct request *req, const struct head *head);

#endif
