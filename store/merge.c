/* A scan over the current entry of every source finds the next one: sources are counted in tens,
 * and a scan of tens beats a heap that must be kept in order.
 *
 * Invariant: a source that is `live` stands on an entry that was not handed out yet, except that
 * the entry handed out last, and its older namesakes, are still under their sources until the next
 * call, so that what the caller holds stays valid. */
#include "store/merge.h"

#include "store/run_cursor.h"
#include "store/tree.h"

#include <assert.h>

struct source {
    const struct memtable *table; /* NULL: a run */
    memtable_node limit, node;
    struct run_cursor run;
    bool live;
    struct index_entry entry;
};

struct merge {
    const struct index_trees *trees;
    MDB_txn *txn;
    enum index_family family;
    bool backward;
    MDB_cursor *rows[INDEX_LEVELS]; /* shared by the runs of a level */
    uint8_t *copies;                /* NULL, or one block for each source */
    struct source *handed_out;      /* NULL before the first entry */
    unsigned count, max;
    struct source source[];
};

struct merge *merge_new(const struct index_trees *trees, MDB_txn *txn, enum index_family family,
                        unsigned sources_max, bool backward, bool copied)
{
    struct merge *m = calloc(1, sizeof *m + sources_max * sizeof *m->source);
    if (!m)
        return NULL;
    m->trees = trees;
    m->txn = txn;
    m->family = family;
    m->backward = backward;
    m->max = sources_max;
    if (copied && sources_max > 0) {
        m->copies = malloc((size_t)sources_max * BLOCK_BYTES_MAX);
        if (!m->copies) {
            free(m);
            return NULL;
        }
    }
    return m;
}

void merge_free(struct merge **m)
{
    struct merge *old = *m;
    *m = NULL;
    if (!old)
        return;
    for (unsigned level = 0; level < INDEX_LEVELS; level++)
        if (old->rows[level])
            mdb_cursor_close(old->rows[level]);
    free(old->copies);
    free(old);
}

void merge_add_table(struct merge *m, const struct memtable *table, memtable_node limit)
{
    assert(m->count < m->max);
    m->source[m->count++] = (struct source){.table = table, .limit = limit};
}

enum err merge_add_run(struct merge *m, struct run *run)
{
    assert(m->count < m->max);
    MDB_cursor **rows = &m->rows[run->level];
    if (!*rows) {
        int rc = mdb_cursor_open(m->txn, m->trees->level[run->level], rows);
        if (rc)
            return env_err(rc, "index merge");
    }
    uint8_t *copy = m->copies ? m->copies + (size_t)m->count * BLOCK_BYTES_MAX : NULL;
    m->source[m->count++] = (struct source){.run = {.run = run, .rows = *rows, .copy = copy}};
    return ERR_OK;
}

/* After a move: what the source stands on. The end of a source is no error. */
static enum err settle_table(struct source *s, memtable_node node)
{
    s->node = node;
    s->live = node != 0;
    if (s->live)
        s->entry = memtable_entry(s->table, node);
    return ERR_OK;
}

static enum err settle_run(struct source *s, enum err moved)
{
    s->live = moved == ERR_OK;
    if (s->live)
        s->entry = run_cursor_entry(&s->run);
    return moved == ERR_NOT_FOUND ? ERR_OK : moved;
}

static enum err advance(const struct merge *m, struct source *s)
{
    if (s->table)
        return settle_table(s, memtable_next(s->table, s->limit, s->node, m->backward));
    return settle_run(s, run_cursor_step(&s->run, m->backward));
}

enum err merge_seek(struct merge *m, struct span key)
{
    for (unsigned i = 0; i < m->count; i++) {
        struct source *s = &m->source[i];
        enum err e;
        if (s->table)
            e = settle_table(s, memtable_seek(s->table, s->limit, m->family, key, m->backward));
        else
            e = settle_run(s, run_cursor_seek(&s->run, key, m->backward));
        if (e)
            return e;
    }
    return ERR_OK;
}

/* Moves the source of the last entry on, after every other that stands on the same key. */
static enum err pass_handed_out(struct merge *m)
{
    struct source *top = m->handed_out;
    for (unsigned i = 0; i < m->count; i++) {
        struct source *s = &m->source[i];
        if (s == top || !s->live || !span_eq(s->entry.key, top->entry.key))
            continue;
        enum err e = advance(m, s);
        if (e)
            return e;
    }
    return advance(m, top);
}

enum err merge_next(struct merge *m, struct index_entry *out)
{
    if (m->handed_out) {
        enum err e = pass_handed_out(m);
        if (e)
            return e;
    }
    struct source *best = NULL;
    for (unsigned i = 0; i < m->count; i++) {
        struct source *s = &m->source[i];
        if (!s->live)
            continue;
        int order = best ? entry_key_cmp(s->entry.key, best->entry.key) : -1;
        if (!best || (m->backward ? order > 0 : order < 0))
            best = s;
    }
    m->handed_out = best;
    if (!best)
        return ERR_NOT_FOUND;
    *out = best->entry;
    return ERR_OK;
}
