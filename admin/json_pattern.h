/* Regular expressions in schemas. Pure; any thread. */
#ifndef ADMIN_JSON_PATTERN_H
#define ADMIN_JSON_PATTERN_H

#include "base/span.h"

/* NULL when brackets, groups, quantifiers and escapes fit (ECMA-262), else what is wrong (static
 * text). Every regular expression passes; not all that passes is one. */
const char *json_pattern_fault(struct span pattern);

#endif
