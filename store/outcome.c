/* The end of an attempt. One function moves the delivery and everything that hangs on it.
 *
 * What may have happened since the claim, and what follows:
 *   - the message or its delivery is gone: nothing to do, but the due row must not claim it again;
 *   - the delivery was canceled, given up or rescheduled: the attempt is recorded; a success
 *     delivers all the same, because the receiver has it; a failure changes nothing;
 *   - the endpoint was disabled or deleted: there will be no retry, so the failure ends it.
 * A manual attempt that fails leaves the state as it was. */
#include "store/health.h"
#include "store/operation.h"
#include "store/operational.h"
#include "store/order.h"
#include "store/stat.h"

#define FAILING_TRIES 4 /* failures of a delivery that is still retried, until that is told */

static enum err put_attempt(struct batch *b, struct outcome_op *op, struct wall expires)
{
    struct attempt *a = &op->attempt;
    a->id = batch_attempt_id(b);
    struct treekey key = key_id_id(&a->message, &a->id);
    buf_clear(&b->record);
    record_attempt_encode(a, &b->record);
    enum err e = b->record.failed
                     ? ERR_NO_MEMORY
                     : batch_append(b, TREE_ATTEMPT, key_span(&key), buf_view(&b->record));
    if (e)
        return e;
    e = stat_attempt(b, a);
    if (e)
        return e;
    key = key_number_id(a->endpoint_number, &a->id);
    return batch_index(b, INDEX_ENDPOINT_ATTEMPT, key_span(&key), span_of(a->message.b, ID_BYTES),
                       wall_add(expires, INDEX_SLACK_US));
}

/* Tells the organisation, which the delivery remembers. */
static enum err report(struct batch *b, enum operational_event what, const struct outcome_op *op,
                       struct delivery *d)
{
    const struct table_endpoint *ep = table_endpoint(b->s->table, d->endpoint_number);
    d->reported = false;
    if (!ep || ep->deleted)
        return ERR_OK;
    bool told;
    enum err e = operational_attempt(b, what, ep, &op->attempt, &told);
    d->reported = told && what != OPERATIONAL_ATTEMPT_RECOVERED;
    return e;
}

/* A failure of the attempt that the schedule asked for. */
static enum err failed(struct batch *b, struct outcome_op *op, struct delivery *d)
{
    const struct wall none = {0};
    const struct table_endpoint *ep = table_endpoint(b->s->table, d->endpoint_number);
    if (!ep || ep->deleted)
        return delivery_move(b, d, DELIVERY_CANCELED, REASON_ENDPOINT_DELETED, none);
    if (op->disable_endpoint || ep->disabled)
        return delivery_move(b, d, DELIVERY_DEAD, REASON_ENDPOINT_DISABLED, none);
    if (op->verdict == OUTCOME_RETRY) {
        enum err e = delivery_move(b, d, DELIVERY_RETRYING, REASON_NONE, op->retry_at);
        bool tell = d->tries == FAILING_TRIES && !d->reported;
        return e || !tell ? e : report(b, OPERATIONAL_ATTEMPT_FAILING, op, d);
    }
    enum err e = delivery_move(b, d, DELIVERY_DEAD, op->reason, none);
    bool tell = op->reason == REASON_EXHAUSTED;
    return e || !tell ? e : report(b, OPERATIONAL_ATTEMPT_EXHAUSTED, op, d);
}

/* The row that claimed it goes, or it would be claimed for ever. */
static enum err clear_claim(struct batch *b, const struct outcome_op *op)
{
    const struct attempt *a = &op->attempt;
    struct treekey key = key_due(a->endpoint_number, op->due, &a->message, a->trigger);
    return batch_clear(b, TREE_DUE, key_span(&key));
}

/* A claim that the delivery does not know of was withdrawn with its row, unless the delivery's
 * record was damaged. */
static enum err conclude(struct batch *b, struct outcome_op *op, struct delivery *d)
{
    bool manual = op->attempt.trigger == TRIGGER_MANUAL;
    /* A damaged record does not know when it is due; the row that claimed it does. Nor does it know
     * the line that it stood in. */
    bool damaged = !manual && delivery_unfinished(d) && !d->due.us;
    if (damaged)
        d->due = op->due;
    bool claimed = manual ? d->manual_due.us == op->due.us && op->due.us != 0
                          : delivery_unfinished(d) && !d->held && d->due.us == op->due.us;
    enum err e = claimed ? ERR_OK : clear_claim(b, op);
    if (!e && damaged)
        e = order_mend(b, d->endpoint_number);
    if (manual && claimed)
        e = delivery_manual(b, d, (struct wall){0});
    if (e)
        return e;
    if (!manual && claimed && d->tries < UINT16_MAX)
        d->tries++;
    if (op->verdict == OUTCOME_DELIVERED) {
        if (d->state != DELIVERY_DELIVERED)
            e = delivery_move(b, d, DELIVERY_DELIVERED, REASON_NONE, (struct wall){0});
        if (!e && d->reported)
            e = report(b, OPERATIONAL_ATTEMPT_RECOVERED, op, d);
    } else if (!manual && claimed) {
        e = failed(b, op, d);
    }
    return e;
}

/* What it means for the endpoint, whatever became of the delivery. */
static enum err judge_endpoint(struct batch *b, const struct outcome_op *op)
{
    bool give_up;
    enum err e = health_note(b, op, &give_up);
    if (e || (!op->disable_endpoint && !give_up))
        return e;
    return endpoint_disable(b, op->attempt.endpoint_number, op->attempt.url,
                            op->disable_endpoint ? SPAN("gone") : SPAN("failing"));
}

enum err outcome_apply(struct batch *b, struct outcome_op *op)
{
    struct delivery d;
    struct wall expires;
    enum err e = message_expiry(b, &op->attempt.message, &expires);
    if (!e)
        e = delivery_load(b, &op->attempt.message, op->attempt.endpoint_number, &d);
    if (e == ERR_NOT_FOUND) {
        op->op.result = e;
        e = clear_claim(b, op);
        return e ? e : judge_endpoint(b, op);
    }
    if (!e)
        e = put_attempt(b, op, expires);
    if (!e)
        e = conclude(b, op, &d);
    if (e)
        return e;
    d.last_attempt = op->attempt.id;
    d.last_status = op->attempt.status;
    op->state = d.state;
    e = delivery_store(b, &d);
    return e ? e : judge_endpoint(b, op);
}
