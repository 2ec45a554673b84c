/* The request guard: refuses, before a body is read, what two HTTP parsers could read differently.
 *
 * libmicrohttpd 0.9.75 is lenient: Transfer-Encoding silently wins over Content-Length, only the
 * first Content-Length is looked at, "Content-Length :" passes as another header, a missing Host
 * passes. Behind a proxy each of these is request smuggling (RFC 9112 sections 5.1, 6.3, 11.2). */
#ifndef HTTP_GUARD_H
#define HTTP_GUARD_H

#include "base/bounds.h"
#include "base/span.h"

#include <stdint.h>

struct guard_header {
    struct span name, value;
};

/* How the body is delimited. */
struct guard_frame {
    bool chunked;
    bool has_length;
    uint64_t length; /* 0 without Content-Length */
};

/* Pure. `version` is "HTTP/1.1" or "HTTP/1.0"; the first demands a Host. NULL and *out when the
 * head is acceptable, otherwise why it is not (static text, fit for the client). Give at most
 * HEADERS_MAX + 1 headers: that many are too many already. */
const char *guard_check(struct span version, const struct guard_header *headers, size_t count,
                        struct guard_frame *out);

#endif
