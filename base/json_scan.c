/* The scanner of the hot path: every accepted event passes through it once, bytes of strings eight
 * at a time.
 *
 * json_check validates; the functions that walk and decode trust what it accepted and only find
 * ends again, but for that of the longest container right below the document's own: an event's
 * payload is nearly all of it, and finding its end again took as long as checking it.
 *
 * Open containers are kept as one bit each (object or array) in a 64-bit word: the depth is bounded
 * by it, and no input can grow a stack. */
#include "base/json_scan.h"

#include "base/utf8.h"

#include <assert.h>
#include <endian.h>

#define EACH_BYTE UINT64_C(0x0101010101010101)
#define EACH_HIGH_BIT UINT64_C(0x8080808080808080)

struct scanner {
    const uint8_t *at;
    const uint8_t *end;
    uint64_t objects; /* a bit for each open container, the innermost lowest: 1 is an object */
    unsigned depth;
    unsigned depth_max;
    const uint8_t *inner; /* the container at depth 2 that is open, or was last */
    struct span longest;  /* of those that closed */
    bool escaped;         /* the last string had a backslash */
    const char *what;     /* the error */
};

static bool refuse(struct scanner *s, const char *what)
{
    s->what = what;
    return false;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static const uint8_t *skip_space(const uint8_t *at, const uint8_t *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

/* A bit is set in the high bit of each byte of v that is zero. A borrow may set one too many, but
 * only behind a true one, and only the first counts. */
static uint64_t zero_bytes(uint64_t v)
{
    return (v - EACH_BYTE) & ~v;
}

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* The first byte that is not plain string content: quote, backslash, control or beyond ASCII. */
static const uint8_t *plain_end(const uint8_t *at, const uint8_t *end)
{
    while (end - at >= 8) {
        uint64_t v;
        memcpy(&v, at, sizeof v);
        v = le64toh(v);
        uint64_t stops = (zero_bytes(v ^ EACH_BYTE * '"') | zero_bytes(v ^ EACH_BYTE * '\\') |
                          ((v - EACH_BYTE * 0x20) & ~v) | v) &
                         EACH_HIGH_BIT;
        if (stops)
            return at + __builtin_ctzll(stops) / 8;
        at += 8;
    }
    while (at < end && is_plain(*at))
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

static bool scan_escape(struct scanner *s)
{
    s->escaped = true;
    s->at++;
    if (s->at == s->end)
        return refuse(s, "unfinished string");
    uint8_t c = *s->at++;
    if (c == 'u') {
        for (int i = 0; i < 4; i++, s->at++)
            if (s->at == s->end || hex_value(*s->at) < 0)
                return refuse(s, "\\u needs four hexadecimal digits");
        return true;
    }
    if (c == '\0' || !strchr("\"\\/bfnrt", c)) {
        s->at--;
        return refuse(s, "unknown escape in a string");
    }
    return true;
}

/* Stands on the opening quote, ends behind the closing one. */
static bool scan_string(struct scanner *s)
{
    s->escaped = false;
    s->at++;
    for (;;) {
        s->at = plain_end(s->at, s->end);
        if (s->at == s->end)
            return refuse(s, "unfinished string");
        if (*s->at == '"') {
            s->at++;
            return true;
        }
        if (*s->at == '\\') {
            if (!scan_escape(s))
                return false;
            continue;
        }
        if (*s->at < 0x20)
            return refuse(s, "control character in a string");
        while (s->at < s->end && *s->at >= 0x80) {
            size_t length = utf8_length(s->at, s->end);
            if (length == 0)
                return refuse(s, "invalid UTF-8 in a string");
            s->at += length;
        }
    }
}

/* One digit at least. */
static bool scan_digits(struct scanner *s)
{
    const uint8_t *first = s->at;

    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
    return s->at > first || refuse(s, "a digit is missing in a number");
}

static bool scan_number(struct scanner *s)
{
    if (*s->at == '-')
        s->at++;
    if (s->at < s->end && *s->at == '0')
        s->at++; /* a digit behind it is refused as whatever cannot follow a value */
    else if (!scan_digits(s))
        return false;
    if (s->at < s->end && *s->at == '.') {
        s->at++;
        if (!scan_digits(s))
            return false;
    }
    if (s->at < s->end && (*s->at | 0x20) == 'e') {
        s->at++;
        if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
            s->at++;
        return scan_digits(s);
    }
    return true;
}

static bool scan_word(struct scanner *s, struct span word)
{
    if ((size_t)(s->end - s->at) < word.len || memcmp(s->at, word.ptr, word.len) != 0)
        return refuse(s, "a value is expected");
    s->at += word.len;
    return true;
}

static bool scan_scalar(struct scanner *s)
{
    switch (*s->at) {
    case '"':
        return scan_string(s);
    case 't':
        return scan_word(s, SPAN("true"));
    case 'f':
        return scan_word(s, SPAN("false"));
    case 'n':
        return scan_word(s, SPAN("null"));
    default:
        if (*s->at == '-' || (*s->at >= '0' && *s->at <= '9'))
            return scan_number(s);
        return refuse(s, "a value is expected");
    }
}

/* A member's name and the colon behind it. */
static bool scan_name(struct scanner *s)
{
    s->at = skip_space(s->at, s->end);
    if (s->at == s->end || *s->at != '"')
        return refuse(s, "a name in quotes is expected");
    if (!scan_string(s))
        return false;
    s->at = skip_space(s->at, s->end);
    if (s->at == s->end || *s->at != ':')
        return refuse(s, "a colon is expected behind a name");
    s->at++;
    return true;
}

static uint8_t closing_bracket(const struct scanner *s)
{
    return s->objects & 1 ? '}' : ']';
}

static void leave(struct scanner *s)
{
    s->at++;
    if (s->depth == 2 && (size_t)(s->at - s->inner) > s->longest.len)
        s->longest = span_of(s->inner, (size_t)(s->at - s->inner));
    s->depth--;
    s->objects >>= 1;
}

/* Stands on a bracket. Ends behind the colon of the first member, before the first item, or behind
 * an empty container. */
static bool enter(struct scanner *s, bool *empty)
{
    bool object = *s->at == '{';

    if (s->depth == s->depth_max)
        return refuse(s, "nested too deeply");
    s->depth++;
    if (s->depth == 2)
        s->inner = s->at;
    s->objects = s->objects << 1 | object;
    s->at = skip_space(s->at + 1, s->end);
    *empty = s->at < s->end && *s->at == closing_bracket(s);
    if (*empty)
        leave(s);
    else if (object)
        return scan_name(s);
    return true;
}

/* Behind a value: closes what ends here and goes to the next value, if the document has one. */
static bool scan_to_next(struct scanner *s)
{
    while (s->depth > 0) {
        s->at = skip_space(s->at, s->end);
        if (s->at == s->end)
            return refuse(s, "an object or array is not closed");
        if (*s->at == ',') {
            s->at++;
            return s->objects & 1 ? scan_name(s) : true;
        }
        if (*s->at != closing_bracket(s))
            return refuse(s, "a comma or a closing bracket is expected");
        leave(s);
    }
    return true;
}

static bool scan_document(struct scanner *s)
{
    do {
        bool complete = true;
        s->at = skip_space(s->at, s->end);
        if (s->at == s->end)
            return refuse(s, "a value is expected");
        if (*s->at == '{' || *s->at == '[') {
            if (!enter(s, &complete))
                return false;
        } else if (!scan_scalar(s)) {
            return false;
        }
        if (complete && !scan_to_next(s))
            return false;
    } while (s->depth > 0);
    return true;
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
    struct scanner s = {.at = begin, .end = begin + input.len, .depth_max = depth_max};

    assert(depth_max <= JSON_SCAN_DEPTH);
    s.at = skip_space(s.at, s.end);
    const uint8_t *first = s.at;
    bool valid = scan_document(&s);
    const uint8_t *last = s.at;
    if (valid) {
        s.at = skip_space(s.at, s.end);
        valid = s.at == s.end || refuse(&s, "something follows the value");
    }
    if (!valid) {
        *error = (struct json_error){s.what, (size_t)(s.at - begin)};
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
    for (at++; *(at = plain_end(at, end)) != '"'; at++)
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
