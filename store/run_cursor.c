/* A block is keyed by its last key, so the block that could hold a key is the first one whose row
 * is not less: one descent of the tree, then a search by halves.
 *
 * Each step to another block descends again by key. That costs half a microsecond per block of some
 * twenty-five entries, and in exchange all runs of a level share one LMDB cursor. */
#include "store/run_cursor.h"

#include "base/log.h"
#include "store/tree.h"

#include <assert.h>

enum err run_find(struct run *run, const struct index_trees *trees, MDB_txn *txn, struct span key,
                  struct index_entry *out)
{
    if (entry_key_cmp(key, run_key_span(&run->figures.first)) < 0 ||
        entry_key_cmp(key, run_key_span(&run->figures.last)) > 0)
        return ERR_NOT_FOUND;
    struct run_cursor c = {.run = run};
    int rc = mdb_cursor_open(txn, trees->level[run->level], &c.rows);
    if (rc)
        return env_err(rc, "index run cursor");
    enum err e = run_cursor_seek(&c, key, false);
    if (!e) {
        *out = run_cursor_entry(&c);
        if (!span_eq(out->key, key))
            e = ERR_NOT_FOUND;
    }
    mdb_cursor_close(c.rows);
    return e;
}

static void report_damage(struct run *run)
{
    if (!atomic_exchange_explicit(&run->damage_reported, true, memory_order_relaxed))
        log_error("index block damaged", LOG_INT("run", run->number),
                  LOG_INT("family", run->family), LOG_END);
}

/* Takes the block at the LMDB cursor; passes damaged ones in the given direction. `rc` is of the
 * move that led there. */
static enum err take_block(struct run_cursor *c, int rc, MDB_val key, MDB_val value, bool backward)
{
    struct span rest;
    for (;;) {
        if (rc == MDB_NOTFOUND || (rc == 0 && !run_row_of(c->run->number, key, &rest)))
            return ERR_NOT_FOUND;
        if (rc)
            return env_err(rc, "index run walk");
        struct span bytes = span_of(value.mv_data, value.mv_size);
        if (c->copy && bytes.len <= BLOCK_BYTES_MAX) {
            memcpy(c->copy, bytes.ptr, bytes.len);
            bytes.ptr = (const char *)c->copy;
        }
        if (block_open(bytes, &c->block) == ERR_OK)
            return ERR_OK;
        report_damage(c->run);
        rc = mdb_cursor_get(c->rows, &key, &value, backward ? MDB_PREV : MDB_NEXT);
    }
}

/* The first block whose last key is >= `key`. */
static enum err seek_block(struct run_cursor *c, struct span key)
{
    struct run_row row = run_row(c->run->number, key);
    MDB_val at = run_row_val(&row), value = {0, NULL};
    int rc = mdb_cursor_get(c->rows, &at, &value, MDB_SET_RANGE);
    return take_block(c, rc, at, value, false);
}

/* The last block whose last key is < `key`. */
static enum err seek_block_before(struct run_cursor *c, struct span key)
{
    struct run_row row = run_row(c->run->number, key);
    MDB_val at = run_row_val(&row), value = {0, NULL};
    int rc = mdb_cursor_get(c->rows, &at, &value, MDB_SET_RANGE);
    if (rc == 0 || rc == MDB_NOTFOUND)
        rc = mdb_cursor_get(c->rows, &at, &value, rc == 0 ? MDB_PREV : MDB_LAST);
    return take_block(c, rc, at, value, true);
}

enum err run_cursor_seek(struct run_cursor *c, struct span key, bool backward)
{
    enum err e = seek_block(c, key);
    if (e && (e != ERR_NOT_FOUND || !backward))
        return e;
    unsigned lower = e ? 0 : block_lower(&c->block, key);
    if (!backward) {
        c->at = lower;
        return lower < c->block.count ? ERR_OK : ERR_NOT_FOUND;
    }
    if (!e && lower < c->block.count && span_eq(block_entry(&c->block, lower).key, key)) {
        c->at = lower;
        return ERR_OK;
    }
    if (lower > 0) {
        c->at = lower - 1;
        return ERR_OK;
    }
    e = seek_block_before(c, key);
    if (!e)
        c->at = c->block.count - 1;
    return e;
}

enum err run_cursor_step(struct run_cursor *c, bool backward)
{
    assert(c->at < c->block.count);
    if (backward ? c->at > 0 : c->at + 1 < c->block.count) {
        c->at += backward ? -1u : 1u;
        return ERR_OK;
    }
    struct span edge = block_entry(&c->block, c->at).key;
    if (backward) {
        enum err e = seek_block_before(c, edge);
        if (!e)
            c->at = c->block.count - 1;
        return e;
    }
    uint8_t successor[INDEX_KEY_MAX + 1] = {0};
    assert(edge.len <= INDEX_KEY_MAX);
    memcpy(successor, edge.ptr, edge.len);
    enum err e = seek_block(c, span_of(successor, edge.len + 1));
    c->at = 0;
    return e;
}

struct index_entry run_cursor_entry(const struct run_cursor *c)
{
    return block_entry(&c->block, c->at);
}
