/* Lists of dead letters. The store keeps them by endpoint; those of an application are merged here,
 * newest message first and, for one message, by endpoint. So a row's place is (message, endpoint),
 * and so is the iterator of the merged list.
 *
 * The merge holds one page in memory. An endpoint whose list stopped early (it looked at its share
 * of rows and few matched) hides what is older than where it stopped, so the page ends there. */
#include "admin/entity_out.h"
#include "admin/field.h"
#include "admin/handlers.h"
#include "admin/list.h"
#include "admin/params.h"

struct place {
    struct id message, endpoint;
};

struct merge {
    unsigned limit, count;
    bool more;
    bool has_cursor;
    struct place cursor;
    struct id horizon; /* rows of older messages may be missing; zero: none are */
    struct {
        struct delivery delivery;
        struct id endpoint;
    } rows[PAGE_MAX];
};

/* By the time of death, which is not the message's time. */
static bool read_filter(struct request *req, struct dead_filter *out)
{
    static const char *const by_message[] = {"before", "after", NULL};
    struct span second;
    *out = (struct dead_filter){0};
    if (!params_time(req, "since", &out->since) || !params_time(req, "until", &out->until) ||
        !params_unsupported(req, by_message) ||
        !params_item(req, "event_types", 0, &field_event_type, &out->event_type))
        return false;
    if (!request_query_item(req, "event_types", 1, &second))
        return true;
    request_invalid(req, "query", "event_types", "takes one event type here");
    return false;
}

/* Writes a row unless its message is gone. False: the page is full. */
static bool write_row(struct lookup *l, struct json_writer *w, const struct delivery *d,
                      const struct id *endpoint, bool content)
{
    struct message *m = NULL;
    if (lookup_message_by_id(l, &d->message, content, &m) != ERR_OK)
        return true;
    bool fits = w->out->len + m->payload.len + 64 * 1024 < REPLY_MAX;
    if (fits)
        entity_out_dead_letter(w, m, d, endpoint, content);
    message_unref(&m);
    return fits;
}

void dead_letter_list_of_endpoint_route(struct request *req)
{
    static const struct page_kind kind = {.prefix = ID_MESSAGE};
    struct page_params p;
    struct dead_filter filter;
    bool content;
    struct lookup l = {0};
    if (!page_params(req, &kind, &p) || !read_filter(req, &filter) ||
        !params_with_content(req, &content) || !lookup_endpoint(req, &l))
        return;
    struct delivery rows[PAGE_MAX];
    struct page_result result = {0};
    enum err e = store_dead_list(l.read, l.endpoint->number, &p.page, &filter, rows, &result);
    if (e) {
        lookup_fail(req, &l, e);
        return;
    }
    struct list list;
    list_open(&list, ID_MESSAGE, &p.page);
    for (unsigned i = 0; i < result.count && !list.cut; i++) {
        if (!write_row(&l, &list.json, &rows[i], &l.endpoint->id, content))
            list.cut = true;
        else
            list_row(&list, &rows[i].message, 0);
    }
    lookup_release(&l);
    list_reply(req, &list, &result);
}

/* Newest first: whether a row stands before another. */
static bool before(const struct id *message, const struct id *endpoint, const struct id *message2,
                   const struct id *endpoint2)
{
    int order = id_cmp(message, message2);
    return order > 0 || (order == 0 && id_cmp(endpoint, endpoint2) > 0);
}

/* False: the page is full of rows before this one. */
static bool insert(struct merge *m, const struct delivery *d, const struct id *endpoint)
{
    unsigned at = m->count;
    while (at > 0 && before(&d->message, endpoint, &m->rows[at - 1].delivery.message,
                            &m->rows[at - 1].endpoint))
        at--;
    if (m->count == m->limit) {
        m->more = true;
        if (at == m->limit)
            return false;
        m->count--;
    }
    memmove(&m->rows[at + 1], &m->rows[at], (m->count - at) * sizeof *m->rows);
    m->rows[at].delivery = *d;
    m->rows[at].endpoint = *endpoint;
    m->count++;
    return true;
}

/* The smallest id that is greater: an exclusive cursor there includes `id`. */
static struct id successor(struct id id)
{
    for (int i = ID_BYTES - 1; i >= 0 && ++id.b[i] == 0; i--)
        ;
    return id;
}

static enum err merge_endpoint(struct merge *m, struct store_read *read, const struct endpoint *e,
                               const struct dead_filter *filter)
{
    struct delivery rows[PAGE_MAX];
    struct page_result result = {0};
    struct page page = {.limit = m->limit, .has_cursor = m->has_cursor};
    if (m->has_cursor)
        page.cursor = id_cmp(&e->id, &m->cursor.endpoint) < 0 ? successor(m->cursor.message)
                                                              : m->cursor.message;
    enum err failed = store_dead_list(read, e->number, &page, filter, rows, &result);
    if (failed)
        return failed;
    for (unsigned i = 0; i < result.count && insert(m, &rows[i], &e->id); i++)
        ;
    m->more |= result.more;
    if (result.more && result.count < m->limit && id_cmp(&result.last, &m->horizon) > 0)
        m->horizon = result.last;
    return ERR_OK;
}

/* All endpoints of the application; ERR_TOO_LARGE when they are more than one list may look at. */
static enum err merge_app(struct merge *m, struct lookup *l, const struct dead_filter *filter)
{
    struct page page = {.limit = PAGE_MAX};
    struct page_result result = {.more = true};
    unsigned seen = 0;
    enum err e = ERR_OK;
    while (result.more && !e) {
        struct endpoint *rows[PAGE_MAX];
        result = (struct page_result){0};
        e = store_endpoint_list(l->read, l->app->number, &page, rows, &result);
        if (e)
            break;
        for (unsigned i = 0; i < result.count; i++) {
            page.cursor = rows[i]->id;
            if (!e)
                e = merge_endpoint(m, l->read, rows[i], filter);
            endpoint_free(&rows[i]);
        }
        page.has_cursor = true;
        seen += result.count;
        if (!e && result.more && (seen >= READ_ROWS_MAX || result.count == 0))
            e = ERR_TOO_LARGE;
    }
    while (m->count && id_cmp(&m->rows[m->count - 1].delivery.message, &m->horizon) < 0)
        m->count--;
    return e;
}

/* "msg_….ep_…" */
#define PLACE_TEXT (2 * ID_MAX + 1)

static struct span place_text(const struct place *p, char out[PLACE_TEXT + 1])
{
    size_t len = id_format(&p->message, ID_MESSAGE, out);
    out[len++] = '.';
    return span_of(out, len + id_format(&p->endpoint, ID_ENDPOINT, out + len));
}

static bool read_place(struct request *req, const struct page_params *p, struct merge *m)
{
    struct span rest = p->cursor_name;
    struct span message = span_cut(&rest, '.');
    m->limit = p->page.limit;
    m->has_cursor = p->page.has_cursor;
    if (p->page.ascending || p->page.backward) {
        request_invalid(req, "query", p->page.backward ? "iterator" : "order",
                        "this list goes from the newest to the oldest alone");
        return false;
    }
    if (!m->has_cursor || (id_parse(message, ID_MESSAGE, &m->cursor.message) == ERR_OK &&
                           id_parse(rest, ID_ENDPOINT, &m->cursor.endpoint) == ERR_OK))
        return true;
    request_invalid(req, "query", "iterator", "is not an iterator of this list");
    return false;
}

static void reply_merged(struct request *req, struct lookup *l, const struct merge *m, bool content)
{
    struct buf out;
    struct json_writer w;
    struct place last = {.message = m->horizon};
    unsigned written = 0;
    buf_init(&out, REPLY_MAX);
    jw_init(&w, &out);
    page_params_open(&w);
    while (written < m->count &&
           write_row(l, &w, &m->rows[written].delivery, &m->rows[written].endpoint, content))
        written++;
    bool cut = written < m->count;
    if (written && (cut || id_is_zero(&m->horizon)))
        last = (struct place){m->rows[written - 1].delivery.message, m->rows[written - 1].endpoint};
    char text[PLACE_TEXT + 1];
    struct span iterator = id_is_zero(&last.message) ? span_text(NULL) : place_text(&last, text);
    page_params_close(&w, span_text(NULL), iterator, !m->more && !cut);
    lookup_release(l);
    request_reply(req, 200, &out);
}

void dead_letter_list_of_app_route(struct request *req)
{
    static const struct page_kind kind = {0};
    struct page_params p;
    struct dead_filter filter;
    bool content;
    struct lookup l = {0};
    struct merge *m = request_alloc(req, sizeof *m);
    if (!m) {
        request_fail_err(req, ERR_NO_MEMORY, NULL);
        return;
    }
    memset(m, 0, sizeof *m);
    if (!page_params(req, &kind, &p) || !read_place(req, &p, m) || !read_filter(req, &filter) ||
        !params_with_content(req, &content) || !lookup_app(req, &l))
        return;
    enum err e = merge_app(m, &l, &filter);
    if (e == ERR_TOO_LARGE) {
        lookup_release(&l);
        request_fail(req, 400, "Too many endpoints to merge; list one endpoint's dead letters");
    } else if (e) {
        lookup_fail(req, &l, e);
    } else {
        reply_merged(req, &l, m, content);
    }
}
