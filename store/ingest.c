/* Accepting messages: event id, id, record, deliveries, expiry and index entries, all in the
 * transaction that is acknowledged.
 *
 * Every key written here ends its tree or lies in a tree that stays small; whatever arrives in no
 * order goes to the index. A message that would write more than a commit should hold gets its first
 * deliveries at once and the rest by a task of the same commit. */
#include "store/operation.h"
#include "store/task.h"

#include "base/hash.h"
#include "base/log.h"

#define ROWS_AT_ONCE (8 * COMMIT_ROWS_MAX) /* rows of one request; its messages stay together */
#define ENTRIES_OF_MESSAGE 4               /* application, event id, idempotency key, identity */

static struct table_app *find_app(const struct batch *b, const struct ingest_op *op)
{
    const struct table *t = b->s->table;
    struct id id;
    struct table_app *a =
        id_parse(op->app, ID_APP, &id) ? table_app_by_uid(t, &op->org, op->app) : table_app(t, &id);
    if (!a || id_cmp(&a->org, &op->org) != 0 || app_is_operational(&a->id, &a->org))
        return NULL;
    /* Another application's path looks as if it did not exist. */
    return id_is_zero(&op->only_app) || id_cmp(&op->only_app, &a->id) == 0 ? a : NULL;
}

unsigned ingest_entries(const struct batch *b, const struct ingest_op *op)
{
    const struct table_app *a = find_app(b, op);
    unsigned endpoints = a ? a->endpoint_count : 0;
    unsigned most = endpoints < FANOUT_AT_ONCE ? endpoints : FANOUT_AT_ONCE;
    unsigned entries = op->count * (ENTRIES_OF_MESSAGE + most);
    return entries < ROWS_AT_ONCE ? entries : ROWS_AT_ONCE;
}

/* ---------------------------------------------------------------- event ids */

static struct treekey event_id_key(uint32_t app_number, struct span event_id)
{
    struct treekey key = key_number(app_number);
    hash_128(event_id, key.b + key.len);
    key.len += 16;
    return key;
}

/* ERR_CONFLICT while a message with this event id is kept. The index may outlive the message, and a
 * hash is not the id: the message itself decides. One that cannot be read is taken for it: better a
 * conflict than the event twice. */
static enum err check_event_id(struct batch *b, const struct table_app *a, struct ingest_item *item)
{
    struct span event_id = item->message->event_id;
    uint8_t value[INDEX_VALUE_MAX];
    size_t len;
    if (!event_id.len)
        return ERR_OK;
    struct treekey key = event_id_key(a->number, event_id);
    struct message *existing;
    enum err e =
        index_get(b->s->index, b->txn, INDEX_EVENT_ID, key_span(&key), b->now, value, &len);
    if (!e && len != ID_BYTES) {
        log_error("the entry of an event id is damaged", LOG_END);
        counter_add(&b->s->stats.corrupt, 1);
        e = ERR_CORRUPT;
    } else if (!e) {
        memcpy(item->existing.b, value, ID_BYTES);
        e = message_head(b, &item->existing, &existing);
    }
    if (e == ERR_CORRUPT)
        return ERR_CONFLICT;
    if (e)
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    bool same = span_eq(existing->event_id, event_id);
    message_unref(&existing);
    return same ? ERR_CONFLICT : ERR_OK;
}

/* ---------------------------------------------------------------- the message */

static enum err put_bodies(struct batch *b, const struct message *m)
{
    unsigned chunks = record_message_chunks(m);
    enum err e = ERR_OK;
    for (unsigned i = 0; i < chunks && !e; i++) {
        struct treekey key = key_body(&m->id, (uint16_t)i);
        buf_clear(&b->record);
        record_body_encode(m, i, &b->record);
        e = batch_put(b, TREE_BODY, key_span(&key), MDB_APPEND);
    }
    return e;
}

enum err message_index(struct batch *b, const struct message *m, struct wall expires)
{
    struct treekey key;
    enum err e = ERR_OK;
    if (m->event_id.len) {
        key = event_id_key(m->app_number, m->event_id);
        e = batch_index(b, INDEX_EVENT_ID, key_span(&key), span_of(m->id.b, ID_BYTES), expires);
    }
    if (e)
        return e;
    key = key_number_id(m->app_number, &m->id);
    return batch_index(b, INDEX_APP_MESSAGE, key_span(&key), (struct span){0}, expires);
}

static enum err put_message(struct batch *b, const struct message *m)
{
    struct treekey key = key_id(&m->id);
    buf_clear(&b->record);
    record_message_encode(m, &b->record);
    enum err e = batch_put(b, TREE_MESSAGE, key_span(&key), MDB_APPEND);
    if (!e)
        e = put_bodies(b, m);
    if (e)
        return e;
    e = batch_expire(b, m->expires, EXPIRY_MESSAGE, key_span(&key));
    return e ? e : message_index(b, m, wall_add(m->expires, INDEX_SLACK_US));
}

/* ---------------------------------------------------------------- fan-out */

struct fanout {
    const struct table_app *app;
    struct message *message;
    bool appends; /* with the message itself: its deliveries end their tree, and those that are due
                     are handed over with it; else they are read from disk */
    unsigned limit; /* deliveries at most */
    uint32_t last;  /* in: the last endpoint that was looked at; out as well */
    bool finished;
};

static enum err fan_out(struct batch *b, struct fanout *f)
{
    struct message *m = f->message;
    const struct match_subject subject = {m->event_type, m->channel_count, m->channels};
    bool delayed = m->deliver_at.us > b->now.us;
    struct wall due = delayed ? m->deliver_at : b->now;
    bool hot = f->appends && !delayed;
    unsigned made = 0;
    f->finished = false;
    for (unsigned i = 0; i < f->app->endpoint_count; i++) {
        const struct table_endpoint *ep = f->app->endpoints[i];
        if (ep->number <= f->last)
            continue;
        bool wanted =
            m->only_endpoint ? ep->number == m->only_endpoint : match(&ep->rule, &subject);
        if (!ep->disabled && wanted) {
            if (made++ == f->limit)
                return ERR_OK;
            bool held = false;
            enum err e = delivery_create(b, m, ep, due, f->appends, &held);
            if (!e && !held)
                e = hot ? batch_handoff(b, ep->number, due, m) : batch_due(b, ep->number, due);
            if (e)
                return e;
        }
        f->last = ep->number;
    }
    f->finished = true;
    return ERR_OK;
}

enum err fanout_step(struct batch *b, struct task *t, unsigned limit)
{
    const unsigned rows_each = 3;
    struct message *m;
    enum err e = message_head(b, &t->message, &m);
    if (batch_broken_by(e))
        return e;
    const struct table_app *a = table_app_numbered(b->s->table, t->app_number);
    if (e || !a || m->expunged) {
        message_unref(&m);
        t->finished = true;
        return ERR_OK;
    }
    struct fanout f = {
        .app = a,
        .message = m,
        .limit = 1 + (limit - b->rows) / rows_each,
        .last = t->cursor_number,
    };
    e = fan_out(b, &f);
    t->cursor_number = f.last;
    t->finished = f.finished;
    message_unref(&m);
    return e;
}

/* An ordered endpoint must not get a message before an older one that a task still brings it. */
static bool behind_fan_out(const struct batch *b, const struct table_app *a)
{
    return tasks_fan_out(b->tasks) && table_app_ordered(a);
}

static enum err fan_out_now(struct batch *b, const struct table_app *a, struct message *m)
{
    bool later = b->rows >= ROWS_AT_ONCE || (!m->only_endpoint && behind_fan_out(b, a));
    struct fanout f = {
        .app = a,
        .message = m,
        .appends = true,
        .limit = later ? 0 : FANOUT_AT_ONCE,
    };
    enum err e = fan_out(b, &f);
    if (e || f.finished)
        return e;
    const struct task rest = {
        .kind = TASK_FANOUT,
        .org = a->org,
        .app = a->id,
        .app_number = a->number,
        .message = m->id,
        .cursor_number = f.last,
    };
    return tasks_add(b, &rest);
}

enum err ingest_message(struct batch *b, const struct table_app *a, struct message *m)
{
    int64_t kept = m->retention_us ? m->retention_us : b->s->settings.message_retention_us;
    m->id = batch_message_id(b);
    m->created = b->now;
    m->expires = wall_add(b->now, kept);
    m->app = a->id;
    m->app_number = a->number;
    enum err e = put_message(b, m);
    return e ? e : fan_out_now(b, a, m);
}

/* ---------------------------------------------------------------- the operation */

static enum err check_only(const struct batch *b, const struct table_app *a, uint32_t only)
{
    const struct table_endpoint *ep = table_endpoint(b->s->table, only);
    if (!ep || ep->deleted || ep->app != a)
        return ERR_NOT_FOUND;
    return ep->disabled ? ERR_DISABLED : ERR_OK;
}

static enum err take_item(struct batch *b, const struct table_app *a, struct ingest_item *item)
{
    struct message *m = item->message;
    item->existing = (struct id){{0}};
    item->result = idempotency_check_item(b, a->number, item);
    if (!item->result && !item->replayed)
        item->result = check_event_id(b, a, item);
    b->tally.conflicts += item->result == ERR_CONFLICT;
    if (batch_broken_by(item->result))
        return item->result;
    if (item->result || item->replayed)
        return ERR_OK; /* it alone */
    if (m->only_endpoint)
        item->result = check_only(b, a, m->only_endpoint);
    if (item->result)
        return item->result;
    item->existing = (struct id){{0}};
    enum err e = ingest_message(b, a, m);
    if (!e)
        e = idempotency_keep_item(b, a->number, item);
    b->tally.accepted++;
    b->tally.accepted_bytes += m->payload.len;
    return e;
}

bool ingest_creates(const struct batch *b, const struct ingest_op *op)
{
    return op->create && !find_app(b, op);
}

bool ingest_waits(const struct batch *b, const struct ingest_op *op)
{
    const struct table_app *a = find_app(b, op);
    return a && behind_fan_out(b, a);
}

enum err ingest_apply(struct batch *b, struct ingest_op *op)
{
    const struct table_app *a = find_app(b, op);
    enum err made = ERR_OK;
    if (!a && op->create)
        made = app_make(b, op->create, &a);
    if (made || !a)
        return made ? made : ERR_NOT_FOUND;
    for (unsigned i = 0; i < op->count; i++) {
        enum err e = take_item(b, a, &op->items[i]);
        if (e)
            return e;
    }
    if (op->count != 1 || op->batch)
        return ERR_OK;
    op->op.replayed = op->items[0].replayed;
    return op->items[0].result;
}
