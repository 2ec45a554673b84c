/* Attempts, and what they came to: the messages of an endpoint and the endpoints of a message, each
 * with the state of its delivery. */
#include "admin/context.h"
#include "admin/entity_out.h"
#include "admin/handlers.h"
#include "admin/list.h"
#include "admin/params.h"
#include "admin/status.h"

static const struct page_kind attempts_kind = {.prefix = ID_ATTEMPT, .times = true};
static const int statuses[] = {0, 1, 2, 3, 4, -1};

struct attempt_query {
    struct page_params page;
    struct attempt_filter filter;
    bool content, with_msg;
};

/* An attempt has an outcome, so that the other statuses match none; they are asked for all the
 * same. `expanded_statuses` changes nothing here and is checked alone. */
static bool read_query(struct request *req, struct attempt_query *q)
{
    static const int classes[] = {100, 200, 300, 400, 500, -1};
    int status_class = 0;
    bool expanded;
    *q = (struct attempt_query){.filter.status = -1};
    bool good = page_params(req, &attempts_kind, &q->page) &&
                params_choice(req, "status", statuses, &q->filter.status) &&
                params_choice(req, "status_code_class", classes, &status_class) &&
                params_message_filter(req, &q->filter.message) &&
                params_with_content(req, &q->content) &&
                params_flag(req, "with_msg", &q->with_msg) && params_expanded(req, &expanded);
    q->filter.status_class = (unsigned)status_class;
    return good;
}

/* Writes and frees the rows, releases the lookup, replies. */
static void reply_rows(struct request *req, struct lookup *l, const struct attempt_query *q,
                       struct attempt **rows, const struct page_result *result)
{
    struct list list;
    list_open(&list, ID_ATTEMPT, &q->page.page);
    for (unsigned i = 0; i < result->count; i++) {
        struct message *msg = NULL;
        if (q->with_msg && lookup_message_by_id(l, &rows[i]->message, false, &msg) != ERR_OK)
            msg = NULL;
        if (list_row(&list, &rows[i]->id, 2 * rows[i]->response.len))
            entity_out_attempt(&list.json, rows[i], q->content, msg);
        if (msg)
            message_unref(&msg);
        attempt_free(&rows[i]);
    }
    lookup_release(l);
    list_reply(req, &list, result);
}

void attempt_list_of_endpoint_route(struct request *req)
{
    struct attempt_query q;
    struct lookup l = {0};
    if (!read_query(req, &q) || !lookup_endpoint(req, &l))
        return;
    struct attempt *rows[PAGE_MAX];
    struct page_result result = {0};
    enum err e = store_attempts_of_endpoint(l.read, l.endpoint->number, &q.page.page, &q.filter,
                                            q.content, rows, &result);
    if (e)
        lookup_fail(req, &l, e);
    else
        reply_rows(req, &l, &q, rows, &result);
}

void attempt_list_of_message_route(struct request *req)
{
    struct attempt_query q;
    struct lookup l = {0};
    struct span endpoint;
    if (!read_query(req, &q) || !lookup_message(req, &l, false))
        return;
    enum err e = ERR_OK;
    if (request_query(req, "endpoint_id", &endpoint))
        e = store_endpoint_get(l.read, l.app->number, endpoint, &l.endpoint);
    if (l.endpoint)
        q.filter.endpoint = l.endpoint->number;
    struct attempt *rows[PAGE_MAX];
    struct page_result result = {0};
    if (!e)
        e = store_attempts_of_message(l.read, &l.message->id, &q.page.page, &q.filter, q.content,
                                      rows, &result);
    if (e)
        lookup_fail(req, &l, e);
    else
        reply_rows(req, &l, &q, rows, &result);
}

void attempt_get_route(struct request *req)
{
    struct lookup l = {0};
    struct id id;
    struct attempt *attempt = NULL;
    bool expanded;
    if (!params_expanded(req, &expanded) || !lookup_message(req, &l, false))
        return;
    enum err e = id_parse(request_param(req, "attempt"), ID_ATTEMPT, &id) == ERR_OK
                     ? store_attempt_get(l.read, &l.message->id, &id, true, &attempt)
                     : ERR_NOT_FOUND;
    lookup_release(&l);
    if (e) {
        request_fail_err(req, e, NULL);
        return;
    }
    struct buf out;
    struct json_writer w;
    buf_init(&out, ADMIN_BODY_MAX);
    jw_init(&w, &out);
    entity_out_attempt(&w, attempt, true, NULL);
    attempt_free(&attempt);
    request_reply(req, 200, &out);
}

void attempt_messages_of_endpoint_route(struct request *req)
{
    static const struct page_kind kind = {.prefix = ID_MESSAGE, .times = true};
    struct page_params p;
    struct message_filter filter;
    bool content, expanded;
    int wanted = -1;
    struct lookup l = {0};
    if (!page_params(req, &kind, &p) || !params_message_filter(req, &filter) ||
        !params_with_content(req, &content) || !params_expanded(req, &expanded) ||
        !params_choice(req, "status", statuses, &wanted) || !lookup_endpoint(req, &l))
        return;
    struct delivery rows[PAGE_MAX];
    struct page_result result = {0};
    unsigned states = wanted < 0 ? 0 : status_states((enum status)wanted, expanded);
    enum err e = store_deliveries_of_endpoint(l.read, l.endpoint->number, &p.page, states, &filter,
                                              rows, &result);
    if (e) {
        lookup_fail(req, &l, e);
        return;
    }
    struct list list;
    list_open(&list, ID_MESSAGE, &p.page);
    for (unsigned i = 0; i < result.count && !list.cut; i++) {
        struct message *m = NULL;
        if (lookup_message_by_id(&l, &rows[i].message, content, &m) != ERR_OK)
            continue;
        if (list_row(&list, &m->id, m->payload.len))
            entity_out_endpoint_message(&list.json, m, &rows[i], content, expanded);
        message_unref(&m);
    }
    lookup_release(&l);
    list_reply(req, &list, &result);
}

void attempt_endpoints_of_message_route(struct request *req)
{
    static const struct page_kind kind = {.prefix = ID_ENDPOINT};
    struct page_params p;
    bool expanded;
    struct lookup l = {0};
    if (!page_params(req, &kind, &p) || !params_expanded(req, &expanded) ||
        !lookup_message(req, &l, false))
        return;
    struct delivery rows[PAGE_MAX];
    struct page_result result = {0};
    enum err e = store_deliveries_of_message(l.read, &l.message->id, &p.page, rows, &result);
    if (e) {
        lookup_fail(req, &l, e);
        return;
    }
    struct list list;
    list_open(&list, ID_ENDPOINT, &p.page);
    for (unsigned i = 0; i < result.count; i++) {
        struct endpoint *endpoint = NULL;
        if (store_endpoint_load(l.read, rows[i].endpoint_number, &endpoint) != ERR_OK)
            continue;
        if (list_row(&list, &endpoint->id, 0))
            entity_out_message_endpoint(&list.json, endpoint, &rows[i], expanded);
        endpoint_free(&endpoint);
    }
    lookup_release(&l);
    list_reply(req, &list, &result);
}

void attempt_delivery_get_route(struct request *req)
{
    struct lookup l = {0};
    if (!lookup_message_endpoint(req, &l, false))
        return;
    struct delivery delivery;
    struct id waits_for;
    uint32_t number = l.endpoint->number;
    enum err e = store_delivery_get(l.read, &l.message->id, number, &delivery);
    if (!e)
        e = store_delivery_waits_for(l.read, &delivery, &waits_for);
    if (e) {
        lookup_fail(req, &l, e);
        return;
    }
    bool in_flight = dispatcher_in_flight(context_of(req)->dispatcher, &l.message->id, number);
    struct buf out;
    struct json_writer w;
    buf_init(&out, 4096);
    jw_init(&w, &out);
    entity_out_delivery(&w, &delivery, &l.endpoint->id, in_flight, &waits_for);
    lookup_release(&l);
    request_reply(req, 200, &out);
}
