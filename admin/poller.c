/* Pollers: for those who fetch their messages because they cannot be called.
 *
 * A poller is a name under an application: that of an endpoint, whose choice of messages it has,
 * or any other, and then it has all. Nothing is stored for it. A consumer is a name under a poller;
 * its position is stored when it comes back with the iterator of a page, never when the page is
 * handed out: one that crashed in between gets the page again.
 *
 * Messages come in the order of their ids, which the writer assigns and commits in that order, so
 * none can appear in front of an iterator that was given out.
 *
 * Invariant: a request has its place among those that wait until it is answered, and its watch is
 * not armed while it is handled. */
#include "admin/context.h"
#include "admin/field.h"
#include "admin/handlers.h"
#include "admin/list.h"
#include "admin/params.h"
#include "admin/write.h"
#include "http/message_out.h"
#include "store/watch.h"

/* A request that was woken in vain (by messages that it filters out) is not woken again for so
 * long, so that a busy application does not make its pollers busy. */
#define REST_US (100 * US_PER_MS)

static const char too_many_consumers[] = "The application has as many consumers as it may have";

struct poll {
    struct consumer_op op; /* first; of a consumer that moves */
    struct store_watch watch;
    struct request *request;
    struct page page;
    struct message_filter filter;
    struct span event_type;
    struct mono until; /* of the wait */
    bool waits;        /* has a place among those that wait */
    bool rests;        /* its present wait, or the last, is a rest */
    bool came_back;    /* with an iterator */
};

/* ---------------------------------------------------------------- what is asked for */

static bool name_good(struct request *req, const char *param)
{
    static const struct text_rule rule = {.min = 1, .max = UID_MAX, .also = FIELD_IDENTIFIER};
    const char *why;
    if (text_check(&rule, request_param(req, param), &why))
        return true;
    request_invalid(req, "path", param, why);
    return false;
}

static bool read_page(struct request *req, struct poll *p)
{
    static const struct page_kind kind = {.prefix = ID_MESSAGE, .ascending = true};
    static const char *const unsupported[] = {"order", "before", NULL};
    struct page_params params;
    if (!params_unsupported(req, unsupported) || !page_params(req, &kind, &params))
        return false;
    if (params.page.backward) {
        request_invalid(req, "query", "iterator", "leads backwards; a poller goes on");
        return false;
    }
    p->page = params.page;
    p->page.ascending = true; /* lists of messages begin with the newest */
    p->came_back = p->page.has_cursor;
    return true;
}

/* NULL: it replied. */
static struct poll *poll_begin(struct request *req)
{
    unsigned wait_s = 0;
    struct poll *p = request_alloc(req, sizeof *p);
    if (!p) {
        request_fail_err(req, ERR_NO_MEMORY, NULL);
        return NULL;
    }
    *p = (struct poll){.request = req};
    if (!name_good(req, "sink") || !read_page(req, p) ||
        !params_integer(req, "wait", 0, POLL_WAIT_MAX_S, &wait_s) ||
        !params_text(req, "event_type", &field_event_type, &p->event_type) ||
        !params_text(req, "channel", &field_channel, &p->filter.channel))
        return NULL;
    p->filter.event_types = &p->event_type;
    p->filter.event_type_count = p->event_type.len ? 1 : 0;
    p->until = mono_add(clock_mono(), wait_s * US_PER_S);
    return p;
}

/* The application and, when the poller is one's, the endpoint. */
static enum err find(const struct request *req, struct lookup *l)
{
    struct span sink = request_param(req, "sink");
    enum err e = lookup_find_app(req, l);
    if (!e)
        e = store_endpoint_get(l->read, l->app->number, sink, &l->endpoint);
    return e == ERR_NOT_FOUND && l->app && !span_starts(sink, SPAN(ID_ENDPOINT)) ? ERR_OK : e;
}

/* An endpoint is one poller, whether it is called by its id or its uid. */
static void name_consumer(const struct request *req, const struct lookup *l,
                          uint8_t name[CONSUMER_NAME])
{
    char endpoint[ID_MAX + 1], text[2 * UID_MAX + 1];
    struct span sink = request_param(req, "sink"), consumer = request_param(req, "consumer");
    if (l->endpoint)
        sink = span_of(endpoint, id_format(&l->endpoint->id, ID_ENDPOINT, endpoint));
    memcpy(text, sink.ptr, sink.len);
    text[sink.len] = '\0';
    memcpy(text + sink.len + 1, consumer.ptr, consumer.len);
    hash_sha256(span_of(text, sink.len + 1 + consumer.len), name);
}

/* ---------------------------------------------------------------- the page */

/* ERR_NO_MEMORY. One whose payload is damaged was reported, and is left out. */
static enum err write_message(struct list *list, struct lookup *l, const struct id *id)
{
    struct message *m;
    enum err e = lookup_message_by_id(l, id, true, &m);
    if (e)
        return e == ERR_CORRUPT || e == ERR_NOT_FOUND ? ERR_OK : e;
    if (list_row(list, id, m->payload.len + m->headers.len)) {
        jw_object(&list->json);
        message_out_members(&list->json, m, true);
        if (m->headers.len)
            jw_member_raw(&list->json, "headers", m->headers);
        else
            jw_member_null(&list->json, "headers");
        jw_end_object(&list->json);
    }
    message_unref(&m);
    return ERR_OK;
}

/* Where the next page begins: behind all that was looked at. */
static struct id next_place(const struct poll *p, const struct list *list,
                            const struct page_result *result)
{
    struct id place = id_floor(p->page.after);
    if (list->cut)
        return list->last;
    if (!id_is_zero(&result->last))
        return result->last;
    return p->page.has_cursor && id_cmp(&p->page.cursor, &place) > 0 ? p->page.cursor : place;
}

static void reply_page(struct request *req, struct poll *p, struct lookup *l,
                       struct message *const *rows, const struct page_result *result)
{
    struct list list;
    enum err e = ERR_OK;
    list_open(&list, ID_MESSAGE, &p->page);
    for (unsigned i = 0; i < result->count && !list.cut && !e; i++)
        e = write_message(&list, l, &rows[i]->id);
    if (e) {
        buf_free(&list.out);
        request_fail_err(req, e, NULL);
        return;
    }
    struct id place = next_place(p, &list, result);
    jw_end_array(&list.json);
    jw_member_id(&list.json, "iterator", ID_MESSAGE, &place);
    jw_member_bool(&list.json, "done", !result->more && !list.cut);
    jw_end_object(&list.json);
    jw_finish(&list.json);
    request_reply(req, 200, &list.out);
}

/* ---------------------------------------------------------------- waiting */

static void look(struct request *req, struct poll *p);

static void woken(struct store_watch *watch)
{
    struct poll *p = (struct poll *)((char *)watch - offsetof(struct poll, watch));
    request_wake(p->request);
}

static enum err take_place(struct request *req, struct poll *p, uint32_t app_number)
{
    if (p->waits)
        return ERR_OK;
    p->watch.app_number = app_number;
    p->watch.wake = woken;
    enum err e = store_watch_enter(request_store(req), &p->watch);
    p->waits = !e;
    return e;
}

static void leave_place(struct request *req, struct poll *p)
{
    if (p->waits)
        store_watch_leave(request_store(req), &p->watch);
    p->waits = false;
}

static void look_again(struct request *req, struct store_op *op)
{
    struct poll *p = (struct poll *)op;
    store_watch_disarm(request_store(req), &p->watch);
    if (request_pass_token(req))
        look(req, p);
    else
        leave_place(req, p);
}

/* False: the time is over. */
static bool wait(struct request *req, struct poll *p, uint64_t mark, bool in_vain)
{
    struct mono until = p->until, rested = mono_add(clock_mono(), REST_US);
    p->rests = in_vain && !p->rests;
    if (p->rests && rested.us < until.us)
        until = rested;
    if (!request_wait(req, until, &p->op.op, look_again))
        return false;
    if (!p->rests && !store_watch_arm(request_store(req), &p->watch, mark)) {
        p->rests = true; /* a short one: the next look is not in vain */
        request_wake(req);
    }
    return true;
}

/* Nothing is there yet. True: the request waits, or was refused. */
static bool wait_or_refuse(struct request *req, struct poll *p, const struct lookup *l,
                           const struct page_result *result, uint64_t mark)
{
    bool in_vain = p->waits;
    if (clock_mono().us >= p->until.us)
        return false;
    if (!id_is_zero(&result->last)) {
        p->page.cursor = result->last;
        p->page.has_cursor = true;
    }
    enum err e = take_place(req, p, l->app->number);
    if (e)
        request_fail_err(req, e, NULL);
    return e || wait(req, p, mark, in_vain);
}

/* The mark comes first: what is committed behind it is in the snapshot, or moves it. */
static void look(struct request *req, struct poll *p)
{
    uint64_t mark = store_watch_mark(request_store(req));
    struct lookup l = {0};
    struct message *rows[PAGE_MAX];
    struct page_result result = {0};
    enum err e = find(req, &l);
    p->filter.endpoint = l.endpoint;
    if (!e)
        e = store_message_list(l.read, l.app->number, &p->page, &p->filter, false, rows, &result);
    if (e) {
        leave_place(req, p);
        lookup_fail(req, &l, e);
        return;
    }
    bool nothing = result.count == 0 && !result.more;
    if (!nothing || !wait_or_refuse(req, p, &l, &result, mark)) {
        leave_place(req, p);
        reply_page(req, p, &l, rows, &result);
    }
    for (unsigned i = 0; i < result.count; i++)
        message_unref(&rows[i]);
    lookup_release(&l);
}

void poller_poll_route(struct request *req)
{
    struct poll *p = poll_begin(req);
    if (p && params_time(req, "after", &p->page.after))
        look(req, p);
}

/* ---------------------------------------------------------------- consumers */

static void fail_move(struct request *req, enum err e)
{
    if (e == ERR_STALE)
        request_fail(req, 409, "The consumer has gone further; poll without an iterator to go on");
    else if (e == ERR_INVALID)
        request_invalid(req, "query", "iterator", "is not one that a consumer was given");
    else
        request_fail_err(req, e, e == ERR_CONFLICT ? too_many_consumers : NULL);
}

/* Of a consumer that only showed that it is there, another may have moved the position since. */
static void moved(struct request *req, struct store_op *op)
{
    struct poll *p = (struct poll *)op;
    if (!op->result || (op->result == ERR_STALE && !p->came_back))
        look(req, p);
    else
        fail_move(req, op->result);
}

/* Reads where the consumer stands and begins there. *moves: the position, or the time of its last
 * use, must be written first. */
static enum err find_consumer(const struct request *req, struct poll *p, bool *moves)
{
    struct lookup l = {0};
    struct consumer c = {.used = {0}};
    bool fades = false;
    enum err e = find(req, &l);
    if (!e) {
        p->op.app = l.app->id;
        name_consumer(req, &l, p->op.name);
        e = store_consumer_get(l.read, &l.app->id, p->op.name, clock_wall(), &c, &fades);
        e = e == ERR_NOT_FOUND || e == ERR_CORRUPT ? ERR_OK : e;
    }
    lookup_release(&l);
    if (!p->came_back)
        p->page.cursor = c.position;
    p->page.has_cursor = true;
    p->op.position = p->page.cursor;
    *moves = fades || id_cmp(&p->op.position, &c.position) != 0;
    return e;
}

void poller_consumer_poll_route(struct request *req)
{
    bool moves;
    struct poll *p = name_good(req, "consumer") ? poll_begin(req) : NULL;
    if (!p)
        return;
    enum err e = find_consumer(req, p, &moves);
    p->op.op.kind = STORE_CONSUMER_PUT;
    if (e)
        request_fail_err(req, e, NULL);
    else if (moves)
        request_submit(req, &p->op.op, moved, NULL);
    else
        look(req, p);
}

/* The last message of that moment or before; the moment itself when that is later. An id alone
 * would know it to 4 ms. */
static enum err place_of(struct lookup *l, struct wall after, struct id *place)
{
    static const struct message_filter all;
    const struct page page = {.limit = 1, .before = wall_add(after, 1)};
    struct message *last;
    struct page_result result;
    *place = id_floor(after);
    enum err e = store_message_list(l->read, l->app->number, &page, &all, false, &last, &result);
    if (e || result.count == 0)
        return e;
    if (id_cmp(&last->id, place) > 0)
        *place = last->id;
    message_unref(&last);
    return ERR_OK;
}

static bool seek_step(struct request *req, struct write *w)
{
    struct consumer_op *op = &w->consumer_op;
    struct wall after = {0};
    if (!name_good(req, "sink") || !name_good(req, "consumer") ||
        !write_good(req, find(req, &w->found)))
        return false;
    write_open_body(req, w, false);
    body_require(&w->body, "after", body_time(&w->body, "after", &after));
    if (!write_body_good(req, w) || !write_good(req, place_of(&w->found, after, &op->position)))
        return false;
    op->app = w->found.app->id;
    name_consumer(req, &w->found, op->name);
    op->seek = true;
    w->conflict = too_many_consumers;
    write_prepare(w, STORE_CONSUMER_PUT, 200);
    struct json_writer out = write_answer(w);
    jw_object(&out);
    jw_member_id(&out, "iterator", ID_MESSAGE, &op->position);
    jw_end_object(&out);
    return true;
}

void poller_consumer_seek_route(struct request *req)
{
    write_run(req, seek_step);
}
