/* The writer thread: takes the whole inbox, applies it in one transaction, commits, completes.
 * Private to store/.
 *
 * Failure policy
 *   - full (map, disk, memory): the batch is aborted and retried without its ingest, which is
 *     answered with the error; if that is full too, without everything but outcomes and without
 *     background work; those wait until retention has freed room, because an outcome that is lost
 *     is a delivery made twice. Ingest is refused before it comes to that, while a tenth of the map
 *     and what reserve_blocks keeps of the disk are left;
 *   - anything else is final: every operation, now and later, completes with ERR_IO, and the
 *     listener hears `failed` once. A failed sync is never retried in place. */
#ifndef STORE_WRITER_H
#define STORE_WRITER_H

#include "store/batch.h"

struct writer;

/* Reads marks and unfinished tasks inside `txn`. */
enum err writer_new(struct store *s, MDB_txn *txn, struct writer **out) MUST_CHECK;
/* Stopped. Nulls the pointer. */
void writer_free(struct writer **w);

enum err writer_start(struct writer *w, const struct store_listener *listener) MUST_CHECK;
/* Completes what was submitted, then ends the thread. Idempotent. */
void writer_stop(struct writer *w);
/* As store_submit. Any thread. */
enum err writer_submit(struct writer *w, struct store_op *op) MUST_CHECK;

#endif
