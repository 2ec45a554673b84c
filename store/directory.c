/* An immutable, counted set of runs: a change is a new set, so that views need no lock and the
 * writer can drop a change that did not commit. */
#include "store/directory.h"

#include "store/run_cursor.h"

#include <assert.h>

static int newest_first(const void *left, const void *right)
{
    const struct run *a = ((const struct directory_item *)left)->run;
    const struct run *b = ((const struct directory_item *)right)->run;
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    if (a->level != b->level)
        return a->level < b->level ? -1 : 1;
    return (a->number < b->number) - (a->number > b->number);
}

static bool among(const struct run *run, struct run *const *runs, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (runs[i] == run)
            return true;
    return false;
}

/* The oldest run with a filter gives it up; its look-ups then cost a descent each. */
static void drop_oldest_filter(struct directory *d)
{
    struct directory_item *oldest = NULL;
    for (unsigned i = 0; i < directory_count(d); i++) {
        struct directory_item *item = &d->item[i];
        if (!item->filter)
            continue;
        if (!oldest || item->run->level > oldest->run->level ||
            (item->run->level == oldest->run->level && item->run->number < oldest->run->number))
            oldest = item;
    }
    assert(oldest);
    d->filter_bytes -= filter_bytes(oldest->filter);
    filter_unref(&oldest->filter);
}

/* Sorts, takes the references, and fills in what is derived. */
static void complete(struct directory *d, unsigned count)
{
    atomic_init(&d->references, 1);
    d->next_expiry = WALL_NEVER;
    qsort(d->item, count, sizeof *d->item, newest_first);
    unsigned at = 0;
    for (unsigned family = 0; family < INDEX_FAMILIES; family++) {
        d->first[family] = at;
        while (at < count && d->item[at].run->family == (enum index_family)family)
            at++;
    }
    d->first[INDEX_FAMILIES] = count;
    for (unsigned i = 0; i < count; i++) {
        struct directory_item *item = &d->item[i];
        run_ref(item->run);
        if (item->filter) {
            filter_ref(item->filter);
            d->filter_bytes += filter_bytes(item->filter);
        }
        if (item->run->figures.max_expires.us < d->next_expiry.us)
            d->next_expiry = item->run->figures.max_expires;
    }
}

struct directory *directory_change(const struct directory *old, struct run *const *without,
                                   unsigned without_count, const struct directory_item *added,
                                   size_t filter_bytes_max)
{
    unsigned old_count = old ? directory_count(old) : 0, count = 0;
    struct directory *d = calloc(1, sizeof *d + (old_count + 1) * sizeof *d->item);
    if (!d)
        return NULL;
    for (unsigned i = 0; i < old_count; i++)
        if (!among(old->item[i].run, without, without_count))
            d->item[count++] = old->item[i];
    if (added)
        d->item[count++] = *added;
    complete(d, count);
    while (d->filter_bytes > filter_bytes_max)
        drop_oldest_filter(d);
    return d;
}

struct directory *directory_ref(struct directory *d)
{
    atomic_fetch_add_explicit(&d->references, 1, memory_order_relaxed);
    return d;
}

void directory_unref(struct directory **d)
{
    struct directory *old = *d;
    *d = NULL;
    if (!old || atomic_fetch_sub_explicit(&old->references, 1, memory_order_acq_rel) != 1)
        return;
    for (unsigned i = 0; i < directory_count(old); i++) {
        run_unref(&old->item[i].run);
        filter_unref(&old->item[i].filter);
    }
    free(old);
}

unsigned directory_count(const struct directory *d)
{
    return d->first[INDEX_FAMILIES];
}

unsigned directory_level_count(const struct directory *d, enum index_family family, unsigned level)
{
    unsigned count = 0;
    for (unsigned i = d->first[family]; i < d->first[family + 1]; i++)
        count += d->item[i].run->level == level;
    return count;
}

enum err directory_find(const struct directory *d, const struct index_trees *trees, MDB_txn *txn,
                        enum index_family family, struct span key, struct index_entry *out)
{
    if (d->first[family] == d->first[family + 1])
        return ERR_NOT_FOUND;
    struct filter_hash hash = filter_hash_of(key);
    for (unsigned i = d->first[family]; i < d->first[family + 1]; i++) {
        const struct directory_item *item = &d->item[i];
        if (item->filter && !filter_maybe(item->filter, hash))
            continue;
        enum err e = run_find(item->run, trees, txn, key, out);
        if (e != ERR_NOT_FOUND)
            return e;
    }
    return ERR_NOT_FOUND;
}
