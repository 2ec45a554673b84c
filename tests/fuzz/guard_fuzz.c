/* The request guard, beside a second reading of RFC 9112: what one accepts the other accepts, with
 * the same framing.
 *
 * Input: the version on a line, then a header a line, its value behind the first colon. */
#include "http/guard.h"
#include "tests/fuzz/fuzz.h"

struct framing {
    unsigned hosts, lengths, encodings;
    struct span length, encoding;
};

static bool named(struct span name, const char *text)
{
    return name.len == strlen(text) && strncasecmp(name.ptr, text, name.len) == 0;
}

static struct framing find_framing(const struct guard_header *headers, size_t count)
{
    struct framing f = {0};
    for (size_t i = 0; i < count; i++) {
        if (named(headers[i].name, "Host"))
            f.hosts++;
        if (named(headers[i].name, "Content-Length")) {
            f.lengths++;
            f.length = headers[i].value;
        }
        if (named(headers[i].name, "Transfer-Encoding")) {
            f.encodings++;
            f.encoding = headers[i].value;
        }
    }
    return f;
}

static bool all_well_formed(const struct guard_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!headers[i].name.len || !fuzz_only(headers[i].name, FUZZ_TOKEN) ||
            !fuzz_is_field_value(headers[i].value))
            return false;
    return true;
}

/* The whole grammar at once: every rule is looked at, whatever the others say. */
static bool acceptable(struct span version, const struct guard_header *headers, size_t count,
                       const struct framing *f)
{
    const bool newer = span_is(version, "HTTP/1.1"), older = span_is(version, "HTTP/1.0");
    const bool one_frame = f->lengths + f->encodings <= 1;
    const bool length_good = !f->lengths || (f->length.len >= 1 && f->length.len <= 10 &&
                                             fuzz_only(f->length, FUZZ_DIGITS));
    const bool encoding_good = !f->encodings || (newer && named(f->encoding, "chunked"));
    const bool host_good = newer ? f->hosts == 1 : f->hosts <= 1;
    return (newer || older) && count <= HEADERS_MAX && all_well_formed(headers, count) &&
           one_frame && length_good && encoding_good && host_good;
}

/* Planted: the guard is shown the first Content-Length alone, as libmicrohttpd would. */
static size_t shown(const struct guard_header *headers, size_t count, struct guard_header *out)
{
    bool seen = false;
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const bool length = named(headers[i].name, "Content-Length");
        if (!length || !seen || !fuzz_planted())
            out[n++] = headers[i];
        seen = seen || length;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guard_header headers[HEADERS_MAX + 1], given[HEADERS_MAX + 1];
    struct span rest = span_of(data, size);
    struct span version = span_cut(&rest, '\n');
    size_t count = 0;
    while (rest.ptr && count < HEADERS_MAX + 1) {
        struct span line = span_cut(&rest, '\n');
        headers[count].name = span_cut(&line, ':');
        headers[count++].value = line;
    }
    struct guard_frame frame;
    const char *why = guard_check(version, given, shown(headers, count, given), &frame);
    const struct framing f = find_framing(headers, count);
    HOLDS(!why == acceptable(version, headers, count, &f));
    if (why) {
        HOLDS(*why);
        return 0;
    }
    HOLDS(frame.chunked == (f.encodings == 1));
    HOLDS(frame.has_length == (f.lengths == 1));
    char *length = fuzz_text(f.length);
    HOLDS(frame.length == strtoull(length, NULL, 10));
    free(length);
    return 0;
}
