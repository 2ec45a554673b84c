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
