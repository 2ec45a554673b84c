/* Recover: one manual attempt for each message that failed for good since a moment, as a durable
 * task. */
#include "admin/entity_out.h"
#include "admin/handlers.h"
#include "admin/task.h"
#include "admin/write.h"

static bool recover_step(struct request *req, struct write *w)
{
    if (!lookup_endpoint(req, &w->found))
        return false;
    struct recover_op *op = &w->recover_op;
    struct body *b = &w->body;
    write_open_body(req, w, false);
    body_require(b, "since", body_time(b, "since", &op->since));
    if (body_time(b, "until", &op->until) == FIELD_VALUE && op->until.us < op->since.us)
        body_refuse(b, "until", "must not be before since");
    if (!write_body_good(req, w))
        return false;
    op->endpoint = w->found.endpoint->number;
    write_prepare(w, STORE_RECOVER, 202);
    task_render_new(w, "endpoint.recover", &op->task);
    return true;
}

void recover_create_route(struct request *req)
{
    write_run(req, recover_step);
}
