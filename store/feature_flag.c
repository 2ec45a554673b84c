/* A handful of names, looked at once a request: a list is searched faster than a table is built. */
#include "store/feature_flag.h"

bool feature_flags_have(const struct feature_flags *f, struct span name)
{
    struct span rest = span_text(f->names);
    while (rest.len > 0)
        if (span_eq(span_cut(&rest, ','), name))
            return name.len > 0;
    return false;
}

bool feature_flags_add(struct feature_flags *f, struct span name)
{
    size_t len = strlen(f->names);
    size_t comma = len > 0;
    if (name.len == 0 || memchr(name.ptr, ',', name.len) || memchr(name.ptr, 0, name.len))
        return false;
    if (feature_flags_have(f, name))
        return true;
    if (len + comma + name.len >= sizeof f->names)
        return false;
    if (comma)
        f->names[len++] = ',';
    memcpy(f->names + len, name.ptr, name.len);
    f->names[len + name.len] = '\0';
    return true;
}
