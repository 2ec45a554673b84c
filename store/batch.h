/* One write transaction of the writer thread: the rows of all operations of a batch, and what
 * must happen to memory and to listeners once its commit returned. Private to store/; the writer
 * thread alone uses it.
 *
 * Nothing outside the transaction changes before the commit: counters, tasks and tables are
 * worked on aside and published by batch_commit, or forgotten by batch_abort. Ids and numbers
 * are the exception: once drawn they are never drawn again. */
#ifndef STORE_BATCH_H
#define STORE_BATCH_H

#include "store/internal.h"

struct batch;
struct stat_change;
struct tasks;

/* What a configuration operation does to memory after its commit. One in a batch: it ends it. */
struct change {
    /* Any error is fatal: disk and memory would disagree. */
    enum err (*apply)(struct batch *b, struct change *c);
    struct store_op *op;   /* whose out fields `apply` sets; NULL for a 410 */
    struct table_app *app; /* `apply` takes these over; batch_abort frees them */
    struct table_endpoint *endpoint;
    uint32_t number; /* of the application or endpoint */
    uint64_t version;
};

/* Counts of one batch, added to the store's after the commit. */
struct tally {
    uint64_t accepted, accepted_bytes, replayed, conflicts, delivered, dead, expired;
    int64_t waiting, dead_waiting;
};

struct due_notice {
    uint32_t endpoint;
    struct wall due;
};

struct batch {
    /* Kept from batch to batch. */
    struct store *s;
    struct tasks *tasks;
    struct id_gen messages, attempts;
    struct marks marks;
    struct buf record; /* the value of the row being written */
    bool want_handoffs;
    struct due_notice *dues; /* endpoints for the listener's `due` */
    unsigned due_room;
    uint32_t *changed; /* endpoints for the listener's `endpoint` */
    unsigned changed_room;
    uint32_t *forgotten; /* deleted endpoints whose last row went with this batch */
    unsigned forgotten_room;

    /* Of this batch. */
    MDB_txn *txn;
    uint64_t txn_id;
    struct wall now;
    unsigned rows;       /* written or deleted so far */
    unsigned entries;    /* of these, index entries */
    bool marked;         /* marks changed */
    bool cramped;        /* there is no room for new messages */
    struct wall soonest; /* of what was given an expiry; WALL_NEVER: nothing */
    struct table_endpoint *dirty;
    struct map *stats; /* as store/stat.c says: changes of this batch by key, and as a list */
    struct stat_change *stat_changes;
    struct handoff *handoffs, *last_handoff;
    unsigned due_count, changed_count, forgotten_count;
    struct tally tally;
    struct change change; /* apply NULL: none */
};

/* Reads the marks, at open. */
enum err batch_setup(struct batch *b, struct store *s, MDB_txn *txn) MUST_CHECK;
void batch_release(struct batch *b);

enum err batch_begin(struct batch *b, struct wall now) MUST_CHECK;
/* Writes counters, marks and the index's tail, commits, publishes all but `change` and the
 * notices. On an error nothing was committed and the batch is aborted. */
enum err batch_commit(struct batch *b) MUST_CHECK;
void batch_abort(struct batch *b);

/* Whether an error ends the whole batch rather than one operation. */
bool batch_broken_by(enum err e);

/* Rows. The value of batch_put is b->record: clear it, encode into it, put it. */
enum err batch_put(struct batch *b, enum tree t, struct span key, unsigned flags) MUST_CHECK;
enum err batch_put_span(struct batch *b, enum tree t, struct span key, struct span value,
                        unsigned flags) MUST_CHECK;
/* The same for a row that mostly ends its tree: a page that is filled from its end is filled whole,
 * where LMDB otherwise splits it in half. */
enum err batch_append(struct batch *b, enum tree t, struct span key, struct span value) MUST_CHECK;
/* ERR_NOT_FOUND when there is no such row. */
enum err batch_del(struct batch *b, enum tree t, struct span key) MUST_CHECK;
/* The same, where no such row is as good. */
enum err batch_clear(struct batch *b, enum tree t, struct span key) MUST_CHECK;
/* Removes the row that a batch_first just found, whatever its key: one that is damaged may be too
 * long to be copied. */
enum err batch_drop(struct batch *b, enum tree t, struct span key) MUST_CHECK;
/* The value points into the map and is good until the next write. */
enum err batch_get(struct batch *b, enum tree t, struct span key, struct span *value) MUST_CHECK;
/* The first row whose key begins with `prefix` and is >= `from`; ERR_NOT_FOUND. Both spans point
 * into the map. */
enum err batch_first(struct batch *b, enum tree t, struct span prefix, struct span from,
                     struct span *key, struct span *value) MUST_CHECK;
/* A row whose key means nothing: removed as batch_drop does, logged and counted. */
enum err batch_drop_damaged(struct batch *b, enum tree t, struct span key) MUST_CHECK;
/* As batch_first; rows whose keys have not `len` bytes are damaged, and are removed. */
enum err batch_first_sound(struct batch *b, enum tree t, const struct treekey *prefix,
                           const struct treekey *from, size_t len, struct span *key,
                           struct span *value) MUST_CHECK;
/* Removes the rows whose key begins with `prefix` while b->rows < limit. *done: none is left. */
enum err batch_clear_range(struct batch *b, enum tree t, struct span prefix, unsigned limit,
                           bool *done) MUST_CHECK;
/* What expires then; retention comes back for it. */
enum err batch_expire(struct batch *b, struct wall when, enum expiry_kind kind,
                      struct span what) MUST_CHECK;
enum err batch_index(struct batch *b, enum index_family family, struct span key, struct span value,
                     struct wall expires) MUST_CHECK;

/* Marks: ids, numbers, versions. */
struct id batch_message_id(struct batch *b);
struct id batch_attempt_id(struct batch *b);
uint32_t batch_next(struct batch *b, uint32_t *number);
uint64_t batch_version(struct batch *b);

/* An unfinished or dead delivery more or less. */
void batch_count(struct batch *b, uint32_t endpoint, int waiting, int dead);

/* Nothing of a deleted endpoint is left: its counters go, and the table's entry after the
 * commit. */
enum err batch_forget(struct batch *b, uint32_t endpoint) MUST_CHECK;

/* For the listener, after the commit. */
enum err batch_handoff(struct batch *b, uint32_t endpoint, struct wall due,
                       struct message *m) MUST_CHECK;
enum err batch_due(struct batch *b, uint32_t endpoint, struct wall due) MUST_CHECK;
enum err batch_changed(struct batch *b, uint32_t endpoint) MUST_CHECK;

#endif
