/* A run in the making: from a frozen table or from runs of the level below, in slices that may each
 * be taken back. Owned by the writer's thread. */
#ifndef STORE_INDEX_JOB_H
#define STORE_INDEX_JOB_H

#include "store/index_state.h"

enum job_phase {
    JOB_ENTRIES, /* copying entries into blocks */
    JOB_FILTER,  /* storing the filter */
    JOB_WRITTEN, /* all rows are there; with no entries there is no run */
};

/* All of a job that a transaction changes. */
struct job_progress {
    enum job_phase phase;
    bool begun;        /* the directory knows the run as `building` */
    bool published;    /* the directory has the run, or was told that there is none */
    struct run_key at; /* the last key consumed; empty before the first */
    struct run_figures figures;
    unsigned chunk; /* of the filter: the next to store */
};

struct index_job {
    struct memtable *table; /* a reference; or NULL and */
    unsigned inputs;        /* runs, each with a reference and marked as merging, newest first */
    struct run *input[INDEX_MERGE_RUNS];
    struct run *output;    /* the run in the making */
    struct filter *filter; /* NULL: family without, or no room for it */
    struct job_progress now, committed;
};

/* Work left in a slice. What it costs to read an entry is the unit. */
#define WORK_UNITS_PER_ROW \
    8 /* writing a small row costs about as much as passing eight entries on */
#define WORK_UNITS_PER_RECORD 16 /* a block, a chunk or a removal: near two kilobytes each */
struct work {
    struct index *ix;
    MDB_txn *txn;
    struct wall now;
    long units;
};

/* Of a frozen table's family, or of runs (their references are taken). NULL: out of memory. */
struct index_job *index_job_table(struct index *ix, enum index_family family);
struct index_job *index_job_merge(struct index *ix, const struct directory_item *newest,
                                  unsigned count);
void index_job_free(struct index_job **j);

/* Works until the slice is used up or the job is JOB_WRITTEN. */
enum err index_job_advance(struct index_job *j, struct work *w) MUST_CHECK;

#endif
