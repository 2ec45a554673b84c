/* Reading one run: look-up of a key, and a walk in both directions.
 *
 * What it hands out points into the map: valid until the transaction ends, in a write transaction
 * until the next write, unless the cursor was given a place to copy blocks to; then until the
 * cursor moves. A damaged block is reported once per run and passed over. */
#ifndef STORE_RUN_CURSOR_H
#define STORE_RUN_CURSOR_H

#include "store/block.h"
#include "store/run.h"

/* ERR_NOT_FOUND. */
enum err run_find(struct run *run, const struct index_trees *trees, MDB_txn *txn, struct span key,
                  struct index_entry *out) MUST_CHECK;

struct run_cursor {
    struct run *run;  /* borrowed */
    MDB_cursor *rows; /* borrowed, on the tree of the run's level; its position is not kept between
                         calls, so that the runs of a level share one */
    uint8_t *copy;    /* BLOCK_BYTES_MAX bytes, or NULL */
    struct block block;
    unsigned at; /* entry of the block */
};

/* To the first entry with a key >= `key` (backward: the last <= it). Key at most INDEX_KEY_MAX + 1
 * bytes. ERR_NOT_FOUND: none. */
enum err run_cursor_seek(struct run_cursor *c, struct span key, bool backward) MUST_CHECK;
/* To the next (previous) entry. Only on an entry. ERR_NOT_FOUND: the end. */
enum err run_cursor_step(struct run_cursor *c, bool backward) MUST_CHECK;
struct index_entry run_cursor_entry(const struct run_cursor *c);

#endif
