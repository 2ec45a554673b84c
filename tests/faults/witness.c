/* The witness's loop and its conversation with kill.py.
 *
 *     witness SECRET SEED
 *
 * Prints the port of its receivers. Then each line of its input is answered by one line:
 *
 *     token TOKEN             the service's key
 *     app ID FAN-OUT          one more application, with endpoints at /APP/0, /APP/1 …
 *     post ADDRESS COUNT      so many producers post from now on
 *     killed                  the service was killed just now
 *     quiet                   producers stop at their next answer, deliveries are answered 204
 *     forget                  planted: forget a delivery
 *     report                  what was seen, as JSON
 *
 * Findings go to stderr. */
#include "tests/faults/witness.h"

#include <openssl/evp.h>
#include <stdarg.h>
#include <sys/epoll.h>

#define FAILURE_SHARE 0.05
#define FINDINGS_SHOWN 50
#define KILLS_MAX 100000

void witness_find(struct witness *w, const char *format, ...)
{
    va_list args;
    if (w->findings++ >= FINDINGS_SHOWN)
        return;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

size_t witness_payload(size_t number, char out[PAYLOAD_MAX])
{
    static const int pads[] = {10, 100, 100, 500, 1000, 5000};
    static char filler[5001];
    if (!filler[0])
        memset(filler, 'x', sizeof filler - 1);
    /* White space, escapes and numbers that a re-serialisation would change. */
    int n = snprintf(out, PAYLOAD_MAX,
                     "{ \"name\":\"%zu\", \"n\":1.0,\"n\":1, \"esc\":\"\\u0041\\/\",  "
                     "\"pad\":\"%.*s\" }",
                     number, pads[number * 2654435761u % 6], filler);
    return (size_t)n;
}

struct peer *witness_add(struct witness *w, int fd, void (*ready)(struct witness *, struct peer *))
{
    struct peer *p = calloc(1, sizeof *p);
    char *data = malloc(BUFFER);
    if (!p || !data)
        abort();
    *p = (struct peer){.ready = ready, .fd = fd, .data = data, .event = NO_EVENT};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = p};
    if (epoll_ctl(w->poll, EPOLL_CTL_ADD, fd, &event) == 0)
        return p;
    witness_drop(w, p);
    return NULL;
}

void witness_drop(struct witness *w, struct peer *p)
{
    (void)w;
    close(p->fd);
    free(p->data);
    free(p);
}

/* ---------------------------------------------------------------- commands */

static void add_app(struct witness *w, const char *id, unsigned fan_out)
{
    if (w->app_count == APPS_MAX || fan_out > FAN_OUT_MAX)
        exit(2);
    snprintf(w->apps[w->app_count].id, sizeof w->apps[0].id, "%s", id);
    w->apps[w->app_count++].fan_out = fan_out;
}

static void note_kill(struct witness *w)
{
    if (!w->kills)
        w->kills = calloc(KILLS_MAX, sizeof *w->kills);
    if (!w->kills || w->kill_count == KILLS_MAX)
        abort();
    w->kills[w->kill_count++] = now_ns();
}

static uint64_t count_missing(const struct witness *w)
{
    uint64_t missing = 0;
    for (size_t i = 0; i < w->event_count; i++) {
        const struct event *e = &w->events[i];
        for (unsigned n = 0; e->accepted && n < w->apps[e->app].fan_out; n++)
            missing += e->delivered[n] == 0;
    }
    return missing;
}

/* Forgets a delivery of the first event that has one. */
static void forget(struct witness *w)
{
    for (size_t i = 0; i < w->event_count; i++) {
        if (w->events[i].accepted && w->events[i].delivered[0]) {
            w->events[i].delivered[0] = 0;
            return;
        }
    }
}

static void report(const struct witness *w)
{
    printf("{\"events\":%zu,\"accepted\":%llu,\"refused\":%llu,\"attempts\":%llu,"
           "\"delivered\":%llu,\"repeated\":%llu,\"missing\":%llu,\"findings\":%llu}\n",
           w->event_count, (unsigned long long)w->accepted, (unsigned long long)w->refused,
           (unsigned long long)w->attempts, (unsigned long long)w->delivered,
           (unsigned long long)w->repeated, (unsigned long long)count_missing(w),
           (unsigned long long)w->findings);
}

static void obey(struct witness *w, char *line)
{
    char *rest = line, *verb = strsep(&rest, " \n"), *first = strsep(&rest, " \n");
    char *second = rest ? strsep(&rest, " \n") : NULL;
    if (strcmp(verb, "report") == 0) {
        report(w);
        fflush(stdout);
        return;
    }
    if (strcmp(verb, "token") == 0)
        w->token = strdup(first);
    else if (strcmp(verb, "app") == 0 && second)
        add_app(w, first, (unsigned)strtoul(second, NULL, 10));
    else if (strcmp(verb, "post") == 0 && second)
        post_begin(w, address_of(first), (unsigned)strtoul(second, NULL, 10));
    else if (strcmp(verb, "killed") == 0)
        note_kill(w);
    else if (strcmp(verb, "forget") == 0)
        forget(w);
    else if (strcmp(verb, "quiet") == 0) {
        w->posting = false;
        w->failure_share = 0;
    } else {
        exit(2);
    }
    puts("ok");
    fflush(stdout);
}

static void listen_to_input(struct witness *w, struct peer *p)
{
    ssize_t n = read(p->fd, p->data + p->len, BUFFER - 1 - p->len);
    if (n <= 0)
        exit(0);
    p->len += (size_t)n;
    p->data[p->len] = 0;
    if (p->data[p->len - 1] != '\n')
        return;
    p->len = 0;
    obey(w, p->data);
}

static void decode_secret(struct witness *w, const char *text)
{
    static unsigned char secret[256];
    size_t len = strlen(text);
    int n = len < 300 ? EVP_DecodeBlock(secret, (const unsigned char *)text, (int)len) : -1;
    if (n < 0)
        exit(2);
    while (len > 0 && text[--len] == '=')
        n--;
    w->secret = (const char *)secret;
    w->secret_len = (size_t)n;
}

int main(int argc, char **argv)
{
    static struct witness w = {.failure_share = FAILURE_SHARE};
    struct epoll_event events[256];
    if (argc != 3)
        return 2;
    decode_secret(&w, argv[1]);
    rng_seed(&w.rng, strtoull(argv[2], NULL, 10));
    w.poll = epoll_create1(EPOLL_CLOEXEC);
    printf("%u\n", take_listen(&w));
    fflush(stdout);
    if (!witness_add(&w, STDIN_FILENO, listen_to_input))
        return 2;
    for (;;) {
        int n = epoll_wait(w.poll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            struct peer *p = events[i].data.ptr;
            p->ready(&w, p);
        }
    }
}
