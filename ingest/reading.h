/* What the readers of a message's members share: the reading, its texts and its refusals. Private
 * to the envelope. */
#ifndef INGEST_READING_H
#define INGEST_READING_H

#include "ingest/envelope.h"

struct reading {
    char *block;
    struct message *m;
    struct app *application; /* where the member `application` goes; its name stays empty without */
    struct envelope_fault *fault;
    unsigned seen;       /* a bit for each member of the table */
    bool raw;            /* the payload came as rawPayload */
    struct span payload; /* of the member `payload` */
};

/* Each fills the fault and returns ERR_INVALID. `message` is static text. */
enum err reading_refuse(struct reading *r, const char *field, const char *message) MUST_CHECK;
enum err reading_refuse_item(struct reading *r, const char *field, unsigned index,
                             const char *message) MUST_CHECK;
enum err reading_refuse_missing(struct reading *r, const char *field) MUST_CHECK;

/* The text of a string, inside the block. ERR_INVALID without a fault set, ERR_NO_MEMORY. */
enum err reading_text(struct reading *r, struct json_value v, struct span *out) MUST_CHECK;
/* 1 to `max` letters, digits and these marks. */
bool reading_is_name(struct span s, size_t max, const char *marks);
/* Whether a member of the same name stands before this one in its object: maps are small, so each
 * is compared. */
bool reading_is_repeated(struct json_value object, struct span name,
                         bool (*same)(struct span, struct span));

/* application.c: ApplicationIn, whose spans point into the block. */
enum err application_read(struct reading *r, struct json_value v, struct app *out) MUST_CHECK;

#endif
