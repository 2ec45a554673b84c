/* Who wins when several name the content type: the message's own headers, then the endpoint's, then
 * the message's content type, then application/json. Of other names the message's win over the
 * endpoint's. The signature headers cannot be overridden by either.
 *
 * On the happy path this allocates nothing: the lines of an attempt are built in a buffer that
 * keeps its memory, and linked in front of the destination's list. */
#include "dispatcher/request.h"

#include "dispatcher/dispatcher.h"

#include <assert.h>

#define LINES_MAX (16 * 1024)
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

static struct span name_of(const char *line)
{
    const char *colon = strchr(line, ':');
    return span_of(line, colon ? (size_t)(colon - line) : strlen(line));
}

static bool names(const struct curl_slist *list, struct span name)
{
    for (; list; list = list->next)
        if (span_eq_nocase(name_of(list->data), name))
            return true;
    return false;
}

/* The message's own headers, and behind them those of the endpoint that it does not name. */
static bool merge(struct request *r, const struct destination *destination,
                  const struct message *message)
{
    if (!destination_headers(message->headers, &r->own, &r->own_content_type))
        return false;
    for (const struct curl_slist *h = destination->headers; h; h = h->next) {
        if (names(r->own, name_of(h->data)))
            continue;
        struct curl_slist *longer = curl_slist_append(r->own, h->data);
        if (!longer)
            return false;
        r->own = longer;
    }
    return true;
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

static void add_content_type(struct request *r, const struct destination *destination,
                             const struct message *message)
{
    struct span name = SPAN("content-type");
    const char *why;
    if (r->own_content_type)
        add_line(r, r->own_content_type, "", SPAN(""));
    else if (destination->content_type)
        add_line(r, destination->content_type, "", SPAN(""));
    else if (message->content_type.len &&
             !dispatcher_header_check(name, message->content_type, &why))
        add_line(r, "content-type: ", "", message->content_type);
    else
        add_line(r, "content-type: ", "", SPAN("application/json"));
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
                   const struct message *message, struct wall now)
{
    char id[ID_MAX + 1], seconds[24];
    size_t id_len = id_format(&message->id, ID_MESSAGE, id);
    int64_t timestamp = now.us / US_PER_S;
    int seconds_len = snprintf(seconds, sizeof seconds, "%lld", (long long)timestamp);
    struct span id_text = span_of(id, id_len), seconds_text = span_of(seconds, (size_t)seconds_len);

    request_clear(r);
    buf_clear(&r->lines);
    buf_clear(&r->signature);
    if (message->headers.len > 0 && !merge(r, destination, message))
        return false;
    if (!signer_sign(destination->signer, id_text, timestamp, message->payload, now, &r->signature))
        return false;

    add_content_type(r, destination, message);
    add_line(r, "expect:", "", SPAN("")); /* curl would ask before a body over 1 MiB */
    if (r->signature_headers != SIGNATURE_SVIX)
        add_signature_lines(r, "webhook-", id_text, seconds_text);
    if (r->signature_headers != SIGNATURE_WEBHOOK)
        add_signature_lines(r, "svix-", id_text, seconds_text);
    if (r->lines.failed)
        return false;
    link_lines(r, message->headers.len > 0 ? r->own : destination->headers);
    return true;
}
