/* Lists: a merge over what a view pins, bounded by a prefix, without what has expired. */
#include "store/index_state.h"
#include "store/merge.h"

#include <assert.h>

struct index_cursor {
    struct merge *merge;
    struct wall now;
    size_t prefix_len;
    char prefix[INDEX_KEY_MAX];
};

/* Where keys with the prefix could stand. */
static bool run_may_hold(const struct run *run, struct span prefix)
{
    struct span first = run_key_span(&run->figures.first);
    struct span last = run_key_span(&run->figures.last);
    return (entry_key_cmp(first, prefix) <= 0 || span_starts(first, prefix)) &&
           entry_key_cmp(last, prefix) >= 0;
}

static enum err add_sources(struct index_cursor *c, const struct index_view *view,
                            enum index_family family, struct span prefix)
{
    for (unsigned i = 0; i < 2; i++)
        if (view->shown.table[i])
            merge_add_table(c->merge, view->shown.table[i], view->shown.limit[i]);
    const struct directory *d = view->shown.directory;
    for (unsigned i = d->first[family]; i < d->first[family + 1]; i++) {
        struct run *run = d->item[i].run;
        if (!run_may_hold(run, prefix) || run->figures.max_expires.us <= c->now.us)
            continue;
        enum err e = merge_add_run(c->merge, run);
        if (e)
            return e;
    }
    return ERR_OK;
}

/* `start`, or without one the end of the prefix at which the walk begins: backward that is a key
 * that no key with the prefix passes. */
static enum err seek(struct index_cursor *c, struct span start, bool backward)
{
    char edge[INDEX_KEY_MAX + 1];
    if (start.len > 0)
        return merge_seek(c->merge, start);
    memcpy(edge, c->prefix, c->prefix_len);
    if (!backward)
        return merge_seek(c->merge, span_of(edge, c->prefix_len));
    memset(edge + c->prefix_len, 0xff, sizeof edge - c->prefix_len);
    return merge_seek(c->merge, span_of(edge, sizeof edge));
}

enum err index_cursor_open(struct index_view *view, MDB_txn *txn, enum index_family family,
                           struct span prefix, struct span start, bool backward,
                           struct index_cursor **out)
{
    assert(prefix.len >= 1 && prefix.len <= INDEX_KEY_MAX && start.len <= INDEX_KEY_MAX);
    assert(start.len == 0 || span_starts(start, prefix));
    *out = NULL;
    struct index_cursor *c = malloc(sizeof *c);
    if (!c)
        return ERR_NO_MEMORY;
    *c = (struct index_cursor){.now = clock_wall(), .prefix_len = prefix.len};
    memcpy(c->prefix, prefix.ptr, prefix.len);
    const struct directory *d = view->shown.directory;
    unsigned sources = 2 + d->first[family + 1] - d->first[family];
    c->merge = merge_new(&view->index->trees, txn, family, sources, backward, false);
    enum err e = c->merge ? add_sources(c, view, family, prefix) : ERR_NO_MEMORY;
    if (!e)
        e = seek(c, start, backward);
    if (e)
        index_cursor_close(&c);
    *out = c;
    return e;
}

enum err index_cursor_next(struct index_cursor *c, struct span *key, struct span *value)
{
    struct index_entry entry;
    struct span prefix = span_of(c->prefix, c->prefix_len);
    do {
        enum err e = merge_next(c->merge, &entry);
        if (e)
            return e;
        if (!span_starts(entry.key, prefix))
            return ERR_NOT_FOUND;
    } while (entry_expired(&entry, c->now));
    *key = entry.key;
    *value = entry.value;
    return ERR_OK;
}

void index_cursor_close(struct index_cursor **c)
{
    struct index_cursor *old = *c;
    *c = NULL;
    if (!old)
        return;
    merge_free(&old->merge);
    free(old);
}
