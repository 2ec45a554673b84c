/* A message as a CloudEvent (specification 1.0.2) on its way out. Pure; any thread.
 *
 * What came as a CloudEvent goes with the attributes with which it came. Of any other message the
 * id is its own, the source /app/{application's id}, the type its event type, the time its own, and
 * a trace that it has becomes traceparent and tracestate. Nothing depends on the attempt, so that
 * every attempt sends the same bytes. */
#ifndef DISPATCHER_EVENT_FORMAT_H
#define DISPATCHER_EVENT_FORMAT_H

#include "store/model.h"

#include <curl/curl.h>

#define EVENT_FORMAT_STRUCTURED_TYPE "application/cloudevents+json; charset=UTF-8"

/* JSON format: the attributes and the data in one object, the payload in it byte for byte where
 * that is JSON. Initialises *out, which the caller frees. False when out of memory. */
bool event_format_structured(const struct message *m, struct buf *out) MUST_CHECK;

/* HTTP binding, binary mode: appends a line "ce-name: value" for each attribute but
 * datacontenttype. False when out of memory, or when what is stored cannot be read. */
bool event_format_binary(const struct message *m, struct curl_slist **lines) MUST_CHECK;
/* What the payload is; empty when there is none. */
struct span event_format_content_type(const struct message *m);

#endif
