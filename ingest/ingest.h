/* Accepting events: POST /api/v1/app/{app}/msg and …/msg/batch. */
#ifndef INGEST_INGEST_H
#define INGEST_INGEST_H

#include "http/server.h"

struct ingest_settings {
    int64_t max_body; /* of one message, also inside a batch; 0: MESSAGE_BODY_MAX */
};
struct ingest;

enum err ingest_new(const struct ingest_settings *settings, struct ingest **out) MUST_CHECK;
void ingest_free(struct ingest **in);
/* The table lives as long as the ingest. */
struct route_table ingest_routes(struct ingest *in);

#endif
