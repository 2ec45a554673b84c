/* One manual attempt of one message at one endpoint. What is in flight now is known to the
 * dispatcher alone; the writer decides with it, after it looked for a known idempotency key. */
#include "admin/context.h"
#include "admin/handlers.h"
#include "admin/write.h"

static bool resend_step(struct request *req, struct write *w)
{
    if (!lookup_message_endpoint(req, &w->found, false))
        return false;
    struct resend_op *op = &w->resend_op;
    op->message = w->found.message->id;
    op->endpoint = w->found.endpoint->number;
    op->in_flight = dispatcher_in_flight(context_of(req)->dispatcher, &op->message, op->endpoint);
    write_prepare(w, STORE_RESEND, 202);
    buf_text(&w->op.answer, "{}");
    return true;
}

void resend_create_route(struct request *req)
{
    write_run(req, resend_step);
}
