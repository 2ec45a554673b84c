/* What stands behind `struct index`, for the files that implement store/index.h: the façade
 * (index.c), the background work (index_work.c), lists (index_cursor.c), the check (index_check.c).
 *
 * Members change in memory while a batch runs and are settled by index_committed or index_aborted:
 * each has its committed value beside it, or is made anew and dropped. */
#ifndef STORE_INDEX_STATE_H
#define STORE_INDEX_STATE_H

#include "store/batch_table.h"
#include "store/directory.h"
#include "store/tail.h"

#include <pthread.h>

/* Sizes, so that tests can reach in seconds what takes production days. */
struct index_limits {
    size_t table_bytes;
    size_t filter_bytes_max;
};
/* index_open with other sizes than those of index.h. */
enum err index_open_limited(MDB_txn *txn, const struct index_limits *limits,
                            struct index **out) MUST_CHECK;

struct index_job; /* index_work.c */

/* What a view sees. */
struct index_shown {
    struct memtable *table[2]; /* active; frozen or NULL */
    memtable_node limit[2];
    struct directory *directory;
};

struct index {
    /* constant */
    struct index_trees trees;
    struct index_limits limits;

    /* owned by the writer's thread */
    struct memtable *active;
    struct memtable *frozen;    /* NULL, or the full table that is being written out */
    struct memtable *following; /* NULL, or the table that the running batch began: active after its
                                    commit, and what was active is frozen then */
    memtable_node batch_mark;   /* where the running batch begins in `active` */
    bool flushed;
    struct batch_table batch; /* the running batch by key, for the families looked up whole */
    struct tail tail;
    uint64_t frozen_tail;    /* the last record of the tail that belongs to `frozen` */
    uint64_t following_tail; /* the last one before those of `following` */

    struct directory *directory;         /* committed */
    struct directory *directory_next;    /* NULL, or what the running transaction makes of it */
    uint64_t next_number;                /* of the next run; gaps are harmless */
    struct run *doomed;                  /* rows to remove once no view knows them */
    struct run *doomed_next;             /* doomed by the running transaction */
    struct index_job *job[INDEX_LEVELS]; /* the run being written into each level */
    unsigned family, family_committed;   /* of `frozen`: the next to write out */
    bool frozen_done;                    /* all are, in the running transaction */

    /* shared */
    atomic_uint views;
    pthread_mutex_t mutex;
    struct index_shown shown; /* under mutex */
};

struct index_view {
    struct index *index;
    struct index_shown shown; /* its own references */
};

/* Shows tables and directory to views opened from now on. */
void index_publish(struct index *ix);

/* index_work.c: settles, or takes back, what the transaction's steps did. */
void index_work_committed(struct index *ix);
void index_work_aborted(struct index *ix);
/* Frees what the work holds. */
void index_work_close(struct index *ix);

#endif
