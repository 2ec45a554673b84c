/* Reading messages: the head in one look-up, a long payload in a short walk over its chunks.
 *
 * Invariant: a message that this returns with content is whole: every chunk's checksum and the
 * payload's were right. */
#include "store/page.h"
#include "store/read.h"

#include "base/hash.h"

static enum err load_body(struct store_read *r, const struct id *id, struct message *m)
{
    unsigned chunks = record_message_chunks(m);
    MDB_cursor *c;
    enum err e = tree_cursor(&r->store->env, r->txn, TREE_BODY, &c);
    if (e)
        return e;
    struct treekey at = key_body(id, 0);
    struct span key = key_span(&at), value;
    for (unsigned chunk = 0; chunk < chunks && !e; chunk++) {
        struct treekey want = key_body(id, (uint16_t)chunk);
        e = tree_walk(c, chunk == 0 ? MDB_SET_RANGE : MDB_NEXT, &key, &value);
        if (e == ERR_NOT_FOUND || (!e && !span_eq(key, key_span(&want))))
            e = ERR_CORRUPT;
        if (!e)
            e = record_body_decode(value, chunk, m);
    }
    mdb_cursor_close(c);
    return e ? e : record_message_verify(m);
}

enum err read_message(struct store_read *r, const struct id *id, bool content, struct message **out)
{
    *out = NULL;
    struct treekey key = key_id(id);
    struct span value;
    enum err e = snapshot_get(r, TREE_MESSAGE, &key, &value);
    if (e)
        return e;
    size_t missing;
    e = record_message_decode(value, content, out, &missing);
    if (!e) {
        (*out)->id = *id;
        if (content && missing > 0)
            e = load_body(r, id, *out);
    }
    if (e)
        message_unref(out);
    return snapshot_decoded(r, "message", &key, e);
}

static bool takes(const struct endpoint *ep, const struct message *m)
{
    const struct match_rule rule = {ep->filter_count, ep->filters, ep->channel_count, ep->channels};
    const struct match_subject subject = {m->event_type, m->channel_count, m->channels};
    return m->only_endpoint ? m->only_endpoint == ep->number : match(&rule, &subject);
}

static bool has(const struct span *items, unsigned count, struct span wanted)
{
    for (unsigned i = 0; i < count; i++)
        if (span_eq(items[i], wanted))
            return true;
    return false;
}

bool read_message_matches(const struct message *m, const struct message_filter *f)
{
    if (f->endpoint && !takes(f->endpoint, m))
        return false;
    if (f->event_type_count > 0 && !has(f->event_types, f->event_type_count, m->event_type))
        return false;
    if (f->channel.len > 0 && !has(m->channels, m->channel_count, f->channel))
        return false;
    return f->tag.len == 0 || has(m->tags, m->tag_count, f->tag);
}

enum err read_message_filter(struct store_read *r, const struct id *id,
                             const struct message_filter *f)
{
    if (f->event_type_count == 0 && f->channel.len == 0 && f->tag.len == 0 && !f->endpoint)
        return ERR_OK;
    struct message *m;
    enum err e = read_message(r, id, false, &m);
    if (e)
        return e;
    bool matches = read_message_matches(m, f);
    message_unref(&m);
    return matches ? ERR_OK : ERR_NOT_FOUND;
}

/* The message id that the index knows for an eventId. The hash may lie: the caller compares. */
static enum err find_event(struct store_read *r, uint32_t app_number, struct span event_id,
                           struct id *out)
{
    uint8_t hash[16];
    hash_128(event_id, hash);
    struct treekey key = key_number(app_number);
    memcpy(key.b + key.len, hash, sizeof hash);
    key.len += sizeof hash;
    uint8_t value[INDEX_VALUE_MAX];
    size_t len = 0;
    enum err e =
        index_view_get(r->view, r->txn, INDEX_EVENT_ID, key_span(&key), clock_wall(), value, &len);
    if (e)
        return e;
    return read_as_id(span_of(value, len), out) ? ERR_OK
                                                : snapshot_corrupt(r, "event id", key_span(&key));
}

enum err store_message_get(struct store_read *r, uint32_t app_number, struct span ref, bool content,
                           struct message **out)
{
    *out = NULL;
    struct id id;
    bool by_id = span_starts(ref, SPAN(ID_MESSAGE));
    if (by_id && id_parse(ref, ID_MESSAGE, &id))
        return ERR_NOT_FOUND;
    enum err e = by_id ? ERR_OK : find_event(r, app_number, ref, &id);
    if (!e)
        e = read_message(r, &id, content, out);
    if (e)
        return e;
    if ((*out)->app_number == app_number && (by_id || span_eq((*out)->event_id, ref)))
        return ERR_OK;
    message_unref(out);
    return ERR_NOT_FOUND;
}

enum err store_message_load(struct store_read *r, const struct id *id, struct message **out)
{
    return read_message(r, id, true, out);
}

struct selection {
    struct store_read *r;
    const struct page *page;
    const struct message_filter *filter;
    bool content;
};

static enum err take(void *context, struct span suffix, struct span value, void *row)
{
    const struct selection *s = context;
    struct message **m = row;
    struct id id;
    (void)value;
    if (!read_as_id(suffix, &id))
        return snapshot_corrupt(s->r, "message of application", suffix);
    enum err e = read_message(s->r, &id, false, m);
    if (e)
        return e;
    bool matches = page_has(s->page, (*m)->created) && read_message_matches(*m, s->filter);
    if (matches && !s->content)
        return ERR_OK;
    message_unref(m);
    return matches ? read_message(s->r, &id, true, m) : ERR_NOT_FOUND;
}

static void drop(void *row)
{
    message_unref(row);
}

enum err store_message_list(struct store_read *r, uint32_t app_number, const struct page *page,
                            const struct message_filter *filter, bool content,
                            struct message **rows, struct page_result *result)
{
    struct treekey prefix = key_number(app_number);
    struct selection selection = {.r = r, .page = page, .filter = filter, .content = content};
    struct page_list list = {
        .source = PAGE_INDEX,
        .family = INDEX_APP_MESSAGE,
        .prefix = &prefix,
        .descending = true,
        .timed = true,
        .take = take,
        .drop = drop,
        .context = &selection,
        .row_size = sizeof *rows,
    };
    return page_walk(r, &list, page, rows, result);
}
