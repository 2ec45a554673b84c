/* The tail: every entry that is not in a run yet, in blocks under growing sequence numbers, written
 * in the transaction of the batch that it belongs to and read back when the index opens.
 *
 * Record 0 is the mark: everything up to its number is in runs; what is still there of it is being
 * removed. Owned by the writer's thread. */
#ifndef STORE_TAIL_H
#define STORE_TAIL_H

#include "store/memtable.h"

struct tail_state {
    uint64_t first;   /* no record below */
    uint64_t next;    /* of the next record */
    uint64_t written; /* the mark */
};

struct tail {
    MDB_dbi tree;
    struct tail_state now, committed;
};

enum err tail_open(struct tail *t, MDB_dbi tree, MDB_txn *txn) MUST_CHECK;
/* Calls `entry` for each entry behind the mark, oldest first, and `record` before those of each
 * record, with its number. A damaged record is logged and passed over. */
struct tail_loader {
    void *context;
    enum err (*record)(void *context, uint64_t number, unsigned entries);
    enum err (*entry)(void *context, enum index_family family, const struct index_entry *e);
};
enum err tail_load(const struct tail *t, MDB_txn *txn, const struct tail_loader *loader) MUST_CHECK;

/* Appends the nodes of the table from `from` on. */
enum err tail_append(struct tail *t, MDB_txn *txn, const struct memtable *table,
                     memtable_node from) MUST_CHECK;
/* The last record written. */
uint64_t tail_last(const struct tail *t);
/* Everything up to `number` is in runs now. */
enum err tail_mark_written(struct tail *t, MDB_txn *txn, uint64_t number) MUST_CHECK;
/* Records are left that the mark made needless. */
bool tail_needs_trim(const struct tail *t);
/* Removes up to `rows` of them. */
enum err tail_trim(struct tail *t, MDB_txn *txn, unsigned rows, unsigned *removed) MUST_CHECK;

void tail_committed(struct tail *t);
void tail_aborted(struct tail *t);

/* A tail entry's key carries its family in front. False: no such family, or no key. */
bool tail_entry_parse(struct index_entry *e, enum index_family *family) MUST_CHECK;

#endif
