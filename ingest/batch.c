/* Many events, one request, one commit. Invalid items are refused one by one while the valid ones
 * are taken; each message gets memory of its own, because messages of one batch live apart.
 *
 * The answer is rendered from the operation alone, on the writer's thread for the idempotency
 * record and on the HTTP thread for the client, so that both are the same bytes. */
#include "ingest/batch.h"

#include "http/answer.h"
#include "ingest/cloud_event.h"
#include "ingest/context.h"
#include "ingest/envelope.h"

#include <assert.h>

/* What became of one item before the store saw it. */
struct entry {
    enum err result;             /* ERR_OK: taken, in its turn among the operation's items */
    struct envelope_fault fault; /* of ERR_INVALID */
};

struct batch {
    struct ingest_op ingest; /* first */
    struct app application;  /* as the first message that has one describes it */
    const struct head *head; /* while the items are read */
    bool cloud_events;       /* the body is the list itself */
    unsigned count;
    struct entry *entries;
};

/* ---------------------------------------------------------------- the answer */

static void write_refusal(struct json_writer *w, enum err e, const char *detail)
{
    unsigned status = answer_status(e);
    jw_member_int(w, "status", status);
    jw_member_string(w, "code", span_text(answer_code(status)));
    jw_member_string(w, "detail", span_text(detail));
}

static void write_fault(struct json_writer *w, const struct batch *b, unsigned index)
{
    const struct envelope_fault *fault = &b->entries[index].fault;
    char field[sizeof fault->field + 32];
    snprintf(field, sizeof field, "%s%u%s%s", b->cloud_events ? "" : "messages.", index,
             fault->field[0] ? "." : "", fault->field);
    jw_member_int(w, "status", 422);
    jw_name(w, "detail");
    jw_array(w);
    answer_finding(w, "body", field, fault->message, fault->type);
    jw_end_array(w);
}

static void write_taken(struct json_writer *w, const struct ingest_item *item)
{
    const struct message *m = item->message;
    if (item->result == ERR_CONFLICT) {
        write_refusal(w, ERR_CONFLICT, "A message with this eventId exists");
        jw_member_id(w, "id", ID_MESSAGE, &item->existing);
    } else if (item->result) {
        write_refusal(w, item->result, answer_text(item->result));
    } else {
        jw_member_int(w, "status", 202);
        jw_member_id(w, "id", ID_MESSAGE, item->replayed ? &item->existing : &m->id);
        if (m->event_id.len > 0)
            jw_member_string(w, "eventId", m->event_id);
        else
            jw_member_null(w, "eventId");
        jw_member_time(w, "timestamp", item->replayed ? item->existing_created : m->created);
    }
}

static void render(struct ingest_op *op, struct buf *answer)
{
    const struct batch *b = (const struct batch *)op;
    struct json_writer w;
    unsigned taken = 0;
    jw_init(&w, answer);
    jw_object(&w);
    jw_name(&w, "data");
    jw_array(&w);
    for (unsigned i = 0; i < b->count; i++) {
        const struct entry *entry = &b->entries[i];
        jw_object(&w);
        if (entry->result == ERR_OK)
            write_taken(&w, &op->items[taken++]);
        else if (entry->result == ERR_INVALID)
            write_fault(&w, b, i);
        else
            write_refusal(&w, entry->result, answer_text(entry->result));
        jw_end_object(&w);
    }
    jw_end_array(&w);
    jw_end_object(&w);
    jw_finish(&w);
    assert(taken == op->count);
}

/* ---------------------------------------------------------------- the operation */

static void release(struct batch *b)
{
    for (unsigned i = 0; i < b->ingest.count; i++)
        message_unref(&b->ingest.items[i].message);
    buf_free(&b->ingest.op.answer);
}

static void batch_drop(struct request *req, struct store_op *op)
{
    (void)req;
    release((struct batch *)op);
}

static void batch_done(struct request *req, struct store_op *op)
{
    struct batch *b = (struct batch *)op;
    if (op->result) {
        ingest_fail(req, &b->ingest, &b->application);
    } else if (!request_replayed(req, op)) {
        struct buf body;
        buf_init(&body, REPLY_MAX);
        render(&b->ingest, &body);
        request_reply(req, 202, &body);
    }
    release(b);
}

/* ---------------------------------------------------------------- reading */

/* Finds the list; false: a 422 was replied. */
static bool find_messages(struct request *req, struct json_value object, struct json_value *list)
{
    struct json_walk w = json_walk(object);
    struct json_value value;
    struct span name;
    unsigned found = 0;
    while (json_next(&w, &name, &value))
        if (span_is(name, "messages")) {
            *list = value;
            found++;
        }
    const char *wrong = NULL;
    if (found == 0)
        wrong = "is required";
    else if (found > 1)
        wrong = "is given twice";
    else if (list->type != JSON_ARRAY)
        wrong = "must be a list";
    if (wrong)
        request_invalid(req, "body", "messages", wrong);
    return !wrong;
}

/* How many items, at most one more than allowed. */
static unsigned count_items(struct json_value list)
{
    struct json_walk w = json_walk(list);
    struct json_value value;
    struct span name;
    unsigned n = 0;
    while (n <= BATCH_MESSAGES_MAX && json_next(&w, &name, &value))
        n++;
    return n;
}

/* Makes a message with memory of its own. */
static enum err read_message(const struct batch *b, struct json_value v, struct message **out,
                             struct app *app, struct envelope_fault *fault)
{
    struct message *m = head_message(b->head);
    char *block = malloc(v.raw.len);
    if (!m || !block) {
        message_unref(&m);
        free(block);
        return ERR_NO_MEMORY;
    }
    memcpy(block, v.raw.ptr, v.raw.len);
    m->block = block;
    m->block_len = v.raw.len;
    v.raw.ptr = block;
    enum err e = envelope_read(v, block, m, app, fault);
    if (e)
        message_unref(&m);
    *out = m;
    return e;
}

static enum err read_item(const struct batch *b, struct json_value v, size_t max,
                          struct ingest_item *item, struct app *app, struct envelope_fault *fault)
{
    if (v.type != JSON_OBJECT) {
        *fault = (struct envelope_fault){.message = "must be an object", .type = "value_error"};
        return ERR_INVALID;
    }
    if (v.raw.len > max)
        return ERR_TOO_LARGE;
    if (b->cloud_events)
        return cloud_event_structured(v, b->head, &item->message, &item->identity, fault);
    return read_message(b, v, &item->message, app, fault);
}

static void read_items(struct batch *b, struct json_value list, size_t max)
{
    struct json_walk w = json_walk(list);
    struct json_value value;
    struct span name;
    for (unsigned i = 0; i < b->count && json_next(&w, &name, &value); i++) {
        struct ingest_item *item = &b->ingest.items[b->ingest.count];
        *item = (struct ingest_item){0};
        struct app app = {0};
        b->entries[i].result = read_item(b, value, max, item, &app, &b->entries[i].fault);
        if (b->entries[i].result)
            continue;
        b->ingest.count++;
        if (!b->application.name.len)
            b->application = app;
    }
}

static struct batch *batch_new(struct request *req, unsigned count)
{
    struct batch *b = request_alloc(req, sizeof *b);
    struct entry *entries = request_alloc(req, count * sizeof *entries);
    struct ingest_item *items = request_alloc(req, count * sizeof *items);
    if (!b || !entries || !items)
        return NULL;
    ingest_prepare(req, &b->ingest);
    b->ingest.batch = true;
    b->ingest.render = render;
    b->ingest.items = items;
    b->application = (struct app){0};
    b->entries = entries;
    b->count = count;
    return b;
}

/* The list is part of the request's body. */
static void create(struct request *req, const struct head *head, struct json_value list)
{
    const struct ingest *in = request_context(req);
    unsigned count = count_items(list);
    if (count < 1 || count > BATCH_MESSAGES_MAX) {
        request_invalid(req, "body", head->mode == HEAD_BATCH ? NULL : "messages",
                        "must have between 1 and 1000 items");
        return;
    }
    struct batch *b = batch_new(req, count);
    if (!b) {
        request_fail_err(req, ERR_NO_MEMORY, NULL);
        return;
    }
    b->head = head;
    b->cloud_events = head->mode == HEAD_BATCH;
    read_items(b, list, (size_t)in->settings.max_body);
    b->head = NULL;
    ingest_offer(req, &b->ingest, &b->application);
    free(request_take_body(req, NULL));
    request_submit(req, &b->ingest.op, batch_done, batch_drop);
}

void batch_create_events(struct request *req, const struct head *head)
{
    struct json_value list;
    if (ingest_body(req, JSON_ARRAY, &list))
        create(req, head, list);
}

void batch_create(struct request *req)
{
    struct head head;
    struct json_value object, list;
    if (!ingest_head(req, &head))
        return;
    if (head.mode == HEAD_BATCH)
        batch_create_events(req, &head);
    else if (head.mode != HEAD_NATIVE)
        request_fail(req, 415, "a single CloudEvent goes to the route of one message");
    else if (ingest_body(req, JSON_OBJECT, &object) && find_messages(req, object, &list))
        create(req, &head, list);
}
