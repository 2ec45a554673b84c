/* References in schemas are pointers in the fragment of a URI: first percent-encoding, then ~0 and
 * ~1 are undone, element by element, so that a name may have any character. */
#include "admin/json_pointer.h"

#define NAME_BYTES_MAX 1024 /* of one element; a longer one leads nowhere */

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Undoes both escapes of an element. */
static bool decode(struct span text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_of(text.ptr[i + 1]) : -1;
            int low = high >= 0 ? hex_of(text.ptr[i + 2]) : -1;
            if (low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        buf_char(out, c);
    }
    size_t to = 0;
    for (size_t i = 0; i < out->len && !out->failed; i++, to++) {
        out->ptr[to] = out->ptr[i];
        if (out->ptr[i] != '~')
            continue;
        char which = i + 1 < out->len ? out->ptr[++i] : '\0';
        if (which != '0' && which != '1')
            return false;
        out->ptr[to] = which == '0' ? '~' : '/';
    }
    out->len = out->failed ? out->len : to;
    return !out->failed;
}

static bool is_name(struct span raw, bool escaped, struct span wanted)
{
    if (!escaped)
        return span_eq(raw, wanted);
    struct json_value quoted = {
        .type = JSON_STRING, .raw = span_of(raw.ptr - 1, raw.len + 2), .escaped = true};
    struct buf text;
    buf_init(&text, NAME_BYTES_MAX);
    bool same = json_text(quoted, &text) == ERR_OK && span_eq(buf_view(&text), wanted);
    buf_free(&text);
    return same;
}

bool json_pointer_member(struct json_value object, struct span name, struct json_value *out)
{
    struct span raw;
    struct json_value item;
    if (object.type != JSON_OBJECT)
        return false;
    for (struct json_walk w = json_walk(object); json_next(&w, &raw, &item);)
        if (is_name(raw, w.name_escaped, name)) {
            *out = item;
            return true;
        }
    return false;
}

static bool item_at(struct json_value array, struct span index, struct json_value *out)
{
    struct json_value number = {.type = JSON_NUMBER, .raw = index};
    int64_t wanted;
    struct span none;
    bool digits = index.len > 0 && (index.len == 1 || index.ptr[0] != '0');
    for (size_t i = 0; i < index.len && digits; i++)
        digits = index.ptr[i] >= '0' && index.ptr[i] <= '9';
    if (!digits || json_int64(number, 0, INT32_MAX, &wanted) != ERR_OK)
        return false;
    for (struct json_walk w = json_walk(array); json_next(&w, &none, out);)
        if (wanted-- == 0)
            return true;
    return false;
}

bool json_pointer_get(struct json_value root, struct span pointer, struct json_value *out,
                      size_t *work)
{
    struct buf name;
    bool found = pointer.len == 0 || pointer.ptr[0] == '/';
    struct span rest = pointer.len ? span_skip(pointer, 1) : (struct span){NULL, 0};
    *out = root;
    buf_init(&name, NAME_BYTES_MAX);
    while (found && rest.ptr) {
        struct json_value at = *out;
        buf_clear(&name);
        *work += at.raw.len;
        found = decode(span_cut(&rest, '/'), &name) &&
                (at.type == JSON_ARRAY ? item_at(at, buf_view(&name), out)
                                       : json_pointer_member(at, buf_view(&name), out));
    }
    buf_free(&name);
    return found;
}
