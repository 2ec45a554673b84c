/* Reading event types, which have no id of their own: they are known, and listed, by name. */
#include "store/page.h"
#include "store/read.h"

enum err store_event_type_get(struct store_read *r, const struct id *org, struct span name,
                              struct event_type **out)
{
    *out = NULL;
    if (name.len == 0 || name.len > EVENT_TYPE_MAX)
        return ERR_NOT_FOUND;
    struct treekey key = key_id_text(org, name);
    struct span value;
    enum err e = snapshot_get(r, TREE_EVENT_TYPE, &key, &value);
    if (e)
        return e;
    return snapshot_decoded(r, "event type", &key, record_event_type_decode(value, out));
}

struct selection {
    struct store_read *r;
    bool with_archived;
};

static enum err take(void *context, struct span suffix, struct span value, void *row)
{
    const struct selection *s = context;
    struct event_type **type = row;
    enum err e = record_event_type_decode(value, type);
    if (e == ERR_CORRUPT)
        return snapshot_corrupt(s->r, "event type", suffix);
    if (e || s->with_archived || !(*type)->archived)
        return e;
    event_type_free(type);
    return ERR_NOT_FOUND;
}

static void drop(void *row)
{
    event_type_free(row);
}

enum err store_event_type_list(struct store_read *r, const struct id *org, const struct page *page,
                               struct span cursor_name, bool with_archived,
                               struct event_type **rows, struct page_result *result)
{
    *result = (struct page_result){0};
    if (cursor_name.len > EVENT_TYPE_MAX)
        return ERR_OK;
    struct treekey prefix = key_id(org);
    struct selection selection = {.r = r, .with_archived = with_archived};
    struct page_list list = {
        .source = PAGE_TREE,
        .tree = TREE_EVENT_TYPE,
        .prefix = &prefix,
        .cursor = cursor_name,
        .take = take,
        .drop = drop,
        .context = &selection,
        .row_size = sizeof *rows,
    };
    return page_walk(r, &list, page, rows, result);
}
