/* The index for keys that do not arrive in order (idempotency keys, event ids, messages by
 * application, messages and attempts by endpoint): a small log-structured store inside the LMDB
 * environment, private to store/.
 *
 * Why. A random-key insert into a tree of a million records costs 30-60 us and 13-20 KiB of
 * writes; that alone would cap the service. So an entry is appended, in the same transaction, to a
 * tail that only grows at its end; it is held in a bounded table in memory for look-ups; full
 * tables are written out as sorted runs, in slices of a few milliseconds; runs are merged, and
 * whole runs are dropped when all they hold has expired. After a crash the tail is read back.
 *
 * Threads. One writer thread calls everything in the first part. Readers open a view from any
 * thread; opening and closing take a mutex for a moment, reading takes none.
 *
 * A block of a run or a record of the tail that fails its checksum is reported once and passed
 * over: its entries are lost, everything else goes on.
 *
 * Invariants
 *   - an entry is in the tail or in a run, never in neither, in every committed state;
 *   - a view sees every entry committed before it was opened, once, until it expires;
 *   - memory is bounded by two tables and INDEX_FILTER_BYTES_MAX of filters;
 *   - the newest value of a key wins. */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include "base/bounds.h"
#include "base/clock.h"

#include <lmdb.h>

#define INDEX_KEY_MAX 48
#define INDEX_VALUE_MAX 64
#ifdef SUREHOOK_FAILPOINTS
#define INDEX_TABLE_BYTES (1024u * 1024) /* a test fills it in seconds */
#else
#define INDEX_TABLE_BYTES (8u * 1024 * 1024) /* a table in memory; two while one is written */
#endif
#define INDEX_FILTER_BYTES_MAX (16u * 1024 * 1024)
#define INDEX_MERGE_RUNS 8 /* this many runs of one level become one of the next */
#define INDEX_LEVELS 3     /* a full run of the last level is a window that only expires */
#define INDEX_TREES (3 + INDEX_LEVELS) /* named trees that index_open adds to the environment */

/* On disk: append only. */
enum index_family {
    INDEX_IDEMPOTENCY,      /* key hash (16)                  -> store/ingest.c; looked up whole */
    INDEX_EVENT_ID,         /* app number (4) hash (16)       -> message id; looked up whole */
    INDEX_APP_MESSAGE,      /* app number (4) message id      -> nothing; walked */
    INDEX_ENDPOINT_MESSAGE, /* endpoint number (4) message id -> nothing; walked */
    INDEX_ENDPOINT_ATTEMPT, /* endpoint number (4) attempt id -> message id; walked */
    INDEX_FAMILIES
};

struct index;

/* ------------------------------------------------ the writer's part */

/* Opens its trees inside `txn` (a write transaction), loads the run directory, the filters up to
 * their bound and the tail. Time is bounded by a constant, not by what is stored. */
enum err index_open(MDB_env *env, MDB_txn *txn, struct index **out) MUST_CHECK;
void index_close(struct index **ix);

/* Whether this many puts will find room: ask before the first put of an operation, so that none is
 * left half done. */
bool index_has_room(const struct index *ix, unsigned entries);
/* Adds an entry to the current batch; index_get sees it at once, views after index_committed. Key
 * 1 ... INDEX_KEY_MAX, value <= INDEX_VALUE_MAX (asserted). `expires` {0}: never. An entry that
 * replaces another must not expire before it: which of the two is found in between is left open.
 * ERR_FULL when both tables are full: the batch must not take more ingest until index_step made
 * room. Not between index_flush and index_committed or index_aborted. */
enum err index_put(struct index *ix, enum index_family family, struct span key, struct span value,
                   struct wall expires) MUST_CHECK;
/* The newest live value of a key: the batch, the tables, then the runs by their filters.
 * Of the families that are looked up whole (asserted). ERR_NOT_FOUND. value has room for
 * INDEX_VALUE_MAX bytes. */
enum err index_get(struct index *ix, MDB_txn *txn, enum index_family family, struct span key,
                   struct wall now, uint8_t *value, size_t *value_len) MUST_CHECK;
/* Before the commit, once: writes the batch's entries to the tail. */
enum err index_flush(struct index *ix, MDB_txn *txn) MUST_CHECK;
/* After the commit, or instead of it: publishes, or forgets, the batch and the step. */
void index_committed(struct index *ix);
void index_aborted(struct index *ix);
/* Background work that costs about as much as writing `rows` small rows: writing a full table out,
 * merging, dropping expired runs. *more: there is more to do now. Call it in every batch. On an
 * error abort the transaction; the work is done again. */
enum err index_step(struct index *ix, MDB_txn *txn, struct wall now, unsigned rows,
                    bool *more) MUST_CHECK;

/* ------------------------------------------------ the readers' part */

/* A view pins the tables and runs of one moment. Open the view BEFORE the read transaction that it
 * is used with, and close it after that: what has left memory by then is in that transaction, and
 * no row of a pinned run is removed. Any thread. All views are closed before index_close
 * (asserted). */
struct index_view;
struct index_view *index_view_open(struct index *ix); /* NULL: out of memory */
void index_view_close(struct index_view **view);

/* The newest live value of a key, as index_get, of any family. */
enum err index_view_get(struct index_view *view, MDB_txn *txn, enum index_family family,
                        struct span key, struct wall now, uint8_t *value,
                        size_t *value_len) MUST_CHECK;

/* Walks the keys that begin with `prefix` in order, memory and runs as one, each key once. */
struct index_cursor;
/* `start` (it begins with the prefix): the walk begins at the first key >= start (forward) or <=
 * start (backward) within the prefix; empty: at the prefix's end. */
enum err index_cursor_open(struct index_view *view, MDB_txn *txn, enum index_family family,
                           struct span prefix, struct span start, bool backward,
                           struct index_cursor **out) MUST_CHECK;
/* The next key, of those alive when the cursor was opened. ERR_NOT_FOUND at the end. The spans are
 * valid until the next call, in a write transaction until the next write. */
enum err index_cursor_next(struct index_cursor *c, struct span *key, struct span *value) MUST_CHECK;
/* Before the view is closed, and before a write transaction ends. */
void index_cursor_close(struct index_cursor **c);

/* Verifies tail, runs, directory and filters against each other; findings to `say`. Entries seen in
 * *entries. Not while the writer runs. */
enum err index_check(struct index *ix, MDB_txn *txn,
                     void (*say)(void *context, const char *finding), void *context,
                     uint64_t *entries) MUST_CHECK;

#endif
