/* Applications: their three rows, and their deletion, which is one commit for readers and a task
 * for what hangs on them. */
#include "store/operation.h"
#include "store/task.h"

#include <assert.h>

static enum err publish_row(struct batch *b, struct change *c)
{
    struct table_app *fresh = c->app;
    c->app = NULL;
    return table_app_put(b->s->table, fresh);
}

static enum err publish(struct batch *b, struct change *c)
{
    struct app *a = ((struct app_op *)c->op)->app;
    a->number = c->number;
    a->version = c->version;
    return publish_row(b, c);
}

static enum err write_uid(struct batch *b, const struct app *a, const struct table_app *old)
{
    enum err e = ERR_OK;
    if (old && old->uid.len && !span_eq(old->uid, a->uid)) {
        struct treekey key = key_id_text(&old->org, old->uid);
        e = batch_clear(b, TREE_APP_UID, key_span(&key));
    }
    if (e || !a->uid.len)
        return e;
    struct treekey key = key_id_text(&a->org, a->uid);
    return batch_put_span(b, TREE_APP_UID, key_span(&key), span_of(a->id.b, ID_BYTES), 0);
}

static enum err write_rows(struct batch *b, const struct app *a, const struct table_app *old)
{
    struct treekey key = key_id(&a->id), org = key_id_id(&a->org, &a->id);
    buf_clear(&b->record);
    record_app_encode(a, &b->record);
    enum err e = batch_put(b, TREE_APP, key_span(&key), 0);
    if (!e && !app_is_operational(&a->id, &a->org))
        e = batch_put_span(b, TREE_APP_ORG, key_span(&org), (struct span){0}, 0);
    return e ? e : write_uid(b, a, old);
}

/* The entry that the operation replaces; NULL: it creates one. */
static enum err check(const struct table *t, const struct app *a, struct table_app **old)
{
    const struct table_app *owner = table_app_by_uid(t, &a->org, a->uid);
    *old = table_app(t, &a->id);
    if (!a->version)
        return *old || owner ? ERR_CONFLICT : ERR_OK;
    if (!*old || id_cmp(&(*old)->org, &a->org) != 0)
        return ERR_NOT_FOUND;
    if ((*old)->version != a->version)
        return ERR_STALE;
    return owner && owner != *old ? ERR_CONFLICT : ERR_OK;
}

/* Its rate and its end concern all its endpoints: who sends to them must look again. */
static enum err announce(struct batch *b, const struct table_app *a)
{
    enum err e = ERR_OK;
    for (unsigned i = 0; i < a->endpoint_count && !e; i++)
        e = batch_changed(b, a->endpoints[i]->number);
    return e;
}

static enum err put(struct batch *b, struct app a)
{
    struct table_app *old;
    enum err e = check(b->s->table, &a, &old);
    if (e)
        return e;
    a.number = old ? old->number : batch_next(b, &b->marks.next_app);
    a.version = batch_version(b);
    e = table_app_new(&a, &b->change.app);
    if (!e)
        e = write_rows(b, &a, old);
    if (!e && old && old->throttle_rate != a.throttle_rate)
        e = announce(b, old);
    b->change.apply = publish_row;
    b->change.number = a.number;
    b->change.version = a.version;
    return e;
}

enum err app_put(struct batch *b, struct app_op *op)
{
    enum err e = put(b, *op->app);
    if (e)
        return e;
    b->change.apply = publish;
    b->change.op = &op->op;
    return ERR_OK;
}

enum err app_make(struct batch *b, const struct app *a, const struct table_app **out)
{
    assert(!a->version);
    enum err e = put(b, *a);
    *out = b->change.app;
    return e;
}

/* ---------------------------------------------------------------- delete */

static enum err publish_delete(struct batch *b, struct change *c)
{
    table_app_delete(b->s->table, c->number);
    return ERR_OK;
}

static enum err remove_rows(struct batch *b, const struct table_app *a)
{
    struct treekey key = key_id(&a->id), org = key_id_id(&a->org, &a->id);
    enum err e = batch_clear(b, TREE_APP, key_span(&key));
    if (!e)
        e = batch_clear(b, TREE_APP_ORG, key_span(&org));
    if (e || !a->uid.len)
        return e;
    key = key_id_text(&a->org, a->uid);
    return batch_clear(b, TREE_APP_UID, key_span(&key));
}

enum err app_delete(struct batch *b, struct app_op *op)
{
    const struct table_app *a = table_app(b->s->table, &op->id);
    if (!a)
        return ERR_NOT_FOUND;
    const struct task task = {
        .kind = TASK_APP_DELETED, .org = a->org, .app = a->id, .app_number = a->number};
    enum err e = remove_rows(b, a);
    if (!e)
        e = tasks_add(b, &task);
    if (!e)
        e = announce(b, a);
    b->change.apply = publish_delete;
    b->change.number = a->number;
    return e;
}
