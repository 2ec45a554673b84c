/* Parsing is strict, because a cursor or a limit that is misread silently shows the wrong rows:
 * whatever is not exactly a known form is a 422 that names the parameter. */
#include "http/page_params.h"

#include <assert.h>

static bool limit_of(struct request *req, unsigned *limit)
{
    *limit = PAGE_DEFAULT;
    struct span text;
    if (!request_query(req, "limit", &text))
        return true;
    unsigned value = 0;
    bool good = text.len > 0 && text.len <= 4;
    for (size_t i = 0; good && i < text.len; i++) {
        good = text.ptr[i] >= '0' && text.ptr[i] <= '9';
        value = value * 10 + (unsigned)(text.ptr[i] - '0');
    }
    if (!good || value < 1 || value > PAGE_MAX) {
        request_invalid(req, "query", "limit", "must be an integer between 1 and 250");
        return false;
    }
    *limit = value;
    return true;
}

/* Rows that are named by text have names of visible characters. */
static bool is_visible(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] <= 0x20 || (unsigned char)text.ptr[i] >= 0x7f)
            return false;
    return text.len > 0 && text.len <= NAME_MAX_LEN;
}

#define BACKWARD '-'
#define FORWARD '~' /* before a name that begins with one of the two */

static bool is_marked(struct span text)
{
    return text.len > 0 && (text.ptr[0] == BACKWARD || text.ptr[0] == FORWARD);
}

enum err page_iterator_parse(struct span text, const struct page_kind *kind,
                             struct page_params *out)
{
    struct span name = is_marked(text) ? span_skip(text, 1) : text;
    out->page.has_cursor = true;
    out->page.backward = text.len > 0 && text.ptr[0] == BACKWARD;
    if (kind->prefix)
        return text.len > 0 && text.ptr[0] == FORWARD
                   ? ERR_INVALID
                   : id_parse(name, kind->prefix, &out->page.cursor);
    out->cursor_name = name;
    if (!is_visible(name) || (text.ptr[0] == FORWARD && !is_marked(name)))
        return ERR_INVALID;
    return ERR_OK;
}

struct span page_iterator_format(struct span name, bool backward, char out[PAGE_ITERATOR_MAX + 1])
{
    size_t len = 0;
    assert(name.len <= NAME_MAX_LEN);
    if (backward || is_marked(name))
        out[len++] = backward ? BACKWARD : FORWARD;
    if (name.len > 0)
        memcpy(out + len, name.ptr, name.len);
    out[len + name.len] = '\0';
    return span_of(out, len + name.len);
}

static bool iterator_of(struct request *req, const struct page_kind *kind, struct page_params *out)
{
    struct span text;
    if (!request_query(req, "iterator", &text) || text.len == 0 ||
        page_iterator_parse(text, kind, out) == ERR_OK)
        return true;
    request_invalid(req, "query", "iterator", "is not an iterator of this list");
    return false;
}

static bool order_of(struct request *req, const struct page_kind *kind, bool *other)
{
    *other = false;
    struct span text;
    if (!request_query(req, "order", &text))
        return true;
    if (!span_is(text, "ascending") && !span_is(text, "descending")) {
        request_invalid(req, "query", "order", "must be ascending or descending");
        return false;
    }
    *other = span_is(text, "ascending") != kind->ascending;
    return true;
}

static bool time_of(struct request *req, const char *name, struct wall *out)
{
    struct span text;
    if (!request_query(req, name, &text))
        return true;
    if (!wall_parse(text, out)) {
        if (out->us == 0)
            out->us = 1; /* 0 would mean: not asked for */
        return true;
    }
    request_invalid(req, "query", name, "is not a date and time (RFC 3339)");
    return false;
}

bool page_params(struct request *req, const struct page_kind *kind, struct page_params *out)
{
    memset(out, 0, sizeof *out);
    return limit_of(req, &out->page.limit) && iterator_of(req, kind, out) &&
           order_of(req, kind, &out->page.ascending) &&
           (!kind->times ||
            (time_of(req, "before", &out->page.before) && time_of(req, "after", &out->page.after)));
}

void page_params_open(struct json_writer *w)
{
    jw_object(w);
    jw_name(w, "data");
    jw_array(w);
}

void page_params_close(struct json_writer *w, struct span first, struct span last, bool done)
{
    char text[PAGE_ITERATOR_MAX + 1];
    jw_end_array(w);
    if (last.len > 0)
        jw_member_string(w, "iterator", page_iterator_format(last, false, text));
    else
        jw_member_null(w, "iterator");
    if (first.len > 0)
        jw_member_string(w, "prevIterator", page_iterator_format(first, true, text));
    else
        jw_member_null(w, "prevIterator");
    jw_member_bool(w, "done", done);
    jw_end_object(w);
}

void page_params_close_ids(struct json_writer *w, const char *prefix, const struct id *first,
                           const struct id *last, bool done)
{
    char first_text[ID_MAX + 1], last_text[ID_MAX + 1];
    page_params_close(w, span_of(first_text, first ? id_format(first, prefix, first_text) : 0),
                      span_of(last_text, last ? id_format(last, prefix, last_text) : 0), done);
}
