/* Verifies the index against itself: every row belongs to a run of the directory, every live run is
 * what its record says, every filter knows its run's keys, and what the tail holds is in memory.
 *
 * It reads everything once and keeps nothing but counters. A finding does not end the check. */
#include "store/index_state.h"
#include "store/run_cursor.h"
#include "store/run_writer.h"
#include "store/tree.h"

struct check {
    struct index *ix;
    MDB_txn *txn;
    void (*say)(void *context, const char *finding);
    void *context;
    uint64_t entries;
};

static void say(const struct check *c, const char *what, uint64_t number)
{
    char finding[120];
    (void)snprintf(finding, sizeof finding, "index: %s %llu", what, (unsigned long long)number);
    c->say(c->context, finding);
}

/* ------------------------------------------------ runs */

/* What the rows of a run add up to. */
struct seen {
    const struct run *run;
    struct filter *filter;
    struct run_figures figures;
    bool unsorted, late, filtered; /* keys out of order, an expiry past the run's, a key unknown to
                                      the filter */
};

static void see_entry(struct seen *s, const struct index_entry *entry)
{
    struct run_figures *f = &s->figures;
    if (f->entries == 0)
        run_key_set(&f->first, entry->key);
    else if (entry_key_cmp(run_key_span(&f->last), entry->key) >= 0)
        s->unsorted = true;
    run_key_set(&f->last, entry->key);
    if (entry->expires.us > s->run->figures.max_expires.us)
        s->late = true;
    if (s->filter && !filter_maybe(s->filter, filter_hash_of(entry->key)))
        s->filtered = true;
    f->entries++;
}

static void see_block(const struct check *c, struct seen *s, struct span last, MDB_val value)
{
    struct block block;
    if (block_open(span_of(value.mv_data, value.mv_size), &block)) {
        say(c, "damaged block in run", s->run->number);
        return;
    }
    for (unsigned i = 0; i < block.count; i++) {
        struct index_entry entry = block_entry(&block, i);
        if (entry.key.len > INDEX_KEY_MAX) {
            say(c, "oversized key in run", s->run->number);
            return;
        }
        see_entry(s, &entry);
    }
    if (!span_eq(run_key_span(&s->figures.last), last))
        say(c, "block under a wrong key in run", s->run->number);
    s->figures.blocks++;
    s->figures.sum = run_sum_add(s->figures.sum, block_checksum(block.bytes));
}

static void judge_run(const struct check *c, const struct seen *s)
{
    const struct run_figures *is = &s->figures, *said = &s->run->figures;
    uint64_t number = s->run->number;
    if (is->entries != said->entries || is->blocks != said->blocks || is->sum != said->sum)
        say(c, "entries missing or surplus in run", number);
    if (!span_eq(run_key_span(&is->first), run_key_span(&said->first)) ||
        !span_eq(run_key_span(&is->last), run_key_span(&said->last)))
        say(c, "wrong key range of run", number);
    if (s->unsorted)
        say(c, "keys out of order in run", number);
    if (s->late)
        say(c, "an entry outlives its run", number);
    if (s->filtered)
        say(c, "a key is unknown to the filter of run", number);
    if (said->filter_bytes > 0 && !s->filter)
        say(c, "damaged filter of run", number);
    bool known = false;
    const struct directory *d = c->ix->directory;
    for (unsigned i = 0; i < directory_count(d); i++)
        known = known || d->item[i].run->number == number;
    if (!known)
        say(c, "not in the directory in memory: run", number);
}

static enum err check_run(struct check *c, const struct run *run)
{
    struct seen seen = {.run = run};
    enum err e = run_filter_load(run, &c->ix->trees, c->txn, &seen.filter);
    if (e)
        return e;
    MDB_cursor *rows;
    int rc = mdb_cursor_open(c->txn, c->ix->trees.level[run->level], &rows);
    if (rc) {
        filter_unref(&seen.filter);
        return env_err(rc, "index check");
    }
    struct run_row row = run_row(run->number, SPAN(""));
    MDB_val key = run_row_val(&row), value;
    struct span last;
    for (rc = mdb_cursor_get(rows, &key, &value, MDB_SET_RANGE);
         rc == 0 && run_row_of(run->number, key, &last);
         rc = mdb_cursor_get(rows, &key, &value, MDB_NEXT))
        see_block(c, &seen, last, value);
    mdb_cursor_close(rows);
    judge_run(c, &seen);
    filter_unref(&seen.filter);
    c->entries += seen.figures.entries;
    return rc && rc != MDB_NOTFOUND ? env_err(rc, "index check") : ERR_OK;
}

static enum err check_record(struct check *c, MDB_val key, MDB_val value)
{
    struct run *run;
    enum run_state state;
    enum err e = run_decode(span_of(key.mv_data, key.mv_size),
                            span_of(value.mv_data, value.mv_size), &run, &state);
    if (e == ERR_CORRUPT) {
        say(c, "damaged directory record of run", key.mv_size == 8 ? get_be64(key.mv_data) : 0);
        return ERR_OK;
    }
    if (e)
        return e;
    if (state == RUN_LIVE)
        e = check_run(c, run);
    run_unref(&run);
    return e;
}

/* ------------------------------------------------ trees */

/* Calls `row` for every row of a tree, in order. */
static enum err each_row(struct check *c, MDB_dbi tree,
                         enum err (*row)(struct check *c, MDB_val key, MDB_val value))
{
    MDB_cursor *rows;
    int rc = mdb_cursor_open(c->txn, tree, &rows);
    if (rc)
        return env_err(rc, "index check");
    MDB_val key, value;
    enum err e = ERR_OK;
    for (rc = mdb_cursor_get(rows, &key, &value, MDB_FIRST); rc == 0 && !e;
         rc = mdb_cursor_get(rows, &key, &value, MDB_NEXT))
        e = row(c, key, value);
    mdb_cursor_close(rows);
    if (e)
        return e;
    return rc == MDB_NOTFOUND ? ERR_OK : env_err(rc, "index check");
}

static enum err check_owner(struct check *c, MDB_val key, MDB_val value)
{
    (void)value;
    if (key.mv_size < 8) {
        say(c, "row without a run, key of bytes", key.mv_size);
        return ERR_OK;
    }
    MDB_val number = {8, key.mv_data}, record;
    int rc = mdb_get(c->txn, c->ix->trees.run, &number, &record);
    if (rc == MDB_NOTFOUND)
        say(c, "row without a directory record of run", get_be64(key.mv_data));
    return rc && rc != MDB_NOTFOUND ? env_err(rc, "index check") : ERR_OK;
}

/* ------------------------------------------------ the tail */

static bool in_memory(const struct index_shown *shown, enum index_family family, struct span key)
{
    for (unsigned i = 0; i < 2; i++)
        if (shown->table[i] && memtable_find(shown->table[i], shown->limit[i], family, key))
            return true;
    return false;
}

static enum err check_tail(struct check *c, MDB_val key, MDB_val value)
{
    const struct tail_state *tail = &c->ix->tail.now;
    uint64_t number = key.mv_size == 8 ? get_be64(key.mv_data) : 0;
    if (key.mv_size != 8 || number >= tail->next || (number > 0 && number < tail->first))
        say(c, "a record stands outside of the tail, as number", number);
    if (number <= tail->written)
        return ERR_OK; /* the mark, or in runs already */
    struct block block;
    if (block_open(span_of(value.mv_data, value.mv_size), &block)) {
        say(c, "damaged record of the tail", number);
        return ERR_OK;
    }
    c->entries += block.count;
    for (unsigned i = 0; i < block.count; i++) {
        struct index_entry entry = block_entry(&block, i);
        enum index_family family;
        if (!tail_entry_parse(&entry, &family) || !in_memory(&c->ix->shown, family, entry.key)) {
            say(c, "an entry is not in memory of record of the tail", number);
            return ERR_OK;
        }
    }
    return ERR_OK;
}

enum err index_check(struct index *ix, MDB_txn *txn,
                     void (*say_finding)(void *context, const char *finding), void *context,
                     uint64_t *entries)
{
    struct check c = {.ix = ix, .txn = txn, .say = say_finding, .context = context};
    enum err e = each_row(&c, ix->trees.run, check_record);
    if (!e)
        e = each_row(&c, ix->trees.filter, check_owner);
    for (unsigned level = 0; !e && level < INDEX_LEVELS; level++)
        e = each_row(&c, ix->trees.level[level], check_owner);
    if (!e)
        e = each_row(&c, ix->trees.tail, check_tail);
    *entries = c.entries;
    return e;
}
