/* Idempotency keys: asked once, here, before any operation, and kept with the operation's own
 * rows.
 *
 * The answer to a single message is rendered from the message, so that its key is all that the
 * hot path writes: kind (1) body hash (8) status (2) message id (20), in the index. Other
 * answers are few; they stand whole in TREE_ANSWER until their expiry row. A key of one sort is
 * never looked up as the other, because the identity contains method and path.
 *
 * The identity of an event is kept likewise, under its application's number and its own hash, so
 * that no request's key is ever the same.
 *
 * A stored answer that is damaged fails closed, as ERR_CORRUPT until it expires: the key says that
 * the operation was applied, and applying it twice is what the key forbids. */
#include "store/operation.h"

#include "base/log.h"

#include <assert.h>

#define KIND_MESSAGE 1
#define KEPT_BYTES (1 + 8 + 2 + ID_BYTES)

static struct span key_of(const struct store_op *op)
{
    return span_of(op->idempotency.key, sizeof op->idempotency.key);
}

static bool is_single(const struct store_op *op)
{
    return op->kind == STORE_INGEST && !((const struct ingest_op *)op)->batch;
}

/* The key is known: with the same body, or as if it were. */
static enum err known_as(struct batch *b, const struct idempotency *i, struct span body)
{
    if (b->s->settings.idempotency_conflict && !span_eq(body, span_of(i->body, sizeof i->body))) {
        b->tally.conflicts++;
        return ERR_MISMATCH;
    }
    return ERR_OK;
}

static enum err damaged(struct batch *b)
{
    log_error("a stored answer is damaged", LOG_END);
    counter_add(&b->s->stats.corrupt, 1);
    return ERR_CORRUPT;
}

/* What is kept under the key of a single message. ERR_NOT_FOUND, ERR_MISMATCH, ERR_CORRUPT. */
static enum err find_message(struct batch *b, const struct idempotency *i, struct span key,
                             uint16_t *status, struct id *message)
{
    uint8_t value[INDEX_VALUE_MAX];
    size_t len;
    enum err e = index_get(b->s->index, b->txn, INDEX_IDEMPOTENCY, key, b->now, value, &len);
    if (e)
        return e;
    struct reader r = reader_of(span_of(value, len));
    if (len != KEPT_BYTES || read_u8(&r) != KIND_MESSAGE)
        return damaged(b);
    e = known_as(b, i, read_span(&r, 8));
    if (e)
        return e;
    *status = read_u16(&r);
    memcpy(message->b, read_span(&r, ID_BYTES).ptr, ID_BYTES);
    return ERR_OK;
}

static enum err check_message(struct batch *b, struct ingest_op *op)
{
    enum err e = find_message(b, &op->op.idempotency, key_of(&op->op), &op->op.answer_status,
                              &op->items[0].existing);
    if (!e)
        op->items[0].result = ERR_OK;
    return e;
}

static enum err check_answer(struct batch *b, struct store_op *op)
{
    struct span value, answer;
    uint8_t body[8];
    uint16_t status;
    enum err e = batch_get(b, TREE_ANSWER, key_of(op), &value);
    if (!e)
        e = record_answer_decode(value, &status, body, &answer);
    if (e)
        return e == ERR_CORRUPT ? damaged(b) : e;
    e = known_as(b, &op->idempotency, span_of(body, sizeof body));
    if (e)
        return e;
    op->answer_status = status;
    buf_clear(&op->answer);
    buf_span(&op->answer, answer);
    return op->answer.failed ? ERR_NO_MEMORY : ERR_OK;
}

enum err idempotency_check(struct batch *b, struct store_op *op, bool *known)
{
    *known = false;
    op->replayed = false;
    if (!op->idempotency.used)
        return ERR_OK;
    enum err e = is_single(op) ? check_message(b, (struct ingest_op *)op) : check_answer(b, op);
    if (e)
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    *known = op->replayed = true;
    b->tally.replayed++;
    return ERR_OK;
}

static enum err keep_message(struct batch *b, const struct idempotency *i, struct span key,
                             uint16_t status, const struct id *message)
{
    uint8_t value[KEPT_BYTES];
    value[0] = KIND_MESSAGE;
    memcpy(value + 1, i->body, 8);
    value[9] = (uint8_t)(status >> 8);
    value[10] = (uint8_t)status;
    memcpy(value + 11, message->b, ID_BYTES);
    return batch_index(b, INDEX_IDEMPOTENCY, key, span_of(value, sizeof value),
                       wall_add(b->now, i->lifetime_us));
}

static enum err keep_single(struct batch *b, const struct store_op *op)
{
    const struct ingest_item *item = &((const struct ingest_op *)op)->items[0];
    return keep_message(b, &op->idempotency, key_of(op), op->answer_status,
                        item->replayed ? &item->existing : &item->message->id);
}

enum err idempotency_keep(struct batch *b, struct store_op *op)
{
    const struct idempotency *i = &op->idempotency;
    if (!i->used)
        return ERR_OK;
    if (is_single(op))
        return keep_single(b, op);
    if (op->kind == STORE_INGEST) {
        struct ingest_op *ingest = (struct ingest_op *)op;
        assert(ingest->render);
        buf_clear(&op->answer);
        ingest->render(ingest, &op->answer);
    }
    if (op->answer.failed)
        return ERR_NO_MEMORY;
    buf_clear(&b->record);
    record_answer_encode(op->answer_status, i->body, buf_view(&op->answer), &b->record);
    enum err e = batch_put(b, TREE_ANSWER, key_of(op), 0);
    if (e)
        return e;
    return batch_expire(b, wall_add(b->now, i->lifetime_us), EXPIRY_ANSWER, key_of(op));
}

/* ---------------------------------------------------------------- identities of events */

static struct treekey identity_key(uint32_t app_number, const struct idempotency *i)
{
    struct treekey key = key_number(app_number);
    memcpy(key.b + key.len, i->key, sizeof i->key);
    key.len += sizeof i->key;
    return key;
}

/* When the first message of the identity was created; one that is gone has it in its id. */
static enum err find_created(struct batch *b, struct ingest_item *item)
{
    struct message *first = NULL;
    enum err e = message_head(b, &item->existing, &first);
    item->existing_created = e ? id_time(&item->existing) : first->created;
    message_unref(&first);
    return batch_broken_by(e) ? e : ERR_OK;
}

enum err idempotency_check_item(struct batch *b, uint32_t app_number, struct ingest_item *item)
{
    uint16_t status;
    item->replayed = false;
    if (!item->identity.used)
        return ERR_OK;
    struct treekey key = identity_key(app_number, &item->identity);
    enum err e = find_message(b, &item->identity, key_span(&key), &status, &item->existing);
    if (e)
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    item->replayed = true;
    b->tally.replayed++;
    return find_created(b, item);
}

enum err idempotency_keep_item(struct batch *b, uint32_t app_number, const struct ingest_item *item)
{
    if (!item->identity.used)
        return ERR_OK;
    const uint16_t accepted = 202;
    struct treekey key = identity_key(app_number, &item->identity);
    return keep_message(b, &item->identity, key_span(&key), accepted, &item->message->id);
}
