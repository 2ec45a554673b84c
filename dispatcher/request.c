/* Who wins when several name the content type: the message's own headers, then the endpoint's, then
 * the message's content type, then application/json. Of other names the message's win over the
 * endpoint's. The signature headers cannot be overridden by either. Of a CloudEvent the content
 * type and the attributes are the event's alone. An endpoint or a message that has a traceparent
 * among its own headers keeps that. An endpoint that authenticates shows that in the
 * authorization, whatever a message's headers say (it has none among its own).
 *
 * On the happy path this allocates nothing: the lines of an attempt are built in a buffer that
 * keeps its memory, and linked in front of the destination's list. */
#include "dispatcher/request.h"

#include "dispatcher/dispatcher.h"
#include "dispatcher/event_format.h"

#include <assert.h>

#define LINES_MAX (24 * 1024)
#define SIGNATURE_MAX 4096

void request_init(struct request *r, int signature_headers)
{
    *r = (struct request){.signature_headers = signature_headers};
    buf_init(&r->lines, LINES_MAX);
    buf_init(&r->signature, SIGNATURE_MAX);
}

void request_clear(struct request *r)
{
    curl_slist_free_all(r->own);
    free(r->own_content_type);
    buf_free(&r->event);
    r->own = NULL;
    r->own_content_type = NULL;
    r->headers = NULL;
}

void request_free(struct request *r)
{
    request_clear(r);
    buf_free(&r->lines);
    buf_free(&r->signature);
}

/* Of "name: value", or "name;" where there is no value. */
static struct span name_of(const char *line)
{
    return span_of(line, strcspn(line, ":;"));
}

static bool names(const struct curl_slist *list, struct span name)
{
    for (; list; list = list->next)
        if (span_eq_nocase(name_of(list->data), name))
            return true;
    return false;
}

/* Appends those of the list that are not named yet; `authorized`: but for the authorization. */
static bool append(struct request *r, const struct curl_slist *list, bool authorized)
{
    for (const struct curl_slist *h = list; h; h = h->next) {
        struct span name = name_of(h->data);
        if (names(r->own, name) || (authorized && span_eq_nocase(name, SPAN("authorization"))))
            continue;
        struct curl_slist *longer = curl_slist_append(r->own, h->data);
        if (!longer)
            return false;
        r->own = longer;
    }
    return true;
}

/* Behind what is there the message's own headers, and behind these those of the endpoint. */
static bool merge(struct request *r, const struct destination *destination,
                  const struct message *message)
{
    struct curl_slist *theirs = NULL;
    bool good = destination_headers(message->headers, &theirs, &r->own_content_type) &&
                append(r, theirs, destination_authenticates(destination)) &&
                append(r, destination->headers, false);
    curl_slist_free_all(theirs);
    return good;
}

/* What the body is, and what headers come with that. */
static bool format(struct request *r, const struct destination *destination,
                   const struct message *message)
{
    bool good = true;
    r->body = message->payload;
    if (destination->cloud_events == CLOUD_EVENTS_STRUCTURED) {
        good = event_format_structured(message, &r->event);
        r->body = buf_view(&r->event);
    } else if (destination->cloud_events == CLOUD_EVENTS_BINARY) {
        good = event_format_binary(message, &r->own);
    }
    if (good && (message->headers.len > 0 || r->own))
        good = merge(r, destination, message);
    return good;
}

static void add_line(struct request *r, const char *prefix, const char *name, struct span value)
{
    buf_text(&r->lines, prefix);
    buf_text(&r->lines, name);
    buf_span(&r->lines, value);
    buf_char(&r->lines, 0);
}

static void add_signature_lines(struct request *r, const char *prefix, struct span id,
                                struct span timestamp)
{
    add_line(r, prefix, "id: ", id);
    add_line(r, prefix, "timestamp: ", timestamp);
    add_line(r, prefix, "signature: ", buf_view(&r->signature));
}

/* An empty line keeps curl from adding one of its own. */
static void add_content_type(struct request *r, const struct destination *destination,
                             const struct message *message)
{
    struct span type = event_format_content_type(message);
    bool plain = destination->cloud_events == CLOUD_EVENTS_NONE;
    const char *why;
    if (destination->cloud_events == CLOUD_EVENTS_STRUCTURED)
        add_line(r, "content-type: ", "", SPAN(EVENT_FORMAT_STRUCTURED_TYPE));
    else if (plain && r->own_content_type)
        add_line(r, r->own_content_type, "", SPAN(""));
    else if (plain && destination->content_type)
        add_line(r, destination->content_type, "", SPAN(""));
    else if (!type.len)
        add_line(r, "content-type:", "", SPAN(""));
    else if (!message->content_type.len ||
             !dispatcher_header_check(SPAN("content-type"), type, &why))
        add_line(r, "content-type: ", "", type);
    else
        add_line(r, "content-type: ", "", SPAN("application/json"));
}

static void add_authorization(struct request *r, const struct destination *destination,
                              struct span token)
{
    if (token.len)
        add_line(r, "authorization: ", "Bearer ", token);
    else if (destination->authorization)
        add_line(r, destination->authorization, "", SPAN(""));
}

static void add_trace(struct request *r, const struct curl_slist *rest,
                      const struct message *message)
{
    if (!message->traceparent.len || names(rest, SPAN("traceparent")))
        return;
    add_line(r, "traceparent: ", "", message->traceparent);
    if (message->tracestate.len && !names(rest, SPAN("tracestate")))
        add_line(r, "tracestate: ", "", message->tracestate);
}

/* Points the nodes at the lines, once the buffer does not move any more. */
static void link_lines(struct request *r, struct curl_slist *rest)
{
    char *at = r->lines.ptr, *end = at + r->lines.len;
    unsigned n = 0;
    for (; at < end; at += strlen(at) + 1, n++) {
        assert(n < REQUEST_LINES);
        r->nodes[n].data = at;
        r->nodes[n].next = &r->nodes[n + 1];
    }
    r->nodes[n - 1].next = rest;
    r->headers = &r->nodes[0];
}

bool request_build(struct request *r, const struct destination *destination,
                   const struct message *message, struct span token, struct wall now)
{
    char id[ID_MAX + 1], seconds[24];
    size_t id_len = id_format(&message->id, ID_MESSAGE, id);
    int64_t timestamp = now.us / US_PER_S;
    int seconds_len = snprintf(seconds, sizeof seconds, "%lld", (long long)timestamp);
    struct span id_text = span_of(id, id_len), seconds_text = span_of(seconds, (size_t)seconds_len);

    request_clear(r);
    buf_clear(&r->lines);
    buf_clear(&r->signature);
    if (!format(r, destination, message))
        return false;
    if (!signer_sign(destination->signer, id_text, timestamp, r->body, now, &r->signature))
        return false;
    struct curl_slist *rest = r->own ? r->own : destination->headers;

    add_content_type(r, destination, message);
    add_line(r, "expect:", "", SPAN("")); /* curl would ask before a body over 1 MiB */
    add_authorization(r, destination, token);
    add_trace(r, rest, message);
    if (r->signature_headers != SIGNATURE_SVIX)
        add_signature_lines(r, "webhook-", id_text, seconds_text);
    if (r->signature_headers != SIGNATURE_WEBHOOK)
        add_signature_lines(r, "svix-", id_text, seconds_text);
    if (r->lines.failed)
        return false;
    link_lines(r, rest);
    return true;
}
