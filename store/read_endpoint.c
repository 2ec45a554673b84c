/* Reading endpoints, and the walk over all of them at start-up. The rows that lead to an endpoint
 * carry no checksum: what is found must be what was named. */
#include "store/page.h"
#include "store/read.h"

enum err store_endpoint_load(struct store_read *r, uint32_t number, struct endpoint **out)
{
    *out = NULL;
    struct treekey key = key_number(number);
    struct span value;
    enum err e = snapshot_get(r, TREE_ENDPOINT, &key, &value);
    if (e)
        return e;
    e = record_endpoint_decode(value, r->store->vault, out);
    return snapshot_decoded(r, "endpoint", &key, e);
}

enum err store_endpoint_get(struct store_read *r, uint32_t app_number, struct span ref,
                            struct endpoint **out)
{
    *out = NULL;
    struct id id;
    uint32_t number;
    enum err e;
    bool by_id = span_starts(ref, SPAN(ID_ENDPOINT));
    if (ref.len == 0 || ref.len > UID_MAX)
        return ERR_NOT_FOUND;
    if (by_id) {
        if (id_parse(ref, ID_ENDPOINT, &id))
            return ERR_NOT_FOUND;
        struct treekey key = key_id(&id);
        e = read_number_at(r, TREE_ENDPOINT_ID, &key, &number);
    } else {
        struct treekey key = key_number_text(app_number, ref);
        e = read_number_at(r, TREE_ENDPOINT_UID, &key, &number);
    }
    if (!e)
        e = store_endpoint_load(r, number, out);
    if (e)
        return e;
    bool named = by_id ? id_cmp(&(*out)->id, &id) == 0 : span_eq((*out)->uid, ref);
    if (named && (*out)->app_number == app_number)
        return ERR_OK;
    endpoint_free(out);
    return named ? ERR_NOT_FOUND : snapshot_corrupt(r, "reference", ref);
}

static enum err take(void *context, struct span suffix, struct span value, void *row)
{
    struct endpoint **out = row;
    struct id id;
    uint32_t number;
    if (!read_as_number(value, &number) || !read_as_id(suffix, &id))
        return snapshot_corrupt(context, "endpoint of application", suffix);
    enum err e = store_endpoint_load(context, number, out);
    if (e || id_cmp(&(*out)->id, &id) == 0)
        return e;
    endpoint_free(out); /* a damaged number leads to another, of whatever application */
    return snapshot_corrupt(context, "endpoint of application", suffix);
}

static void drop(void *row)
{
    endpoint_free(row);
}

enum err store_endpoint_list(struct store_read *r, uint32_t app_number, const struct page *page,
                             struct endpoint **rows, struct page_result *result)
{
    struct treekey prefix = key_number(app_number);
    struct page_list list = {
        .source = PAGE_TREE,
        .tree = TREE_ENDPOINT_APP,
        .prefix = &prefix,
        .descending = true,
        .take = take,
        .drop = drop,
        .context = r,
        .row_size = sizeof *rows,
    };
    return page_walk(r, &list, page, rows, result);
}

/* The first due time of an endpoint; WALL_NEVER when nothing is due ever. */
static enum err first_due(MDB_cursor *due, uint32_t endpoint, struct wall *out)
{
    static const struct id least;
    struct treekey start = key_due(endpoint, (struct wall){0}, &least, TRIGGER_SCHEDULED);
    struct span key = key_span(&start), value;
    *out = WALL_NEVER;
    enum err e = tree_walk(due, MDB_SET_RANGE, &key, &value);
    if (e)
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    uint32_t of;
    struct wall when;
    struct id message;
    enum attempt_trigger trigger;
    if (!key_due_parse(key, &of, &when, &message, &trigger) && of == endpoint)
        *out = when;
    return ERR_OK;
}

enum err store_each_endpoint(struct store_read *r,
                             void (*each)(void *context, uint32_t number, struct wall first_due),
                             void *context)
{
    const struct env *env = &r->store->env;
    MDB_cursor *endpoints = NULL, *due = NULL;
    struct span key = {0}, value;
    enum err e = tree_cursor(env, r->txn, TREE_ENDPOINT, &endpoints);
    if (!e)
        e = tree_cursor(env, r->txn, TREE_DUE, &due);
    if (!e)
        e = tree_walk(endpoints, MDB_FIRST, &key, &value);
    while (!e) {
        uint32_t number;
        struct wall when;
        if (!read_as_number(key, &number)) {
            (void)snapshot_corrupt(r, "endpoint", key);
        } else {
            e = first_due(due, number, &when);
            if (!e)
                each(context, number, when);
        }
        if (!e)
            e = tree_walk(endpoints, MDB_NEXT, &key, &value);
    }
    if (due)
        mdb_cursor_close(due);
    if (endpoints)
        mdb_cursor_close(endpoints);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}
