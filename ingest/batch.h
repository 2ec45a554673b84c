/* POST /api/v1/app/{app}/msg/batch (ours): {"messages":[MessageIn, …]}, one commit, a result
 * each. */
#ifndef INGEST_BATCH_H
#define INGEST_BATCH_H

#include "http/request.h"

/* The handler; its context is the struct ingest. */
void batch_create(struct request *req);

#endif
