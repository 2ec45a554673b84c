/* Writing and removing a run in slices. Nothing here remembers anything: where a slice begins is
 * found again from the rows (removal) or told by the caller (writing), so that an aborted
 * transaction needs no repair. */
#include "store/run_writer.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "store/codec.h"
#include "store/tree.h"

#include <assert.h>

#define CHUNK_BYTES (INLINE_BYTES_MAX - CODEC_HEAD)

uint32_t run_sum_add(uint32_t sum, uint32_t checksum)
{
    return sum * UINT32_C(2654435761) + checksum;
}

enum err run_writer_block(const struct run *run, const struct index_trees *trees, MDB_txn *txn,
                          struct block_builder *block, struct run_figures *figures)
{
    struct span sealed = block_seal(block);
    struct span first = block_builder_key(block, 0);
    struct span last = block_builder_key(block, block->count - 1);
    assert(figures->blocks == 0 || entry_key_cmp(run_key_span(&figures->last), first) < 0);

    struct run_row row = run_row(run->number, last);
    MDB_val key = run_row_val(&row), value = {sealed.len, (void *)(uintptr_t)sealed.ptr};
    int rc = mdb_put(txn, trees->level[run->level], &key, &value, MDB_APPEND);
    if (rc)
        return env_err(rc, "index block");
    if (figures->blocks == 0)
        run_key_set(&figures->first, first);
    run_key_set(&figures->last, last);
    figures->blocks++;
    figures->entries += block->count;
    figures->sum = run_sum_add(figures->sum, block_checksum(block->bytes));
    return ERR_OK;
}

unsigned run_filter_chunks(size_t filter_bytes)
{
    return (unsigned)((filter_bytes + CHUNK_BYTES - 1) / CHUNK_BYTES);
}

static struct run_row chunk_row(uint64_t number, unsigned chunk)
{
    uint8_t rest[4];
    put_be32(rest, chunk);
    return run_row(number, span_of(rest, sizeof rest));
}

/* The part of a filter that a chunk holds. */
static struct span chunk_part(struct filter *f, unsigned chunk)
{
    size_t from = (size_t)chunk * CHUNK_BYTES, left = filter_bytes(f) - from;
    return span_of(filter_data(f) + from, left < CHUNK_BYTES ? left : CHUNK_BYTES);
}

enum err run_writer_filter(const struct run *run, const struct index_trees *trees, MDB_txn *txn,
                           struct filter *filter, unsigned chunk)
{
    struct buf out;
    buf_init(&out, INLINE_BYTES_MAX);
    size_t start = codec_begin(&out);
    buf_span(&out, chunk_part(filter, chunk));
    codec_end(&out, start);
    if (out.failed) {
        buf_free(&out);
        return ERR_NO_MEMORY;
    }
    struct run_row row = chunk_row(run->number, chunk);
    MDB_val key = run_row_val(&row), value = {out.len, out.ptr};
    int rc = mdb_put(txn, trees->filter, &key, &value, 0);
    buf_free(&out);
    return rc ? env_err(rc, "index filter") : ERR_OK;
}

static enum err load_chunk(const struct run *run, const struct index_trees *trees, MDB_txn *txn,
                           struct filter *f, unsigned chunk)
{
    struct run_row row = chunk_row(run->number, chunk);
    MDB_val key = run_row_val(&row), value;
    int rc = mdb_get(txn, trees->filter, &key, &value);
    if (rc == MDB_NOTFOUND)
        return ERR_CORRUPT;
    if (rc)
        return env_err(rc, "index filter");
    struct reader r;
    enum err e = codec_open(span_of(value.mv_data, value.mv_size), &r);
    if (e)
        return e;
    struct span bits = read_rest(&r), part = chunk_part(f, chunk);
    if (bits.len != part.len)
        return ERR_CORRUPT;
    memcpy(filter_data(f) + (size_t)chunk * CHUNK_BYTES, bits.ptr, bits.len);
    return ERR_OK;
}

enum err run_filter_load(const struct run *run, const struct index_trees *trees, MDB_txn *txn,
                         struct filter **out)
{
    *out = NULL;
    size_t bytes = run->figures.filter_bytes;
    if (bytes == 0)
        return ERR_OK;
    struct filter *f = filter_new(bytes);
    if (!f)
        return ERR_NO_MEMORY;
    enum err e = ERR_OK;
    for (unsigned i = 0; !e && i < run_filter_chunks(bytes); i++)
        e = load_chunk(run, trees, txn, f, i);
    if (e)
        filter_unref(&f);
    if (e == ERR_CORRUPT) {
        log_error("index filter damaged", LOG_INT("run", run->number), LOG_END);
        e = ERR_OK;
    }
    *out = f;
    return e;
}

/* Removes the first rows of `number` from one tree. */
static enum err remove_rows(MDB_txn *txn, MDB_dbi tree, uint64_t number, unsigned rows,
                            unsigned *removed)
{
    MDB_cursor *c;
    int rc = mdb_cursor_open(txn, tree, &c);
    if (rc)
        return env_err(rc, "index removal");
    while (*removed < rows) {
        struct run_row row = run_row(number, SPAN(""));
        MDB_val key = run_row_val(&row), value;
        struct span rest;
        rc = mdb_cursor_get(c, &key, &value, MDB_SET_RANGE);
        if (rc || !run_row_of(number, key, &rest))
            break;
        rc = mdb_cursor_del(c, 0);
        if (rc)
            break;
        ++*removed;
    }
    mdb_cursor_close(c);
    return rc && rc != MDB_NOTFOUND ? env_err(rc, "index removal") : ERR_OK;
}

enum err run_writer_remove(const struct run *run, const struct index_trees *trees, MDB_txn *txn,
                           unsigned rows, unsigned *removed, bool *gone)
{
    *removed = 0;
    *gone = false;
    const MDB_dbi trees_of_rows[] = {trees->level[run->level], trees->filter, trees->run};
    for (size_t i = 0; i < sizeof trees_of_rows / sizeof *trees_of_rows; i++) {
        enum err e = remove_rows(txn, trees_of_rows[i], run->number, rows, removed);
        if (e)
            return e;
        FAILPOINT("run-removed");
        if (*removed == rows)
            return ERR_OK;
    }
    *gone = true;
    return ERR_OK;
}
