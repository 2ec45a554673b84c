/* The one place that builds responses of libmicrohttpd. */
#include "http/reply.h"

#include "http/answer.h"

#include <assert.h>

static const char no_memory_body[] =
    "{\"code\":\"service_unavailable\",\"detail\":\"there is no memory for the answer\"}";

/* Clients that read slowly must not make us keep more than we have. */
static bool may_be_kept(struct request *req)
{
    return req->reply.len <= REPLY_SMALL ||
           budget_move(&req->site->replies, &req->reply_budget, req->reply.len);
}

/* The response owns the reply's bytes afterwards. NULL: no memory. */
static struct MHD_Response *response_of(struct request *req)
{
    if (req->no_memory) {
        buf_free(&req->reply);
        req->status = 503;
        return MHD_create_response_from_buffer(sizeof no_memory_body - 1, (char *)no_memory_body,
                                               MHD_RESPMEM_PERSISTENT);
    }
    if (req->reply.len == 0)
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    size_t len;
    char *bytes = buf_take(&req->reply, &len);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, bytes, MHD_RESPMEM_MUST_FREE);
    if (!response)
        free(bytes);
    return response;
}

static bool add_headers(const struct request *req, struct MHD_Response *response, bool has_body)
{
    bool good = true;
    bool typed = false;
    for (unsigned i = 0; i < req->reply_header_count; i++) {
        const char *name = req->reply_headers[i].name;
        typed = typed || span_eq_nocase(span_text(name), SPAN("content-type"));
        good = good && MHD_add_response_header(response, name, req->reply_headers[i].value);
    }
    if (has_body && !typed)
        good = good &&
               MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    if (req->no_memory)
        good = good && MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    if (req->close)
        good = good && MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    return good;
}

enum MHD_Result reply_queue(struct intake *in, struct request *req)
{
    assert(req->phase == REQUEST_ANSWERED);
    req->phase = REQUEST_SENDING;
    req->close = req->close || in->connections->shut;
    req->no_memory = req->no_memory || !may_be_kept(req);
    bool has_body = req->no_memory || req->reply.len > 0;
    struct MHD_Response *response = response_of(req);
    if (!response)
        return MHD_NO;
    enum MHD_Result result = MHD_NO;
    if (add_headers(req, response, has_body))
        result = MHD_queue_response(req->mhd, req->status, response);
    MHD_destroy_response(response);
    if (!req->counted)
        site_count_status(in->site, req->status);
    connection_allow(connection_of(req->mhd), REPLY_SEND_S * US_PER_S);
    return result;
}

void reply_write_now(struct intake *in, struct request *req, int fd)
{
    assert(req->phase == REQUEST_ANSWERED);
    req->phase = REQUEST_SENDING;
    if (!req->counted)
        site_count_status(in->site, req->status);
    struct buf text;
    buf_init(&text, 4096);
    buf_printf(&text,
               "HTTP/1.1 %u Refused\r\nContent-Type: application/json\r\n"
               "Content-Length: %zu\r\nConnection: close\r\n",
               req->status, req->reply.len);
    for (unsigned i = 0; i < req->reply_header_count; i++)
        buf_printf(&text, "%s: %s\r\n", req->reply_headers[i].name, req->reply_headers[i].value);
    buf_text(&text, "\r\n");
    buf_span(&text, buf_view(&req->reply));
    /* A client that left gets no answer: nothing is lost by not looking at the result. */
    if (!text.failed)
        (void)send(fd, text.ptr, text.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    buf_free(&text);
}
