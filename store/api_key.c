/* API keys: a row each, and the table by hash that every request asks. A revoked key is refused
 * from the commit on. */
#include "store/operation.h"

static enum err publish(struct batch *b, struct change *c)
{
    return table_key_put(b->s->table, &((struct key_op *)c->op)->key);
}

static enum err publish_revoke(struct batch *b, struct change *c)
{
    table_key_revoke(b->s->table, &((struct key_op *)c->op)->key.id);
    return ERR_OK;
}

enum err api_key_put(struct batch *b, struct key_op *op)
{
    struct treekey key = key_id(&op->key.id);
    struct span value;
    enum err e = batch_get(b, TREE_KEY, key_span(&key), &value);
    if (e != ERR_NOT_FOUND)
        return e ? e : ERR_CONFLICT;
    buf_clear(&b->record);
    record_key_encode(&op->key, &b->record);
    b->change = (struct change){.apply = publish, .op = &op->op};
    return batch_put(b, TREE_KEY, key_span(&key), 0);
}

enum err api_key_revoke(struct batch *b, struct key_op *op)
{
    struct treekey key = key_id(&op->key.id);
    enum err e = batch_del(b, TREE_KEY, key_span(&key));
    if (!e)
        b->change = (struct change){.apply = publish_revoke, .op = &op->op};
    return e;
}
