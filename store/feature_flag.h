/* The feature flags of a token: names separated by commas, in a text of bounded length. Pure. */
#ifndef STORE_FEATURE_FLAG_H
#define STORE_FEATURE_FLAG_H

#include "base/bounds.h"
#include "base/span.h"

struct feature_flags {
    char names[FEATURE_FLAGS_BYTES]; /* with a NUL at the end */
};

/* False when the name has a comma, is empty, or finds no room: the token then goes without it. */
bool feature_flags_add(struct feature_flags *f, struct span name);
bool feature_flags_have(const struct feature_flags *f, struct span name);

#endif
