/* Reading attempts. In lists an attempt's moment is that of its id, which is when its outcome was
 * stored: so a client that asks for everything after the last one it saw misses none that took
 * long. */
#include "store/page.h"
#include "store/read.h"

enum err store_attempt_get(struct store_read *r, const struct id *message, const struct id *attempt,
                           bool content, struct attempt **out)
{
    *out = NULL;
    struct treekey key = key_id_id(message, attempt);
    struct span value;
    enum err e = snapshot_get(r, TREE_ATTEMPT, &key, &value);
    if (e)
        return e;
    e = record_attempt_decode(value, content, out);
    if (e)
        return snapshot_decoded(r, "attempt", &key, e);
    (*out)->id = *attempt;
    (*out)->message = *message;
    return ERR_OK;
}

struct selection {
    struct store_read *r;
    const struct page *page;
    const struct attempt_filter *filter;
    const struct id *message; /* of a message's attempts; NULL: the index names it */
    bool content;
};

static bool matches(const struct attempt *a, const struct attempt_filter *f)
{
    bool success = a->outcome == ATTEMPT_SUCCESS;
    if (f->status >= 0 && f->status != (success ? 0 : 2))
        return false;
    if (f->status_class != 0 && a->status / 100u != f->status_class / 100)
        return false;
    return f->endpoint == 0 || a->endpoint_number == f->endpoint;
}

static enum err take(void *context, struct span suffix, struct span value, void *row)
{
    const struct selection *s = context;
    struct attempt **a = row;
    struct id id, message;
    if (s->message)
        message = *s->message;
    if (!read_as_id(suffix, &id) || (!s->message && !read_as_id(value, &message)))
        return snapshot_corrupt(s->r, "attempt of endpoint", suffix);
    if (!page_has(s->page, id_time(&id)))
        return ERR_NOT_FOUND;
    enum err e = store_attempt_get(s->r, &message, &id, s->content, a);
    if (e)
        return e;
    e = matches(*a, s->filter) ? read_message_filter(s->r, &message, &s->filter->message)
                               : ERR_NOT_FOUND;
    if (e)
        attempt_free(a);
    return e;
}

static void drop(void *row)
{
    attempt_free(row);
}

static enum err walk(struct selection *selection, struct page_list *list, struct attempt **rows,
                     struct page_result *result)
{
    list->descending = true;
    list->timed = true;
    list->take = take;
    list->drop = drop;
    list->context = selection;
    list->row_size = sizeof *rows;
    return page_walk(selection->r, list, selection->page, rows, result);
}

enum err store_attempts_of_endpoint(struct store_read *r, uint32_t endpoint,
                                    const struct page *page, const struct attempt_filter *filter,
                                    bool content, struct attempt **rows, struct page_result *result)
{
    struct treekey prefix = key_number(endpoint);
    struct selection selection = {.r = r, .page = page, .filter = filter, .content = content};
    struct page_list list = {
        .source = PAGE_INDEX, .family = INDEX_ENDPOINT_ATTEMPT, .prefix = &prefix};
    return walk(&selection, &list, rows, result);
}

enum err store_attempts_of_message(struct store_read *r, const struct id *message,
                                   const struct page *page, const struct attempt_filter *filter,
                                   bool content, struct attempt **rows, struct page_result *result)
{
    struct treekey prefix = key_id(message);
    struct selection selection = {
        .r = r, .page = page, .filter = filter, .message = message, .content = content};
    struct page_list list = {.source = PAGE_TREE, .tree = TREE_ATTEMPT, .prefix = &prefix};
    return walk(&selection, &list, rows, result);
}
