/* The lists of unfinished tasks, and whose turn it is.
 *
 * Invariants
 *   - a task in a list has a row in TREE_TASK, and its `now` is what that row says;
 *   - a step works on `next`, which becomes `now` with the commit and is forgotten without it;
 *   - a finished task that a client can ask for keeps its row for TASK_KEPT_US (with a result:
 *     RESULT_KEPT_US), any other loses it. */
#include "store/task.h"

#include "store/operational.h"
#include "store/pace.h"

#include "base/failpoint.h"
#include "base/log.h"

#include <assert.h>

#define TASK_KEPT_US (INT64_C(7) * 24 * 3600 * US_PER_S)
/* With many rows, and asked for over and over by a dashboard. */
#define RESULT_KEPT_US (INT64_C(24) * 3600 * US_PER_S)
#define TURN 16 /* tasks looked at in one batch: a long list must not lengthen the commit */

struct node {
    struct node *after;
    struct task now, next;
    bool stepped; /* in this batch: `next` differs from `now` */
};

struct list {
    struct node *first, *last;
};

enum lane { FANOUTS, ORDERS, MOVES, ATTEMPTS, FIGURES, LANES };

struct tasks {
    struct list lanes[LANES];
    struct list fresh; /* added by this batch */
};

static void append(struct list *l, struct node *n)
{
    n->after = NULL;
    if (l->last)
        l->last->after = n;
    else
        l->first = n;
    l->last = n;
}

/* Of fan-outs the message tells, since an ordered endpoint depends on it: many are made in one
 * commit, and clocks are set back. */
static bool younger(const struct task *a, const struct task *b)
{
    if (a->kind == TASK_FANOUT && b->kind == TASK_FANOUT)
        return id_cmp(&a->message, &b->message) > 0;
    return a->created.us > b->created.us;
}

/* In the order in which they were made: ids of clients were drawn before their operation came to
 * its turn. Rows come nearly in order, so that this mostly appends. */
static void insert_by_age(struct list *l, struct node *n)
{
    if (!l->last || !younger(&l->last->now, &n->now)) {
        append(l, n);
        return;
    }
    struct node **link = &l->first;
    while (!younger(&(*link)->now, &n->now))
        link = &(*link)->after;
    n->after = *link;
    *link = n;
}

static struct node *take_first(struct list *l)
{
    struct node *n = l->first;
    if (n) {
        l->first = n->after;
        if (!l->first)
            l->last = NULL;
    }
    return n;
}

static void free_list(struct list *l)
{
    for (struct node *n; (n = take_first(l));)
        free(n);
}

static enum lane lane_of(const struct task *t)
{
    if (t->rate)
        return ATTEMPTS;
    switch (t->kind) {
    case TASK_FANOUT:
        return FANOUTS;
    case TASK_ORDER_CHANGED:
    case TASK_ORDER_FLOW:
        return ORDERS;
    case TASK_RECOVER:
    case TASK_REPLAY_MISSING:
    case TASK_BULK_REPLAY:
        return ATTEMPTS;
    case TASK_APP_STATS:
    case TASK_EVENT_TYPES:
        return FIGURES;
    default:
        return MOVES;
    }
}

struct tasks *tasks_new(void)
{
    return calloc(1, sizeof(struct tasks));
}

void tasks_free(struct tasks **t)
{
    if (!*t)
        return;
    for (int i = 0; i < LANES; i++)
        free_list(&(*t)->lanes[i]);
    free_list(&(*t)->fresh);
    free(*t);
    *t = NULL;
}

static void mark_endpoint(struct store *s, const struct task *task, bool begins)
{
    struct table_endpoint *ep = table_endpoint(s->table, task->endpoint);
    bool retires = task->kind == TASK_ENDPOINT_DISABLED;
    if (!ep || (!retires && task->kind != TASK_ORDER_CHANGED))
        return;
    unsigned *count = retires ? &ep->retiring : &ep->relining;
    assert(begins || *count > 0);
    *count += begins ? 1 : -1u;
}

/* ---------------------------------------------------------------- load and add */

static enum err load_one(struct tasks *t, struct store *s, struct span key, struct span value)
{
    struct task task;
    if (key.len != ID_BYTES || record_task_decode(value, &task)) {
        log_error("a task's record is damaged and is left out", LOG_END);
        counter_add(&s->stats.corrupt, 1);
        return ERR_OK;
    }
    if (task.finished)
        return ERR_OK;
    struct node *n = calloc(1, sizeof *n);
    if (!n)
        return ERR_NO_MEMORY;
    memcpy(task.id.b, key.ptr, ID_BYTES);
    n->now = task;
    insert_by_age(&t->lanes[lane_of(&task)], n);
    mark_endpoint(s, &task, true);
    return ERR_OK;
}

enum err tasks_load(struct tasks *t, struct store *s, MDB_txn *txn)
{
    MDB_cursor *c;
    enum err e = tree_cursor(&s->env, txn, TREE_TASK, &c);
    if (e)
        return e;
    struct span key = {0}, value;
    e = tree_walk(c, MDB_FIRST, &key, &value);
    while (!e) {
        e = load_one(t, s, key, value);
        if (!e)
            e = tree_walk(c, MDB_NEXT, &key, &value);
    }
    mdb_cursor_close(c);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err put_row(struct batch *b, const struct task *task)
{
    struct treekey key = key_id(&task->id);
    buf_clear(&b->record);
    record_task_encode(task, &b->record);
    return batch_put(b, TREE_TASK, key_span(&key), 0);
}

enum err tasks_add(struct batch *b, const struct task *task)
{
    struct node *n = calloc(1, sizeof *n);
    if (!n)
        return ERR_NO_MEMORY;
    n->now = *task;
    n->now.created = n->now.updated = b->now;
    if (id_is_zero(&n->now.id))
        n->now.id = id_random(b->now);
    append(&b->tasks->fresh, n);
    FAILPOINT("task-added");
    return put_row(b, &n->now);
}

/* ---------------------------------------------------------------- steps */

/* Of every kind that a record may name. */
static enum err (*const steps[TASK_KINDS])(struct batch *b, struct task *t, unsigned limit) = {
    [TASK_FANOUT] = fanout_step,
    [TASK_ENDPOINT_DISABLED] = retire_disabled_step,
    [TASK_ENDPOINT_DELETED] = retire_endpoint_step,
    [TASK_APP_DELETED] = retire_app_step,
    [TASK_DEAD_REPLAY] = dead_step,
    [TASK_DEAD_PURGE] = dead_step,
    [TASK_RECOVER] = recover_step,
    [TASK_REPLAY_MISSING] = replay_missing_step,
    [TASK_BULK_REPLAY] = replay_bulk_step,
    [TASK_ORDER_CHANGED] = order_change_step,
    [TASK_ORDER_FLOW] = order_flow_step,
    [TASK_PURGE_CONTENT] = expunge_all_step,
    [TASK_EXPUNGED] = expunge_rest_step,
    [TASK_APP_STATS] = aggregate_stats_step,
    [TASK_EVENT_TYPES] = aggregate_types_step,
};

static enum err finish_row(struct batch *b, const struct task *t)
{
    struct treekey key = key_id(&t->id);
    if (!task_is_public(t->kind))
        return batch_clear(b, TREE_TASK, key_span(&key));
    enum err e = batch_clear(b, TREE_TASK_FILTER, key_span(&key));
    if (e)
        return e;
    int64_t kept = t->results ? RESULT_KEPT_US : TASK_KEPT_US;
    e = batch_expire(b, wall_add(b->now, kept), EXPIRY_TASK, key_span(&key));
    if (!e)
        e = put_row(b, t);
    return e ? e : operational_task(b, t);
}

static enum err step(struct batch *b, struct node *n, unsigned limit)
{
    unsigned before = b->rows;
    n->next = n->now;
    n->stepped = true;
    enum err e = steps[n->next.kind](b, &n->next, limit);
    if (e)
        return e;
    bool moved = b->rows > before || n->now.cursor_number != n->next.cursor_number ||
                 id_cmp(&n->now.cursor, &n->next.cursor) != 0 ||
                 memcmp(&n->now.place, &n->next.place, sizeof n->now.place) != 0;
    n->next.updated = b->now;
    if (n->next.finished) {
        FAILPOINT("task-finished");
        return finish_row(b, &n->next);
    }
    if (!moved) {
        n->stepped = false;
        return ERR_OK;
    }
    FAILPOINT("task-step");
    return put_row(b, &n->next);
}

static enum err step_fanouts(struct batch *b, struct list *l, unsigned limit)
{
    for (struct node *n = l->first; n && b->rows < limit; n = n->after) {
        enum err e = step(b, n, limit);
        if (e)
            return e;
        if (!n->next.finished)
            break; /* none may overtake an older one at an endpoint */
    }
    return ERR_OK;
}

/* The first tasks of different applications share the rows. */
static enum err step_moves(struct batch *b, struct list *l, unsigned limit)
{
    struct node *turn[TURN];
    unsigned count = 0, looked = 0;
    for (struct node *n = l->first; n && looked < TURN; n = n->after, looked++) {
        bool behind = false;
        for (unsigned i = 0; i < count && !behind; i++)
            behind = turn[i]->now.app_number == n->now.app_number;
        if (!behind)
            turn[count++] = n;
    }
    for (unsigned i = 0; i < count && b->rows < limit; i++) {
        unsigned share = (limit - b->rows + count - i - 1) / (count - i);
        enum err e = step(b, turn[i], b->rows + share);
        if (e)
            return e;
    }
    return ERR_OK;
}

/* One that can go on, of the next few, and those whose pace is due; those looked at go to the
 * end. */
static enum err step_attempts(struct batch *b, struct list *l, unsigned limit, bool *more)
{
    for (unsigned i = 0; i < TURN && l->first && !l->first->stepped && b->rows < limit; i++) {
        struct node *n = take_first(l);
        append(l, n);
        enum err e = step(b, n, limit);
        if (e)
            return e;
        if (n->stepped)
            *more |= !n->next.finished && pace_is_due(&n->next, b->now);
        if (n->stepped && !n->next.rate)
            break;
    }
    return ERR_OK;
}

/* What moves nothing comes last, one task a batch, in turn. */
static enum err step_figures(struct batch *b, struct list *l, unsigned limit)
{
    struct node *n = b->rows < limit ? take_first(l) : NULL;
    if (!n)
        return ERR_OK;
    append(l, n);
    return step(b, n, limit);
}

enum err tasks_step(struct batch *b, unsigned rows, bool *more)
{
    struct tasks *t = b->tasks;
    unsigned limit = b->rows + rows;
    *more = false;
    enum err e = step_fanouts(b, &t->lanes[FANOUTS], limit);
    if (!e)
        e = step_moves(b, &t->lanes[ORDERS], limit);
    if (!e)
        e = step_moves(b, &t->lanes[MOVES], limit);
    if (!e)
        e = step_attempts(b, &t->lanes[ATTEMPTS], limit, more);
    if (!e)
        e = step_figures(b, &t->lanes[FIGURES], limit);
    if (t->lanes[FANOUTS].first || t->lanes[ORDERS].first || t->lanes[MOVES].first ||
        t->lanes[FIGURES].first || t->fresh.first)
        *more = true;
    return e;
}

/* ---------------------------------------------------------------- commit and abort */

void tasks_committed(struct tasks *t, struct store *s)
{
    for (int i = 0; i < LANES; i++) {
        struct list left = {0};
        for (struct node *n; (n = take_first(&t->lanes[i]));) {
            if (n->stepped)
                n->now = n->next;
            n->stepped = false;
            if (!n->now.finished) {
                append(&left, n);
                continue;
            }
            mark_endpoint(s, &n->now, false);
            free(n);
        }
        t->lanes[i] = left;
    }
    for (struct node *n; (n = take_first(&t->fresh));) {
        mark_endpoint(s, &n->now, true);
        append(&t->lanes[lane_of(&n->now)], n);
    }
}

void tasks_aborted(struct tasks *t)
{
    for (int i = 0; i < LANES; i++)
        for (struct node *n = t->lanes[i].first; n; n = n->after)
            n->stepped = false;
    free_list(&t->fresh);
}

bool tasks_fan_out(const struct tasks *t)
{
    if (t->lanes[FANOUTS].first)
        return true;
    const struct node *n = t->fresh.first;
    while (n && lane_of(&n->now) != FANOUTS)
        n = n->after;
    return n != NULL;
}

bool tasks_waiting(const struct tasks *t)
{
    return t->lanes[ATTEMPTS].first != NULL;
}

struct wall tasks_due_at(const struct tasks *t)
{
    struct wall first = WALL_NEVER;
    for (const struct node *n = t->lanes[ATTEMPTS].first; n; n = n->after) {
        struct wall due = n->now.rate ? pace_due_at(&n->now) : WALL_NEVER;
        if (due.us < first.us)
            first = due;
    }
    return first;
}
