/* Reading applications. A reference is an id with its prefix or a uid; an application of another
 * organisation does not exist. */
#include "store/page.h"
#include "store/read.h"

enum err store_app_load(struct store_read *r, const struct id *id, struct app **out)
{
    *out = NULL;
    struct treekey key = key_id(id);
    struct span value;
    enum err e = snapshot_get(r, TREE_APP, &key, &value);
    if (e)
        return e;
    return snapshot_decoded(r, "application", &key, record_app_decode(value, out));
}

enum err store_app_get(struct store_read *r, const struct id *org, struct span ref,
                       struct app **out)
{
    *out = NULL;
    struct id id;
    bool by_id = span_starts(ref, SPAN(ID_APP));
    if (ref.len == 0 || ref.len > UID_MAX)
        return ERR_NOT_FOUND;
    if (by_id) {
        if (id_parse(ref, ID_APP, &id) || app_is_operational(&id, org))
            return ERR_NOT_FOUND;
    } else {
        struct treekey key = key_id_text(org, ref);
        enum err e = read_id_at(r, TREE_APP_UID, &key, &id);
        if (e)
            return e;
    }
    enum err e = store_app_load(r, &id, out);
    if (e)
        return e;
    bool named = by_id || span_eq((*out)->uid, ref); /* a row of a uid carries no checksum */
    if (named && id_cmp(&(*out)->org, org) == 0)
        return ERR_OK;
    app_free(out);
    return named ? ERR_NOT_FOUND : snapshot_corrupt(r, "reference", ref);
}

enum err store_operational_app(struct store_read *r, const struct id *org, struct app **out)
{
    *out = NULL;
    enum err e = store_app_load(r, org, out);
    if (!e && id_cmp(&(*out)->org, org) != 0) {
        app_free(out); /* a token names its organisation freely: here by another's application */
        return ERR_NOT_FOUND;
    }
    if (e != ERR_NOT_FOUND)
        return e;
    *out = calloc(1, sizeof **out);
    if (!*out)
        return ERR_NO_MEMORY;
    (*out)->id = (*out)->org = *org;
    return ERR_OK;
}

static enum err take(void *context, struct span suffix, struct span value, void *row)
{
    struct id id;
    (void)value;
    return read_as_id(suffix, &id) ? store_app_load(context, &id, row) : ERR_CORRUPT;
}

static void drop(void *row)
{
    app_free(row);
}

enum err store_app_list(struct store_read *r, const struct id *org, const struct page *page,
                        struct app **rows, struct page_result *result)
{
    struct treekey prefix = key_id(org);
    struct page_list list = {
        .source = PAGE_TREE,
        .tree = TREE_APP_ORG,
        .prefix = &prefix,
        .take = take,
        .drop = drop,
        .context = r,
        .row_size = sizeof *rows,
    };
    return page_walk(r, &list, page, rows, result);
}
