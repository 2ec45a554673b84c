/* Whatever is not certainly a trace context is left out, as section 3.2 asks of those that pass it
 * on: an event is not refused for it. */
#include "ingest/trace.h"

#include "base/bounds.h"

#define VERSION_00_LEN 55 /* 00-{32}-{16}-{2} */

/* Lower-case hexadecimal digits, not all of them zero unless they may be. */
static bool is_hex(struct span s, bool zero)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
            return false;
        zero = zero || c != '0';
    }
    return zero;
}

bool trace_is_parent(struct span s)
{
    if (s.len < VERSION_00_LEN || s.len > TRACEPARENT_MAX)
        return false;
    if (s.ptr[2] != '-' || s.ptr[35] != '-' || s.ptr[52] != '-')
        return false;
    struct span version = span_of(s.ptr, 2);
    bool longer = s.len > VERSION_00_LEN;
    if (span_is(version, "ff") || (longer && (span_is(version, "00") || s.ptr[55] != '-')))
        return false;
    for (size_t i = VERSION_00_LEN; i < s.len; i++)
        if (s.ptr[i] <= ' ' || s.ptr[i] > '~')
            return false;
    return is_hex(version, true) && is_hex(span_of(s.ptr + 3, 32), false) &&
           is_hex(span_of(s.ptr + 36, 16), false) && is_hex(span_of(s.ptr + 53, 2), true);
}

bool trace_is_state(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < ' ' || s.ptr[i] > '~')
            return false;
    return s.len >= 1 && s.len <= TRACESTATE_MAX;
}
