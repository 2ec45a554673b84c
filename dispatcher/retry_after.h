/* The Retry-After field of a response. Pure. */
#ifndef DISPATCHER_RETRY_AFTER_H
#define DISPATCHER_RETRY_AFTER_H

#include "base/clock.h"

/* Retry-After, RFC 9110 section 10.2.3: seconds, or an HTTP-date of any of the three forms, judged
 * against `now`. Microseconds, capped at RETRY_AFTER_MAX_S; a date in the past is 0; -1 when
 * unreadable. Does not depend on the locale or the time zone of the process. */
int64_t retry_after_parse(struct span value, struct wall now);

#endif
