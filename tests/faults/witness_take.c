/* The receivers: every endpoint is a path /APP/ENDPOINT of one listener. Each delivery must verify
 * (Standard Webhooks, computed here and not by the service's code) and carry the bytes that were
 * posted, under one id. */
#include "tests/faults/witness.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

/* Since the outcome of an attempt is committed within moments, a delivery that was over for longer
 * than this before a kill may not come again. */
#define IN_FLIGHT_NS INT64_C(2000000000)

struct delivery {
    const char *id, *timestamp, *signature, *body;
    size_t id_len, timestamp_len, signature_len, body_len;
    unsigned app, endpoint;
    size_t event;
};

static const char *header(const char *head, size_t len, const char *name, size_t *value_len)
{
    size_t n = strlen(name);
    *value_len = 0;
    for (size_t i = 0; i + n + 2 < len; i++) {
        if (head[i] != '\n' || strncasecmp(head + i + 1, name, n) != 0 || head[i + 1 + n] != ':')
            continue;
        const char *value = head + i + 2 + n;
        value += strspn(value, " ");
        *value_len = strcspn(value, "\r");
        return value;
    }
    return "";
}

static bool verifies(const struct witness *w, const struct delivery *d)
{
    static char text[PAYLOAD_MAX + 256];
    unsigned char mac[EVP_MAX_MD_SIZE], encoded[128];
    unsigned mac_len = 0;
    int n = snprintf(text, sizeof text, "%.*s.%.*s.%.*s", (int)d->id_len, d->id,
                     (int)d->timestamp_len, d->timestamp, (int)d->body_len, d->body);
    if (n < 0 || (size_t)n >= sizeof text)
        return false;
    HMAC(EVP_sha256(), w->secret, (int)w->secret_len, (const unsigned char *)text, (size_t)n, mac,
         &mac_len);
    int len = EVP_EncodeBlock(encoded, mac, (int)mac_len);
    return d->signature_len == 3 + (size_t)len && memcmp(d->signature, "v1,", 3) == 0 &&
           memcmp(d->signature + 3, encoded, (size_t)len) == 0;
}

/* The event whose payload these bytes are; false: nobody posted them. */
static bool identify(const struct witness *w, struct delivery *d)
{
    char payload[PAYLOAD_MAX];
    static const char mark[] = "\"name\":\"";
    const char *at = memmem(d->body, d->body_len, mark, sizeof mark - 1);
    if (!at)
        return false;
    d->event = strtoull(at + sizeof mark - 1, NULL, 10);
    return d->event < w->event_count && witness_payload(d->event, payload) == d->body_len &&
           memcmp(payload, d->body, d->body_len) == 0;
}

static bool was_in_flight(const struct witness *w, int64_t first)
{
    for (size_t i = w->kill_count; i > 0; i--)
        if (first <= w->kills[i - 1] && first > w->kills[i - 1] - IN_FLIGHT_NS)
            return true;
    return false;
}

static void judge(struct witness *w, struct delivery *d)
{
    if (!verifies(w, d)) {
        witness_find(w, "a delivery that does not verify: %.*s", (int)d->id_len, d->id);
        return;
    }
    if (!identify(w, d)) {
        witness_find(w, "%.*s carries bytes that nobody posted", (int)d->id_len, d->id);
        return;
    }
    struct event *e = &w->events[d->event];
    if (d->app != e->app || d->endpoint >= w->apps[e->app].fan_out)
        witness_find(w, "event %zu went to another application", d->event);
    if (!e->id[0])
        snprintf(e->id, sizeof e->id, "%.*s", (int)d->id_len, d->id);
    else if (strlen(e->id) != d->id_len || memcmp(e->id, d->id, d->id_len) != 0)
        witness_find(w, "event %zu is %s and %.*s", d->event, e->id, (int)d->id_len, d->id);
}

/* After a 204: the delivery is made, or made again. */
static void delivered(struct witness *w, const struct delivery *d)
{
    if (d->event >= w->event_count || d->endpoint >= FAN_OUT_MAX)
        return;
    int64_t *first = &w->events[d->event].delivered[d->endpoint];
    if (!*first) {
        *first = now_ns();
        w->delivered++;
        return;
    }
    w->repeated++;
    if (!was_in_flight(w, *first))
        witness_find(w, "event %zu was delivered again to endpoint %u, without need", d->event,
                     d->endpoint);
}

static struct delivery parse(const char *head, size_t head_len, size_t body_len)
{
    struct delivery d = {.body = head + head_len, .body_len = body_len, .event = NO_EVENT};
    char *end;
    const char *path = memchr(head, '/', head_len);
    d.app = (unsigned)strtoul(path ? path + 1 : head, &end, 10);
    d.endpoint = (unsigned)strtoul(end + 1, NULL, 10);
    d.id = header(head, head_len, "webhook-id", &d.id_len);
    d.timestamp = header(head, head_len, "webhook-timestamp", &d.timestamp_len);
    d.signature = header(head, head_len, "webhook-signature", &d.signature_len);
    return d;
}

static void take(struct witness *w, struct peer *p)
{
    static const char good[] = "HTTP/1.1 204 No Content\r\n\r\n";
    static const char bad[] = "HTTP/1.1 500 Not Now\r\nContent-Length: 0\r\n\r\n";
    ssize_t n = recv(p->fd, p->data + p->len, BUFFER - 1 - p->len, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        witness_drop(w, p);
        return;
    }
    p->len += (size_t)n;
    p->data[p->len] = 0;
    size_t head = head_length(p->data, p->len), body = content_length(p->data, head);
    if (!head || p->len < head + body)
        return;
    struct delivery d = parse(p->data, head, body);
    bool refuse = rng_unit(&w->rng) < w->failure_share;
    w->attempts++;
    judge(w, &d);
    /* Whether a killed service still read it makes no difference to what is owed. */
    ssize_t sent = refuse ? send(p->fd, bad, sizeof bad - 1, MSG_NOSIGNAL)
                          : send(p->fd, good, sizeof good - 1, MSG_NOSIGNAL);
    if (!refuse && sent > 0)
        delivered(w, &d);
    p->len = 0;
}

static void greet(struct witness *w, struct peer *p)
{
    int fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC), one = 1;
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)witness_add(w, fd, take);
}

uint16_t take_listen(struct witness *w)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 1024) ||
        getsockname(fd, (struct sockaddr *)&a, &len) || !witness_add(w, fd, greet)) {
        perror("listen");
        exit(2);
    }
    return ntohs(a.sin_port);
}
