/* Several tables and runs walked as one sorted list, each key once, its newest entry.
 *
 * Used by lists (index_cursor) and by the work that writes tables out and merges runs. Owned by one
 * thread, inside one transaction. */
#ifndef STORE_MERGE_H
#define STORE_MERGE_H

#include "store/memtable.h"
#include "store/run.h"

struct merge;

/* `copied`: entries from runs stay valid through writes of the transaction; costs a buffer per run.
 * NULL: out of memory. */
struct merge *merge_new(const struct index_trees *trees, MDB_txn *txn, enum index_family family,
                        unsigned sources_max, bool backward, bool copied);
void merge_free(struct merge **m);

/* The newest source first. Table and run must outlive the merge; at most sources_max in all
 * (asserted). */
void merge_add_table(struct merge *m, const struct memtable *table, memtable_node limit);
enum err merge_add_run(struct merge *m, struct run *run) MUST_CHECK;
/* To the first key >= `key` (backward: the last <= it). Once, when all sources are in. */
enum err merge_seek(struct merge *m, struct span key) MUST_CHECK;
/* ERR_NOT_FOUND at the end. Valid until the next call. */
enum err merge_next(struct merge *m, struct index_entry *out) MUST_CHECK;

#endif
