/* A wait must not miss the message that is committed while it begins. So whoever waits takes the
 * mark before it looks, and arms its watch with it afterwards: a commit in between has moved the
 * mark, and the watch is not armed.
 *
 * Invariants
 *   - the writer moves the mark before it asks whether anybody waits, and a watch is counted before
 *     its owner compares marks: one of the two sees the other;
 *   - `wake` runs under the lock, so that a watch that was disarmed is not being woken. The lock
 *     comes before that of an inbox, and no other is taken under it. */
#include "store/watch.h"

#include "store/internal.h"
#include "store/watches.h"

#include <assert.h>
#include <pthread.h>

#define BUCKETS 256 /* a power of two; application numbers are consecutive */

struct watches {
    atomic_uint_fast64_t mark; /* commits with messages so far */
    atomic_uint count;         /* watches that are entered */

    pthread_mutex_t lock;
    struct store_watch *buckets[BUCKETS]; /* under lock */
};

struct watches *watches_new(void)
{
    struct watches *ws = calloc(1, sizeof *ws);
    if (ws)
        pthread_mutex_init(&ws->lock, NULL);
    return ws;
}

void watches_free(struct watches **watches)
{
    struct watches *ws = *watches;
    if (!ws)
        return;
    assert(atomic_load(&ws->count) == 0);
    pthread_mutex_destroy(&ws->lock);
    free(ws);
    *watches = NULL;
}

static struct store_watch **bucket_of(struct watches *ws, uint32_t app_number)
{
    return &ws->buckets[app_number % BUCKETS];
}

/* ---------------------------------------------------------------- the writer's side */

static void wake(struct watches *ws, uint32_t app_number)
{
    pthread_mutex_lock(&ws->lock);
    for (struct store_watch *w = *bucket_of(ws, app_number); w; w = w->next) {
        if (!w->armed || w->app_number != app_number)
            continue;
        w->armed = false;
        w->wake(w);
    }
    pthread_mutex_unlock(&ws->lock);
}

/* The messages of an operation are all of one application. */
static const struct message *first_accepted(const struct store_op *op)
{
    const struct ingest_op *ingest = (const struct ingest_op *)op;
    if (op->kind != STORE_INGEST || op->result || op->replayed)
        return NULL;
    for (unsigned i = 0; i < ingest->count; i++)
        if (!ingest->items[i].result)
            return ingest->items[i].message;
    return NULL;
}

void watches_committed(struct watches *ws, const struct queue *operations)
{
    atomic_fetch_add(&ws->mark, 1);
    if (atomic_load(&ws->count) == 0)
        return;
    for (const struct store_op *op = operations->first; op; op = (const void *)op->item.next) {
        const struct message *m = first_accepted(op);
        if (m)
            wake(ws, m->app_number);
    }
}

/* ---------------------------------------------------------------- the waiting side */

enum err store_watch_enter(struct store *s, struct store_watch *w)
{
    struct watches *ws = s->watches;
    struct store_watch **first = bucket_of(ws, w->app_number);
    unsigned same = 0;
    pthread_mutex_lock(&ws->lock);
    for (const struct store_watch *other = *first; other; other = other->next)
        same += other->app_number == w->app_number;
    bool room = same < WATCHES_PER_APP_MAX && atomic_load(&ws->count) < WATCHES_MAX;
    if (room) {
        w->armed = false;
        w->previous = NULL;
        w->next = *first;
        if (w->next)
            w->next->previous = w;
        *first = w;
        atomic_fetch_add(&ws->count, 1);
        counter_add(&s->stats.watching, 1);
    }
    pthread_mutex_unlock(&ws->lock);
    return room ? ERR_OK : ERR_BUSY;
}

uint64_t store_watch_mark(struct store *s)
{
    return atomic_load(&s->watches->mark);
}

bool store_watch_arm(struct store *s, struct store_watch *w, uint64_t mark)
{
    pthread_mutex_lock(&s->watches->lock);
    w->armed = atomic_load(&s->watches->mark) == mark;
    bool armed = w->armed;
    pthread_mutex_unlock(&s->watches->lock);
    return armed;
}

void store_watch_disarm(struct store *s, struct store_watch *w)
{
    pthread_mutex_lock(&s->watches->lock);
    w->armed = false;
    pthread_mutex_unlock(&s->watches->lock);
}

void store_watch_leave(struct store *s, struct store_watch *w)
{
    struct watches *ws = s->watches;
    pthread_mutex_lock(&ws->lock);
    if (w->previous)
        w->previous->next = w->next;
    else
        *bucket_of(ws, w->app_number) = w->next;
    if (w->next)
        w->next->previous = w->previous;
    atomic_fetch_sub(&ws->count, 1);
    counter_sub(&s->stats.watching, 1);
    pthread_mutex_unlock(&ws->lock);
}
