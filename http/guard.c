/* Fails closed: whatever is not certainly well-formed is refused, because a proxy in front of us
 * may have seen another request than the one that libmicrohttpd parsed. */
#include "http/guard.h"

/* RFC 9110 section 5.6.2. */
static bool is_token(struct span s)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && (c == '\0' || !strchr(marks, c)))
            return false;
    }
    return s.len > 0;
}

/* RFC 9110 section 5.5: visible characters, spaces, tabs and bytes above ASCII. */
static bool is_value(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

/* One to ten digits: what no parser overflows on and none reads as octal, hex or signed. */
static bool read_length(struct span s, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        *out = *out * 10 + (uint64_t)(s.ptr[i] - '0');
        if (i == 10)
            return false;
    }
    return s.len > 0;
}

/* The rules of the headers that delimit or address a request; each may come once. */
struct seen {
    bool length, encoding, host;
};

static const char *check_framing(const struct guard_header *h, struct seen *seen,
                                 struct guard_frame *out)
{
    if (span_eq_nocase(h->name, SPAN("content-length"))) {
        if (seen->length)
            return "Content-Length is repeated";
        seen->length = out->has_length = true;
        return read_length(h->value, &out->length) ? NULL : "Content-Length is not a number";
    }
    if (span_eq_nocase(h->name, SPAN("transfer-encoding"))) {
        if (seen->encoding)
            return "Transfer-Encoding is repeated";
        seen->encoding = out->chunked = true;
        return span_eq_nocase(h->value, SPAN("chunked")) ? NULL
                                                         : "Transfer-Encoding is not chunked";
    }
    if (span_eq_nocase(h->name, SPAN("host"))) {
        if (seen->host)
            return "Host is repeated";
        seen->host = true;
    }
    return NULL;
}

const char *guard_check(struct span version, const struct guard_header *headers, size_t count,
                        struct guard_frame *out)
{
    *out = (struct guard_frame){0};
    bool current = span_is(version, "HTTP/1.1");
    if (!current && !span_is(version, "HTTP/1.0"))
        return "the HTTP version is neither 1.1 nor 1.0";
    if (count > HEADERS_MAX)
        return "too many headers";
    struct seen seen = {0};
    for (size_t i = 0; i < count; i++) {
        if (!is_token(headers[i].name))
            return "a header's name is not a token";
        if (!is_value(headers[i].value))
            return "a header's value has control characters";
        const char *wrong = check_framing(&headers[i], &seen, out);
        if (wrong)
            return wrong;
    }
    if (seen.length && seen.encoding)
        return "both Content-Length and Transfer-Encoding";
    if (seen.encoding && !current)
        return "Transfer-Encoding in HTTP/1.0";
    if (current && !seen.host)
        return "Host is missing";
    return NULL;
}
