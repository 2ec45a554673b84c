/* Lists are walked from a key, never counted or skipped by number, so that page ten thousand costs
 * what page one does.
 *
 * Two orders: the list's order is what the client sees; the walk's direction is the way that keys
 * are read. They differ when a client pages backward and for `after` alone (the oldest rows after a
 * moment, shown in list order); then the rows are reversed at the end.
 *
 * Invariant: a walk makes progress: it looks at some rows whatever the clock says, and tells in
 * result->last where it was. */
#include "store/page.h"

#include <assert.h>

#define CLOCK_EVERY 64 /* rows between two looks at the clock */
#define ID_STEP_US 4000

/* Where keys come from: one cursor of either kind. */
struct source {
    struct treekey prefix;
    MDB_cursor *tree;
    MDB_cursor_op first, next;
    struct span key, value; /* of `tree`: where it stands */
    struct index_cursor *index;
};

/* The walk, worked out from the page. Bounds are suffixes; an empty one is open. */
struct walk {
    bool up, reverse;
    struct span cursor;    /* exclusive */
    struct span low, high; /* low <= suffix < high */
    struct id low_id, high_id;
};

static int compare(struct span a, struct span b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

static struct span id_span(const struct id *id)
{
    return span_of(id->b, ID_BYTES);
}

bool page_has(const struct page *page, struct wall t)
{
    return (page->before.us == 0 || t.us < page->before.us) &&
           (page->after.us == 0 || t.us > page->after.us);
}

static void plan(struct walk *w, const struct page_list *list, const struct page *page)
{
    *w = (struct walk){.cursor = list->cursor};
    if (w->cursor.len == 0 && page->has_cursor)
        w->cursor = id_span(&page->cursor);
    bool oldest = list->timed && page->after.us && !page->before.us && !page->has_cursor;
    bool list_up = list->descending == page->ascending;
    w->up = oldest ? true : list_up != page->backward;
    w->reverse = w->up != list_up;
    if (!list->timed)
        return;
    if (page->after.us) {
        w->low_id = id_floor(page->after);
        w->low = id_span(&w->low_id);
    }
    if (page->before.us) { /* up to the end of the step that `before` lies in; page_has is exact */
        w->high_id = id_floor(wall_add(page->before, ID_STEP_US - 1));
        w->high = id_span(&w->high_id);
    }
}

/* The suffix at which the walk begins; empty: at the prefix's end. */
static struct span start_of(const struct walk *w)
{
    struct span bound = w->up ? w->low : w->high;
    if (w->cursor.len == 0)
        return bound;
    if (bound.len == 0)
        return w->cursor;
    bool cursor_first = (compare(w->cursor, bound) > 0) == w->up;
    return cursor_first ? w->cursor : bound;
}

/* The smallest key behind all that begin with k; false when there is none. */
static bool successor(struct treekey *k)
{
    while (k->len > 0 && k->b[k->len - 1] == 0xff)
        k->len--;
    if (k->len == 0)
        return false;
    k->b[k->len - 1]++;
    return true;
}

/* Puts the cursor on the last key <= start (the last with the prefix when start is empty). */
static enum err seek_down(struct source *s, const struct treekey *start, bool whole_prefix)
{
    struct treekey at = *start;
    enum err e = ERR_NOT_FOUND;
    if (!whole_prefix || successor(&at)) {
        s->key = key_span(&at);
        e = tree_walk(s->tree, MDB_SET_RANGE, &s->key, &s->value);
        if (!e && !whole_prefix && span_eq(s->key, key_span(&at)))
            return ERR_OK;
    }
    if (e && e != ERR_NOT_FOUND)
        return e;
    return tree_walk(s->tree, e ? MDB_LAST : MDB_PREV, &s->key, &s->value);
}

static enum err open_tree(struct source *s, struct store_read *r, const struct page_list *list,
                          const struct treekey *start, bool whole_prefix, bool up)
{
    enum err e = tree_cursor(&r->store->env, r->txn, list->tree, &s->tree);
    if (e)
        return e;
    s->first = MDB_GET_CURRENT;
    s->next = up ? MDB_NEXT : MDB_PREV;
    if (!up)
        return seek_down(s, start, whole_prefix);
    s->key = key_span(start);
    return tree_walk(s->tree, s->key.len ? MDB_SET_RANGE : MDB_FIRST, &s->key, &s->value);
}

/* ERR_NOT_FOUND: there is nothing to walk. */
static enum err source_open(struct source *s, struct store_read *r, const struct page_list *list,
                            const struct walk *w)
{
    *s = (struct source){.prefix = *list->prefix};
    struct span start = start_of(w);
    struct treekey from = *list->prefix;
    assert(from.len + start.len <= TREE_KEY_MAX);
    if (start.len > 0)
        memcpy(from.b + from.len, start.ptr, start.len);
    from.len += start.len;
    if (list->source == PAGE_TREE)
        return open_tree(s, r, list, &from, start.len == 0, w->up);
    return index_cursor_open(r->view, r->txn, list->family, key_span(&s->prefix),
                             start.len ? key_span(&from) : (struct span){0}, !w->up, &s->index);
}

static void source_close(struct source *s)
{
    if (s->tree)
        mdb_cursor_close(s->tree);
    if (s->index)
        index_cursor_close(&s->index);
}

/* The next row's suffix and value; ERR_NOT_FOUND at the prefix's end. */
static enum err source_next(struct source *s, struct span *suffix, struct span *value)
{
    if (s->index) {
        enum err e = index_cursor_next(s->index, suffix, value);
        if (!e)
            *suffix = span_skip(*suffix, s->prefix.len);
        return e;
    }
    enum err e = tree_walk(s->tree, s->first, &s->key, &s->value);
    s->first = s->next;
    if (e)
        return e;
    if (!span_starts(s->key, key_span(&s->prefix)))
        return ERR_NOT_FOUND;
    *suffix = span_skip(s->key, s->prefix.len);
    *value = s->value;
    return ERR_OK;
}

enum where { BEFORE_BOUNDS, INSIDE, BEHIND_BOUNDS };

static enum where place(const struct walk *w, struct span suffix)
{
    bool too_high = w->high.len && compare(suffix, w->high) >= 0;
    bool too_low = w->low.len && compare(suffix, w->low) < 0;
    if (too_high || too_low)
        return too_high == w->up ? BEHIND_BOUNDS : BEFORE_BOUNDS;
    return w->cursor.len && span_eq(suffix, w->cursor) ? BEFORE_BOUNDS : INSIDE;
}

static void reverse_rows(char *rows, size_t size, unsigned count)
{
    char tmp[PAGE_ROW_MAX];
    for (unsigned i = 0, j = count; i + 1 < j; i++) {
        j--;
        memcpy(tmp, rows + i * size, size);
        memcpy(rows + i * size, rows + j * size, size);
        memcpy(rows + j * size, tmp, size);
    }
}

static void drop_rows(const struct page_list *list, char *rows, unsigned count)
{
    for (unsigned i = 0; list->drop && i < count; i++)
        list->drop(rows + i * list->row_size);
}

/* Fills rows up to the limit, then looks for one more, so that `more` does not promise an empty
 * page. ERR_OK when stopped by limit or budget, ERR_NOT_FOUND at the end of the list. */
static enum err fill(struct source *s, const struct walk *w, const struct page_list *list,
                     unsigned limit, char *rows, struct page_result *result)
{
    struct mono deadline = mono_add(clock_mono(), READ_US_MAX);
    _Alignas(max_align_t) char extra[PAGE_ROW_MAX];
    for (unsigned looked = 0; looked < READ_ROWS_MAX; looked++) {
        if (looked % CLOCK_EVERY == CLOCK_EVERY - 1 && clock_mono().us >= deadline.us)
            return ERR_OK;
        struct span suffix, value;
        enum err e = source_next(s, &suffix, &value);
        if (e)
            return e;
        enum where where = place(w, suffix);
        if (where == BEHIND_BOUNDS)
            return ERR_NOT_FOUND;
        bool full = result->count == limit;
        if (!full && suffix.len == ID_BYTES)
            memcpy(result->last.b, suffix.ptr, ID_BYTES);
        if (where == BEFORE_BOUNDS)
            continue;
        char *row = full ? extra : rows + result->count * list->row_size;
        e = list->take(list->context, suffix, value, row);
        if (e == ERR_NOT_FOUND || e == ERR_CORRUPT)
            continue;
        if (e)
            return e;
        if (full) {
            drop_rows(list, extra, 1);
            return ERR_OK;
        }
        result->count++;
    }
    return ERR_OK;
}

enum err page_walk(struct store_read *r, const struct page_list *list, const struct page *page,
                   void *rows, struct page_result *result)
{
    assert(list->row_size <= PAGE_ROW_MAX && page->limit > 0 && page->limit <= PAGE_MAX);
    *result = (struct page_result){0};
    struct walk w;
    plan(&w, list, page);
    struct source s;
    enum err e = source_open(&s, r, list, &w);
    if (!e)
        e = fill(&s, &w, list, page->limit, rows, result);
    source_close(&s);
    result->more = !e;
    if (e && e != ERR_NOT_FOUND) {
        drop_rows(list, rows, result->count);
        *result = (struct page_result){0};
        return e;
    }
    if (w.reverse)
        reverse_rows(rows, list->row_size, result->count);
    return ERR_OK;
}
