/* A strict reader: what it accepts can stand in a header as it is. */
#include "base/media_type.h"

/* RFC 9110 section 5.6.2. */
static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

/* Takes the token at the front; empty: there is none. */
static struct span take_token(struct span *rest)
{
    size_t len = 0;
    while (len < rest->len && is_token_char(rest->ptr[len]))
        len++;
    struct span token = span_of(rest->ptr, len);
    *rest = span_skip(*rest, len);
    return token;
}

static bool take_char(struct span *rest, char c)
{
    if (!rest->len || *rest->ptr != c)
        return false;
    *rest = span_skip(*rest, 1);
    return true;
}

/* Section 5.6.4; a value with escapes is passed over, since no parameter that is read needs any. */
static bool take_quoted(struct span *rest, struct span *out)
{
    const char *start = rest->ptr;
    bool escaped = false;
    for (; rest->len && *rest->ptr != '"'; *rest = span_skip(*rest, 1)) {
        if (*rest->ptr == '\\') {
            escaped = true;
            *rest = span_skip(*rest, 1);
        }
        if (!rest->len || *rest->ptr == 0x7f ||
            ((unsigned char)*rest->ptr < 0x20 && *rest->ptr != '\t'))
            return false;
    }
    *out = span_of(start, escaped ? 0 : (size_t)(rest->ptr - start));
    return take_char(rest, '"');
}

static void skip_space(struct span *rest)
{
    while (rest->len && (*rest->ptr == ' ' || *rest->ptr == '\t'))
        *rest = span_skip(*rest, 1);
}

/* Section 5.6.6. */
static bool take_parameter(struct span *rest, struct media_type *out)
{
    struct span value, name = take_token(rest);
    if (!name.len || !take_char(rest, '='))
        return false;
    if (take_char(rest, '"')) {
        if (!take_quoted(rest, &value))
            return false;
    } else {
        value = take_token(rest);
        if (!value.len)
            return false;
    }
    if (span_eq_nocase(name, SPAN("charset")))
        out->charset = value;
    return true;
}

bool media_type_parse(struct span text, struct media_type *out)
{
    struct span rest = text;
    *out = (struct media_type){.type = take_token(&rest)};
    if (!out->type.len || !take_char(&rest, '/'))
        return false;
    out->subtype = take_token(&rest);
    if (!out->subtype.len)
        return false;
    out->whole = span_of(text.ptr, out->type.len + 1 + out->subtype.len);
    for (;;) {
        skip_space(&rest);
        if (!rest.len)
            return true;
        if (!take_char(&rest, ';'))
            return false;
        skip_space(&rest);
        if (rest.len && *rest.ptr != ';' && !take_parameter(&rest, out))
            return false;
    }
}

static bool ends_with(struct span s, struct span end)
{
    return s.len > end.len && span_eq_nocase(span_skip(s, s.len - end.len), end);
}

bool media_type_is_json(const struct media_type *m)
{
    return span_eq_nocase(m->subtype, SPAN("json")) || ends_with(m->subtype, SPAN("+json"));
}

bool media_type_is_utf8(const struct media_type *m)
{
    return !m->charset.len || span_eq_nocase(m->charset, SPAN("utf-8")) ||
           span_eq_nocase(m->charset, SPAN("us-ascii"));
}

bool media_type_is_utf8_text(const struct media_type *m)
{
    bool text = span_eq_nocase(m->type, SPAN("text")) || span_eq_nocase(m->subtype, SPAN("xml")) ||
                ends_with(m->subtype, SPAN("+xml"));
    return text && media_type_is_utf8(m);
}
