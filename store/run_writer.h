/* The rows of a run: written, loaded as a whole (filters), removed. The writer's thread. */
#ifndef STORE_RUN_WRITER_H
#define STORE_RUN_WRITER_H

#include "store/block.h"
#include "store/filter.h"
#include "store/run.h"

/* Seals the block, appends it to the run and counts it in `figures`. */
enum err run_writer_block(const struct run *run, const struct index_trees *trees, MDB_txn *txn,
                          struct block_builder *block, struct run_figures *figures) MUST_CHECK;
/* The sum over blocks that a run's figures keep. */
uint32_t run_sum_add(uint32_t sum, uint32_t checksum);

/* How many rows a filter of so many bytes takes, and the row of one chunk. */
unsigned run_filter_chunks(size_t filter_bytes);
enum err run_writer_filter(const struct run *run, const struct index_trees *trees, MDB_txn *txn,
                           struct filter *filter, unsigned chunk) MUST_CHECK;
/* Reads a live run's filter; NULL without an error when it has none or it is damaged (logged): a
 * run without a filter is looked up directly. ERR_NO_MEMORY, ERR_IO. */
enum err run_filter_load(const struct run *run, const struct index_trees *trees, MDB_txn *txn,
                         struct filter **out) MUST_CHECK;

/* Removes up to `rows` rows of the run, blocks first, and its directory record last; *removed says
 * how many, *gone that nothing is left. */
enum err run_writer_remove(const struct run *run, const struct index_trees *trees, MDB_txn *txn,
                           unsigned rows, unsigned *removed, bool *gone) MUST_CHECK;

#endif
