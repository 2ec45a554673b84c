/* One call after an outage: the endpoint is enabled, what was known of its health is forgotten, and
 * what died meanwhile is replayed, all in one commit. An endpoint that is not disabled may be
 * enabled, too: its breaker closes at once. */
#include "admin/endpoint.h"
#include "admin/handlers.h"
#include "admin/task.h"

/* From the first failure on, or from the disabling, when that is not asked otherwise. */
static bool read_since(struct request *req, struct write *w)
{
    struct endpoint_op *op = &w->endpoint_op;
    struct endpoint_health health;
    if (!write_good(req, store_health_get(w->found.read, w->endpoint.number, &health)))
        return false;
    write_open_body(req, w, true);
    if (body_time(&w->body, "since", &op->since) != FIELD_VALUE) {
        op->since = health.failing_since.us ? health.failing_since : health.disabled_at;
        if (!op->since.us)
            body_refuse(&w->body, "since",
                        "is needed: the endpoint does not fail, nor is it known when it was "
                        "disabled");
    }
    return write_body_good(req, w);
}

static bool enable_step(struct request *req, struct write *w)
{
    if (!endpoint_load(req, w) || !read_since(req, w))
        return false;
    w->endpoint.disabled = false;
    w->endpoint.disabled_reason = span_text(NULL);
    endpoint_prepare_put(w, 202);
    task_render_new(w, "dead_letter.replay", &w->ids[0]);
    w->endpoint_op.recover_task = &w->ids[0];
    return true;
}

void endpoint_enable_route(struct request *req)
{
    if (request_principal(req)->withheld & CAPABILITY_CREATE_ATTEMPTS)
        request_fail(req, 403, "The token may not have attempts made");
    else
        write_run(req, enable_step);
}
