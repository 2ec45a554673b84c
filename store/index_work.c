/* The background work of the index, a slice in every batch.
 *
 * One job for each level writes a run there: into level 0 from the frozen table, family by family;
 * into each other level from the oldest runs of the level below. All advance in every step, each by
 * its share: an entry is written about once per level, so that equal shares keep pace. A level that
 * holds LEVEL_RUNS_MAX runs of a family takes no more until they are merged: then the table stays
 * full and ingest is refused, which is the honest answer of a disk that is too slow.
 *
 * Durable first: whatever a step decides becomes true in index_work_committed. In the transaction
 * in which a run becomes live its inputs become doomed, and the mark of the tail moves with the
 * last family of a table. Jobs start only from a committed directory, so that an abort never takes
 * a running job's inputs away. */
#include "store/index_job.h"

#include "store/run_writer.h"

#include <assert.h>

#define LEVEL_RUNS_MAX (4 * INDEX_MERGE_RUNS)

/* ------------------------------------------------ the directory of the running transaction */

static struct directory *current(const struct index *ix)
{
    return ix->directory_next ? ix->directory_next : ix->directory;
}

static enum err change_directory(struct index *ix, struct run *const *without, unsigned count,
                                 const struct directory_item *added)
{
    struct directory *changed =
        directory_change(current(ix), without, count, added, ix->limits.filter_bytes_max);
    if (!changed)
        return ERR_NO_MEMORY;
    directory_unref(&ix->directory_next);
    ix->directory_next = changed;
    return ERR_OK;
}

/* The run leaves the directory with this transaction; its rows go later. */
static enum err doom(struct work *w, struct run *run)
{
    enum err e = run_store(run, &w->ix->trees, w->txn, RUN_DOOMED);
    if (e)
        return e;
    run->next = w->ix->doomed_next;
    w->ix->doomed_next = run_ref(run);
    return ERR_OK;
}

/* ------------------------------------------------ starting and ending jobs */

/* The next family of the frozen table becomes a run of level 0. */
static enum err start_write_out(struct index *ix)
{
    if (!ix->frozen || ix->family == INDEX_FAMILIES)
        return ERR_OK;
    enum index_family family = (enum index_family)ix->family;
    if (directory_level_count(ix->directory, family, 0) >= LEVEL_RUNS_MAX)
        return ERR_OK;
    ix->job[0] = index_job_table(ix, family);
    return ix->job[0] ? ERR_OK : ERR_NO_MEMORY;
}

/* The family with the most runs in the level below, if one has enough to merge and `level` has room
 * for the result: the place of its newest input, NULL if there is none. */
static const struct directory_item *pick_merge(const struct index *ix, unsigned level)
{
    const struct directory *d = ix->directory;
    const struct directory_item *newest = NULL;
    unsigned most = INDEX_MERGE_RUNS - 1;
    for (unsigned family = 0; family < INDEX_FAMILIES; family++) {
        unsigned below = directory_level_count(d, (enum index_family)family, level - 1);
        unsigned here = directory_level_count(d, (enum index_family)family, level);
        if (below <= most || (level + 1 < INDEX_LEVELS && here >= LEVEL_RUNS_MAX))
            continue;
        most = below;
        unsigned at = d->first[family];
        while (d->item[at].run->level < level - 1)
            at++;
        newest = &d->item[at + below - INDEX_MERGE_RUNS];
    }
    return newest;
}

static enum err start_merge(struct index *ix, unsigned level)
{
    const struct directory_item *newest = pick_merge(ix, level);
    if (!newest)
        return ERR_OK;
    ix->job[level] = index_job_merge(ix, newest, INDEX_MERGE_RUNS);
    return ix->job[level] ? ERR_OK : ERR_NO_MEMORY;
}

static enum err start_jobs(struct index *ix)
{
    enum err e = ERR_OK;
    if (ix->directory_next)
        return ERR_OK;
    for (unsigned level = 0; !e && level < INDEX_LEVELS; level++)
        if (!ix->job[level])
            e = level == 0 ? start_write_out(ix) : start_merge(ix, level);
    return e;
}

/* A family of the frozen table is out; with the last one its piece of the tail is needless. */
static enum err end_write_out(struct work *w)
{
    struct index *ix = w->ix;
    ix->family++;
    if (ix->family < INDEX_FAMILIES)
        return ERR_OK;
    ix->frozen_done = true;
    return tail_mark_written(&ix->tail, w->txn, ix->frozen_tail);
}

static enum err end_job(struct work *w, struct index_job *j)
{
    struct index *ix = w->ix;
    enum err e = ERR_OK;
    struct directory_item item = {j->output, j->filter};
    bool any = j->now.figures.entries > 0;
    if (any) {
        j->output->figures = j->now.figures;
        e = run_store(j->output, &ix->trees, w->txn, RUN_LIVE);
    }
    for (unsigned i = 0; !e && i < j->inputs; i++)
        e = doom(w, j->input[i]);
    if (!e && (any || j->inputs > 0))
        e = change_directory(ix, j->input, j->inputs, any ? &item : NULL);
    if (!e && j->table)
        e = end_write_out(w);
    j->now.published = !e;
    return e;
}

/* ------------------------------------------------ removing */

/* Runs that have expired as a whole leave at once, unless a merge is about to drop their
 * entries. */
static enum err drop_expired(struct work *w)
{
    const struct directory *d = w->ix->directory;
    if (w->ix->directory_next || d->next_expiry.us > w->now.us)
        return ERR_OK;
    enum err e = ERR_OK;
    for (unsigned i = 0; !e && i < directory_count(d); i++) {
        struct run *run = d->item[i].run;
        if (run->merging || run->figures.max_expires.us > w->now.us)
            continue;
        e = doom(w, run);
        if (!e)
            e = change_directory(w->ix, &run, 1, NULL);
    }
    return e;
}

static bool removable(const struct run *run)
{
    return !run->removed && run_unshared(run);
}

static unsigned rows_for(const struct work *w)
{
    return w->units > 0 ? (unsigned)(w->units / WORK_UNITS_PER_RECORD) + 1 : 0;
}

/* Trims the tail and removes the rows of doomed runs. */
static enum err clean(struct work *w)
{
    struct index *ix = w->ix;
    unsigned removed = 0;
    enum err e = tail_trim(&ix->tail, w->txn, rows_for(w), &removed);
    w->units -= (long)removed * WORK_UNITS_PER_RECORD;
    for (struct run *run = ix->doomed; !e && run && w->units > 0; run = run->next) {
        if (!removable(run))
            continue;
        e = run_writer_remove(run, &ix->trees, w->txn, rows_for(w), &removed, &run->removed);
        w->units -= (long)removed * WORK_UNITS_PER_RECORD;
    }
    return e;
}

/* ------------------------------------------------ the step */

static bool job_runs(const struct index *ix, unsigned level)
{
    return ix->job[level] && !ix->job[level]->now.published;
}

static unsigned jobs_running(const struct index *ix, unsigned from)
{
    unsigned count = 0;
    for (unsigned level = from; level < INDEX_LEVELS; level++)
        count += job_runs(ix, level);
    return count;
}

static enum err advance_jobs(struct work *w)
{
    enum err e = ERR_OK;
    for (unsigned level = 0; !e && level < INDEX_LEVELS; level++) {
        if (!job_runs(w->ix, level))
            continue;
        struct index_job *j = w->ix->job[level];
        struct work share = *w;
        share.units = w->units / (long)jobs_running(w->ix, level);
        long before = share.units;
        e = index_job_advance(j, &share);
        w->units -= before - share.units;
        if (!e && j->now.phase == JOB_WRITTEN)
            e = end_job(w, j);
    }
    return e;
}

/* Whether a step after this transaction would find something to do. */
static bool work_left(const struct index *ix)
{
    if (ix->directory_next || ix->doomed_next || tail_needs_trim(&ix->tail))
        return true;
    for (unsigned level = 0; level < INDEX_LEVELS; level++)
        if (ix->job[level] || (level > 0 && pick_merge(ix, level)))
            return true;
    for (const struct run *run = ix->doomed; run; run = run->next)
        if (removable(run))
            return true;
    return ix->following || (ix->frozen && !ix->frozen_done);
}

enum err index_step(struct index *ix, MDB_txn *txn, struct wall now, unsigned rows, bool *more)
{
    struct work w = {ix, txn, now, (long)rows * WORK_UNITS_PER_ROW};
    *more = true;
    enum err e = start_jobs(ix);
    if (!e)
        e = drop_expired(&w);
    if (e)
        return e;
    /* Removing frees pages that writing needs, but must not hold writing up. */
    long kept = jobs_running(ix, 0) > 0 ? w.units / 2 : 0;
    w.units -= kept;
    e = clean(&w);
    w.units += kept;
    if (!e)
        e = advance_jobs(&w);
    *more = work_left(ix);
    return e;
}

/* ------------------------------------------------ the end of the transaction */

/* Joins what the transaction doomed, and forgets what it removed. */
static void settle_doomed(struct index *ix)
{
    struct run **link = &ix->doomed;
    while (*link) {
        struct run *run = *link;
        if (run->removed) {
            *link = run->next;
            run_unref(&run);
        } else {
            link = &run->next;
        }
    }
    *link = ix->doomed_next;
    ix->doomed_next = NULL;
}

void index_work_committed(struct index *ix)
{
    for (unsigned level = 0; level < INDEX_LEVELS; level++) {
        struct index_job *j = ix->job[level];
        if (j && j->now.published)
            index_job_free(&ix->job[level]);
        else if (j)
            j->committed = j->now;
    }
    if (ix->directory_next) {
        directory_unref(&ix->directory);
        ix->directory = ix->directory_next;
        ix->directory_next = NULL;
    }
    settle_doomed(ix);
    if (ix->frozen_done) {
        memtable_unref(&ix->frozen);
        ix->frozen_done = false;
        ix->family = 0;
    }
    ix->family_committed = ix->family;
}

static void unref_runs(struct run **list)
{
    while (*list) {
        struct run *run = *list;
        *list = run->next;
        run_unref(&run);
    }
}

void index_work_aborted(struct index *ix)
{
    for (unsigned level = 0; level < INDEX_LEVELS; level++)
        if (ix->job[level])
            ix->job[level]->now = ix->job[level]->committed;
    directory_unref(&ix->directory_next);
    unref_runs(&ix->doomed_next);
    for (struct run *run = ix->doomed; run; run = run->next)
        run->removed = false;
    ix->frozen_done = false;
    ix->family = ix->family_committed;
}

void index_work_close(struct index *ix)
{
    for (unsigned level = 0; level < INDEX_LEVELS; level++)
        index_job_free(&ix->job[level]);
    unref_runs(&ix->doomed_next);
    unref_runs(&ix->doomed);
}
