/* W3C Trace Context (section 3.2): whether what came can be sent on. Pure, any thread. */
#ifndef INGEST_TRACE_H
#define INGEST_TRACE_H

#include "base/span.h"

/* A traceparent of version 00, or of a later one, which begins alike. */
bool trace_is_parent(struct span text);
/* A tracestate by its length and its bytes; the list in it is not looked at. */
bool trace_is_state(struct span text);

#endif
