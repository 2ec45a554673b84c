/* The context attributes of one CloudEvent while they are read, whatever the mode. Private to
 * ingest/cloud_event.c. One thread; no memory but its own. */
#ifndef INGEST_ATTRIBUTE_H
#define INGEST_ATTRIBUTE_H

#include "base/json_writer.h"
#include "ingest/envelope.h"

#define ATTRIBUTES_TOO_LONG "the context attributes must be at most 4096 bytes together"

/* Those that the service reads itself. The required ones come first. */
enum attribute {
    ATTRIBUTE_SPECVERSION,
    ATTRIBUTE_ID,
    ATTRIBUTE_SOURCE,
    ATTRIBUTE_TYPE,
    ATTRIBUTES_REQUIRED,
    ATTRIBUTE_CONTENT_TYPE = ATTRIBUTES_REQUIRED,
    ATTRIBUTE_SCHEMA,
    ATTRIBUTE_SUBJECT,
    ATTRIBUTE_TIME,
    ATTRIBUTE_TRACEPARENT,
    ATTRIBUTE_TRACESTATE,
    ATTRIBUTE_PARTITION_KEY,
    ATTRIBUTES_KNOWN
};

struct attributes {
    struct envelope_fault *fault;
    const char *prefix; /* "ce-" where they are headers, else empty */
    unsigned count;     /* of the names */
    struct span names[CLOUD_ATTRIBUTES_MAX];
    struct span known[ATTRIBUTES_KNOWN]; /* their texts; empty: absent */
    struct json_writer writer;           /* into `json` */
    struct buf json;                     /* all of them as an object, once it was ended */
    struct buf texts;                    /* what had to be decoded; does not move */
    char json_room[CLOUD_ATTRIBUTES_BYTES + 1];
    char texts_room[CLOUD_ATTRIBUTES_BYTES + 1];
};

/* `prefix` is static text. */
void attribute_begin(struct attributes *a, const char *prefix, struct envelope_fault *fault);

/* Each fills the fault and returns ERR_INVALID. `message` is static text. */
enum err attribute_refuse(struct attributes *a, struct span name, const char *message) MUST_CHECK;

/* Before its value: whether the name is one and was not given before. It is kept, and must live as
 * long as the attributes. */
enum err attribute_name(struct attributes *a, struct span name) MUST_CHECK;
/* A text in UTF-8, which lives as long as the attributes. */
enum err attribute_text(struct attributes *a, struct span name, struct span text) MUST_CHECK;
/* true, false or an integer as JSON writes it. */
enum err attribute_plain(struct attributes *a, struct span name, struct span json) MUST_CHECK;
/* Ends the object. Whether the required ones are there. */
enum err attribute_end(struct attributes *a) MUST_CHECK;

#endif
