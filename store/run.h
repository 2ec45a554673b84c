/* A sorted run on disk: the entries of one family, of one full table or of several merged runs.
 *
 * Its blocks stand in the tree of its level under `number | last key of the block`, its filter in
 * chunks under `number | chunk`, its directory record under `number`. Numbers only grow, and a tree
 * takes one run at a time, so that every block lands at the end of its tree.
 *
 *     building --last block--> live --merged or expired--> doomed --rows removed--> gone
 *        +------crash---------------------------------------^
 *
 * A run is visible in the transaction that makes it live, and is read until the last view that
 * knows it was closed; then the writer removes its rows. */
#ifndef STORE_RUN_H
#define STORE_RUN_H

#include "store/entry.h"

#include <stdatomic.h>

struct index_trees {
    MDB_dbi tail, run, filter, level[INDEX_LEVELS];
};
/* Opens or creates them. */
enum err index_trees_open(struct index_trees *trees, MDB_txn *txn) MUST_CHECK;

/* On disk: append only. */
enum run_state { RUN_BUILDING = 1, RUN_LIVE, RUN_DOOMED };

struct run_key {
    uint8_t len;
    uint8_t b[INDEX_KEY_MAX];
};
static inline struct span run_key_span(const struct run_key *k)
{
    return span_of(k->b, k->len);
}
void run_key_set(struct run_key *k, struct span key);

/* What the directory knows of the content. */
struct run_figures {
    uint64_t entries, blocks;
    uint32_t sum;          /* of the blocks' checksums, in order: finds a block that is gone */
    uint32_t filter_bytes; /* 0: none */
    struct wall max_expires;
    struct run_key first, last;
};

struct run {
    atomic_uint references;
    /* constant once the run is live */
    uint64_t number;
    enum index_family family;
    unsigned level;
    struct run_figures figures;

    atomic_bool damage_reported;

    /* owned by the writer */
    bool merging;     /* input of a merge under way */
    bool removed;     /* its last row left in the current transaction */
    struct run *next; /* in a list of doomed runs, which holds a reference */
};

/* One reference, empty figures. NULL: out of memory. */
struct run *run_new(uint64_t number, enum index_family family, unsigned level);
struct run *run_ref(struct run *r);
/* Drops the reference and nulls the pointer; NULL is allowed. Any thread. */
void run_unref(struct run **r);
/* Nobody but the caller holds it. */
bool run_unshared(const struct run *r);

/* The directory record. */
enum err run_store(const struct run *r, const struct index_trees *trees, MDB_txn *txn,
                   enum run_state state) MUST_CHECK;
/* ERR_CORRUPT, ERR_NO_MEMORY; otherwise *out has one reference. */
enum err run_decode(struct span key, struct span record, struct run **out,
                    enum run_state *state) MUST_CHECK;

/* Row keys: a number, with what follows. */
#define RUN_ROW_MAX (8 + INDEX_KEY_MAX + 1)
struct run_row {
    size_t len;
    uint8_t b[RUN_ROW_MAX];
};
/* `rest` at most INDEX_KEY_MAX + 1 bytes: a key, or the first that follows it. */
struct run_row run_row(uint64_t number, struct span rest);
static inline MDB_val run_row_val(struct run_row *row)
{
    return (MDB_val){row->len, row->b};
}
/* Whether a row's key belongs to the run, and what follows the number. */
bool run_row_of(uint64_t number, MDB_val key, struct span *rest);

#endif
