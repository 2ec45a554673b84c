/* A CloudEvent (specification 1.0.2) on its way in, from the bytes of a request to a message. Pure.
 *
 * Attribute          Rule
 * specversion        required; 1.0
 * id, source         required; not empty, a source is a URI reference. Together the event's
 *                    identity in its application
 * type               required; the event type: 1-256 of [a-zA-Z0-9-_.]
 * datacontenttype    a media type
 * dataschema         an absolute URI
 * subject            not empty
 * time               RFC 3339
 * partitionkey       the ordering key: 1-256 bytes
 * any other          an extension, kept: a text, in JSON also true, false or a 32-bit integer
 *
 * Names are 1-64 of [a-z0-9]; each comes once; all of them as JSON are at most
 * CLOUD_ATTRIBUTES_BYTES. Texts have no control characters and no noncharacters (section 2.4).
 *
 * Data. What is declared as JSON, or stands as `data` in a JSON event without a declaration, must
 * be JSON, of any type; its exact bytes become the payload. Of another declared type `data` is a
 * text, and `data_base64` any bytes: the payload is what they stand for. A body without a content
 * type is JSON if it can be read so. The message has a content type unless its payload is an object
 * and of plain application/json, as every native one is. */
#ifndef INGEST_CLOUD_EVENT_H
#define INGEST_CLOUD_EVENT_H

#include "ingest/envelope.h"
#include "ingest/head.h"

/* JSON format 1.0.2: an object that json_check accepted, borrowed. *out gets a message of its own
 * memory, *identity what names the event and what it says. ERR_INVALID with *fault, ERR_NO_MEMORY.
 * The head's trace is that of an event which has none itself. */
enum err cloud_event_structured(struct json_value object, const struct head *head,
                                struct message **out, struct idempotency *identity,
                                struct envelope_fault *fault) MUST_CHECK;

/* HTTP binding 1.0.2, section 3.1: attributes from the head, data from the body. The same
 * otherwise. */
enum err cloud_event_binary(const struct head *head, struct span body, struct message **out,
                            struct idempotency *identity, struct envelope_fault *fault) MUST_CHECK;

#endif
