/* The scanner of the hot path: every accepted event passes through it once, bytes of strings a
 * block at a time.
 *
 * json_check validates; the functions that walk and decode trust what it accepted and only find
 * ends again, but for that of the longest container right below the document's own: an event's
 * payload is nearly all of it, and finding its end again took as long as checking it.
 *
 * Open containers are kept as one bit each (object or array) in a 64-bit word: the depth is bounded
 * by it, and no input can grow a stack. */
#include "base/json_scan.h"

#include "base/json_plain.h"
#include "base/utf8.h"

#include <assert.h>

struct scanner {
    const uint8_t *end;
    uint64_t objects; /* a bit for each open container, the innermost lowest: 1 is an object */
    unsigned depth;
    unsigned depth_max;
    const uint8_t *inner; /* the container at depth 2 that is open, or was last */
    struct span longest;  /* of those that closed */
    bool escaped;         /* the last string had a backslash */
    const char *what;     /* the error … */
    const uint8_t *wrong; /* … and its place */
};

/* Where the scan stands is handed from function to function and not kept in the scanner: through
 * memory each step would wait for the one before it. NULL: refused. */

static const uint8_t *refuse(struct scanner *s, const uint8_t *at, const char *what)
{
    s->wrong = at;
    s->what = what;
    return NULL;
}

static inline bool is_space(uint8_t c)
{
    return c <= ' ' && (c == ' ' || c == '\n' || c == '\r' || c == '\t');
}

static inline const uint8_t *skip_space(const uint8_t *at, const uint8_t *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const uint8_t *scan_escape(struct scanner *s, const uint8_t *at)
{
    s->escaped = true;
    at++;
    if (at == s->end)
        return refuse(s, at, "unfinished string");
    uint8_t c = *at;
    if (c == '\0' || !strchr("\"\\/bfnrtu", c))
        return refuse(s, at, "unknown escape in a string");
    at++;
    for (int i = 0; c == 'u' && i < 4; i++, at++)
        if (at == s->end || hex_value(*at) < 0)
            return refuse(s, at, "\\u needs four hexadecimal digits");
    return at;
}

/* Stands on the opening quote, ends behind the closing one. */
static const uint8_t *scan_string(struct scanner *s, const uint8_t *at)
{
    s->escaped = false;
    at++;
    for (;;) {
        at = json_plain_end(at, s->end);
        if (at == s->end)
            return refuse(s, at, "unfinished string");
        if (*at == '"')
            return at + 1;
        if (*at == '\\') {
            at = scan_escape(s, at);
            if (!at)
                return NULL;
            continue;
        }
        if (*at < 0x20)
            return refuse(s, at, "control character in a string");
        while (at < s->end && *at >= 0x80) {
            size_t length = utf8_length(at, s->end);
            if (length == 0)
                return refuse(s, at, "invalid UTF-8 in a string");
            at += length;
        }
    }
}

static bool is_digit(const struct scanner *s, const uint8_t *at)
{
    return at < s->end && *at >= '0' && *at <= '9';
}

/* One digit at least. */
static const uint8_t *scan_digits(struct scanner *s, const uint8_t *at)
{
    if (!is_digit(s, at))
        return refuse(s, at, "a digit is missing in a number");
    while (is_digit(s, at))
        at++;
    return at;
}

static const uint8_t *scan_number(struct scanner *s, const uint8_t *at)
{
    if (*at == '-')
        at++;
    if (at < s->end && *at == '0')
        at++; /* a digit behind it is refused as whatever cannot follow a value */
    else
        at = scan_digits(s, at);
    if (at && at < s->end && *at == '.')
        at = scan_digits(s, at + 1);
    if (at && at < s->end && (*at | 0x20) == 'e') {
        at++;
        if (at < s->end && (*at == '+' || *at == '-'))
            at++;
        at = scan_digits(s, at);
    }
    return at;
}

static const uint8_t *scan_word(struct scanner *s, const uint8_t *at, struct span word)
{
    if ((size_t)(s->end - at) < word.len || memcmp(at, word.ptr, word.len) != 0)
        return refuse(s, at, "a value is expected");
    return at + word.len;
}

static const uint8_t *scan_scalar(struct scanner *s, const uint8_t *at)
{
    switch (*at) {
    case '"':
        return scan_string(s, at);
    case 't':
        return scan_word(s, at, SPAN("true"));
    case 'f':
        return scan_word(s, at, SPAN("false"));
    case 'n':
        return scan_word(s, at, SPAN("null"));
    default:
        if (*at == '-' || is_digit(s, at))
            return scan_number(s, at);
        return refuse(s, at, "a value is expected");
    }
}

/* A member's name and the colon behind it. */
static const uint8_t *scan_name(struct scanner *s, const uint8_t *at)
{
    at = skip_space(at, s->end);
    if (at == s->end || *at != '"')
        return refuse(s, at, "a name in quotes is expected");
    at = scan_string(s, at);
    if (!at)
        return NULL;
    at = skip_space(at, s->end);
    if (at == s->end || *at != ':')
        return refuse(s, at, "a colon is expected behind a name");
    return at + 1;
}

static uint8_t closing_bracket(const struct scanner *s)
{
    return s->objects & 1 ? '}' : ']';
}

/* Stands on the closing bracket. */
static const uint8_t *leave(struct scanner *s, const uint8_t *at)
{
    at++;
    if (s->depth == 2 && (size_t)(at - s->inner) > s->longest.len)
        s->longest = span_of(s->inner, (size_t)(at - s->inner));
    s->depth--;
    s->objects >>= 1;
    return at;
}

/* Stands on a bracket. Ends behind the colon of the first member, before the first item, or behind
 * an empty container. */
static const uint8_t *enter(struct scanner *s, const uint8_t *at, bool *empty)
{
    bool object = *at == '{';

    if (s->depth == s->depth_max)
        return refuse(s, at, "nested too deeply");
    s->depth++;
    if (s->depth == 2)
        s->inner = at;
    s->objects = s->objects << 1 | object;
    at = skip_space(at + 1, s->end);
    *empty = at < s->end && *at == closing_bracket(s);
    if (*empty)
        return leave(s, at);
    return object ? scan_name(s, at) : at;
}

/* Behind a value: closes what ends here and goes to the next value, if the document has one. */
static const uint8_t *scan_to_next(struct scanner *s, const uint8_t *at)
{
    while (s->depth > 0) {
        at = skip_space(at, s->end);
        if (at == s->end)
            return refuse(s, at, "an object or array is not closed");
        if (*at == ',')
            return s->objects & 1 ? scan_name(s, at + 1) : at + 1;
        if (*at != closing_bracket(s))
            return refuse(s, at, "a comma or a closing bracket is expected");
        at = leave(s, at);
    }
    return at;
}

/* Ends behind the document's value. */
static const uint8_t *scan_document(struct scanner *s, const uint8_t *at)
{
    do {
        bool complete = true;
        at = skip_space(at, s->end);
        if (at == s->end)
            return refuse(s, at, "a value is expected");
        if (*at == '{' || *at == '[')
            at = enter(s, at, &complete);
        else
            at = scan_scalar(s, at);
        if (at && complete)
            at = scan_to_next(s, at);
    } while (at && s->depth > 0);
    return at;
}

static enum json_type type_of(uint8_t first)
{
    switch (first) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
    case 'f':
        return JSON_BOOL;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

enum err json_check(struct span input, unsigned depth_max, struct json_value *out,
                    struct json_error *error)
{
    const uint8_t *begin = (const uint8_t *)(input.ptr ? input.ptr : "");
    struct scanner s = {.end = begin + input.len, .depth_max = depth_max};

    assert(depth_max <= JSON_SCAN_DEPTH);
    const uint8_t *first = skip_space(begin, s.end);
    const uint8_t *last = scan_document(&s, first);
    if (last && skip_space(last, s.end) != s.end)
        last = refuse(&s, skip_space(last, s.end), "something follows the value");
    if (!last) {
        *error = (struct json_error){s.what, (size_t)(s.wrong - begin)};
        return ERR_INVALID;
    }
    enum json_type type = type_of(*first);
    *out = (struct json_value){
        .type = type,
        .raw = span_of(first, (size_t)(last - first)),
        .longest = s.longest,
        .escaped = type == JSON_STRING && s.escaped,
    };
    return ERR_OK;
}

/* From here on the input is valid. */

/* Behind the closing quote of the string that begins at `at`. */
static const uint8_t *string_end(const uint8_t *at, const uint8_t *end, bool *escaped)
{
    *escaped = false;
    for (at++; *(at = json_plain_end(at, end)) != '"'; at++)
        if (*at == '\\') {
            *escaped = true;
            at++;
        }
    return at + 1;
}

static const uint8_t *container_end(const uint8_t *at, const uint8_t *end)
{
    unsigned depth = 0;
    bool escaped;

    for (;;) {
        switch (*at) {
        case '"':
            at = string_end(at, end, &escaped);
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (--depth == 0)
                return at + 1;
            break;
        default:
            break;
        }
        at++;
    }
}

static const uint8_t *scalar_end(const uint8_t *at, const uint8_t *end)
{
    while (at < end && !is_space(*at) && *at != ',' && *at != '}' && *at != ']')
        at++;
    return at;
}

static struct json_value value_at(const uint8_t *at, const uint8_t *end)
{
    struct json_value value = {.type = type_of(*at)};
    const uint8_t *last;

    if (value.type == JSON_STRING)
        last = string_end(at, end, &value.escaped);
    else if (value.type == JSON_OBJECT || value.type == JSON_ARRAY)
        last = container_end(at, end);
    else
        last = scalar_end(at, end);
    value.raw = span_of(at, (size_t)(last - at));
    return value;
}

struct json_walk json_walk(struct json_value container)
{
    assert(container.type == JSON_OBJECT || container.type == JSON_ARRAY);
    return (struct json_walk){
        .at = container.raw.ptr + 1,
        .end = container.raw.ptr + container.raw.len - 1,
        .longest = container.longest,
        .in_object = container.type == JSON_OBJECT,
    };
}

bool json_next(struct json_walk *w, struct span *name, struct json_value *item)
{
    const uint8_t *end = (const uint8_t *)w->end;
    const uint8_t *at = skip_space((const uint8_t *)w->at, end);

    *name = (struct span){NULL, 0};
    if (at == end)
        return false;
    if (w->in_object) {
        const uint8_t *behind = string_end(at, end, &w->name_escaped);
        *name = span_of(at + 1, (size_t)(behind - at) - 2);
        at = skip_space(behind, end);
        at = skip_space(at + 1, end); /* the colon */
    }
    if ((const char *)at == w->longest.ptr)
        *item = (struct json_value){.type = type_of(*at), .raw = w->longest};
    else
        *item = value_at(at, end);
    at = skip_space(at + item->raw.len, end);
    w->at = (const char *)at + (at < end); /* the comma */
    return true;
}

static uint32_t hex4(const char *at)
{
    uint32_t v = 0;

    for (int i = 0; i < 4; i++)
        v = v << 4 | (uint32_t)hex_value((uint8_t)at[i]);
    return v;
}

static void put_utf8(uint32_t c, struct buf *out)
{
    char text[4];
    size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = length - 1; i > 0; i--) {
        text[i] = (char)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    text[0] = (char)(lead[length] | c);
    buf_bytes(out, text, length);
}

/* `s` begins at the hexadecimal digits of a \u escape, of a pair if the first half asks for one. */
static enum err decode_unicode(struct span *s, struct buf *out)
{
    uint32_t c = hex4(s->ptr);

    *s = span_skip(*s, 4);
    if (c >= 0xd800 && c <= 0xdbff && span_starts(*s, SPAN("\\u"))) {
        uint32_t low = hex4(s->ptr + 2);
        if (low < 0xdc00 || low > 0xdfff)
            return ERR_INVALID;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        *s = span_skip(*s, 6);
    }
    if (c == 0 || (c >= 0xd800 && c <= 0xdfff))
        return ERR_INVALID;
    put_utf8(c, out);
    return ERR_OK;
}

static char unescaped(char c)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *at = strchr(from, c);

    return at ? to[at - from] : c;
}

/* Without the quotes. */
static struct span text_of(struct json_value value)
{
    return span_of(value.raw.ptr + 1, value.raw.len - 2);
}

enum err json_text(struct json_value value, struct buf *out)
{
    if (value.type != JSON_STRING)
        return ERR_INVALID;
    for (struct span rest = text_of(value); rest.len;) {
        const char *escape = memchr(rest.ptr, '\\', rest.len);
        size_t run = escape ? (size_t)(escape - rest.ptr) : rest.len;
        buf_bytes(out, rest.ptr, run);
        rest = span_skip(rest, run);
        if (!escape)
            break;
        char c = rest.ptr[1];
        rest = span_skip(rest, 2);
        if (c != 'u')
            buf_char(out, unescaped(c));
        else if (decode_unicode(&rest, out))
            return ERR_INVALID;
    }
    return out->failed ? ERR_TOO_LARGE : ERR_OK;
}

enum err json_plain(struct json_value value, struct span *out)
{
    if (value.type != JSON_STRING || value.escaped)
        return ERR_INVALID;
    *out = text_of(value);
    return ERR_OK;
}

enum err json_int64(struct json_value value, int64_t min, int64_t max, int64_t *out)
{
    bool negative = value.raw.len && value.raw.ptr[0] == '-';
    int64_t v = 0;

    if (value.type != JSON_NUMBER)
        return ERR_INVALID;
    for (size_t i = negative; i < value.raw.len; i++) {
        int digit = value.raw.ptr[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, negative ? -digit : digit, &v))
            return ERR_INVALID;
    }
    if (v < min || v > max)
        return ERR_INVALID;
    *out = v;
    return ERR_OK;
}
