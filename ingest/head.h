/* What the headers of a request say about its events: how they are written, and the trace that they
 * belong to. */
#ifndef INGEST_HEAD_H
#define INGEST_HEAD_H

#include "http/request.h"

enum head_mode {
    HEAD_NATIVE,     /* MessageIn of the API */
    HEAD_STRUCTURED, /* one CloudEvent as JSON */
    HEAD_BATCH,      /* a JSON array of such */
    HEAD_BINARY,     /* a CloudEvent whose attributes are headers and whose data is the body */
};

/* Spans live as long as the request. */
struct head {
    enum head_mode mode;
    const char *wrong;        /* why the content type cannot be read, fit for a 415; NULL: it can */
    struct span content_type; /* empty: none */
    unsigned content_types;   /* how many there are */
    struct span traceparent, tracestate; /* good ones; empty: none */
    unsigned count;
    struct head_attribute {
        struct span name, value; /* "ce-id", as sent; the value is not decoded */
    } attributes[HEADERS_MAX];
};

/* CloudEvents HTTP binding 1.0.2, section 3: the content type decides; without one of its own any
 * ce- header makes it binary mode, so that none is ignored. */
void head_read(const struct request *req, struct head *out);

/* A message that has the trace and nothing else; NULL when out of memory. */
struct message *head_message(const struct head *h);

#endif
