/* Reading deliveries: of a message, of an endpoint, the dead ones, and what is due. */
#include "store/page.h"
#include "store/read.h"

enum err read_delivery(struct store_read *r, const struct id *message, uint32_t endpoint,
                       struct delivery *out)
{
    struct treekey key = key_id_number(message, endpoint);
    struct span value;
    enum err e = snapshot_get(r, TREE_DELIVERY, &key, &value);
    if (!e)
        e = snapshot_decoded(r, "delivery", &key, record_delivery_decode(value, out));
    if (e)
        return e;
    out->message = *message;
    out->endpoint_number = endpoint;
    return ERR_OK;
}

enum err store_delivery_get(struct store_read *r, const struct id *message, uint32_t endpoint,
                            struct delivery *out)
{
    return read_delivery(r, message, endpoint, out);
}

enum err store_delivery_waits_for(struct store_read *r, const struct delivery *d,
                                  struct id *message)
{
    MDB_cursor *c;
    uint32_t endpoint;
    struct line_place at;
    *message = (struct id){{0}};
    if (!d->held)
        return ERR_OK;
    enum err e = tree_cursor(&r->store->env, r->txn, TREE_LINE, &c);
    if (e)
        return e;
    struct treekey prefix = key_line_begin(d->endpoint_number, d->line);
    struct span key = key_span(&prefix), value;
    e = tree_walk(c, MDB_SET_RANGE, &key, &value);
    bool any = !e && span_starts(key, key_span(&prefix));
    if (any && key_line_parse(key, &endpoint, &at))
        e = snapshot_corrupt(r, "place in a line", key);
    mdb_cursor_close(c);
    if (any && !e && id_cmp(&at.message, &d->message) != 0)
        *message = at.message;
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* ---------------------------------------------------------------- of a message */

struct of_message {
    struct store_read *r;
    const struct id *message;
};

static enum err take_of_message(void *context, struct span suffix, struct span value, void *row)
{
    const struct of_message *s = context;
    struct delivery *d = row;
    uint32_t number;
    if (!read_as_number(suffix, &number) || record_delivery_decode(value, d))
        return snapshot_corrupt(s->r, "delivery", suffix);
    d->message = *s->message;
    d->endpoint_number = number;
    return ERR_OK;
}

enum err store_deliveries_of_message(struct store_read *r, const struct id *message,
                                     const struct page *page, struct delivery *rows,
                                     struct page_result *result)
{
    struct treekey prefix = key_id(message), cursor = {.len = 0};
    struct of_message context = {.r = r, .message = message};
    *result = (struct page_result){0};
    if (page->has_cursor) {
        struct treekey key = key_id(&page->cursor);
        uint32_t number;
        enum err e = read_number_at(r, TREE_ENDPOINT_ID, &key, &number);
        if (e)
            return e == ERR_NOT_FOUND ? ERR_OK : e;
        cursor = key_number(number);
    }
    struct page_list list = {
        .source = PAGE_TREE,
        .tree = TREE_DELIVERY,
        .prefix = &prefix,
        .cursor = key_span(&cursor),
        .take = take_of_message,
        .context = &context,
        .row_size = sizeof *rows,
    };
    enum err e = page_walk(r, &list, page, rows, result);
    if (e || !result->more || result->count == 0)
        return e;
    struct endpoint *last;
    unsigned at = page->backward ? 0 : result->count - 1;
    e = store_endpoint_load(r, rows[at].endpoint_number, &last);
    if (!e)
        result->last = last->id;
    endpoint_free(&last);
    return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? ERR_OK : e;
}

/* ---------------------------------------------------------------- of an endpoint */

struct of_endpoint {
    struct store_read *r;
    const struct page *page;
    uint32_t endpoint;
    unsigned states;
    const struct message_filter *filter;
    const struct dead_filter *dead; /* of a list of dead letters */
};

/* The time that a message shows is finer than its id's. */
static enum err message_fits(const struct of_endpoint *s, const struct id *id)
{
    if (!s->page->before.us && !s->page->after.us)
        return read_message_filter(s->r, id, s->filter);
    struct message *m;
    enum err e = read_message(s->r, id, false, &m);
    if (e)
        return e;
    bool fits = page_has(s->page, m->created) && read_message_matches(m, s->filter);
    message_unref(&m);
    return fits ? ERR_OK : ERR_NOT_FOUND;
}

static enum err take_of_endpoint(void *context, struct span suffix, struct span value, void *row)
{
    const struct of_endpoint *s = context;
    struct delivery *d = row;
    struct id message;
    (void)value;
    if (!read_as_id(suffix, &message))
        return snapshot_corrupt(s->r, "delivery of endpoint", suffix);
    enum err e = read_delivery(s->r, &message, s->endpoint, d);
    if (e)
        return e;
    if (s->states != 0 && !(s->states & 1u << d->state))
        return ERR_NOT_FOUND;
    return message_fits(s, &message);
}

enum err store_deliveries_of_endpoint(struct store_read *r, uint32_t endpoint,
                                      const struct page *page, unsigned states,
                                      const struct message_filter *filter, struct delivery *rows,
                                      struct page_result *result)
{
    struct treekey prefix = key_number(endpoint);
    struct of_endpoint context = {
        .r = r, .page = page, .endpoint = endpoint, .states = states, .filter = filter};
    struct page_list list = {
        .source = PAGE_INDEX,
        .family = INDEX_ENDPOINT_MESSAGE,
        .prefix = &prefix,
        .descending = true,
        .timed = true,
        .take = take_of_endpoint,
        .context = &context,
        .row_size = sizeof *rows,
    };
    return page_walk(r, &list, page, rows, result);
}

/* ---------------------------------------------------------------- dead letters */

static enum err take_dead(void *context, struct span suffix, struct span value, void *row)
{
    const struct of_endpoint *s = context;
    struct dead_record dead;
    struct id message;
    if (!read_as_id(suffix, &message) || record_dead_decode(value, &dead))
        return snapshot_corrupt(s->r, "dead letter", suffix);
    const struct dead_filter *f = s->dead;
    if ((f->since.us && dead.died.us < f->since.us) || (f->until.us && dead.died.us >= f->until.us))
        return ERR_NOT_FOUND;
    if (f->event_type.len > 0 && !span_eq(f->event_type, dead.event_type))
        return ERR_NOT_FOUND;
    return read_delivery(s->r, &message, s->endpoint, row);
}

enum err store_dead_list(struct store_read *r, uint32_t endpoint, const struct page *page,
                         const struct dead_filter *filter, struct delivery *rows,
                         struct page_result *result)
{
    struct treekey prefix = key_number(endpoint);
    struct of_endpoint context = {.r = r, .endpoint = endpoint, .dead = filter};
    struct page_list list = {
        .source = PAGE_TREE,
        .tree = TREE_DEAD,
        .prefix = &prefix,
        .descending = true,
        .take = take_dead,
        .context = &context,
        .row_size = sizeof *rows,
    };
    return page_walk(r, &list, page, rows, result);
}
