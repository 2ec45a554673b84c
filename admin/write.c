/* The invariants: exactly one reply; nothing that the operation borrows is released before the
 * store gave it back; the snapshot is closed before the operation waits. */
#include "admin/write.h"

#define STALE_TRIES_MAX 8 /* compare-and-set lost this often in a row: somebody writes in a loop */
#define ANSWER_MAX (4 * ADMIN_BODY_MAX)

static void release(struct write *w)
{
    body_close(&w->body);
    body_close(&w->described);
    lookup_release(&w->found);
    if (w->replaced)
        event_type_free(&w->replaced);
    message_unref(&w->message);
    buf_free(&w->url);
    buf_free(&w->op.answer);
}

static void reset(struct write *w)
{
    write_step step = w->step;
    unsigned tries = w->tries;
    memset(w, 0, sizeof *w);
    w->step = step;
    w->tries = tries;
    buf_init(&w->url, URL_MAX);
    buf_init(&w->op.answer, ANSWER_MAX);
}

static void run(struct request *req, struct write *w);

static void answer(struct request *req, struct write *w)
{
    if (w->before_reply)
        w->before_reply(req, w);
    if (!request_replayed(req, &w->op))
        request_reply(req, w->op.answer_status, &w->op.answer);
}

static void committed(struct request *req, struct store_op *op)
{
    struct write *w = (struct write *)op;
    if (op->result == ERR_STALE && w->tries < STALE_TRIES_MAX) {
        w->tries++;
        release(w);
        run(req, w);
        return;
    }
    if (op->result == ERR_OK)
        answer(req, w);
    else if (op->result == ERR_CONFLICT && w->on_conflict)
        w->on_conflict(req, w);
    else
        request_fail_err(req, op->result == ERR_STALE ? ERR_BUSY : op->result,
                         op->result == ERR_CONFLICT ? w->conflict : NULL);
    release(w);
}

static void refused(struct request *req, struct store_op *op)
{
    (void)req;
    release((struct write *)op);
}

static void run(struct request *req, struct write *w)
{
    reset(w);
    if (!w->step(req, w)) {
        release(w);
        return;
    }
    lookup_unpin(&w->found);
    if (request_method(req) == METHOD_POST && !w->anew)
        request_idempotency(req, &w->op.idempotency);
    request_submit(req, &w->op, committed, refused);
}

void write_run(struct request *req, write_step step)
{
    struct write *w = request_alloc(req, sizeof *w);
    if (!w) {
        request_fail_err(req, ERR_NO_MEMORY, NULL);
        return;
    }
    w->step = step;
    w->tries = 0;
    run(req, w);
}

void write_open_body(struct request *req, struct write *w, bool optional)
{
    body_open(&w->body, request_body(req), optional);
}

bool write_body_good(struct request *req, struct write *w)
{
    return body_good(req, &w->body);
}

bool write_good(struct request *req, enum err e)
{
    if (e)
        request_fail_err(req, e, NULL);
    return e == ERR_OK;
}

void write_prepare(struct write *w, enum store_op_kind kind, unsigned status)
{
    w->op.kind = kind;
    w->op.answer_status = (uint16_t)status;
}

struct json_writer write_answer(struct write *w)
{
    struct json_writer out;
    jw_init(&out, &w->op.answer);
    return out;
}
