/* Idempotency keys: asked once, here, before any operation, and kept with the operation's own
 * rows.
 *
 * The answer to a single message is rendered from the message, so that its key is all that the
 * hot path writes: kind (1) body hash (8) status (2) message id (20), in the index. Other
 * answers are few; they stand whole in TREE_ANSWER until their expiry row. A key of one sort is
 * never looked up as the other, because the identity contains method and path.
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
static enum err known_as(struct batch *b, struct store_op *op, struct span body)
{
    if (b->s->settings.idempotency_conflict &&
        !span_eq(body, span_of(op->idempotency.body, sizeof op->idempotency.body))) {
        b->tally.conflicts++;
        return ERR_MISMATCH;
    }
    return ERR_OK;
}

static enum err check_message(struct batch *b, struct ingest_op *op)
{
    uint8_t value[INDEX_VALUE_MAX];
    size_t len;
    enum err e =
        index_get(b->s->index, b->txn, INDEX_IDEMPOTENCY, key_of(&op->op), b->now, value, &len);
    if (e)
        return e;
    struct reader r = reader_of(span_of(value, len));
    if (len != KEPT_BYTES || read_u8(&r) != KIND_MESSAGE)
        return ERR_NOT_FOUND;
    e = known_as(b, &op->op, read_span(&r, 8));
    if (e)
        return e;
    op->op.answer_status = read_u16(&r);
    struct span id = read_span(&r, ID_BYTES);
    memcpy(op->items[0].existing.b, id.ptr, ID_BYTES);
    op->items[0].result = ERR_OK;
    return ERR_OK;
}

static enum err check_answer(struct batch *b, struct store_op *op)
{
    struct span value, answer;
    uint8_t body[8];
    uint16_t status;
    enum err e = batch_get(b, TREE_ANSWER, key_of(op), &value);
    if (!e)
        e = record_answer_decode(value, &status, body, &answer);
    if (e == ERR_CORRUPT) {
        log_error("a stored answer is damaged", LOG_END);
        counter_add(&b->s->stats.corrupt, 1);
    }
    if (e)
        return e;
    e = known_as(b, op, span_of(body, sizeof body));
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

static enum err keep_message(struct batch *b, const struct store_op *op)
{
    const struct id *message = &((const struct ingest_op *)op)->items[0].message->id;
    uint8_t value[KEPT_BYTES];
    const struct idempotency *i = &op->idempotency;
    value[0] = KIND_MESSAGE;
    memcpy(value + 1, i->body, 8);
    value[9] = (uint8_t)(op->answer_status >> 8);
    value[10] = (uint8_t)op->answer_status;
    memcpy(value + 11, message->b, ID_BYTES);
    return batch_index(b, INDEX_IDEMPOTENCY, key_of(op), span_of(value, sizeof value),
                       wall_add(b->now, i->lifetime_us));
}

enum err idempotency_keep(struct batch *b, struct store_op *op)
{
    const struct idempotency *i = &op->idempotency;
    if (!i->used)
        return ERR_OK;
    if (is_single(op))
        return keep_message(b, op);
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
