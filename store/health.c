/* The endpoint's health moves with what causes it: with the outcome of an attempt, or with a change
 * of the endpoint, in one transaction.
 *
 * Invariants: a row is never all zero; that of an enabled endpoint says that it fails or that its
 * breaker is open, that of a disabled one when it was disabled. What an attempt says counts only
 * for the version of the endpoint that it names, so that a failure of yesterday's URL does not
 * condemn today's: that with which it began, or, of a probe, the one that left the breaker open. */
#include "store/health.h"

#include "store/read.h"

#include "base/log.h"

static enum err load(struct batch *b, uint32_t number, struct endpoint_health *out, bool *exists)
{
    struct treekey key = key_number(number);
    struct span value;
    *out = (struct endpoint_health){.failures = 0};
    enum err e = batch_get(b, TREE_HEALTH, key_span(&key), &value);
    *exists = !e;
    if (e)
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    if (record_health_decode(value, out)) {
        log_error("the record of an endpoint's health is damaged: it begins anew",
                  LOG_INT("endpoint", number), LOG_END);
        counter_add(&b->s->stats.corrupt, 1);
        *out = (struct endpoint_health){.failures = 0};
    }
    return ERR_OK;
}

static enum err put(struct batch *b, uint32_t number, const struct endpoint_health *h)
{
    struct treekey key = key_number(number);
    if (!h->failing_since.us && !h->disabled_at.us && !h->breaker.opened_at.us)
        return batch_clear(b, TREE_HEALTH, key_span(&key));
    buf_clear(&b->record);
    record_health_encode(h, &b->record);
    return batch_put(b, TREE_HEALTH, key_span(&key), 0);
}

/* ---------------------------------------------------------------- attempts */

static bool is_long(const struct batch *b, const struct endpoint_health *h)
{
    int64_t after = b->s->settings.disable_after_us;
    return after > 0 && h->failures >= FAILURES_TO_DISABLE &&
           b->now.us - h->failing_since.us >= after;
}

/* Of the count the row keeps what is enough to judge by. */
static bool worth_writing(const struct endpoint_health *old, const struct endpoint_health *fresh)
{
    bool counted = old->failures < FAILURES_TO_DISABLE && fresh->failures >= FAILURES_TO_DISABLE;
    return old->failing_since.us != fresh->failing_since.us || counted ||
           !breaker_mark_same(&old->breaker, &fresh->breaker);
}

enum err health_note(struct batch *b, const struct outcome_op *op, bool *give_up)
{
    *give_up = false;
    if (op->health == HEALTH_SAME)
        return ERR_OK;
    uint32_t number = op->attempt.endpoint_number;
    const struct table_endpoint *ep = table_endpoint(b->s->table, number);
    if (!ep || ep->deleted || ep->disabled || ep->version != op->endpoint_version)
        return ERR_OK;
    struct endpoint_health old, fresh;
    bool exists;
    enum err e = load(b, number, &old, &exists);
    if (e)
        return e;
    fresh = (struct endpoint_health){.breaker = op->breaker};
    if (op->health == HEALTH_FAILED) {
        fresh.failing_since = old.failing_since.us ? old.failing_since : op->attempt.started;
        fresh.failures = op->failures > old.failures ? op->failures : old.failures;
        *give_up = is_long(b, &fresh);
    }
    return !exists || worth_writing(&old, &fresh) ? put(b, number, &fresh) : ERR_OK;
}

/* ---------------------------------------------------------------- changes */

/* One that cannot be read cannot be compared: it is taken for cured, since it was written anew. */
static enum err is_cured(struct batch *b, const struct endpoint *e, bool *yes)
{
    struct treekey key = key_number(e->number);
    struct span value;
    struct endpoint *before;
    *yes = true;
    enum err err = batch_get(b, TREE_ENDPOINT, key_span(&key), &value);
    if (!err)
        err = record_endpoint_decode(value, b->s->vault, &before);
    if (err)
        return batch_broken_by(err) ? err : ERR_OK;
    *yes = endpoint_cured(before, e);
    endpoint_free(&before);
    return ERR_OK;
}

enum err health_change(struct batch *b, const struct endpoint *e, const struct table_endpoint *old,
                       bool forget)
{
    struct endpoint_health h;
    bool exists;
    enum err err = load(b, e->number, &h, &exists);
    if (err)
        return err;
    if (e->disabled && (!old || !old->disabled)) {
        h.disabled_at = b->now;
        h.breaker = (struct breaker_mark){.probes = 0};
        return put(b, e->number, &h);
    }
    if (e->disabled || !exists)
        return ERR_OK;
    if (!forget)
        err = is_cured(b, e, &forget);
    static const struct endpoint_health well;
    return err || !forget ? err : put(b, e->number, &well);
}
