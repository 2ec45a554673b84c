/* MessageIn of the API: from the bytes of a request to a message. Pure, but for the
 * clock that deliverAt is compared with.
 *
 * Member       Rule
 * eventType    required; 1-256 of [a-zA-Z0-9-_.]
 * payload      required, an object; its exact bytes become the message's
 * eventId      1-256 of [a-zA-Z0-9-_.], not beginning with "msg_"
 * channels     at most 5, unique, each 1-128 of [a-zA-Z0-9-_.:]
 * tags         at most TAGS_MAX, each 1-128 bytes
 * orderingKey  1-256 bytes without control characters
 * deliverAt    RFC 3339; at most 24 hours ahead, and at most a minute ago (then it is at once)
 * payloadRetentionPeriod (days, 5-90) or payloadRetentionHours (1-2160)
 * application  {name, uid, metadata} of the application to make when there is none
 * transformationsParams  {rawPayload: text sent instead of the payload, headers: text by name}
 *
 * null is the same as absent. Members that the API knows and this version cannot honour
 * (other transformationsParams) are refused: nothing accepted is ignored. Unknown members are
 * ignored; a member that is written twice is refused. */
#ifndef INGEST_ENVELOPE_H
#define INGEST_ENVELOPE_H

#include "base/json_scan.h"
#include "store/model.h"

struct envelope_fault {
    const char *where; /* "body" or "header"; static text */
    char field[64];    /* dotted path below the message, "channels.3"; empty: the message itself */
    const char *message; /* static text */
    const char *type;    /* "value_error" or a kind of it; static text */
};

/* Reads an object that json_check accepted and that lies inside `block`. The message's spans point
 * into the block, which may be changed (escapes are decoded in place): the caller makes it the
 * message's own, and must not read the JSON again. *app gets name, uid and metadata of the member
 * `application`, or keeps its empty name. ERR_INVALID with *fault, ERR_NO_MEMORY. */
enum err envelope_read(struct json_value object, char *block, struct message *m, struct app *app,
                       struct envelope_fault *fault) MUST_CHECK;

#endif
