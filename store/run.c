/* What a run is, apart from its rows: identity, life time, and the record that makes it real.
 *
 * The record is the only thing that says that rows count. It is written as `building` in the
 * transaction of the first rows, so that rows without a live record always have an owner who
 * removes them, crash or not. */
#include "store/run.h"

#include "store/codec.h"
#include "store/tree.h"

#include "base/failpoint.h"
#include "base/log.h"

#include <assert.h>
#include <stdio.h>

/* Makes it when `made` says so; else ERR_CORRUPT when it is not there. */
static enum err open_tree(MDB_txn *txn, const char *name, bool made, MDB_dbi *out)
{
    int rc = mdb_dbi_open(txn, name, made ? MDB_CREATE : 0, out);
    if (rc != MDB_NOTFOUND && rc != MDB_INCOMPATIBLE)
        return env_err(rc, name);
    log_error("the data file is damaged; restore a backup", LOG_TEXT_FIELD("missing", name),
              LOG_END);
    return ERR_CORRUPT;
}

/* Its trees are made together: as with the others, an empty one must not take the place of one
 * whose name was damaged. */
enum err index_trees_open(struct index_trees *trees, MDB_txn *txn)
{
    char levels[INDEX_LEVELS][24];
    const char *names[INDEX_TREES] = {"index_tail", "index_run", "index_filter"};
    MDB_dbi *trees_of[INDEX_TREES] = {&trees->tail, &trees->run, &trees->filter};
    bool any = false;
    for (unsigned i = 0; i < INDEX_LEVELS; i++) {
        (void)snprintf(levels[i], sizeof levels[i], "index_level_%u", i);
        names[INDEX_TREES - INDEX_LEVELS + i] = levels[i];
        trees_of[INDEX_TREES - INDEX_LEVELS + i] = &trees->level[i];
    }
    for (unsigned i = 0; i < INDEX_TREES && !any; i++)
        any = mdb_dbi_open(txn, names[i], 0, trees_of[i]) == 0;
    enum err e = ERR_OK;
    for (unsigned i = 0; i < INDEX_TREES && !e; i++)
        e = open_tree(txn, names[i], !any, trees_of[i]);
    return e;
}

void run_key_set(struct run_key *k, struct span key)
{
    assert(key.len <= INDEX_KEY_MAX);
    k->len = (uint8_t)key.len;
    memcpy(k->b, key.ptr, key.len);
}

struct run *run_new(uint64_t number, enum index_family family, unsigned level)
{
    struct run *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    atomic_init(&r->references, 1);
    r->number = number;
    r->family = family;
    r->level = level;
    return r;
}

struct run *run_ref(struct run *r)
{
    atomic_fetch_add_explicit(&r->references, 1, memory_order_relaxed);
    return r;
}

void run_unref(struct run **r)
{
    struct run *old = *r;
    *r = NULL;
    if (old && atomic_fetch_sub_explicit(&old->references, 1, memory_order_acq_rel) == 1)
        free(old);
}

bool run_unshared(const struct run *r)
{
    return atomic_load_explicit(&r->references, memory_order_acquire) == 1;
}

static void encode_key(struct buf *out, const struct run_key *k)
{
    buf_u8(out, k->len);
    buf_span(out, run_key_span(k));
}

static void decode_key(struct reader *r, struct run_key *k)
{
    struct span key = read_span(r, codec_read_below(r, INDEX_KEY_MAX + 1));
    if (!r->failed)
        run_key_set(k, key);
}

enum err run_store(const struct run *r, const struct index_trees *trees, MDB_txn *txn,
                   enum run_state state)
{
    struct buf out;
    buf_init(&out, INLINE_BYTES_MAX);
    size_t start = codec_begin(&out);
    buf_u8(&out, (uint8_t)state);
    buf_u8(&out, (uint8_t)r->family);
    buf_u8(&out, (uint8_t)r->level);
    buf_u64(&out, r->figures.entries);
    buf_u64(&out, r->figures.blocks);
    buf_u32(&out, r->figures.sum);
    buf_u32(&out, r->figures.filter_bytes);
    codec_wall(&out, r->figures.max_expires);
    encode_key(&out, &r->figures.first);
    encode_key(&out, &r->figures.last);
    codec_end(&out, start);
    if (out.failed) {
        buf_free(&out);
        return ERR_NO_MEMORY;
    }
    struct run_row row = run_row(r->number, SPAN(""));
    MDB_val key = run_row_val(&row), value = {out.len, out.ptr};
    int rc = mdb_put(txn, trees->run, &key, &value, 0);
    buf_free(&out);
    static const char *const points[] = {
        [RUN_BUILDING] = "run-begun", [RUN_LIVE] = "run-live", [RUN_DOOMED] = "run-doomed"};
    FAILPOINT(points[state]);
    return rc ? env_err(rc, "index run record") : ERR_OK;
}

enum err run_decode(struct span key, struct span record, struct run **out, enum run_state *state)
{
    struct reader r;
    enum err e = codec_open(record, &r);
    if (e)
        return e;
    if (key.len != 8)
        return ERR_CORRUPT;
    *state = (enum run_state)codec_read_below(&r, RUN_DOOMED + 1);
    enum index_family family = (enum index_family)codec_read_below(&r, INDEX_FAMILIES);
    unsigned level = codec_read_below(&r, INDEX_LEVELS);
    struct run_figures figures = {
        .entries = read_u64(&r),
    };
    figures.blocks = read_u64(&r);
    figures.sum = read_u32(&r);
    figures.filter_bytes = read_u32(&r);
    figures.max_expires = codec_read_wall(&r);
    decode_key(&r, &figures.first);
    decode_key(&r, &figures.last);
    e = codec_finished(&r);
    if (e || *state < RUN_BUILDING)
        return ERR_CORRUPT;
    *out = run_new(get_be64((const uint8_t *)key.ptr), family, level);
    if (!*out)
        return ERR_NO_MEMORY;
    (*out)->figures = figures;
    return ERR_OK;
}

struct run_row run_row(uint64_t number, struct span rest)
{
    struct run_row row = {.len = 8 + rest.len};
    assert(row.len <= RUN_ROW_MAX);
    put_be64(row.b, number);
    if (rest.len > 0)
        memcpy(row.b + 8, rest.ptr, rest.len);
    return row;
}

bool run_row_of(uint64_t number, MDB_val key, struct span *rest)
{
    if (key.mv_size < 8 || get_be64(key.mv_data) != number)
        return false;
    *rest = span_of((const char *)key.mv_data + 8, key.mv_size - 8);
    return true;
}
