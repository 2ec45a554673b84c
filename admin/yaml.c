/* libyaml hands out events; this turns each into its piece of JSON. The stack of open collections
 * is ours and bounded. */
#include "admin/yaml.h"

#include "base/bounds.h"
#include "base/json_writer.h"

#include <yaml.h>

struct level {
    bool mapping;
    bool has_item;
    bool has_key; /* its value is next */
};

struct conversion {
    struct buf *out;
    struct level levels[JSON_DEPTH_MAX];
    unsigned depth, documents;
    const char *why;
};

/* ---------------------------------------------------------------- scalars */

static bool is_one_of(struct span s, const char *const *names)
{
    for (; *names; names++)
        if (span_is(s, *names))
            return true;
    return false;
}

static size_t digits_at(struct span s, size_t from)
{
    size_t n = 0;
    while (from + n < s.len && s.ptr[from + n] >= '0' && s.ptr[from + n] <= '9')
        n++;
    return n;
}

/* A decimal number in JSON's form: no plus sign, no leading zeros, digits around the point. */
static bool write_number(struct span s, struct buf *out)
{
    size_t at = s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+'), begin = at;
    size_t whole = digits_at(s, at), part = 0, exponent = 0;
    bool point = at + whole < s.len && s.ptr[at + whole] == '.';
    at += whole + point;
    part = point ? digits_at(s, at) : 0;
    at += part;
    size_t mark = at;
    if (at < s.len && (s.ptr[at] == 'e' || s.ptr[at] == 'E')) {
        at++;
        at += at < s.len && (s.ptr[at] == '-' || s.ptr[at] == '+');
        exponent = digits_at(s, at);
        at += exponent;
    }
    if (whole + part == 0 || at != s.len || (mark != s.len && exponent == 0))
        return false;
    while (whole > 1 && s.ptr[begin] == '0')
        begin++, whole--;
    if (s.ptr[0] == '-')
        buf_char(out, '-');
    buf_span(out, whole ? span_of(s.ptr + begin, whole) : SPAN("0"));
    if (part) {
        buf_char(out, '.');
        buf_bytes(out, s.ptr + mark - part, part);
    }
    buf_bytes(out, s.ptr + mark, s.len - mark);
    return true;
}

/* "0x1f" and "0o17". */
static bool write_based(struct span s, struct buf *out)
{
    unsigned base = span_starts(s, SPAN("0x")) ? 16 : span_starts(s, SPAN("0o")) ? 8 : 0;
    uint64_t value = 0;
    if (!base || s.len < 3 || s.len > 17)
        return false;
    for (size_t i = 2; i < s.len; i++) {
        char c = (char)(s.ptr[i] | 0x20);
        unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') : 99;
        if (c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a' + 10);
        if (digit >= base)
            return false;
        value = value * base + digit;
    }
    buf_decimal(out, value);
    return true;
}

static void write_text(struct span s, struct buf *out)
{
    struct json_writer w;
    jw_init(&w, out);
    jw_string(&w, s);
}

static void write_plain(struct span s, struct buf *out)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};
    if (is_one_of(s, nulls))
        buf_text(out, "null");
    else if (is_one_of(s, yes))
        buf_text(out, "true");
    else if (is_one_of(s, no))
        buf_text(out, "false");
    else if (!write_number(s, out) && !write_based(s, out))
        write_text(s, out);
}

/* ---------------------------------------------------------------- events */

/* What stands before a node: a comma or a colon. False for a key that is no text. */
static bool begin_node(struct conversion *c, bool scalar, bool *key)
{
    *key = false;
    if (c->depth == 0)
        return true;
    struct level *l = &c->levels[c->depth - 1];
    *key = l->mapping && !l->has_key;
    if (l->mapping)
        l->has_key = *key;
    if (*key && !scalar) {
        c->why = "a key is a collection";
        return false;
    }
    if ((*key || !l->mapping) && l->has_item)
        buf_char(c->out, ',');
    l->has_item = true;
    return true;
}

static void scalar(struct conversion *c, const yaml_event_t *e)
{
    struct span s = span_of(e->data.scalar.value, e->data.scalar.length);
    bool key;
    if (!begin_node(c, true, &key))
        return;
    bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !e->data.scalar.tag;
    if (plain && !key)
        write_plain(s, c->out);
    else
        write_text(s, c->out);
    if (key)
        buf_char(c->out, ':');
}

static void open_collection(struct conversion *c, bool mapping)
{
    bool key;
    if (!begin_node(c, false, &key))
        return;
    if (c->depth == JSON_DEPTH_MAX) {
        c->why = "the document nests too deeply";
        return;
    }
    c->levels[c->depth++] = (struct level){.mapping = mapping};
    buf_char(c->out, mapping ? '{' : '[');
}

static void close_collection(struct conversion *c)
{
    buf_char(c->out, c->levels[--c->depth].mapping ? '}' : ']');
}

static void take(struct conversion *c, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (c->documents++)
            c->why = "there is more than one document";
        break;
    case YAML_ALIAS_EVENT:
        c->why = "aliases are not supported";
        break;
    case YAML_SCALAR_EVENT:
        scalar(c, e);
        break;
    case YAML_SEQUENCE_START_EVENT:
        open_collection(c, false);
        break;
    case YAML_MAPPING_START_EVENT:
        open_collection(c, true);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        close_collection(c);
        break;
    default:
        break;
    }
}

/* False when it is over, well or not. */
static bool next(struct conversion *c, yaml_parser_t *parser, size_t *line)
{
    yaml_event_t event;
    if (!yaml_parser_parse(parser, &event)) {
        *line = parser->problem_mark.line + 1;
        c->why = parser->problem ? parser->problem : "cannot be read";
        return false;
    }
    *line = event.start_mark.line + 1;
    bool end = event.type == YAML_STREAM_END_EVENT;
    if (!end)
        take(c, &event);
    yaml_event_delete(&event);
    return !end && !c->why && !c->out->failed;
}

enum err yaml_to_json(struct span text, struct buf *out, char why[160])
{
    struct conversion c = {.out = out};
    yaml_parser_t parser;
    size_t line = 0;
    why[0] = '\0';
    if (!yaml_parser_initialize(&parser))
        return ERR_NO_MEMORY;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.ptr, text.len);
    while (next(&c, &parser, &line))
        ;
    bool memory = parser.error != YAML_MEMORY_ERROR;
    if (c.why)
        snprintf(why, 160, "%s at line %zu", c.why, line);
    yaml_parser_delete(&parser);
    if (!memory)
        return ERR_NO_MEMORY;
    if (c.why)
        return ERR_INVALID;
    return out->failed ? ERR_TOO_LARGE : ERR_OK;
}
