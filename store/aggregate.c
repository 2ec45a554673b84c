/* Figures of a whole organisation, computed in steps from what is stored anyway, so that an event
 * pays nothing for them: deliveries by application come from the statistics of hours, the event
 * types that are asked for from the endpoints in memory.
 *
 * Invariants
 *   - rows of a result commit with the cursor behind what they count: a crash neither skips nor
 *     doubles a row;
 *   - a result has at most TASK_RESULTS_MAX rows: what would have more fails, and says so. */
#include "store/entry.h"
#include "store/operation.h"
#include "store/stat.h"
#include "store/task.h"

#define LOOK_MAX 1000 /* rows and applications that a step looks at */

/* Where a task of usage is: its cursor_number. */
enum { GATHERING, COUNTING };

/* Of TASK_EVENT_TYPES: all endpoints of the application at the cursor were looked at; else
 * cursor_number is the last endpoint of it that was. */
#define WHOLE UINT32_MAX

static bool is_full(struct task *t)
{
    if (t->results < TASK_RESULTS_MAX)
        return false;
    t->finished = t->failed = true;
    return true;
}

static enum err put_app(struct batch *b, const struct id *task, const struct table_app *a,
                        bool catch_all)
{
    const struct task_result row = {.uid = a->uid, .catch_all = catch_all};
    struct treekey key = key_id_id(task, &a->id);
    buf_clear(&b->record);
    record_task_result_encode(&row, &b->record);
    return batch_put(b, TREE_TASK_RESULT, key_span(&key), 0);
}

static void begin_counting(struct task *t)
{
    t->cursor = (struct id){{0}};
    put_be32(t->cursor.b, stat_hour(t->since));
    t->cursor_number = COUNTING;
}

enum err aggregate_apply(struct batch *b, struct aggregate_op *op)
{
    struct task task = {
        .id = op->task,
        .kind = op->event_types ? TASK_EVENT_TYPES : TASK_APP_STATS,
        .org = op->org,
        .since = op->since,
        .until = op->until,
        .results = op->app_count,
    };
    if (op->app_count)
        begin_counting(&task);
    enum err e = tasks_add(b, &task);
    for (unsigned i = 0; i < op->app_count && !e; i++) {
        const struct table_app *a = table_app(b->s->table, &op->apps[i]);
        if (a)
            e = put_app(b, &op->task, a, false);
    }
    return e;
}

/* The organisation's next application behind the cursor, which moves to it. NULL with ERR_NOT_FOUND
 * past the last; NULL with ERR_OK for one that is gone. */
static enum err next_app(struct batch *b, struct task *t, const struct table_app **out)
{
    struct treekey prefix = key_id(&t->org), from = key_id_id(&t->org, &t->cursor);
    struct span key, value;
    *out = NULL;
    from.b[from.len++] = 0;
    enum err e = batch_first_sound(b, TREE_APP_ORG, &prefix, &from, 2 * ID_BYTES, &key, &value);
    if (e)
        return e;
    memcpy(t->cursor.b, key.ptr + ID_BYTES, ID_BYTES);
    *out = table_app(b->s->table, &t->cursor);
    return ERR_OK;
}

/* ---------------------------------------------------------------- usage by application */

static enum err gather(struct batch *b, struct task *t, unsigned limit)
{
    for (unsigned i = 0; i < LOOK_MAX && b->rows < limit && !is_full(t); i++) {
        const struct table_app *a;
        enum err e = next_app(b, t, &a);
        if (e == ERR_NOT_FOUND) {
            begin_counting(t);
            return ERR_OK;
        }
        if (!e && a) {
            t->results++;
            e = put_app(b, &t->id, a, false);
        }
        if (e)
            return e;
    }
    return ERR_OK;
}

struct share {
    uint32_t app;
    uint64_t deliveries;
};

static int compare_shares(const void *left, const void *right)
{
    const struct share *a = left, *b = right;
    return (a->app > b->app) - (a->app < b->app);
}

/* Rows of before do not name their application; their endpoint does while it exists. */
static struct share share_of(const struct batch *b, uint32_t endpoint, struct span value)
{
    struct share share = {0};
    struct stat_record row;
    if (record_stat_decode(value, &row))
        return share;
    const struct table_endpoint *ep = table_endpoint(b->s->table, endpoint);
    share.app = row.app ? row.app : ep && ep->app ? ep->app->number : 0;
    for (unsigned i = 0; i < STAT_CLASSES; i++)
        share.deliveries += row.stats.deliveries[i];
    return share;
}

/* The next rows of the window, until `room` of them count. *end: there are no more. */
static enum err read_shares(struct batch *b, struct task *t, struct share *out, unsigned room,
                            unsigned *count, bool *end)
{
    MDB_cursor *c;
    struct span key = span_of(t->cursor.b, 8), value;
    uint64_t place = get_be64(t->cursor.b);
    *count = 0;
    enum err e = tree_cursor(&b->s->env, b->txn, TREE_STAT, &c);
    if (e)
        return e;
    e = tree_walk(c, MDB_SET_RANGE, &key, &value);
    for (unsigned i = 0; i < LOOK_MAX && *count < room && !e; i++) {
        place = stat_place(key);
        if (place >> 32 > stat_hour(t->until)) {
            e = ERR_NOT_FOUND;
            break;
        }
        out[*count] = share_of(b, (uint32_t)place++, value);
        *count += out[*count].app && out[*count].deliveries;
        e = tree_walk(c, MDB_NEXT, &key, &value);
    }
    mdb_cursor_close(c);
    put_be64(t->cursor.b, place);
    *end = e == ERR_NOT_FOUND;
    return *end ? ERR_OK : e;
}

/* Applications that are gone, or that nobody asked for, have no row. */
static enum err add_share(struct batch *b, const struct task *t, const struct share *share)
{
    const struct table_app *a = table_app_numbered(b->s->table, share->app);
    if (!a)
        return ERR_OK;
    struct treekey key = key_id_id(&t->id, &a->id);
    struct span value;
    struct task_result row;
    enum err e = batch_get(b, TREE_TASK_RESULT, key_span(&key), &value);
    if (e)
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    if (record_task_result_decode(value, &row))
        return ERR_OK; /* the reader says so */
    row.deliveries += share->deliveries;
    buf_clear(&b->record);
    record_task_result_encode(&row, &b->record);
    return batch_put(b, TREE_TASK_RESULT, key_span(&key), 0);
}

static enum err add_shares(struct batch *b, struct task *t, struct share *shares, unsigned count)
{
    enum err e = ERR_OK;
    qsort(shares, count, sizeof *shares, compare_shares);
    for (unsigned i = 0; i < count && !e; i++) {
        struct share sum = shares[i];
        while (i + 1 < count && shares[i + 1].app == sum.app)
            sum.deliveries += shares[++i].deliveries;
        e = add_share(b, t, &sum);
    }
    return e;
}

enum err aggregate_stats_step(struct batch *b, struct task *t, unsigned limit)
{
    struct share shares[LOOK_MAX];
    unsigned count, room = limit - b->rows;
    bool end;
    if (t->cursor_number == GATHERING)
        return gather(b, t, limit);
    enum err e = read_shares(b, t, shares, room < LOOK_MAX ? room : LOOK_MAX, &count, &end);
    if (!e)
        e = add_shares(b, t, shares, count);
    t->finished = !e && end;
    t->done = t->results;
    return e;
}

/* ---------------------------------------------------------------- event types asked for */

static bool asks_for_all(const struct table_app *a)
{
    for (unsigned i = 0; i < a->endpoint_count; i++)
        if (a->endpoints[i]->rule.filter_count == 0)
            return true;
    return false;
}

/* NULL: none is left. */
static const struct table_endpoint *next_endpoint(const struct table_app *a, uint32_t behind)
{
    unsigned low = 0, high = a->endpoint_count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (a->endpoints[middle]->number > behind)
            high = middle;
        else
            low = middle + 1;
    }
    return low < a->endpoint_count ? a->endpoints[low] : NULL;
}

static enum err put_types(struct batch *b, struct task *t, const struct table_endpoint *ep)
{
    enum err e = ERR_OK;
    for (unsigned i = 0; i < ep->rule.filter_count && !e && !is_full(t); i++) {
        struct treekey key = key_id_id(&t->id, &t->cursor);
        struct span type = ep->rule.filters[i], value;
        memcpy(key.b + key.len, type.ptr, type.len);
        key.len += type.len;
        e = batch_get(b, TREE_TASK_RESULT, key_span(&key), &value);
        if (e != ERR_NOT_FOUND)
            continue;
        t->results++;
        buf_clear(&b->record);
        record_empty_encode(&b->record);
        e = batch_put(b, TREE_TASK_RESULT, key_span(&key), 0);
    }
    return e;
}

static enum err begin_app(struct batch *b, struct task *t, const struct table_app **out)
{
    enum err e = next_app(b, t, out);
    t->finished = e == ERR_NOT_FOUND;
    t->cursor_number = *out ? 0 : WHOLE;
    if (t->finished || e || !*out)
        return t->finished ? ERR_OK : e;
    t->results++;
    return put_app(b, &t->id, *out, asks_for_all(*out));
}

enum err aggregate_types_step(struct batch *b, struct task *t, unsigned limit)
{
    enum err e = ERR_OK;
    for (unsigned i = 0; i < LOOK_MAX && b->rows < limit && !e && !is_full(t); i++) {
        const struct table_app *a =
            t->cursor_number == WHOLE ? NULL : table_app(b->s->table, &t->cursor);
        if (!a)
            e = begin_app(b, t, &a);
        if (e || t->finished)
            break;
        const struct table_endpoint *ep = a ? next_endpoint(a, t->cursor_number) : NULL;
        if (!ep) {
            t->done += a != NULL;
            t->cursor_number = WHOLE;
            continue;
        }
        e = put_types(b, t, ep);
        t->cursor_number = ep->number;
    }
    return e;
}
