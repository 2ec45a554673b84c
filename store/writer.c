/* The thread that owns every write.
 *
 * Invariants
 *   - operations are applied in the order in which they were submitted, and complete in that
 *     order;
 *   - `done` of an operation is called once, after the commit that holds it or its refusal
 *     returned;
 *   - a configuration operation is the last of its batch, so that whatever is behind it sees it,
 *     and the first only when no fan-out is unfinished, so that what is before it does not; so is
 *     a message for an ordered endpoint;
 *   - an operation is begun only when the index has room for it.
 *
 * Waiting. A small batch waits a moment for company (a sync costs the same for one row as for a
 * hundred). Outcomes alone wait longer, since nobody waits for them, but for those of ordered
 * endpoints; the first other operation ends that. Waiting is a plain sleep: being woken for every
 * arrival would cost what it is to save. */
#include "store/writer.h"

#include "store/admission.h"
#include "store/operation.h"
#include "store/operational.h"
#include "store/queue.h"
#include "store/reserve.h"
#include "store/room.h"
#include "store/task.h"
#include "store/watches.h"

#include "base/failpoint.h"
#include "base/log.h"

#include <assert.h>
#include <pthread.h>

#define COMPANY 64 /* a batch of this many does not wait for more */
#define OUTCOMES_WAIT_US (20 * US_PER_MS)
#define ROOM_WAIT_US (500 * US_PER_MS) /* until what found no room is tried again */
#define IDLE_US (5 * US_PER_MS)        /* without an operation, until the file is prepared */
#define LOOK_AGAIN_US US_PER_S         /* for a recover's attempts, for room on the disk */
#define PACE_WAIT_US \
    (10 * US_PER_MS)   /* for a task with a rate, lest one that finds no room spins */
#define LEAN_BATCHES 8 /* without background work after one that found no room */

struct writer {
    struct store *s;
    struct inbox *inbox;
    pthread_t thread;
    bool started;

    /* any thread */
    atomic_bool open; /* taking operations: between start and stop */
    atomic_bool failed;
    atomic_bool full;      /* the map or the disk has no room for ingest */
    atomic_size_t waiting; /* submitted and not completed */
    struct admission admission;

    /* the writer thread alone */
    struct store_listener listener;
    struct batch batch;
    struct queue queue;   /* taken from the inbox, not applied */
    struct queue applied; /* in the batch */
    struct wall retention_next;
    bool more;      /* work is left that needs no waiting for */
    bool held;      /* what must be done found no room: wait before the next try */
    unsigned lean;  /* batches to go without background work that takes room */
    bool bare;      /* without any: it was what found no room in a lean batch, or may have been */
    unsigned most;  /* operations in a batch: fewer after one that found no room */
    bool disk_full; /* as of the last look */
    struct room room;
};

/* ---------------------------------------------------------------- completion */

static void complete_all(struct writer *w, struct queue *q)
{
    atomic_fetch_sub(&w->waiting, q->count);
    admission_leave(&w->admission, q->ingests);
    for (struct store_op *op; (op = queue_pop(q));)
        op->done(op);
}

static void refuse(struct queue *refused, struct store_op *op, enum err e)
{
    op->result = e;
    op->replayed = false;
    if (op->kind == STORE_INGEST) {
        struct ingest_op *ingest = (struct ingest_op *)op;
        for (unsigned i = 0; i < ingest->count; i++)
            ingest->items[i].result = e;
    }
    queue_push(refused, op);
}

static void fail(struct writer *w)
{
    struct queue refused = {0};
    if (!atomic_exchange(&w->failed, true)) {
        log_error("the store failed; the process must stop", LOG_END);
        if (w->listener.failed)
            w->listener.failed(w->listener.context);
    }
    for (struct store_op *op; (op = queue_pop(&w->applied)) || (op = queue_pop(&w->queue));)
        refuse(&refused, op, ERR_IO);
    complete_all(w, &refused);
    w->more = false;
}

static void notify(struct writer *w)
{
    const struct store_listener *l = &w->listener;
    struct batch *b = &w->batch;
    struct handoff *h = b->handoffs;
    b->handoffs = b->last_handoff = NULL;
    while (h) {
        struct handoff *next = (struct handoff *)h->item.next;
        l->delivery(l->context, h);
        h = next;
    }
    for (unsigned i = 0; i < b->changed_count && l->endpoint; i++)
        l->endpoint(l->context, b->changed[i], b->txn_id);
    for (unsigned i = 0; i < b->due_count && l->due; i++)
        l->due(l->context, b->dues[i].endpoint, b->dues[i].due, b->txn_id);
}

static void complete_batch(struct writer *w)
{
    struct batch *b = &w->batch;
    enum err e = ERR_OK;
    if (b->change.apply)
        e = b->change.apply(b, &b->change);
    b->change = (struct change){0};
    notify(w);
    FAILPOINT("notified");
    if (b->tally.accepted)
        watches_committed(b->s->watches, &w->applied);
    complete_all(w, &w->applied);
    FAILPOINT("completed");
    if (e)
        fail(w); /* memory does not show what the disk holds */
}

/* ---------------------------------------------------------------- applying */

/* Whether the map and the disk have room for so much more. */
static bool has_room(struct writer *w, uint64_t bytes)
{
    if (bytes == 0 || (!w->disk_full && room_fits(&w->room, bytes)))
        return true;
    room_doubt(&w->room);
    return false;
}

static enum err apply_queue(struct writer *w, struct queue *refused)
{
    struct batch *b = &w->batch;
    while (w->queue.first && b->rows < COMMIT_ROWS_MAX && w->applied.count < w->most &&
           !b->change.apply) {
        struct store_op *op = w->queue.first;
        if (tasks_fan_out(b->tasks) && operation_waits(b, op))
            break;
        uint64_t bytes = operation_bytes(op);
        if (!has_room(w, bytes)) {
            refuse(refused, queue_pop(&w->queue), ERR_FULL);
            continue;
        }
        if (!index_has_room(b->s->index, operation_entries(b, op))) {
            /* Background work makes room, unless that itself finds none. */
            if (!w->lean || op->kind != STORE_INGEST)
                break;
            refuse(refused, queue_pop(&w->queue), ERR_FULL);
            continue;
        }
        queue_push(&w->applied, queue_pop(&w->queue));
        w->room.taken += bytes;
        enum err e = operation_apply(b, op);
        if (e)
            return e;
    }
    return ERR_OK;
}

/* What the operations did not ask for. It keeps pace with them: what is written today expires
 * and is merged at the same rate. */
static enum err background(struct writer *w)
{
    struct batch *b = &w->batch;
    bool index_more = false, tasks_more = false;
    unsigned share = b->rows < STEP_ROWS_MAX ? STEP_ROWS_MAX : b->rows;
    unsigned index_rows = STEP_ROWS_MAX + 2 * b->entries;
    enum err e = ERR_OK;
    w->more = true;
    if (w->bare)
        return ERR_OK;
    if (w->lean) {
        w->lean--;
        tasks_more = true;
    } else {
        unsigned rows = tasks_fan_out(b->tasks) ? COMMIT_ROWS_MAX : STEP_ROWS_MAX;
        e = index_step(b->s->index, b->txn, b->now, index_rows, &index_more);
        if (!e && index_has_room(b->s->index, rows + operational_entries(b)))
            e = tasks_step(b, rows, &tasks_more);
    }
    if (!e && b->now.us >= w->retention_next.us)
        e = retention_step(b, share, &w->retention_next);
    else if (!e && b->soonest.us < w->retention_next.us)
        w->retention_next = b->soonest;
    w->more = index_more || tasks_more || b->now.us >= w->retention_next.us;
    return e;
}

/* ---------------------------------------------------------------- when there is no room */

/* The batch was aborted: its operations go back, but for those that must give way. */
static void give_way(struct writer *w, enum err e)
{
    struct queue refused = {0}, kept = {0};
    bool had_ingest = false, was_lean = w->lean > 0;
    for (const struct store_op *op = w->applied.first; op; op = (void *)op->item.next)
        had_ingest |= op->kind == STORE_INGEST;
    bool all_give_way = !had_ingest && was_lean, idle = !w->applied.count;
    bool stopping = !atomic_load(&w->open);
    if (was_lean && w->applied.count > 1)
        w->most = w->applied.count / 2; /* fewer pages change at once */
    /* What is behind would wait for as long as this finds no room. */
    for (struct store_op *op; all_give_way && (op = queue_pop(&w->queue));)
        queue_push(&w->applied, op);
    for (struct store_op *op; (op = queue_pop(&w->applied));) {
        bool stays = op->kind == STORE_OUTCOME ? !(stopping && all_give_way)
                                               : op->kind != STORE_INGEST && !all_give_way;
        if (stays)
            queue_push(&kept, op);
        else
            refuse(&refused, op, e);
    }
    w->held = all_give_way || idle;
    w->bare = was_lean;
    w->lean = LEAN_BATCHES;
    w->more = !w->held;
    w->retention_next = (struct wall){0};
    queue_put_back(&w->queue, &kept);
    log_warn("no room: a batch was aborted", LOG_TEXT_FIELD("error", err_text(e)),
             LOG_INT("refused", refused.count), LOG_INT("kept", w->queue.count), LOG_END);
    complete_all(w, &refused);
}

static void sample_map(struct writer *w)
{
    uint64_t used;
    w->room.commits++;
    if (!room_due(&w->room) || env_used(&w->s->env, room_look(&w->room), &used))
        return; /* an error is logged; the next one may succeed */
    atomic_store(&w->s->stats.map_used.n, used);
    room_measured(&w->room, used);
}

/* Ingest ends while there is still room for the outcomes of what was accepted. */
static void look_at_room(struct writer *w)
{
    bool had_disk = !w->disk_full;
    sample_map(w);
    w->disk_full = reserve_blocks(&w->s->env) == ERR_FULL;
    atomic_store(&w->full, room_full(&w->room) || w->disk_full);
    if (had_disk == w->disk_full)
        log_warn(w->disk_full ? "the disk is full: no more is accepted" : "the disk has room again",
                 LOG_END);
}

/* ---------------------------------------------------------------- the loop */

static void turn(struct writer *w)
{
    struct batch *b = &w->batch;
    struct queue refused = {0};
    struct mono begun = clock_mono();
    enum err e = batch_begin(b, clock_wall());
    b->cramped = w->lean || atomic_load(&w->full);
    if (!e)
        e = apply_queue(w, &refused);
    if (!e)
        e = background(w);
    admission_learn(&w->admission, w->applied.ingests, clock_mono().us - begun.us);
    FAILPOINT("batch-applied");
    if (!e)
        e = batch_commit(b);
    else
        batch_abort(b);
    if (!e) {
        w->most = w->most < COMMIT_ROWS_MAX / 2 ? 2 * w->most : COMMIT_ROWS_MAX;
        w->bare = false;
        complete_batch(w);
        look_at_room(w);
    } else if (e == ERR_FULL || e == ERR_NO_MEMORY) {
        give_way(w, e);
    } else {
        fail(w);
    }
    complete_all(w, &refused);
}

static void take(struct writer *w)
{
    struct inbox_item *item = inbox_take(w->inbox);
    while (item) {
        struct inbox_item *next = item->next;
        queue_push(&w->queue, (struct store_op *)item);
        item = next;
    }
}

static void doze(int64_t us)
{
    const struct timespec t = {us / US_PER_S, us % US_PER_S * 1000};
    if (us > 0)
        nanosleep(&t, NULL);
}

static void wait_for_company(struct writer *w)
{
    int64_t wait = w->s->settings.group_wait_us;
    struct mono deadline = mono_add(clock_mono(), OUTCOMES_WAIT_US);
    if (w->queue.count >= COMPANY)
        return;
    doze(wait);
    take(w);
    while (queue_only_patient(&w->queue) && w->queue.count < COMPANY && !w->more) {
        unsigned before = w->queue.count;
        inbox_wait(w->inbox, deadline);
        take(w);
        if (w->queue.count == before)
            return;
        doze(wait);
        take(w);
    }
}

/* When to work again though nothing arrives. */
static struct mono next_wake(const struct writer *w)
{
    int64_t now = clock_wall().us, us = w->retention_next.us - now;
    int64_t task_us = tasks_due_at(w->batch.tasks).us - now;
    if (task_us < PACE_WAIT_US)
        task_us = PACE_WAIT_US;
    if (task_us < us)
        us = task_us;
    if ((tasks_waiting(w->batch.tasks) || w->disk_full) && us > LOOK_AGAIN_US)
        us = LOOK_AGAIN_US;
    return mono_add(clock_mono(), us > 0 ? us : 0);
}

/* Prepares the file for the next burst while nobody asks for anything. */
static void use_idle_time(struct writer *w)
{
    bool more = true;
    inbox_wait(w->inbox, mono_add(clock_mono(), IDLE_US));
    take(w);
    while (more && !w->queue.count && atomic_load(&w->open)) {
        if (reserve_write(&w->s->env, &more)) {
            fail(w);
            return;
        }
        take(w);
    }
}

/* Waits until there is something to do; false: stopped, and nothing is left. */
static bool gather(struct writer *w)
{
    take(w);
    bool stopping = !atomic_load(&w->open);
    if (stopping && !w->queue.count && atomic_load(&w->waiting) == 0)
        return false;
    bool failed = atomic_load(&w->failed);
    if (w->held) {
        inbox_wait(w->inbox, mono_add(clock_mono(), stopping ? 0 : ROOM_WAIT_US));
        w->held = false;
    } else if (!w->queue.count && (!w->more || stopping)) {
        if (!stopping && !failed && reserve_wants(&w->s->env))
            use_idle_time(w);
        /* The idle time may have had the wake of a stop. */
        if (!w->queue.count && (stopping || atomic_load(&w->open)))
            inbox_wait(w->inbox, failed ? MONO_NEVER : next_wake(w));
    }
    take(w);
    if (w->queue.count && !stopping && !failed)
        wait_for_company(w);
    return true;
}

static void *run(void *context)
{
    struct writer *w = context;
    while (gather(w)) {
        if (atomic_load(&w->failed))
            fail(w);
        else
            turn(w);
    }
    return NULL;
}

/* ---------------------------------------------------------------- life */

enum err writer_new(struct store *s, MDB_txn *txn, struct writer **out)
{
    struct writer *w = calloc(1, sizeof *w);
    *out = w;
    if (!w)
        return ERR_NO_MEMORY;
    w->s = s;
    w->admission = admission_new();
    w->inbox = inbox_new();
    enum err e = batch_setup(&w->batch, s, txn);
    if (!e && !w->inbox)
        e = ERR_NO_MEMORY;
    if (e)
        writer_free(out);
    return e;
}

void writer_free(struct writer **w)
{
    struct writer *dead = *w;
    if (!dead)
        return;
    assert(!dead->started);
    batch_release(&dead->batch);
    inbox_free(&dead->inbox);
    free(dead);
    *w = NULL;
}

enum err writer_start(struct writer *w, const struct store_listener *listener)
{
    assert(!w->started);
    w->listener = *listener;
    w->batch.want_handoffs = listener->delivery != NULL;
    w->more = true; /* tasks and index work that a stop left behind */
    w->retention_next = (struct wall){0};
    w->most = COMMIT_ROWS_MAX;
    w->room = room_of((uint64_t)w->s->settings.map_size);
    sample_map(w);
    atomic_store(&w->open, true);
    if (pthread_create(&w->thread, NULL, run, w)) {
        atomic_store(&w->open, false);
        log_error("no thread for the writer", LOG_END);
        return ERR_NO_MEMORY;
    }
    pthread_setname_np(w->thread, "writer");
    w->started = true;
    return ERR_OK;
}

void writer_stop(struct writer *w)
{
    if (!w->started)
        return;
    atomic_store(&w->open, false);
    inbox_wake(w->inbox);
    pthread_join(w->thread, NULL);
    w->started = false;
}

static enum err admit(struct writer *w, const struct store_op *op)
{
    if (op->kind != STORE_INGEST)
        return ERR_OK;
    if (atomic_load_explicit(&w->full, memory_order_relaxed)) {
        counter_add(&w->s->stats.refused_full, 1);
        return ERR_FULL;
    }
    if (atomic_load_explicit(&w->waiting, memory_order_relaxed) > WRITER_QUEUE_MAX ||
        !admission_enter(&w->admission)) {
        counter_add(&w->s->stats.refused_busy, 1);
        return ERR_BUSY;
    }
    return ERR_OK;
}

enum err writer_submit(struct writer *w, struct store_op *op)
{
    enum err e = atomic_load(&w->failed) ? ERR_IO : admit(w, op);
    if (e)
        return e;
    /* Counted before `open` is read, and the thread ends only when it finds nothing counted after
     * `open` was cleared: no operation comes too late. */
    atomic_fetch_add(&w->waiting, 1);
    if (!atomic_load(&w->open)) {
        /* The thread may have seen the count and be waiting for the operation. */
        atomic_fetch_sub(&w->waiting, 1);
        admission_leave(&w->admission, op->kind == STORE_INGEST);
        inbox_wake(w->inbox);
        return ERR_STOPPING;
    }
    op->result = ERR_OK;
    op->replayed = false;
    inbox_put(w->inbox, &op->item);
    return ERR_OK;
}
