/* The tail makes an entry durable for the price of an append: it is what lets the index sort later.
 *
 * The mark and the runs that replace a piece of the tail commit together; the records behind it go
 * in slices, because a full table has thousands. A crash between leaves records that are skipped at
 * the next open and removed then. */
#include "store/tail.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "store/block.h"
#include "store/codec.h"
#include "store/tree.h"

#include <assert.h>

#define MARK_NUMBER 0

static MDB_val number_val(uint8_t key[8], uint64_t number)
{
    put_be64(key, number);
    return (MDB_val){8, key};
}

static enum err read_mark(struct tail *t, MDB_txn *txn)
{
    uint8_t bytes[8];
    MDB_val key = number_val(bytes, MARK_NUMBER), value;
    int rc = mdb_get(txn, t->tree, &key, &value);
    if (rc == MDB_NOTFOUND)
        return ERR_OK;
    if (rc)
        return env_err(rc, "index tail mark");
    struct reader r;
    enum err e = codec_open(span_of(value.mv_data, value.mv_size), &r);
    if (e)
        return e;
    t->now.written = read_u64(&r);
    return codec_finished(&r);
}

enum err tail_open(struct tail *t, MDB_dbi tree, MDB_txn *txn)
{
    *t = (struct tail){.tree = tree};
    enum err e = read_mark(t, txn);
    if (e == ERR_CORRUPT) {
        /* Fails safe: the whole tail is read back and written out again. */
        log_error("index tail mark damaged", LOG_END);
        t->now.written = 0;
    } else if (e) {
        return e;
    }
    MDB_cursor *c;
    int rc = mdb_cursor_open(txn, tree, &c);
    if (rc)
        return env_err(rc, "index tail");
    MDB_val key, value;
    t->now.first = t->now.next = t->now.written + 1;
    rc = mdb_cursor_get(c, &key, &value, MDB_LAST);
    if (rc == 0 && key.mv_size == 8 && get_be64(key.mv_data) >= t->now.next)
        t->now.next = get_be64(key.mv_data) + 1;
    uint8_t bytes[8];
    key = number_val(bytes, MARK_NUMBER + 1);
    if (rc == 0)
        rc = mdb_cursor_get(c, &key, &value, MDB_SET_RANGE);
    if (rc == 0 && key.mv_size == 8 && get_be64(key.mv_data) < t->now.first)
        t->now.first = get_be64(key.mv_data);
    mdb_cursor_close(c);
    t->committed = t->now;
    return rc && rc != MDB_NOTFOUND ? env_err(rc, "index tail") : ERR_OK;
}

bool tail_entry_parse(struct index_entry *e, enum index_family *family)
{
    if (e->key.len < 2 || (uint8_t)e->key.ptr[0] >= INDEX_FAMILIES)
        return false;
    *family = (enum index_family)e->key.ptr[0];
    e->key = span_skip(e->key, 1);
    return true;
}

static enum err load_record(const struct tail_loader *loader, uint64_t number, struct span bytes)
{
    struct block block;
    enum err e = block_open(bytes, &block);
    if (e) {
        log_error("index tail record damaged", LOG_INT("number", number), LOG_END);
        return ERR_OK;
    }
    e = loader->record(loader->context, number, block.count);
    for (unsigned i = 0; !e && i < block.count; i++) {
        struct index_entry entry = block_entry(&block, i);
        enum index_family family;
        if (tail_entry_parse(&entry, &family))
            e = loader->entry(loader->context, family, &entry);
    }
    return e;
}

enum err tail_load(const struct tail *t, MDB_txn *txn, const struct tail_loader *loader)
{
    MDB_cursor *c;
    int rc = mdb_cursor_open(txn, t->tree, &c);
    if (rc)
        return env_err(rc, "index tail");
    uint8_t bytes[8];
    MDB_val key = number_val(bytes, t->now.written + 1), value;
    enum err e = ERR_OK;
    for (rc = mdb_cursor_get(c, &key, &value, MDB_SET_RANGE); rc == 0 && !e;
         rc = mdb_cursor_get(c, &key, &value, MDB_NEXT))
        if (key.mv_size == 8)
            e = load_record(loader, get_be64(key.mv_data), span_of(value.mv_data, value.mv_size));
    mdb_cursor_close(c);
    if (e)
        return e;
    return rc == MDB_NOTFOUND ? ERR_OK : env_err(rc, "index tail");
}

static enum err append_block(struct tail *t, MDB_txn *txn, struct block_builder *block)
{
    struct span sealed = block_seal(block);
    uint8_t bytes[8];
    MDB_val key = number_val(bytes, t->now.next);
    MDB_val value = {sealed.len, (void *)(uintptr_t)sealed.ptr};
    int rc = mdb_put(txn, t->tree, &key, &value, MDB_APPEND);
    if (rc)
        return env_err(rc, "index tail");
    t->now.next++;
    block_begin(block);
    return ERR_OK;
}

enum err tail_append(struct tail *t, MDB_txn *txn, const struct memtable *table, memtable_node from)
{
    struct block_builder block;
    block_begin(&block);
    memtable_node end = memtable_mark(table);
    for (memtable_node at = from; at < end; at = memtable_after(table, at)) {
        struct index_entry entry = memtable_entry(table, at);
        char key[BLOCK_KEY_MAX];
        key[0] = (char)memtable_family(table, at);
        memcpy(key + 1, entry.key.ptr, entry.key.len);
        entry.key = span_of(key, entry.key.len + 1);
        if (block_add(&block, &entry))
            continue;
        enum err e = append_block(t, txn, &block);
        if (e)
            return e;
        bool fits = block_add(&block, &entry);
        assert(fits);
    }
    return block.count > 0 ? append_block(t, txn, &block) : ERR_OK;
}

uint64_t tail_last(const struct tail *t)
{
    return t->now.next - 1;
}

enum err tail_mark_written(struct tail *t, MDB_txn *txn, uint64_t number)
{
    assert(number >= t->now.written && number < t->now.next);
    struct buf out;
    buf_init(&out, INLINE_BYTES_MAX);
    size_t start = codec_begin(&out);
    buf_u64(&out, number);
    codec_end(&out, start);
    if (out.failed) {
        buf_free(&out);
        return ERR_NO_MEMORY;
    }
    uint8_t bytes[8];
    MDB_val key = number_val(bytes, MARK_NUMBER), value = {out.len, out.ptr};
    int rc = mdb_put(txn, t->tree, &key, &value, 0);
    buf_free(&out);
    if (rc)
        return env_err(rc, "index tail mark");
    t->now.written = number;
    FAILPOINT("tail-written");
    return ERR_OK;
}

bool tail_needs_trim(const struct tail *t)
{
    return t->now.first <= t->now.written;
}

enum err tail_trim(struct tail *t, MDB_txn *txn, unsigned rows, unsigned *removed)
{
    for (*removed = 0; *removed < rows && tail_needs_trim(t); t->now.first++) {
        uint8_t bytes[8];
        MDB_val key = number_val(bytes, t->now.first);
        int rc = mdb_del(txn, t->tree, &key, NULL);
        if (rc && rc != MDB_NOTFOUND)
            return env_err(rc, "index tail trim");
        ++*removed;
        FAILPOINT("tail-trimmed");
    }
    return ERR_OK;
}

void tail_committed(struct tail *t)
{
    t->committed = t->now;
}

void tail_aborted(struct tail *t)
{
    t->now = t->committed;
}
