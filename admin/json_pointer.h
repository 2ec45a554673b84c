/* JSON pointers (RFC 6901) as the fragments of references, "/a/b~1c/0". Pure; any thread. */
#ifndef ADMIN_JSON_POINTER_H
#define ADMIN_JSON_POINTER_H

#include "base/json_scan.h"

/* The value at a pointer below `root`: "" is the root. False when there is none, or its text is no
 * pointer. *work grows by the bytes that were walked, so that callers can bound it. */
bool json_pointer_get(struct json_value root, struct span pointer, struct json_value *out,
                      size_t *work);
/* The member of that name; its name may be written with escapes. False when there is none. */
bool json_pointer_member(struct json_value object, struct span name, struct json_value *out);

#endif
