/* Which headers an endpoint may add to its deliveries.
 *
 * Invariants: an accepted header cannot change the framing or the routing of the request, cannot
 * pose as one that this service writes, cannot end its own line, and is really sent. */
#include "dispatcher/dispatcher.h"

/* Lower case. content-type is not among them: an endpoint may override it. */
static const char *const reserved_names[] = {
    "connection",        "content-length", "expect",     "host",
    "http2-settings",    "keep-alive",     "te",         "trailer",
    "transfer-encoding", "upgrade",        "user-agent",
};
static const char *const reserved_prefixes[] = {"webhook-", "svix-", "proxy-"};

/* RFC 9110 section 5.6.2. */
static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_token_char(s.ptr[i]))
            return false;
    }
    return s.len > 0;
}

static bool is_reserved(struct span name)
{
    for (size_t i = 0; i < sizeof reserved_names / sizeof *reserved_names; i++) {
        if (span_eq_nocase(name, span_text(reserved_names[i])))
            return true;
    }
    for (size_t i = 0; i < sizeof reserved_prefixes / sizeof *reserved_prefixes; i++) {
        struct span prefix = span_text(reserved_prefixes[i]);
        if (name.len >= prefix.len && span_eq_nocase(span_of(name.ptr, prefix.len), prefix))
            return true;
    }
    return false;
}

/* RFC 9110 section 5.5: visible characters, spaces, tabs and obs-text. */
static bool has_control_bytes(struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

enum err dispatcher_header_check(struct span name, struct span value, const char **why)
{
    if (!is_token(name))
        *why = "a header name consists of letters, digits and !#$%&'*+-.^_`|~";
    else if (is_reserved(name))
        *why = "this header is set by the service and cannot be overridden";
    else if (has_control_bytes(value))
        *why = "a header value must not contain control characters";
    else if (span_trim(value).len == 0)
        *why = "a header value must not be empty";
    else
        return ERR_OK;
    return ERR_INVALID;
}
