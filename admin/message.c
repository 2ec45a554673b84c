/* Messages that were accepted: read them, or ask beforehand whether anybody would get one. Payloads
 * are read one at a time while a page is written, so that a page costs its own bytes and no
 * more. */
#include "http/message_out.h"

#include "admin/field.h"
#include "admin/handlers.h"
#include "admin/list.h"
#include "admin/params.h"
#include "admin/write.h"

void message_get_route(struct request *req)
{
    bool content;
    struct lookup l = {0};
    if (!params_with_content(req, &content) || !lookup_message(req, &l, content))
        return;
    struct buf out;
    struct json_writer w;
    buf_init(&out, REPLY_MAX);
    jw_init(&w, &out);
    message_out(&w, l.message, content);
    lookup_release(&l);
    request_reply(req, 200, &out);
}

/* So that a producer may spare itself the making of a message that nobody gets. */
void message_precheck_route(struct request *req)
{
    struct lookup l = {0};
    struct body b;
    struct span type = {0}, channels[MESSAGE_CHANNELS_MAX];
    unsigned count = 0;
    if (!lookup_app(req, &l))
        return;
    body_open(&b, request_body(req), false);
    body_require(&b, "eventType", body_text(&b, "eventType", &field_event_type, &type));
    body_texts(&b, "channels", &field_channel, 0, MESSAGE_CHANNELS_MAX, channels, &count);
    if (body_good(req, &b)) {
        const struct match_subject subject = {type, count, channels};
        struct buf out;
        struct json_writer w;
        buf_init(&out, 64);
        jw_init(&w, &out);
        jw_object(&w);
        jw_member_bool(&w, "active", store_app_takes(request_store(req), l.app->number, &subject));
        jw_end_object(&w);
        request_reply(req, 200, &out);
    }
    body_close(&b);
    lookup_release(&l);
}

/* The row with its payload when that is asked for; without it when it is gone by now. */
static void write_row(struct list *list, struct lookup *l, const struct message *row, bool content)
{
    struct message *whole = NULL;
    if (content && lookup_message_by_id(l, &row->id, true, &whole) != ERR_OK)
        whole = NULL;
    if (list_row(list, &row->id, whole ? whole->payload.len : 0))
        message_out(&list->json, whole ? whole : row, whole != NULL);
    if (whole)
        message_unref(&whole);
}

void message_list_route(struct request *req)
{
    static const struct page_kind kind = {.prefix = ID_MESSAGE, .times = true};
    struct page_params p;
    struct message_filter filter;
    bool content;
    struct lookup l = {0};
    if (!page_params(req, &kind, &p) || !params_message_filter(req, &filter) ||
        !params_with_content(req, &content) || !lookup_app(req, &l))
        return;
    struct message *rows[PAGE_MAX];
    struct page_result result = {0};
    enum err e = store_message_list(l.read, l.app->number, &p.page, &filter, false, rows, &result);
    if (e) {
        lookup_fail(req, &l, e);
        return;
    }
    struct list list;
    list_open(&list, ID_MESSAGE, &p.page);
    for (unsigned i = 0; i < result.count; i++) {
        if (!list.cut)
            write_row(&list, &l, rows[i], content);
        message_unref(&rows[i]);
    }
    lookup_release(&l);
    list_reply(req, &list, &result);
}
