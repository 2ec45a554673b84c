/* Batches made by hand on the store of a rig whose writer has stopped: a test chooses how much one
 * of them does, and nothing goes on between them. From the first on what the writer remembers is
 * old: hand_end closes the store. */
#ifndef TESTS_STORE_HAND_H
#define TESTS_STORE_HAND_H

#include "tests/store/rig.h"

#include "store/index_state.h"
#include "store/operation.h"
#include "store/task.h"

static inline void hand_begin(struct rig *r, struct batch *b)
{
    MDB_txn *txn;
    store_stop(r->s);
    assert_int_equal(mdb_txn_begin(r->s->env.mdb, NULL, MDB_RDONLY, &txn), 0);
    OK(batch_setup(b, r->s, txn));
    mdb_txn_abort(txn);
}

static inline void hand_end(struct rig *r, struct batch *b)
{
    batch_release(b);
    store_close(&r->s);
}

/* The index of a store whose writer has stopped, with tables that a test can fill. */
static inline void hand_small_index(struct rig *r, size_t table_bytes)
{
    const struct index_limits limits = {table_bytes, .filter_bytes_max = 8192};
    MDB_txn *txn;
    index_close(&r->s->index);
    assert_int_equal(mdb_txn_begin(r->s->env.mdb, NULL, 0, &txn), 0);
    OK(index_open_limited(txn, &limits, &r->s->index));
    assert_int_equal(mdb_txn_commit(txn), 0);
    index_committed(r->s->index);
}

/* As the writer does when a commit has returned. */
static inline void hand_commit(struct batch *b)
{
    OK(batch_commit(b));
    if (b->change.apply)
        OK(b->change.apply(b, &b->change));
    b->change = (struct change){0};
}

/* One operation, in a batch of its own. */
static inline void hand_do(struct rig *r, struct batch *b, struct store_op *op,
                           enum store_op_kind kind)
{
    op->kind = kind;
    OK(batch_begin(b, r->now));
    OK(operation_apply(b, op));
    OK(op->result);
    hand_commit(b);
}

/* A message whose fan-out is left to a task, as behind many others of its batch. */
static inline struct id hand_send(struct rig *r, struct batch *b, const struct app *a)
{
    struct message *m = rig_message("a", "{}");
    struct ingest_item item = {.message = m};
    struct ingest_op op = {.org = a->org, .app = a->uid, .count = 1, .items = &item};
    op.op.kind = STORE_INGEST;
    OK(batch_begin(b, r->now));
    b->rows = 1000 * COMMIT_ROWS_MAX;
    OK(operation_apply(b, &op.op));
    OK(op.op.result);
    hand_commit(b);
    struct id id = m->id;
    message_unref(&m);
    return id;
}

/* One batch of the tasks alone; false: none of them has more to do. */
static inline bool hand_step(struct rig *r, struct batch *b, unsigned rows)
{
    bool more;
    OK(batch_begin(b, r->now));
    OK(tasks_step(b, rows, &more));
    hand_commit(b);
    return more;
}

/* One batch of the retention alone; when the next is due. */
static inline struct wall hand_expire(struct rig *r, struct batch *b, unsigned rows)
{
    struct wall next;
    OK(batch_begin(b, r->now));
    OK(retention_step(b, rows, &next));
    hand_commit(b);
    return next;
}

#endif
