/* Endpoints: their rows, and what a change of one starts: disabling moves its unfinished deliveries
 * to the dead letters, deleting cancels them, both by a task of the same commit.
 *
 * The same function writes a change that a client asked for and the one that a 410, or failing for
 * too long, causes. */
#include "store/health.h"
#include "store/operation.h"
#include "store/operational.h"
#include "store/task.h"

#include "base/log.h"

static enum err publish(struct batch *b, struct change *c)
{
    struct table_endpoint *fresh = c->endpoint;
    enum err err = c->app ? table_app_put(b->s->table, c->app) : ERR_OK;
    c->endpoint = NULL;
    c->app = NULL;
    if (err) {
        table_endpoint_free(&fresh);
        return err;
    }
    if (c->op) {
        struct endpoint *e = ((struct endpoint_op *)c->op)->endpoint;
        e->number = fresh->number;
        e->app_number = c->number;
        e->version = c->version;
    }
    return table_endpoint_put(b->s->table, fresh, c->number);
}

static enum err put_number(struct batch *b, enum tree t, const struct treekey *key, uint32_t number)
{
    struct treekey value = key_number(number);
    return batch_put_span(b, t, key_span(key), key_span(&value), 0);
}

static enum err write_uid(struct batch *b, const struct endpoint *e,
                          const struct table_endpoint *old)
{
    enum err err = ERR_OK;
    if (old && old->uid.len && !span_eq(old->uid, e->uid)) {
        struct treekey key = key_number_text(e->app_number, old->uid);
        err = batch_clear(b, TREE_ENDPOINT_UID, key_span(&key));
    }
    if (err || !e->uid.len)
        return err;
    struct treekey key = key_number_text(e->app_number, e->uid);
    return put_number(b, TREE_ENDPOINT_UID, &key, e->number);
}

static enum err write_rows(struct batch *b, const struct endpoint *e,
                           const struct table_endpoint *old)
{
    struct treekey key = key_number(e->number), id = key_id(&e->id);
    struct treekey place = key_number_id(e->app_number, &e->id);
    buf_clear(&b->record);
    record_endpoint_encode(e, b->s->vault, &b->record);
    enum err err = batch_put(b, TREE_ENDPOINT, key_span(&key), 0);
    if (!err)
        err = put_number(b, TREE_ENDPOINT_ID, &id, e->number);
    if (!err)
        err = put_number(b, TREE_ENDPOINT_APP, &place, e->number);
    return err ? err : write_uid(b, e, old);
}

static enum err add_task(struct batch *b, enum task_kind kind, const struct table_app *a,
                         uint32_t number)
{
    const struct task task = {
        .kind = kind,
        .org = a->org,
        .app = a->id,
        .app_number = a->number,
        .endpoint = number,
        .message = b->messages.last, /* the youngest message that it may touch */
    };
    return tasks_add(b, &task);
}

/* What a change of an endpoint is to its organisation. One that was disabled for what it answered
 * was not updated by anybody. */
static enum err tell_change(struct batch *b, const struct endpoint *e, const struct table_app *a,
                            const struct table_endpoint *old, bool asked)
{
    const struct operational_subject s = {&e->org, &e->app, &e->id, a->uid, e->uid};
    const struct span none = {0};
    if (!old)
        return operational_endpoint(b, OPERATIONAL_ENDPOINT_CREATED, &s, none);
    enum err err = ERR_OK;
    if (asked)
        err = operational_endpoint(b, OPERATIONAL_ENDPOINT_UPDATED, &s, none);
    if (err || e->disabled == old->disabled)
        return err;
    return e->disabled
               ? operational_endpoint(b, OPERATIONAL_ENDPOINT_DISABLED, &s, e->disabled_reason)
               : operational_endpoint(b, OPERATIONAL_ENDPOINT_ENABLED, &s, none);
}

/* Writes the endpoint as given, with a new version. `op` NULL: nobody waits for out fields. */
static enum err replace(struct batch *b, struct endpoint *e, const struct table_app *a,
                        const struct table_endpoint *old, struct store_op *op)
{
    e->version = batch_version(b);
    e->app_number = a->number;
    e->org = a->org;
    b->change.apply = publish; /* with the application when that was made for it */
    b->change.op = op;
    b->change.number = a->number;
    b->change.version = e->version;
    enum err err = table_endpoint_new(e, &b->change.endpoint);
    if (!err)
        err = write_rows(b, e, old);
    if (!err && old && e->disabled && !old->disabled)
        err = add_task(b, TASK_ENDPOINT_DISABLED, a, e->number);
    if (!err && old && e->ordering != old->ordering)
        err = add_task(b, TASK_ORDER_CHANGED, a, e->number);
    if (!err)
        err = tell_change(b, e, a, old, op != NULL);
    return err ? err : batch_changed(b, e->number);
}

/* ---------------------------------------------------------------- put */

/* ERR_CONFLICT when another endpoint of the application has the uid. */
static enum err check_uid(struct batch *b, const struct table_app *a, const struct endpoint *e)
{
    if (!e->uid.len)
        return ERR_OK;
    struct treekey key = key_number_text(a->number, e->uid);
    struct span value;
    enum err err = batch_get(b, TREE_ENDPOINT_UID, key_span(&key), &value);
    if (err)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    struct reader r = reader_of(value);
    return read_u32(&r) == e->number ? ERR_OK : ERR_CONFLICT;
}

static enum err check(struct batch *b, const struct endpoint *e, const struct table_app *a,
                      const struct table_endpoint **old)
{
    *old = NULL;
    if (e->version) {
        *old = table_endpoint(b->s->table, e->number);
        if (!*old || (*old)->app != a)
            return ERR_NOT_FOUND;
        if ((*old)->version != e->version)
            return ERR_STALE;
    } else {
        struct treekey key = key_id(&e->id);
        struct span value;
        enum err err = batch_get(b, TREE_ENDPOINT_ID, key_span(&key), &value);
        if (err != ERR_NOT_FOUND)
            return err ? err : ERR_CONFLICT;
    }
    return check_uid(b, a, e);
}

/* The first endpoint of an organisation's operational application makes that. */
static enum err make_home(struct batch *b, const struct endpoint *e, const struct table_app **out)
{
    const struct app home = {
        .id = e->org, .org = e->org, .created = e->created, .updated = e->created};
    return app_make(b, &home, out);
}

/* What died since the endpoint failed or was disabled begins its schedule anew. The replay has its
 * turn behind a disabling that has not ended. */
static enum err add_recover(struct batch *b, const struct endpoint_op *op,
                            const struct table_app *a, uint32_t number)
{
    const struct task task = {
        .id = *op->recover_task,
        .kind = TASK_DEAD_REPLAY,
        .org = a->org,
        .app = a->id,
        .app_number = a->number,
        .endpoint = number,
        .since = op->since,
        .until = WALL_NEVER,
    };
    return tasks_add(b, &task);
}

enum err endpoint_put(struct batch *b, struct endpoint_op *op)
{
    struct endpoint e = *op->endpoint;
    const struct table_app *a = table_app(b->s->table, &e.app);
    const struct table_endpoint *old = NULL;
    bool missing = !a && (e.version || !app_is_operational(&e.app, &e.org));
    if (missing || (a && id_cmp(&a->org, &e.org) != 0))
        return ERR_NOT_FOUND;
    if (!e.version)
        e.number = 0; /* no endpoint has it: a uid that exists is another's */
    enum err err = a ? check(b, &e, a, &old) : make_home(b, &e, &a);
    if (err)
        return err;
    if (!old)
        e.number = batch_next(b, &b->marks.next_endpoint);
    err = health_change(b, &e, old, op->recover_task != NULL);
    if (!err && op->recover_task)
        err = add_recover(b, op, a, e.number);
    return err ? err : replace(b, &e, a, old, &op->op);
}

enum err endpoint_disable(struct batch *b, uint32_t number, struct span url, struct span reason)
{
    const struct table_endpoint *old = table_endpoint(b->s->table, number);
    if (!old || old->deleted || old->disabled)
        return ERR_OK;
    struct treekey key = key_number(number);
    struct span value;
    struct endpoint *e;
    enum err err = batch_get(b, TREE_ENDPOINT, key_span(&key), &value);
    if (!err)
        err = record_endpoint_decode(value, b->s->vault, &e);
    if (batch_broken_by(err))
        return err;
    if (err) {
        log_error("an endpoint to be disabled cannot be read", LOG_INT("endpoint", number),
                  LOG_END);
        return ERR_OK;
    }
    if (span_eq(e->url, url)) {
        e->disabled = true;
        e->disabled_reason = reason;
        e->updated = b->now;
        err = health_change(b, e, old, false);
        if (!err)
            err = replace(b, e, old->app, old, NULL);
    }
    endpoint_free(&e);
    return err;
}

/* ---------------------------------------------------------------- delete */

static enum err publish_delete(struct batch *b, struct change *c)
{
    table_endpoint_delete(b->s->table, c->number);
    return ERR_OK;
}

enum err endpoint_unlink(struct batch *b, uint32_t number)
{
    struct treekey key = key_number(number);
    struct span value;
    struct endpoint *e;
    enum err err = batch_get(b, TREE_ENDPOINT, key_span(&key), &value);
    if (!err)
        err = record_endpoint_decode(value, b->s->vault, &e);
    if (err)
        return err;
    struct treekey id = key_id(&e->id), place = key_number_id(e->app_number, &e->id);
    err = batch_clear(b, TREE_ENDPOINT, key_span(&key));
    if (!err)
        err = batch_clear(b, TREE_HEALTH, key_span(&key));
    if (!err)
        err = batch_clear(b, TREE_ENDPOINT_ID, key_span(&id));
    if (!err)
        err = batch_clear(b, TREE_ENDPOINT_APP, key_span(&place));
    if (!err && e->uid.len) {
        struct treekey uid = key_number_text(e->app_number, e->uid);
        err = batch_clear(b, TREE_ENDPOINT_UID, key_span(&uid));
    }
    endpoint_free(&e);
    return err;
}

enum err endpoint_delete(struct batch *b, struct endpoint_op *op)
{
    const struct table_endpoint *old = table_endpoint(b->s->table, op->number);
    if (!old || old->deleted)
        return ERR_NOT_FOUND;
    const struct operational_subject s = operational_subject_of(old);
    enum err err = endpoint_unlink(b, op->number);
    if (!err)
        err = add_task(b, TASK_ENDPOINT_DELETED, old->app, op->number);
    if (!err)
        err = operational_endpoint(b, OPERATIONAL_ENDPOINT_DELETED, &s, (struct span){0});
    if (!err)
        err = batch_changed(b, op->number);
    if (!err)
        b->change = (struct change){.apply = publish_delete, .number = op->number};
    return err;
}
