/* The transaction and its consequences, in one place, so that an operation is written once and not
 * once for the commit and once for the abort.
 *
 * Invariants
 *   - a counter row, the marks and the index's tail are written once a batch, however many
 *     operations touched them;
 *   - whatever can fail for want of memory fails before the commit;
 *   - after batch_abort the next batch sees exactly what the last commit left. */
#include "store/batch.h"

#include "store/codec.h"
#include "store/entry.h"
#include "store/stat.h"
#include "store/task.h"

#include "base/failpoint.h"
#include "base/hash.h"
#include "base/log.h"

#include <assert.h>

/* The largest record is a stored answer. */
#define RECORD_MAX REPLY_MAX

bool batch_broken_by(enum err e)
{
    return e == ERR_FULL || e == ERR_IO || e == ERR_NO_MEMORY;
}

/* ---------------------------------------------------------------- begin and end */

enum err batch_setup(struct batch *b, struct store *s, MDB_txn *txn)
{
    *b = (struct batch){.s = s};
    buf_init(&b->record, RECORD_MAX);
    b->tasks = tasks_new();
    if (!b->tasks)
        return ERR_NO_MEMORY;
    struct span value;
    enum err e = tree_get(&s->env, txn, TREE_META, SPAN(META_MARKS), &value);
    if (!e)
        e = record_marks_decode(value, &b->marks);
    b->messages.last = b->marks.message;
    b->attempts.last = b->marks.attempt;
    return e ? e : tasks_load(b->tasks, s, txn);
}

void batch_release(struct batch *b)
{
    assert(!b->txn);
    tasks_free(&b->tasks);
    buf_free(&b->record);
    free(b->dues);
    free(b->changed);
    free(b->forgotten);
    b->dues = NULL;
    b->changed = b->forgotten = NULL;
}

enum err batch_begin(struct batch *b, struct wall now)
{
    assert(!b->txn && !b->dirty && !b->handoffs);
    b->now = now;
    b->rows = b->entries = 0;
    b->marked = false;
    b->soonest = WALL_NEVER;
    b->due_count = b->changed_count = b->forgotten_count = 0;
    b->tally = (struct tally){0};
    b->change = (struct change){0};
    enum err e = env_err(mdb_txn_begin(b->s->env.mdb, NULL, 0, &b->txn), "begin");
    if (e) {
        b->txn = NULL;
        return e;
    }
    b->txn_id = mdb_txn_id(b->txn);
    return ERR_OK;
}

static enum err write_counters(struct batch *b)
{
    enum err e = ERR_OK;
    for (struct table_endpoint *ep = b->dirty; ep && !e; ep = ep->next_dirty) {
        struct treekey key = key_number(ep->number);
        if (ep->deleted && !ep->working.waiting && !ep->working.dead) {
            e = batch_clear(b, TREE_COUNT, key_span(&key));
            continue;
        }
        buf_clear(&b->record);
        record_count_encode(&ep->working, &b->record);
        e = batch_put(b, TREE_COUNT, key_span(&key), 0);
    }
    return e;
}

static enum err write_marks(struct batch *b)
{
    if (!b->marked)
        return ERR_OK;
    b->marks.message = b->messages.last;
    b->marks.attempt = b->attempts.last;
    buf_clear(&b->record);
    record_marks_encode(&b->marks, &b->record);
    return batch_put(b, TREE_META, SPAN(META_MARKS), 0);
}

/* The working counters are what was committed, or the reverse. */
static void settle_counters(struct batch *b, bool committed)
{
    while (b->dirty) {
        struct table_endpoint *ep = b->dirty;
        b->dirty = ep->next_dirty;
        ep->dirty = false;
        if (committed) {
            atomic_store_explicit(&ep->waiting, ep->working.waiting, memory_order_relaxed);
            atomic_store_explicit(&ep->dead, ep->working.dead, memory_order_relaxed);
        } else {
            ep->working.waiting = atomic_load_explicit(&ep->waiting, memory_order_relaxed);
            ep->working.dead = atomic_load_explicit(&ep->dead, memory_order_relaxed);
        }
    }
}

static void publish_tally(struct batch *b)
{
    struct store_stats *stats = &b->s->stats;
    const struct tally *t = &b->tally;
    counter_add(&stats->accepted, t->accepted);
    counter_add(&stats->accepted_bytes, t->accepted_bytes);
    counter_add(&stats->replayed, t->replayed);
    counter_add(&stats->conflicts, t->conflicts);
    counter_add(&stats->delivered, t->delivered);
    counter_add(&stats->dead, t->dead);
    counter_add(&stats->expired, t->expired);
    counter_add(&stats->waiting, (uint64_t)t->waiting); /* a decrease wraps around and back */
    counter_add(&stats->dead_waiting, (uint64_t)t->dead_waiting);
}

static enum err commit_transaction(struct batch *b)
{
    struct mono before = clock_mono();
    int rc = mdb_txn_commit(b->txn);
    b->txn = NULL;
    enum err e = env_err(rc, "commit");
    FAILPOINT("commit");
    if (e || !b->rows)
        return e;
    struct store_stats *stats = &b->s->stats;
    counter_add(&stats->commits, 1);
    histogram_add(&stats->commit_us, (uint64_t)(clock_mono().us - before.us));
    histogram_add(&stats->commit_rows, b->rows);
    return ERR_OK;
}

enum err batch_commit(struct batch *b)
{
    enum err e = write_counters(b);
    if (!e)
        e = stat_write(b);
    if (!e)
        e = write_marks(b);
    if (!e)
        e = index_flush(b->s->index, b->txn);
    if (!e)
        e = commit_transaction(b);
    if (e) {
        batch_abort(b);
        return e;
    }
    index_committed(b->s->index);
    settle_counters(b, true);
    stat_forget(b);
    publish_tally(b);
    tasks_committed(b->tasks, b->s);
    for (unsigned i = 0; i < b->forgotten_count; i++)
        table_endpoint_forget(b->s->table, b->forgotten[i]);
    for (struct handoff *h = b->handoffs; h; h = (struct handoff *)h->item.next)
        h->txn = b->txn_id;
    FAILPOINT("committed");
    return ERR_OK;
}

void batch_abort(struct batch *b)
{
    if (b->txn)
        mdb_txn_abort(b->txn);
    b->txn = NULL;
    index_aborted(b->s->index);
    settle_counters(b, false);
    stat_forget(b);
    tasks_aborted(b->tasks);
    while (b->handoffs) {
        struct handoff *h = b->handoffs;
        b->handoffs = (struct handoff *)h->item.next;
        message_unref(&h->message);
        free(h);
    }
    b->last_handoff = NULL;
    table_app_free(&b->change.app);
    table_endpoint_free(&b->change.endpoint);
    b->change = (struct change){0};
}

/* ---------------------------------------------------------------- rows */

/* Records that do not say whose they are, in rows of which no other row speaks. */
static bool is_bound(enum tree t)
{
    return t == TREE_HEALTH || t == TREE_PORTAL || t == TREE_TASK || t == TREE_TASK_FILTER ||
           t == TREE_TASK_RESULT;
}

enum err batch_put(struct batch *b, enum tree t, struct span key, unsigned flags)
{
    if (is_bound(t))
        codec_bind(&b->record, key);
    if (b->record.failed)
        return ERR_NO_MEMORY;
    return batch_put_span(b, t, key, buf_view(&b->record), flags);
}

enum err batch_put_span(struct batch *b, enum tree t, struct span key, struct span value,
                        unsigned flags)
{
    b->rows++;
    return tree_put(&b->s->env, b->txn, t, key, value, flags);
}

enum err batch_append(struct batch *b, enum tree t, struct span key, struct span value)
{
    enum err e = tree_put(&b->s->env, b->txn, t, key, value, MDB_APPEND);
    b->rows++;
    return e == ERR_CONFLICT ? tree_put(&b->s->env, b->txn, t, key, value, 0) : e;
}

enum err batch_del(struct batch *b, enum tree t, struct span key)
{
    enum err e = tree_del(&b->s->env, b->txn, t, key);
    if (e != ERR_NOT_FOUND)
        b->rows++;
    return e;
}

enum err batch_clear(struct batch *b, enum tree t, struct span key)
{
    enum err e = batch_del(b, t, key);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err batch_drop(struct batch *b, enum tree t, struct span key)
{
    MDB_cursor *c;
    struct span value;
    enum err e = tree_cursor(&b->s->env, b->txn, t, &c);
    if (e)
        return e;
    e = tree_walk(c, MDB_SET_RANGE, &key, &value);
    if (!e) {
        b->rows++;
        e = tree_del_at(c);
    }
    mdb_cursor_close(c);
    return e;
}

enum err batch_get(struct batch *b, enum tree t, struct span key, struct span *value)
{
    return tree_get(&b->s->env, b->txn, t, key, value);
}

enum err batch_first(struct batch *b, enum tree t, struct span prefix, struct span from,
                     struct span *key, struct span *value)
{
    MDB_cursor *c;
    enum err e = tree_cursor(&b->s->env, b->txn, t, &c);
    if (e)
        return e;
    *key = from;
    e = tree_walk(c, from.len ? MDB_SET_RANGE : MDB_FIRST, key, value);
    mdb_cursor_close(c);
    return !e && !span_starts(*key, prefix) ? ERR_NOT_FOUND : e;
}

enum err batch_drop_damaged(struct batch *b, enum tree t, struct span key)
{
    log_error("a row with a damaged key is removed", LOG_TEXT_FIELD("tree", tree_names[t]),
              LOG_END);
    counter_add(&b->s->stats.corrupt, 1);
    return batch_drop(b, t, key);
}

enum err batch_first_sound(struct batch *b, enum tree t, const struct treekey *prefix,
                           const struct treekey *from, size_t len, struct span *key,
                           struct span *value)
{
    enum err e = batch_first(b, t, key_span(prefix), key_span(from), key, value);
    while (!e && key->len != len) {
        e = batch_drop_damaged(b, t, *key);
        if (!e)
            e = batch_first(b, t, key_span(prefix), key_span(from), key, value);
    }
    return e;
}

enum err batch_clear_range(struct batch *b, enum tree t, struct span prefix, unsigned limit,
                           bool *done)
{
    MDB_cursor *c;
    *done = false;
    enum err e = tree_cursor(&b->s->env, b->txn, t, &c);
    if (e)
        return e;
    struct span key = prefix, value;
    e = tree_walk(c, MDB_SET_RANGE, &key, &value);
    while (!e && span_starts(key, prefix) && b->rows < limit) {
        b->rows++;
        e = tree_del_at(c);
        if (!e)
            e = tree_walk(c, MDB_NEXT, &key, &value);
    }
    *done = e == ERR_NOT_FOUND || (!e && !span_starts(key, prefix));
    mdb_cursor_close(c);
    return *done ? ERR_OK : e;
}

enum err batch_expire(struct batch *b, struct wall when, enum expiry_kind kind, struct span what)
{
    struct treekey key = key_expiry(when, kind, what);
    uint8_t sum[4];
    put_be32(sum, hash_checksum(key_span(&key)));
    if (when.us < b->soonest.us)
        b->soonest = when;
    /* A message knows its own expiry: its row needs no proof. */
    return batch_append(b, TREE_EXPIRY, key_span(&key),
                        kind == EXPIRY_MESSAGE ? (struct span){0} : span_of(sum, sizeof sum));
}

enum err batch_index(struct batch *b, enum index_family family, struct span key, struct span value,
                     struct wall expires)
{
    b->rows++;
    b->entries++;
    return index_put(b->s->index, family, key, value, expires);
}

/* ---------------------------------------------------------------- marks and counters */

struct id batch_message_id(struct batch *b)
{
    b->marked = true;
    return id_next(&b->messages, b->now);
}

struct id batch_attempt_id(struct batch *b)
{
    b->marked = true;
    return id_next(&b->attempts, b->now);
}

uint32_t batch_next(struct batch *b, uint32_t *number)
{
    assert(*number < UINT32_MAX);
    b->marked = true;
    return (*number)++;
}

uint64_t batch_version(struct batch *b)
{
    b->marked = true;
    return b->marks.next_version++;
}

/* A damaged record may have been counted as something else: zero is as low as it gets. By how much
 * the counter changed. */
static int64_t add_clamped(uint64_t *n, int change)
{
    uint64_t before = *n;
    *n = change < 0 && before < (uint64_t)-change ? 0 : before + (uint64_t)change;
    return (int64_t)(*n - before);
}

void batch_count(struct batch *b, uint32_t endpoint, int waiting, int dead)
{
    struct table_endpoint *ep = table_endpoint(b->s->table, endpoint);
    if (!ep) /* forgotten, with what it counted */
        return;
    b->tally.waiting += add_clamped(&ep->working.waiting, waiting);
    b->tally.dead_waiting += add_clamped(&ep->working.dead, dead);
    if (!ep->dirty) {
        ep->dirty = true;
        ep->next_dirty = b->dirty;
        b->dirty = ep;
    }
}

/* ---------------------------------------------------------------- after the commit */

/* Makes room for one more element; doubles. */
static enum err more_room(void **array, unsigned count, unsigned *room, size_t size)
{
    if (count < *room)
        return ERR_OK;
    unsigned wanted = *room ? *room * 2 : 16;
    void *more = realloc(*array, wanted * size);
    if (!more)
        return ERR_NO_MEMORY;
    *array = more;
    *room = wanted;
    return ERR_OK;
}

static enum err add_number(uint32_t **array, unsigned *count, unsigned *room, uint32_t number)
{
    enum err e = more_room((void **)array, *count, room, sizeof **array);
    if (!e)
        (*array)[(*count)++] = number;
    return e;
}

enum err batch_forget(struct batch *b, uint32_t endpoint)
{
    struct table_endpoint *ep = table_endpoint(b->s->table, endpoint);
    if (!ep) {
        struct treekey key = key_number(endpoint);
        return batch_clear(b, TREE_COUNT, key_span(&key));
    }
    batch_count(b, endpoint, -(int)ep->working.waiting, -(int)ep->working.dead);
    return add_number(&b->forgotten, &b->forgotten_count, &b->forgotten_room, endpoint);
}

enum err batch_handoff(struct batch *b, uint32_t endpoint, struct wall due, struct message *m)
{
    if (!b->want_handoffs)
        return ERR_OK;
    struct handoff *h = malloc(sizeof *h);
    if (!h)
        return batch_due(b, endpoint, due);
    *h = (struct handoff){.endpoint = endpoint, .due = due, .message = message_ref(m)};
    if (b->last_handoff)
        b->last_handoff->item.next = &h->item;
    else
        b->handoffs = h;
    b->last_handoff = h;
    return ERR_OK;
}

enum err batch_due(struct batch *b, uint32_t endpoint, struct wall due)
{
    /* A step that moves many deliveries of one endpoint tells it once. */
    if (b->due_count && b->dues[b->due_count - 1].endpoint == endpoint &&
        b->dues[b->due_count - 1].due.us <= due.us)
        return ERR_OK;
    enum err e = more_room((void **)&b->dues, b->due_count, &b->due_room, sizeof *b->dues);
    if (!e)
        b->dues[b->due_count++] = (struct due_notice){endpoint, due};
    return e;
}

enum err batch_changed(struct batch *b, uint32_t endpoint)
{
    return add_number(&b->changed, &b->changed_count, &b->changed_room, endpoint);
}
