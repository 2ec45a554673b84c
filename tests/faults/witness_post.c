/* The producers. A request whose answer never came may or may not have been taken: its event counts
 * only once it arrives, and its key may be sent again, which must not make a second event. */
#include "tests/faults/witness.h"

#include <errno.h>

#define REPEAT_SHARE 0.05 /* of the requests repeat an earlier one under its key */
#define REPEAT_AMONG 200  /* the latest events */

static void send_event(struct witness *w, struct peer *p, size_t number)
{
    static char request[PAYLOAD_MAX + 1024];
    char payload[PAYLOAD_MAX];
    const struct event *e = &w->events[number];
    static const char head[] = "{\"eventType\":\"kill.test\",\"payload\":";
    size_t len = witness_payload(number, payload);
    int n =
        snprintf(request, sizeof request,
                 "POST /api/v1/app/%s/msg HTTP/1.1\r\nHost: witness\r\n"
                 "Authorization: Bearer %s\r\nIdempotency-Key: witness-%zu\r\n"
                 "Content-Length: %zu\r\n\r\n%s%.*s}",
                 w->apps[e->app].id, w->token, number, sizeof head + len, head, (int)len, payload);
    p->event = number;
    p->len = 0;
    if (send(p->fd, request, (size_t)n, MSG_NOSIGNAL) != n)
        witness_drop(w, p); /* killed, or it does not read: the kernel takes much more than this */
}

static size_t new_event(struct witness *w)
{
    if (w->event_count == w->event_room) {
        w->event_room = w->event_room ? 2 * w->event_room : 1 << 16;
        w->events = realloc(w->events, w->event_room * sizeof *w->events);
        if (!w->events)
            abort();
    }
    w->events[w->event_count] = (struct event){.app = (uint8_t)(rng_next(&w->rng) % w->app_count)};
    return w->event_count++;
}

static void post_next(struct witness *w, struct peer *p)
{
    size_t among = w->event_count < REPEAT_AMONG ? w->event_count : REPEAT_AMONG;
    if (among > 0 && rng_unit(&w->rng) < REPEAT_SHARE)
        send_event(w, p, w->event_count - 1 - rng_next(&w->rng) % among);
    else
        send_event(w, p, new_event(w));
}

static void accepted(struct witness *w, struct event *e, const char *body, size_t len)
{
    char id[ID_MAX + 1];
    const char *at = memmem(body, len, "\"id\":\"", 6);
    if (!at || (size_t)(body + len - at) < 6 + ID_MAX) {
        witness_find(w, "a 202 without an id: %.*s", (int)(len < 200 ? len : 200), body);
        return;
    }
    snprintf(id, sizeof id, "%.*s", (int)strcspn(at + 6, "\""), at + 6);
    if (e->id[0] && strcmp(e->id, id) != 0)
        witness_find(w, "one key was answered %s and %s", e->id, id);
    memcpy(e->id, id, sizeof id);
    w->accepted += !e->accepted;
    e->accepted = true;
}

static void answered(struct witness *w, struct peer *p)
{
    ssize_t n = recv(p->fd, p->data + p->len, BUFFER - p->len, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        witness_drop(w, p);
        return;
    }
    p->len += (size_t)n;
    size_t head = head_length(p->data, p->len), body = content_length(p->data, head);
    if (!head || p->len < head + body)
        return;
    unsigned long status = strtoul(p->data + 9, NULL, 10);
    if (status == 202)
        accepted(w, &w->events[p->event], p->data + head, body);
    else if (status == 503 || status == 507)
        w->refused++;
    else
        witness_find(w, "an event was answered %lu", status);
    if (w->posting)
        post_next(w, p);
    else
        witness_drop(w, p);
}

void post_begin(struct witness *w, struct sockaddr_in address, unsigned connections)
{
    int one = 1;
    w->posting = true;
    for (unsigned i = 0; i < connections; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) {
            witness_find(w, "cannot connect: %s", strerror(errno));
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct peer *p = witness_add(w, fd, answered);
        if (p)
            post_next(w, p);
    }
}
