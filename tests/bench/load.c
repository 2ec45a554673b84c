/* The load generator: POSTs events over keep-alive connections from one thread.
 *
 *     load ADDRESS TOKEN APPS-FILE EVENTS-FILE CONNECTIONS RATE COUNT
 *
 * APPS-FILE has an application id a line, taken in turn; EVENTS-FILE an event a line as
 * {"eventType":…,"payload":{…}}, or is "-" for 1 KiB events. RATE 0 is closed loop: each connection
 * sends its next event when the previous one is answered. Otherwise open loop: event i is due at
 * start + i / RATE whatever the server does, and its latency counts from then. Every request
 * carries a fresh Idempotency-Key, as every SDK sends it.
 *
 * Prints one JSON line: the latencies of what was answered 202, in microseconds, and of refusals;
 * how late events were sent, when all connections were busy or the generator too slow; and how many
 * refusals were not 503 with Retry-After. Exit status 1 when there were refusals. */
#include "wire.h"

#include <errno.h>
#include <sys/epoll.h>

#define MAX_CONNECTIONS 4096
#define REPLY_BYTES (256 * 1024)
#define REQUEST_BYTES (96 * 1024)

struct text {
    char *ptr;
    size_t len;
};

struct connection {
    int fd;
    bool busy;
    int64_t due; /* scheduled moment of the event under way */
    char *reply;
    size_t reply_len;
};

static struct {
    struct sockaddr_in address;
    const char *token;
    struct text *apps;
    size_t app_count;
    struct text *heads, *tails; /* an event up to its payload's brace, and the rest */
    size_t event_count;
    unsigned connection_count;
    double rate;
    uint64_t count, sent, answered, refused, unkind;
    int64_t start;
    int poll;
    struct connection connections[MAX_CONNECTIONS];
    struct connection *idle[MAX_CONNECTIONS];
    unsigned idle_count;
    struct samples latencies, refusals, lateness;
    uint64_t key;
} load;

static struct text *read_lines(const char *path, size_t *count)
{
    FILE *f = fopen(path, "r");
    struct text *lines = NULL;
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    *count = 0;
    if (!f) {
        perror(path);
        exit(2);
    }
    while ((n = getline(&line, &cap, f)) > 0) {
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
            line[--n] = 0;
        struct text *longer = realloc(lines, (*count + 1) * sizeof *lines);
        char *copy = strdup(line);
        if (!longer || !copy)
            abort();
        lines = longer;
        lines[(*count)++] = (struct text){copy, (size_t)n};
    }
    free(line);
    fclose(f);
    return lines;
}

static struct text *one_kib_event(size_t *count)
{
    static const char head[] =
        "{\"eventType\":\"order.placed\",\"payload\":{\"order\":\"A-1001\",\"note\":\"";
    static char event[2048];
    static struct text one = {.ptr = event};
    /* 1 KiB of payload as delivered, the stamp included. */
    size_t fill =
        1024 - strlen("{\"order\":\"A-1001\",\"note\":\"\"}") - sizeof STAMP_MEMBER - STAMP_DIGITS;
    memcpy(event, head, sizeof head - 1);
    memset(event + sizeof head - 1, 'x', fill);
    memcpy(event + sizeof head - 1 + fill, "\"}}", 4);
    one.len = sizeof head - 1 + fill + 3;
    *count = 1;
    return &one;
}

static void load_events(const char *path)
{
    struct text *lines = strcmp(path, "-") == 0 ? one_kib_event(&load.event_count)
                                                : read_lines(path, &load.event_count);
    load.heads = malloc(load.event_count * sizeof *load.heads);
    load.tails = malloc(load.event_count * sizeof *load.tails);
    for (size_t i = 0; i < load.event_count; i++) {
        char *payload = strstr(lines[i].ptr, "\"payload\":{");
        if (!payload)
            exit(2);
        size_t head = (size_t)(payload - lines[i].ptr) + strlen("\"payload\":{");
        load.heads[i] = (struct text){lines[i].ptr, head};
        load.tails[i] = (struct text){lines[i].ptr + head, lines[i].len - head};
    }
}

static void connect_one(struct connection *c)
{
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (struct sockaddr *)&load.address, sizeof load.address)) {
        perror("connect");
        exit(1);
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->reply_len = 0;
    epoll_ctl(load.poll, EPOLL_CTL_ADD, c->fd,
              &(struct epoll_event){.events = EPOLLIN, .data.ptr = c});
}

static uint64_t next_key(void)
{
    uint64_t z = load.key += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void send_event(struct connection *c, int64_t due)
{
    static char request[REQUEST_BYTES];
    const struct text *app = &load.apps[load.sent % load.app_count];
    const struct text *head = &load.heads[load.sent % load.event_count];
    const struct text *tail = &load.tails[load.sent % load.event_count];
    size_t body = head->len + sizeof STAMP_MEMBER - 1 + STAMP_DIGITS + 1 + tail->len;
    int n = snprintf(
        request, sizeof request,
        "POST /api/v1/app/%s/msg HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n"
        "Content-Type: application/json\r\nIdempotency-Key: auto_%016llx%016llx\r\n"
        "Content-Length: %zu\r\n\r\n%.*s" STAMP_MEMBER "%lld,%s",
        app->ptr, load.token, (unsigned long long)next_key(), (unsigned long long)next_key(), body,
        (int)head->len, head->ptr, (long long)(STAMP_BASE + due), tail->ptr);
    if (n < 0 || (size_t)n >= sizeof request)
        exit(2);
    c->busy = true;
    c->due = due;
    load.sent++;
    samples_add(&load.lateness, now_ns() - due);
    for (ssize_t done = 0; done < n;) {
        ssize_t part = send(c->fd, request + done, (size_t)(n - done), MSG_NOSIGNAL);
        if (part < 0) {
            perror("send");
            exit(1);
        }
        done += part;
    }
}

/* Sends what is due on idle connections; returns the nanoseconds until the next event is due. */
static int64_t send_due(void)
{
    while (load.idle_count && load.sent < load.count) {
        int64_t now = now_ns();
        int64_t due = now;
        if (load.rate > 0) {
            due = load.start + (int64_t)((double)load.sent / load.rate * 1e9);
            if (due > now)
                return due - now;
        }
        send_event(load.idle[--load.idle_count], due);
    }
    return 100000000;
}

static void take_refusal(const struct connection *c)
{
    bool kind = memcmp(c->reply + 9, "503", 3) == 0 &&
                memmem(c->reply, c->reply_len, "\r\nRetry-After: ", 15);
    samples_add(&load.refusals, now_ns() - c->due);
    load.unkind += !kind;
    if (load.refused++ == 0)
        fprintf(stderr, "first refusal: %.*s\n", (int)(c->reply_len < 400 ? c->reply_len : 400),
                c->reply);
}

static void take_reply(struct connection *c)
{
    ssize_t n = recv(c->fd, c->reply + c->reply_len, REPLY_BYTES - c->reply_len, 0);
    if (n <= 0) {
        fprintf(stderr, "the server closed a connection\n");
        exit(1);
    }
    c->reply_len += (size_t)n;
    size_t head = head_length(c->reply, c->reply_len);
    if (!head || c->reply_len < head + content_length(c->reply, head))
        return;
    if (memcmp(c->reply + 9, "202", 3) == 0)
        samples_add(&load.latencies, now_ns() - c->due);
    else
        take_refusal(c);
    load.answered++;
    c->reply_len = 0;
    c->busy = false;
    load.idle[load.idle_count++] = c;
}

static void run(void)
{
    struct epoll_event events[256];
    load.start = now_ns();
    while (load.answered < load.count) {
        const struct timespec wait = {.tv_nsec = send_due() % 1000000000};
        int n = epoll_pwait2(load.poll, events, 256, &wait, NULL);
        for (int i = 0; i < n; i++)
            take_reply(events[i].data.ptr);
    }
}

static void report(double seconds)
{
    samples_sort(&load.latencies);
    samples_sort(&load.refusals);
    samples_sort(&load.lateness);
    printf("{\"count\":%llu,\"refused\":%llu,\"unkind\":%llu,\"seconds\":%.3f,\"rate\":%.1f,"
           "\"p50\":%u,\"p99\":%u,\"max\":%u,\"refused_p99\":%u,\"late_p99\":%u}\n",
           (unsigned long long)load.answered, (unsigned long long)load.refused,
           (unsigned long long)load.unkind, seconds, (double)load.answered / seconds,
           samples_at(&load.latencies, 0.5), samples_at(&load.latencies, 0.99),
           samples_at(&load.latencies, 1), samples_at(&load.refusals, 0.99),
           samples_at(&load.lateness, 0.99));
}

int main(int argc, char **argv)
{
    if (argc != 8)
        return 2;
    load.address = address_of(argv[1]);
    load.token = argv[2];
    load.apps = read_lines(argv[3], &load.app_count);
    load_events(argv[4]);
    load.connection_count = (unsigned)strtoul(argv[5], NULL, 10);
    load.rate = strtod(argv[6], NULL);
    load.count = strtoull(argv[7], NULL, 10);
    load.key = (uint64_t)now_ns() ^ ((uint64_t)getpid() << 40);
    load.poll = epoll_create1(0);
    for (unsigned i = 0; i < load.connection_count && i < MAX_CONNECTIONS; i++) {
        struct connection *c = &load.connections[i];
        c->reply = malloc(REPLY_BYTES);
        connect_one(c);
        load.idle[load.idle_count++] = c;
    }
    run();
    report((double)(now_ns() - load.start) / 1e9);
    return load.refused ? 1 : 0;
}
