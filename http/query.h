/* Percent-encoding and query strings (RFC 3986 section 2.1; application/x-www-form-urlencoded). */
#ifndef HTTP_QUERY_H
#define HTTP_QUERY_H

#include "base/err.h"
#include "http/arena.h"

#define QUERY_PARAMS_MAX 64 /* more is no honest request */

struct query {
    unsigned count;
    struct {
        struct span name, value;
    } params[QUERY_PARAMS_MAX];
};

/* Decodes into the arena (text without an escape stays where it is). `plus`: a plus sign is a
 * space. ERR_INVALID on a malformed escape or an encoded NUL, ERR_NO_MEMORY. */
enum err query_decode(struct arena *a, struct span text, bool plus, struct span *out) MUST_CHECK;

/* Splits and decodes what follows the question mark. ERR_INVALID also for too many parameters. */
enum err query_parse(struct arena *a, struct span text, struct query *out) MUST_CHECK;

/* The first value of a parameter. */
bool query_get(const struct query *q, const char *name, struct span *value);
/* The i-th non-empty value of an array parameter, whether written a=1&a=2, a[]=1 or a=1,2. */
bool query_item(const struct query *q, const char *name, unsigned i, struct span *value);

#endif
