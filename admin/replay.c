/* Replays of an endpoint's messages, as durable tasks: those of a window that it never got, or
 * those that it got, whatever became of them. */
#include "admin/field.h"
#include "admin/handlers.h"
#include "admin/status.h"
#include "admin/task.h"
#include "admin/write.h"

static void read_window(struct write *w)
{
    struct replay_op *op = &w->replay_op;
    struct body *b = &w->body;
    body_require(b, "since", body_time(b, "since", &op->since));
    if (body_time(b, "until", &op->until) == FIELD_VALUE && op->until.us < op->since.us)
        body_refuse(b, "until", "must not be before since");
}

/* Without a status: whatever was sent, not what still will be. */
static void read_status(struct body *b, unsigned *states)
{
    int64_t status;
    *states = status_states(STATUS_SUCCESS, false) | status_states(STATUS_FAIL, false);
    if (body_integer(b, "status", STATUS_SUCCESS, STATUS_CANCELED, &status) == FIELD_VALUE)
        *states = status_states((enum status)status, true);
}

static void read_status_class(struct body *b, int *status_class)
{
    int64_t value = -1;
    if (body_integer(b, "statusCodeClass", 0, 500, &value) == FIELD_VALUE && value % 100 != 0)
        body_refuse(b, "statusCodeClass", "must be 0, 100, 200, 300, 400 or 500");
    *status_class = (int)value;
}

static void read_filter(struct write *w)
{
    struct replay_op *op = &w->replay_op;
    struct body *b = &w->body;
    unsigned count = 0;
    if (body_texts(b, "eventTypes", &field_event_type, 1, ENDPOINT_FILTERS_MAX, w->texts, &count) ==
        FIELD_VALUE) {
        op->filter.event_types = w->texts;
        op->filter.event_type_count = count;
    }
    body_text(b, "channel", &field_channel, &op->filter.channel);
    body_text(b, "tag", &field_tag, &op->filter.tag);
    read_status(b, &op->states);
    read_status_class(b, &op->status_class);
}

static bool step(struct request *req, struct write *w, bool missing)
{
    if (!lookup_endpoint(req, &w->found))
        return false;
    struct replay_op *op = &w->replay_op;
    write_open_body(req, w, false);
    read_window(w);
    if (!missing)
        read_filter(w);
    if (!write_body_good(req, w))
        return false;
    op->endpoint = w->found.endpoint->number;
    op->missing = missing;
    write_prepare(w, STORE_REPLAY, 202);
    task_render_new(w, missing ? "endpoint.replay" : "endpoint.bulk-replay", &op->task);
    return true;
}

static bool missing_step(struct request *req, struct write *w)
{
    return step(req, w, true);
}

void replay_missing_route(struct request *req)
{
    write_run(req, missing_step);
}

static bool bulk_step(struct request *req, struct write *w)
{
    return step(req, w, false);
}

void replay_bulk_route(struct request *req)
{
    write_run(req, bulk_step);
}
