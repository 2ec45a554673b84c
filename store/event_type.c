/* Event types of an organisation. Nothing of them is kept in memory: a message's type is a name,
 * and need not be registered. */
#include "store/operation.h"

static enum err publish(struct batch *b, struct change *c)
{
    (void)b;
    ((struct event_type_op *)c->op)->type->version = c->version;
    return ERR_OK;
}

static enum err stored_version(struct batch *b, const struct treekey *key, uint64_t *version)
{
    struct span value;
    struct event_type *old;
    enum err e = batch_get(b, TREE_EVENT_TYPE, key_span(key), &value);
    if (!e)
        e = record_event_type_decode(value, &old);
    if (e)
        return e;
    *version = old->version;
    event_type_free(&old);
    return ERR_OK;
}

enum err event_type_put(struct batch *b, struct event_type_op *op)
{
    struct event_type type = *op->type;
    struct treekey key = key_id_text(&type.org, type.name);
    uint64_t stored = 0;
    enum err e = stored_version(b, &key, &stored);
    if (e == ERR_NOT_FOUND && !type.version)
        e = ERR_OK;
    else if (!e && stored != type.version)
        e = type.version ? ERR_STALE : ERR_CONFLICT;
    if (e)
        return e;
    type.version = batch_version(b);
    buf_clear(&b->record);
    record_event_type_encode(&type, &b->record);
    b->change = (struct change){.apply = publish, .op = &op->op, .version = type.version};
    return batch_put(b, TREE_EVENT_TYPE, key_span(&key), 0);
}

enum err event_type_delete(struct batch *b, struct event_type_op *op)
{
    struct treekey key = key_id_text(&op->type->org, op->type->name);
    return batch_del(b, TREE_EVENT_TYPE, key_span(&key));
}

/* ---------------------------------------------------------------- many in one commit */

static enum err publish_nothing(struct batch *b, struct change *c)
{
    (void)b;
    (void)c;
    return ERR_OK;
}

static enum err put_row(struct batch *b, const struct treekey *key, const struct event_type *type)
{
    buf_clear(&b->record);
    record_event_type_encode(type, &b->record);
    return batch_put(b, TREE_EVENT_TYPE, key_span(key), 0);
}

static enum err load(struct batch *b, const struct treekey *key, struct span *value,
                     struct event_type **out)
{
    *out = NULL;
    enum err e = batch_get(b, TREE_EVENT_TYPE, key_span(key), value);
    if (!e)
        e = record_event_type_decode(*value, out);
    /* A damaged one is replaced by what is said now. */
    return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? ERR_OK : e;
}

static enum err settle(struct batch *b, const struct event_types_op *op,
                       const struct event_type *wanted)
{
    struct event_type type = *wanted, *old;
    struct treekey key = key_id_text(&op->org, type.name);
    struct span value;
    enum err e = load(b, &key, &value, &old);
    if (e)
        return e;
    type.org = op->org;
    type.created = op->now;
    if (old) {
        type.created = old->created;
        type.updated = old->updated;
        type.version = old->version;
        event_type_free(&old);
        buf_clear(&b->record);
        record_event_type_encode(&type, &b->record);
        if (span_eq(buf_view(&b->record), value))
            return ERR_OK;
    }
    type.updated = op->now;
    type.version = batch_version(b);
    return put_row(b, &key, &type);
}

static enum err archive(struct batch *b, const struct event_types_op *op, struct span name)
{
    struct treekey key = key_id_text(&op->org, name);
    struct event_type *old;
    struct span value;
    enum err e = load(b, &key, &value, &old);
    if (!e && old && !old->archived) {
        old->archived = true;
        old->updated = op->now;
        old->version = batch_version(b);
        e = put_row(b, &key, old);
    }
    if (old)
        event_type_free(&old);
    return e;
}

enum err event_types_put(struct batch *b, struct event_types_op *op)
{
    enum err e = ERR_OK;
    for (unsigned i = 0; i < op->count && !e; i++)
        e = settle(b, op, &op->types[i]);
    for (unsigned i = 0; i < op->archive_count && !e; i++)
        e = archive(b, op, op->archive[i]);
    b->change = (struct change){.apply = publish_nothing, .op = &op->op};
    return e;
}
