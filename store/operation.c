/* What the writer must know of an operation, and how it is applied: not again when its
 * idempotency key is known, else by the function of its kind. */
#include "store/operation.h"

#include "store/operational.h"

#define MESSAGE_BYTES 512 /* that an event takes beside its payload */

static bool is_configuration(const struct batch *b, const struct store_op *op)
{
    switch (op->kind) {
    case STORE_INGEST:
        return ingest_creates(b, (const struct ingest_op *)op);
    case STORE_PORTAL_PUT:
        return portal_creates(b, (const struct portal_op *)op);
    case STORE_APP_PUT:
    case STORE_APP_DELETE:
    case STORE_ENDPOINT_PUT:
    case STORE_ENDPOINT_DELETE:
    case STORE_EVENT_TYPE_PUT:
    case STORE_EVENT_TYPE_DELETE:
    case STORE_EVENT_TYPES_PUT:
    case STORE_KEY_PUT:
    case STORE_KEY_REVOKE:
        return true;
    case STORE_OUTCOME:
        return ((const struct outcome_op *)op)->disable_endpoint;
    default:
        return false;
    }
}

bool operation_waits(const struct batch *b, const struct store_op *op)
{
    return is_configuration(b, op) ||
           (op->kind == STORE_INGEST && ingest_waits(b, (const struct ingest_op *)op));
}

/* In the file of its noun. */
static enum err dispatch(struct batch *b, struct store_op *op)
{
    switch (op->kind) {
    case STORE_INGEST:
        return ingest_apply(b, (struct ingest_op *)op);
    case STORE_OUTCOME:
        return outcome_apply(b, (struct outcome_op *)op);
    case STORE_APP_PUT:
        return app_put(b, (struct app_op *)op);
    case STORE_APP_DELETE:
        return app_delete(b, (struct app_op *)op);
    case STORE_ENDPOINT_PUT:
        return endpoint_put(b, (struct endpoint_op *)op);
    case STORE_ENDPOINT_DELETE:
        return endpoint_delete(b, (struct endpoint_op *)op);
    case STORE_EVENT_TYPE_PUT:
        return event_type_put(b, (struct event_type_op *)op);
    case STORE_EVENT_TYPE_DELETE:
        return event_type_delete(b, (struct event_type_op *)op);
    case STORE_KEY_PUT:
        return api_key_put(b, (struct key_op *)op);
    case STORE_KEY_REVOKE:
        return api_key_revoke(b, (struct key_op *)op);
    case STORE_PORTAL_PUT:
        return portal_put(b, (struct portal_op *)op);
    case STORE_PORTAL_END:
        return portal_end(b, (struct portal_end_op *)op);
    case STORE_RESEND:
        return resend_apply(b, (struct resend_op *)op);
    case STORE_DEAD:
        return dead_apply(b, (struct dead_op *)op);
    case STORE_RECOVER:
        return recover_apply(b, (struct recover_op *)op);
    case STORE_REPLAY:
        return replay_apply(b, (struct replay_op *)op);
    case STORE_EXPUNGE:
        return expunge_apply(b, (struct expunge_op *)op);
    case STORE_EXPUNGE_ALL:
        return expunge_all_apply(b, (struct expunge_all_op *)op);
    case STORE_AGGREGATE:
        return aggregate_apply(b, (struct aggregate_op *)op);
    case STORE_EVENT_TYPES_PUT:
        return event_types_put(b, (struct event_types_op *)op);
    case STORE_CONSUMER_PUT:
        return consumer_apply(b, (struct consumer_op *)op);
    }
    return ERR_INVALID;
}

enum err operation_apply(struct batch *b, struct store_op *op)
{
    unsigned before = b->rows;
    bool known;
    op->result = ERR_OK;
    enum err e = idempotency_check(b, op, &known);
    if (!e && !known)
        e = dispatch(b, op);
    if (!e && !known && !op->result)
        e = idempotency_keep(b, op);
    if (!e || batch_broken_by(e))
        return e;
    op->result = e;
    /* A refusal after the first row would leave half an operation behind. */
    return b->rows == before ? ERR_OK : ERR_IO;
}

unsigned operation_entries(const struct batch *b, const struct store_op *op)
{
    return op->kind == STORE_INGEST ? ingest_entries(b, (const struct ingest_op *)op)
                                    : 2 + operational_entries(b);
}

uint64_t operation_bytes(const struct store_op *op)
{
    const struct ingest_op *ingest = (const struct ingest_op *)op;
    uint64_t bytes = 0;
    for (unsigned i = 0; op->kind == STORE_INGEST && i < ingest->count; i++)
        bytes += ingest->items[i].message->payload.len + MESSAGE_BYTES;
    return bytes;
}
