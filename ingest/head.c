/* One walk over the headers of every event, so it looks at a header's first letter before anything
 * else. */
#include "ingest/head.h"

#include "base/media_type.h"
#include "ingest/trace.h"

#include <assert.h>

#define CLOUD_EVENTS "application/cloudevents"

static void note(void *context, struct span name, struct span value)
{
    struct head *h = context;
    switch (name.len ? name.ptr[0] | 0x20 : 0) {
    case 'c':
        if (name.len >= 3 && span_eq_nocase(span_of(name.ptr, 3), SPAN("ce-"))) {
            assert(h->count < HEADERS_MAX); /* the guard let no more pass */
            h->attributes[h->count++] = (struct head_attribute){name, value};
        } else if (span_eq_nocase(name, SPAN("content-type"))) {
            h->content_type = h->content_types ? h->content_type : span_trim(value);
            h->content_types++;
        }
        break;
    case 't':
        if (span_eq_nocase(name, SPAN("traceparent")) && trace_is_parent(value))
            h->traceparent = value;
        else if (span_eq_nocase(name, SPAN("tracestate")) && trace_is_state(value))
            h->tracestate = value;
        break;
    default:
        break;
    }
}

/* A family of media types is the specification's: none of it may pass for the data's own. */
static void judge_content_type(struct head *h)
{
    struct span family = span_of(h->content_type.ptr, sizeof CLOUD_EVENTS - 1);
    if (h->content_type.len < family.len || !span_eq_nocase(family, SPAN(CLOUD_EVENTS)))
        return;
    struct media_type type;
    if (!media_type_parse(h->content_type, &type))
        h->wrong = "the content type is not a media type";
    else if (span_eq_nocase(type.whole, SPAN(CLOUD_EVENTS "+json")))
        h->mode = HEAD_STRUCTURED;
    else if (span_eq_nocase(type.whole, SPAN(CLOUD_EVENTS "-batch+json")))
        h->mode = HEAD_BATCH;
    else
        h->wrong = "of CloudEvents the formats application/cloudevents+json and "
                   "application/cloudevents-batch+json are taken";
    if (!h->wrong && h->content_types > 1)
        h->wrong = "there is more than one content type";
    if (!h->wrong && !media_type_is_utf8(&type))
        h->wrong = "CloudEvents in JSON are UTF-8, not of another charset";
}

void head_read(const struct request *req, struct head *out)
{
    out->mode = HEAD_NATIVE;
    out->wrong = NULL;
    out->content_types = out->count = 0;
    out->content_type = out->traceparent = out->tracestate = (struct span){0};
    request_each_header(req, note, out);
    if (!out->traceparent.len)
        out->tracestate = (struct span){0};
    judge_content_type(out);
    if (out->mode == HEAD_NATIVE && !out->wrong && out->count > 0)
        out->mode = HEAD_BINARY;
}

struct message *head_message(const struct head *h)
{
    if (!h->traceparent.len)
        return message_new();
    char *at;
    struct message *m = message_new_with(h->traceparent.len + h->tracestate.len, &at);
    if (!m)
        return NULL;
    memcpy(at, h->traceparent.ptr, h->traceparent.len);
    m->traceparent = span_of(at, h->traceparent.len);
    if (h->tracestate.len) {
        at += h->traceparent.len;
        memcpy(at, h->tracestate.ptr, h->tracestate.len);
        m->tracestate = span_of(at, h->tracestate.len);
    }
    return m;
}
