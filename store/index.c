/* The façade of the index: where an entry goes, and where it is looked for.
 *
 *     put ─> arena of a table, unlinked ─flush─> tail ─commit─> linked, shown to views
 *     full table ─> frozen ─steps─> one run per family ─steps─> merged runs ─> expired, removed
 *
 * Invariants
 *   - what a batch put is unlinked until its commit, so that an abort only moves the arena's mark
 *     back, and readers never meet a node that may vanish;
 *   - at most two tables hold entries: a third would have to be written before it is needed;
 *   - a run's rows are removed only when nobody but the list of the doomed holds it, so that a view
 *     older than its transaction still finds what it knows. */
#include "store/index_state.h"

#include "base/log.h"
#include "store/run_writer.h"
#include "store/tree.h"

#include <assert.h>

/* ------------------------------------------------ opening */

static enum err load_filter(struct index *ix, MDB_txn *txn, struct directory_item *item,
                            size_t *left)
{
    if (item->run->figures.filter_bytes > *left)
        return ERR_OK;
    enum err e = run_filter_load(item->run, &ix->trees, txn, &item->filter);
    if (!e && item->filter)
        *left -= filter_bytes(item->filter);
    return e;
}

static enum err add_run(struct index *ix, const struct directory_item *item)
{
    struct directory *changed =
        directory_change(ix->directory, NULL, 0, item, ix->limits.filter_bytes_max);
    if (!changed)
        return ERR_NO_MEMORY;
    directory_unref(&ix->directory);
    ix->directory = changed;
    return ERR_OK;
}

/* A live run joins the directory; any other is removed by the next steps. */
static enum err take_run(struct index *ix, MDB_txn *txn, struct span key, struct span record,
                         size_t *filter_left)
{
    struct directory_item item = {NULL, NULL};
    enum run_state state;
    enum err e = run_decode(key, record, &item.run, &state);
    if (key.len == 8 && get_be64((const uint8_t *)key.ptr) >= ix->next_number)
        ix->next_number = get_be64((const uint8_t *)key.ptr) + 1;
    if (e == ERR_CORRUPT) {
        log_error("index run record damaged; its entries are set aside", LOG_END);
        return ERR_OK;
    }
    if (e)
        return e;
    if (state != RUN_LIVE) {
        item.run->next = ix->doomed;
        ix->doomed = item.run;
        return ERR_OK;
    }
    e = load_filter(ix, txn, &item, filter_left);
    if (!e)
        e = add_run(ix, &item);
    run_unref(&item.run);
    filter_unref(&item.filter);
    return e;
}

/* Newest first, so that the newest filters are those in memory. */
static enum err load_directory(struct index *ix, MDB_txn *txn)
{
    ix->next_number = 1;
    ix->directory = directory_change(NULL, NULL, 0, NULL, ix->limits.filter_bytes_max);
    if (!ix->directory)
        return ERR_NO_MEMORY;
    MDB_cursor *c;
    int rc = mdb_cursor_open(txn, ix->trees.run, &c);
    if (rc)
        return env_err(rc, "index directory");
    MDB_val key, value;
    size_t filter_left = ix->limits.filter_bytes_max;
    enum err e = ERR_OK;
    for (rc = mdb_cursor_get(c, &key, &value, MDB_LAST); rc == 0 && !e;
         rc = mdb_cursor_get(c, &key, &value, MDB_PREV))
        e = take_run(ix, txn, span_of(key.mv_data, key.mv_size),
                     span_of(value.mv_data, value.mv_size), &filter_left);
    mdb_cursor_close(c);
    if (e)
        return e;
    return rc == MDB_NOTFOUND ? ERR_OK : env_err(rc, "index directory");
}

/* Freezes the table when the next record of the tail might not fit, so that a record's entries
 * stand in one table. A second full table grows instead: it is read back from one that fitted, give
 * or take the last record. */
static enum err load_record(void *context, uint64_t number, unsigned entries)
{
    struct index *ix = context;
    if (memtable_room(ix->active) < entries && !ix->frozen) {
        struct memtable *fresh = memtable_new(ix->limits.table_bytes);
        if (!fresh)
            return ERR_NO_MEMORY;
        ix->frozen = ix->active;
        ix->frozen_tail = number - 1;
        ix->active = fresh;
    }
    while (memtable_room(ix->active) < entries)
        if (!memtable_grow(ix->active))
            return ERR_NO_MEMORY;
    return ERR_OK;
}

static enum err load_entry(void *context, enum index_family family, const struct index_entry *entry)
{
    struct index *ix = context;
    memtable_node node = memtable_add(ix->active, family, entry);
    assert(node != 0); /* load_record made room */
    memtable_link(ix->active, node);
    return ERR_OK;
}

static enum err load(struct index *ix, MDB_txn *txn)
{
    enum err e = index_trees_open(&ix->trees, txn);
    if (!e)
        e = load_directory(ix, txn);
    if (!e)
        e = tail_open(&ix->tail, ix->trees.tail, txn);
    if (e)
        return e;
    ix->active = memtable_new(ix->limits.table_bytes);
    if (!ix->active)
        return ERR_NO_MEMORY;
    const struct tail_loader loader = {ix, load_record, load_entry};
    return tail_load(&ix->tail, txn, &loader);
}

enum err index_open_limited(MDB_txn *txn, const struct index_limits *limits, struct index **out)
{
    *out = NULL;
    struct index *ix = calloc(1, sizeof *ix);
    if (!ix)
        return ERR_NO_MEMORY;
    ix->limits = *limits;
    pthread_mutex_init(&ix->mutex, NULL);
    batch_table_init(&ix->batch);
    enum err e = load(ix, txn);
    if (e) {
        index_close(&ix);
        return e;
    }
    ix->batch_mark = memtable_mark(ix->active);
    index_publish(ix);
    *out = ix;
    return ERR_OK;
}

enum err index_open(MDB_env *env, MDB_txn *txn, struct index **out)
{
    assert(mdb_txn_env(txn) == env);
    const struct index_limits limits = {INDEX_TABLE_BYTES, INDEX_FILTER_BYTES_MAX};
    return index_open_limited(txn, &limits, out);
}

static void shown_release(struct index_shown *shown)
{
    memtable_unref(&shown->table[0]);
    memtable_unref(&shown->table[1]);
    directory_unref(&shown->directory);
}

void index_close(struct index **ix)
{
    struct index *old = *ix;
    *ix = NULL;
    if (!old)
        return;
    assert(atomic_load(&old->views) == 0);
    index_work_close(old);
    shown_release(&old->shown);
    directory_unref(&old->directory_next);
    directory_unref(&old->directory);
    memtable_unref(&old->following);
    memtable_unref(&old->frozen);
    memtable_unref(&old->active);
    batch_table_free(&old->batch);
    pthread_mutex_destroy(&old->mutex);
    free(old);
}

/* ------------------------------------------------ the batch */

static struct memtable *filling(const struct index *ix)
{
    return ix->following ? ix->following : ix->active;
}

/* Whether the batch may begin another table when the one it fills is full. */
static bool may_follow(const struct index *ix)
{
    return !ix->following && !ix->frozen;
}

bool index_has_room(const struct index *ix, unsigned entries)
{
    return memtable_room(filling(ix)) >= entries ||
           (may_follow(ix) && ix->limits.table_bytes / MEMTABLE_NODE_MAX > entries);
}

enum err index_put(struct index *ix, enum index_family family, struct span key, struct span value,
                   struct wall expires)
{
    assert(!ix->flushed);
    const struct index_entry entry = {key, value, expires.us ? expires : WALL_NEVER};
    memtable_node node = memtable_add(filling(ix), family, &entry);
    if (node == 0) {
        if (!may_follow(ix))
            return ERR_FULL;
        ix->following = memtable_new(ix->limits.table_bytes);
        if (!ix->following)
            return ERR_NO_MEMORY;
        node = memtable_add(ix->following, family, &entry);
        assert(node != 0);
    }
    if (family_is_point(family) && !batch_table_put(&ix->batch, filling(ix), node)) {
        memtable_truncate(filling(ix), node);
        return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

enum err index_flush(struct index *ix, MDB_txn *txn)
{
    assert(!ix->flushed);
    enum err e = tail_append(&ix->tail, txn, ix->active, ix->batch_mark);
    ix->following_tail = tail_last(&ix->tail);
    if (!e && ix->following)
        e = tail_append(&ix->tail, txn, ix->following, memtable_start(ix->following));
    ix->flushed = !e;
    return e;
}

/* The tables trade places: only here, so that a table is frozen with all it holds committed. */
static void rotate(struct index *ix)
{
    assert(!ix->frozen);
    memtable_link(ix->following, memtable_start(ix->following));
    ix->frozen = ix->active;
    ix->frozen_tail = ix->following_tail;
    ix->active = ix->following;
    ix->following = NULL;
}

void index_committed(struct index *ix)
{
    assert(ix->flushed || (!ix->following && ix->batch_mark == memtable_mark(ix->active)));
    memtable_link(ix->active, ix->batch_mark);
    index_work_committed(ix);
    if (ix->following)
        rotate(ix);
    ix->batch_mark = memtable_mark(ix->active);
    ix->flushed = false;
    batch_table_clear(&ix->batch);
    tail_committed(&ix->tail);
    index_publish(ix);
}

void index_aborted(struct index *ix)
{
    memtable_truncate(ix->active, ix->batch_mark);
    memtable_unref(&ix->following);
    ix->flushed = false;
    batch_table_clear(&ix->batch);
    tail_aborted(&ix->tail);
    index_work_aborted(ix);
}

/* ------------------------------------------------ looking up */

/* A live entry's value goes to the caller. */
static enum err copy_value(const struct index_entry *entry, struct wall now, uint8_t *value,
                           size_t *value_len)
{
    if (entry_expired(entry, now))
        return ERR_NOT_FOUND;
    if (entry->value.len > 0)
        memcpy(value, entry->value.ptr, entry->value.len);
    *value_len = entry->value.len;
    return ERR_OK;
}

static enum err shown_get(const struct index_shown *shown, const struct index_trees *trees,
                          MDB_txn *txn, enum index_family family, struct span key,
                          struct index_entry *out)
{
    for (unsigned i = 0; i < 2; i++) {
        if (!shown->table[i])
            continue;
        memtable_node node = memtable_find(shown->table[i], shown->limit[i], family, key);
        if (node) {
            *out = memtable_entry(shown->table[i], node);
            return ERR_OK;
        }
    }
    return directory_find(shown->directory, trees, txn, family, key, out);
}

enum err index_get(struct index *ix, MDB_txn *txn, enum index_family family, struct span key,
                   struct wall now, uint8_t *value, size_t *value_len)
{
    assert(family_is_point(family));
    struct index_entry entry;
    if (!batch_table_get(&ix->batch, family, key, &entry)) {
        /* The writer alone changes what is shown, so it reads it without the lock. */
        enum err e = shown_get(&ix->shown, &ix->trees, txn, family, key, &entry);
        if (e)
            return e;
    }
    return copy_value(&entry, now, value, value_len);
}

/* ------------------------------------------------ views */

static struct index_shown shown_of(const struct index *ix)
{
    return (struct index_shown){
        .table = {memtable_ref(ix->active), ix->frozen ? memtable_ref(ix->frozen) : NULL},
        .limit = {ix->batch_mark, ix->frozen ? memtable_mark(ix->frozen) : 0},
        .directory = directory_ref(ix->directory),
    };
}

void index_publish(struct index *ix)
{
    struct index_shown fresh = shown_of(ix);
    pthread_mutex_lock(&ix->mutex);
    struct index_shown old = ix->shown;
    ix->shown = fresh;
    pthread_mutex_unlock(&ix->mutex);
    shown_release(&old);
}

struct index_view *index_view_open(struct index *ix)
{
    struct index_view *v = malloc(sizeof *v);
    if (!v)
        return NULL;
    v->index = ix;
    pthread_mutex_lock(&ix->mutex);
    v->shown = ix->shown;
    memtable_ref(v->shown.table[0]);
    if (v->shown.table[1])
        memtable_ref(v->shown.table[1]);
    directory_ref(v->shown.directory);
    pthread_mutex_unlock(&ix->mutex);
    atomic_fetch_add_explicit(&ix->views, 1, memory_order_relaxed);
    return v;
}

void index_view_close(struct index_view **view)
{
    struct index_view *old = *view;
    *view = NULL;
    if (!old)
        return;
    shown_release(&old->shown);
    atomic_fetch_sub_explicit(&old->index->views, 1, memory_order_release);
    free(old);
}

enum err index_view_get(struct index_view *view, MDB_txn *txn, enum index_family family,
                        struct span key, struct wall now, uint8_t *value, size_t *value_len)
{
    struct index_entry entry;
    enum err e = shown_get(&view->shown, &view->index->trees, txn, family, key, &entry);
    return e ? e : copy_value(&entry, now, value, value_len);
}
