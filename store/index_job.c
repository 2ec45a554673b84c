/* Copies sorted entries into blocks of a new run, and remembers only the last key that it consumed,
 * so that every slice begins with a search and an aborted slice is forgotten by restoring
 * `progress`. Bits that an aborted slice set in the filter stay: a filter may say maybe too often.
 *
 * Expired entries are dropped on the way; an older entry of the same key goes with them, which is
 * why a replacement must not expire first (store/index.h). */
#include "store/index_job.h"

#include "store/merge.h"
#include "store/run_writer.h"

#include <assert.h>

/* Entries that one block may consume: bounds a stretch of expired ones. */
#define BLOCK_CONSUMES_MAX 1024

static size_t building_filters(const struct index *ix)
{
    size_t bytes = 0;
    for (unsigned level = 0; level < INDEX_LEVELS; level++)
        if (ix->job[level] && ix->job[level]->filter)
            bytes += filter_bytes(ix->job[level]->filter);
    return bytes;
}

/* A filter for so many keys, when the bound allows one: older runs give theirs up for it. A filter
 * is a hint, so that a directory with fewer is published at once. */
static bool make_filter(struct index *ix, uint64_t keys, struct filter **out)
{
    *out = NULL;
    size_t bytes = filter_size(keys), used = building_filters(ix);
    if (used + bytes > ix->limits.filter_bytes_max)
        return true;
    if (used + bytes + ix->directory->filter_bytes > ix->limits.filter_bytes_max) {
        struct directory *fewer = directory_change(ix->directory, NULL, 0, NULL,
                                                   ix->limits.filter_bytes_max - used - bytes);
        if (!fewer)
            return false;
        directory_unref(&ix->directory);
        ix->directory = fewer;
        index_publish(ix);
    }
    *out = filter_new(bytes);
    return *out != NULL;
}

static struct index_job *job_new(struct index *ix, enum index_family family, unsigned level)
{
    struct index_job *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->output = run_new(ix->next_number++, family, level);
    if (!j->output)
        index_job_free(&j);
    return j;
}

/* The last step of making a job, because it may replace the directory that the inputs came from. */
static struct index_job *with_filter(struct index *ix, struct index_job *j, uint64_t keys)
{
    if (family_is_point(j->output->family) && !make_filter(ix, keys, &j->filter))
        index_job_free(&j);
    return j;
}

struct index_job *index_job_table(struct index *ix, enum index_family family)
{
    struct index_job *j = job_new(ix, family, 0);
    if (!j)
        return NULL;
    j->table = memtable_ref(ix->frozen);
    return with_filter(ix, j, memtable_count(ix->frozen, family));
}

struct index_job *index_job_merge(struct index *ix, const struct directory_item *newest,
                                  unsigned count)
{
    assert(count <= INDEX_MERGE_RUNS);
    struct index_job *j = job_new(ix, newest->run->family, newest->run->level + 1);
    if (!j)
        return NULL;
    uint64_t keys = 0;
    for (unsigned i = 0; i < count; i++) {
        keys += newest[i].run->figures.entries;
        j->input[j->inputs++] = run_ref(newest[i].run);
        newest[i].run->merging = true;
    }
    return with_filter(ix, j, keys);
}

void index_job_free(struct index_job **j)
{
    struct index_job *old = *j;
    *j = NULL;
    if (!old)
        return;
    for (unsigned i = 0; i < old->inputs; i++) {
        old->input[i]->merging = false;
        run_unref(&old->input[i]);
    }
    memtable_unref(&old->table);
    run_unref(&old->output);
    filter_unref(&old->filter);
    free(old);
}

/* ------------------------------------------------ entries */

/* All sources, at the first key that was not consumed. */
static enum err open_sources(struct index_job *j, struct work *w, struct merge **out)
{
    const struct index_trees *trees = &w->ix->trees;
    unsigned count = j->table ? 1 : j->inputs;
    struct merge *m = merge_new(trees, w->txn, j->output->family, count, false, true);
    if (!m)
        return ERR_NO_MEMORY;
    enum err e = ERR_OK;
    if (j->table)
        merge_add_table(m, j->table, memtable_mark(j->table));
    for (unsigned i = 0; !e && i < j->inputs; i++)
        e = merge_add_run(m, j->input[i]);
    if (!e) {
        uint8_t successor[INDEX_KEY_MAX + 1] = {0};
        const struct run_key *at = &j->now.at;
        memcpy(successor, at->b, at->len);
        e = merge_seek(m, span_of(successor, at->len + 1u));
    }
    if (e)
        merge_free(&m);
    *out = m;
    return e;
}

/* Consumes entries until the block is full. *entry is the first that was not consumed;
 * ERR_NOT_FOUND when there is none. */
static enum err fill_block(struct index_job *j, struct work *w, struct merge *m,
                           struct index_entry *entry, struct block_builder *block)
{
    for (unsigned consumed = 0; consumed < BLOCK_CONSUMES_MAX; consumed++) {
        if (!entry_expired(entry, w->now)) {
            if (!block_add(block, entry))
                return ERR_OK;
            if (j->filter)
                filter_add(j->filter, filter_hash_of(entry->key));
            if (entry->expires.us > j->now.figures.max_expires.us)
                j->now.figures.max_expires = entry->expires;
        }
        w->units--;
        run_key_set(&j->now.at, entry->key);
        enum err e = merge_next(m, entry);
        if (e)
            return e;
    }
    return ERR_OK;
}

static enum err write_block(struct index_job *j, struct work *w, struct block_builder *block)
{
    if (!j->now.begun) {
        enum err e = run_store(j->output, &w->ix->trees, w->txn, RUN_BUILDING);
        if (e)
            return e;
        j->now.begun = true;
    }
    w->units -= WORK_UNITS_PER_RECORD;
    return run_writer_block(j->output, &w->ix->trees, w->txn, block, &j->now.figures);
}

static enum err write_entries(struct index_job *j, struct work *w)
{
    struct merge *m;
    enum err e = open_sources(j, w, &m);
    if (e)
        return e;
    struct index_entry entry;
    struct block_builder block;
    e = merge_next(m, &entry);
    while (!e && w->units > 0) {
        block_begin(&block);
        e = fill_block(j, w, m, &entry, &block);
        if ((!e || e == ERR_NOT_FOUND) && block.count > 0) {
            enum err written = write_block(j, w, &block);
            e = written ? written : e;
        }
    }
    merge_free(&m);
    if (e != ERR_NOT_FOUND)
        return e;
    j->now.phase = j->filter && j->now.figures.entries > 0 ? JOB_FILTER : JOB_WRITTEN;
    return ERR_OK;
}

static enum err write_filter(struct index_job *j, struct work *w)
{
    unsigned chunks = run_filter_chunks(filter_bytes(j->filter));
    for (; j->now.chunk < chunks; j->now.chunk++) {
        if (w->units <= 0)
            return ERR_OK;
        enum err e = run_writer_filter(j->output, &w->ix->trees, w->txn, j->filter, j->now.chunk);
        if (e)
            return e;
        w->units -= WORK_UNITS_PER_RECORD;
    }
    j->now.figures.filter_bytes = (uint32_t)filter_bytes(j->filter);
    j->now.phase = JOB_WRITTEN;
    return ERR_OK;
}

enum err index_job_advance(struct index_job *j, struct work *w)
{
    enum err e = ERR_OK;
    if (j->now.phase == JOB_ENTRIES)
        e = write_entries(j, w);
    if (!e && j->now.phase == JOB_FILTER)
        e = write_filter(j, w);
    return e;
}
