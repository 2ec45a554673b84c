/* What becomes of the lines of an endpoint whose ordering was changed.
 *
 * TASK_ORDER_CHANGED takes every delivery that stands in a line to the line where the option now in
 * force wants it, with its ticket, so that the older go before the younger in the new line as well;
 * or out of all lines. Meanwhile the endpoint is `relining`: whoever enters is held, and nobody is
 * let go. TASK_ORDER_FLOW then lets the first of each line go.
 *
 * What was due before the change stays due: several of a line may be, and whoever entered behind
 * waits for all of them. A second change runs the same again, and only the last one ends the
 * `relining`. */
#include "store/order.h"
#include "store/task.h"

/* Takes one place to where the option wants it. */
static enum err reline(struct batch *b, const struct table_endpoint *ep,
                       const struct line_place *at)
{
    struct delivery d;
    uint8_t line[LINE_BYTES];
    bool stands;
    enum err e = order_load(b, ep->number, at, &d);
    if (!e)
        e = order_line_of(b, ep, &at->message, line, &stands);
    if (e)
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    if (stands && memcmp(line, at->line, LINE_BYTES) == 0)
        return ERR_OK;
    return order_move(b, &d, stands ? line : NULL);
}

enum err order_change_step(struct batch *b, struct task *t, unsigned limit)
{
    const struct table_endpoint *ep = table_endpoint(b->s->table, t->endpoint);
    unsigned looked = b->rows; /* places that stay count too: looking is work */
    if (!ep || ep->deleted) {
        t->finished = true;
        return ERR_OK;
    }
    /* Whoever enters after the first step does so under the new option. Before it, a step of a
     * replay in the commit of the change itself may have used the old one. */
    if (id_is_zero(&t->place.ticket))
        t->message = b->messages.last;
    while (b->rows < limit && looked++ < limit) {
        enum err e = order_next(b, t->endpoint, &t->place);
        if (e == ERR_NOT_FOUND) {
            t->finished = true;
            return order_mend(b, t->endpoint);
        }
        if (!e && id_cmp(&t->place.ticket, &t->message) <= 0)
            e = reline(b, ep, &t->place);
        if (e)
            return e;
    }
    return ERR_OK;
}

enum err order_flow_step(struct batch *b, struct task *t, unsigned limit)
{
    const struct table_endpoint *ep = table_endpoint(b->s->table, t->endpoint);
    unsigned looked = b->rows;
    t->finished = !ep || ep->deleted || ep->relining;
    while (!t->finished && b->rows < limit && looked++ < limit) {
        enum err e = order_next(b, t->endpoint, &t->place);
        if (e == ERR_NOT_FOUND) {
            t->finished = true;
            return ERR_OK;
        }
        if (!e)
            e = order_flow(b, t->endpoint, t->place.line);
        if (e)
            return e;
        /* The rest of the line waits for its first. */
        memset(t->place.ticket.b, 0xff, ID_BYTES);
        memset(t->place.message.b, 0xff, ID_BYTES);
    }
    return ERR_OK;
}
