/* Read snapshots: a read transaction and a view of the index, both of one moment. Private to
 * store/.
 *
 * The view is opened before the transaction: what has left the index's memory by then is in the
 * transaction. Ended snapshots keep their transaction's reader slot for the next one, so that a
 * read costs no system call; a snapshot may begin on one thread and the slot be used again on
 * another (MDB_NOTLS). */
#ifndef STORE_SNAPSHOT_H
#define STORE_SNAPSHOT_H

#include "store/internal.h"

struct store_read {
    struct store *store;
    MDB_txn *txn;
    struct index_view *view;
    struct store_read *next; /* while idle */
};

/* The idle snapshots of a store; its functions may be called by any thread. */
struct snapshots;
/* NULL when out of memory. */
struct snapshots *snapshots_new(void);
/* After the last store_read_end, before env_close. Nulls the pointer. */
void snapshots_free(struct snapshots **pool);

/* A value of the snapshot, pointing into the map. ERR_NOT_FOUND. */
enum err snapshot_get(struct store_read *r, enum tree tree, const struct treekey *key,
                      struct span *value) MUST_CHECK;
/* Counts and logs a record that did not decode, with its key; returns ERR_CORRUPT. */
enum err snapshot_corrupt(struct store_read *r, const char *what, struct span key);
/* Passes a decoder's answer on; ERR_CORRUPT by way of snapshot_corrupt. */
enum err snapshot_decoded(struct store_read *r, const char *what, const struct treekey *key,
                          enum err e);

#endif
