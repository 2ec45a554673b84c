/* Dead letters: what the schedule gave up on, with its payload. Inspect one, replay or discard one,
 * several or all. Replay starts the schedule again; a large one is a task that the store does in
 * steps. */
#include "admin/entity_out.h"
#include "admin/field.h"
#include "admin/handlers.h"
#include "admin/task.h"
#include "admin/write.h"

static const struct {
    int verb;
    const char *task;
} verbs[] = {{DEAD_REPLAY, "dead_letter.replay"}, {DEAD_PURGE, "dead_letter.purge"}};

void dead_letter_get_route(struct request *req)
{
    struct lookup l = {0};
    if (!lookup_message_endpoint(req, &l, true))
        return;
    struct delivery delivery;
    enum err e = store_delivery_get(l.read, &l.message->id, l.endpoint->number, &delivery);
    if (!e && delivery.state != DELIVERY_DEAD)
        e = ERR_NOT_FOUND;
    if (e) {
        lookup_fail(req, &l, e);
        return;
    }
    struct buf out;
    struct json_writer w;
    buf_init(&out, REPLY_MAX);
    jw_init(&w, &out);
    entity_out_dead_letter(&w, l.message, &delivery, &l.endpoint->id, true);
    lookup_release(&l);
    request_reply(req, 200, &out);
}

static bool fill_one(struct request *req, struct write *w, int verb, unsigned status)
{
    if (!lookup_message_endpoint(req, &w->found, false))
        return false;
    struct dead_op *op = &w->dead_op;
    op->verb = verb;
    op->app = w->found.app->number;
    op->endpoint = w->found.endpoint->number;
    w->ids[0] = w->found.message->id;
    op->messages = w->ids;
    op->message_count = 1;
    write_prepare(w, STORE_DEAD, status);
    return true;
}

static bool replay_one_step(struct request *req, struct write *w)
{
    if (!fill_one(req, w, DEAD_REPLAY, 202))
        return false;
    buf_text(&w->op.answer, "{}");
    return true;
}

void dead_letter_replay_route(struct request *req)
{
    write_run(req, replay_one_step);
}

static bool discard_step(struct request *req, struct write *w)
{
    return fill_one(req, w, DEAD_PURGE, 204);
}

void dead_letter_discard_route(struct request *req)
{
    write_run(req, discard_step);
}

/* How fast a replay goes, in deliveries a second. */
static bool read_rate(struct body *b, struct dead_op *op)
{
    int64_t rate;
    if (body_integer(b, "rate", 1, RATE_MAX, &rate) != FIELD_VALUE)
        return false;
    if (op->verb != DEAD_REPLAY)
        body_refuse(b, "rate", "belongs to a replay");
    op->rate = (uint32_t)rate;
    return true;
}

/* {"messageIds":[…]} names them; otherwise {"since","until","eventType"} choose, and {} is all. */
static void read_choice(struct write *w)
{
    static const struct text_rule id_rule = {.min = 1, .max = ID_MAX};
    struct body *b = &w->body;
    struct dead_op *op = &w->dead_op;
    unsigned count = 0;
    bool paced = read_rate(b, op);
    bool by_filter = body_time(b, "since", &op->since) == FIELD_VALUE;
    by_filter |= body_time(b, "until", &op->until) == FIELD_VALUE;
    by_filter |= body_text(b, "eventType", &field_event_type, &op->event_type) == FIELD_VALUE;
    if (body_texts(b, "messageIds", &id_rule, 1, PAGE_MAX, w->texts, &count) != FIELD_VALUE)
        return;
    if (by_filter)
        body_refuse(b, "messageIds", "cannot be combined with since, until or eventType");
    if (paced)
        body_refuse(b, "rate", "cannot be combined with messageIds, which go at once");
    if (!op->endpoint)
        body_refuse(b, "messageIds", "belongs to the dead letters of one endpoint");
    for (unsigned i = 0; i < count; i++)
        if (id_parse(w->texts[i], ID_MESSAGE, &w->ids[i]) != ERR_OK)
            body_refuse(b, "messageIds", "every item must be the id of a message");
    op->messages = w->ids;
    op->message_count = count;
}

/* `verb` is an index into the table of verbs. */
static bool fill_many(struct request *req, struct write *w, int verb, bool of_endpoint)
{
    if (of_endpoint ? !lookup_endpoint(req, &w->found) : !lookup_app(req, &w->found))
        return false;
    struct dead_op *op = &w->dead_op;
    op->verb = verbs[verb].verb;
    op->app = w->found.app->number;
    op->endpoint = of_endpoint ? w->found.endpoint->number : 0;
    write_open_body(req, w, true);
    read_choice(w);
    if (!write_body_good(req, w))
        return false;
    write_prepare(w, STORE_DEAD, 202);
    if (op->message_count)
        buf_text(&w->op.answer, "{}");
    else
        task_render_new(w, verbs[verb].task, &op->task);
    return true;
}

static bool endpoint_replay_step(struct request *req, struct write *w)
{
    return fill_many(req, w, 0, true);
}

static bool endpoint_purge_step(struct request *req, struct write *w)
{
    return fill_many(req, w, 1, true);
}

static bool app_replay_step(struct request *req, struct write *w)
{
    return fill_many(req, w, 0, false);
}

static bool app_purge_step(struct request *req, struct write *w)
{
    return fill_many(req, w, 1, false);
}

void dead_letter_replay_endpoint_route(struct request *req)
{
    write_run(req, endpoint_replay_step);
}

void dead_letter_purge_endpoint_route(struct request *req)
{
    write_run(req, endpoint_purge_step);
}

void dead_letter_replay_app_route(struct request *req)
{
    write_run(req, app_replay_step);
}

void dead_letter_purge_app_route(struct request *req)
{
    write_run(req, app_purge_step);
}
