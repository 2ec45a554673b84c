/* `surehook listen`: a receiver for people. Prints each delivery, verifies its signature and
 * answers as told, so that retries, dead letters and replays can be seen without writing a
 * consumer. */
#include "base/log.h"
#include "base/option.h"
#include "base/rand.h"
#include "cli/command.h"
#include "cli/verify.h"
#include "http/chaos.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

struct listen_options {
    char *address;
    char *secret;
    int64_t status;
    int64_t fail_status;
    int64_t delay_us;
    double fail_rate;
    int chaos; /* index into chaos_choices */
    bool body;
};

#define AT(field) offsetof(struct listen_options, field)
static const struct option options[] = {
    {.name = "listen",
     .type = OPTION_TEXT,
     .offset = AT(address),
     .fallback = "127.0.0.1:8072",
     .help = "Address and port; port 0 takes a free one, which is printed."},
    {.name = "secret",
     .type = OPTION_TEXT,
     .offset = AT(secret),
     .secret = true,
     .help = "The endpoint's secret (whsec_…) or public key (whpk_…): verify each delivery."},
    {.name = "status",
     .type = OPTION_INTEGER,
     .offset = AT(status),
     .fallback = "204",
     .min = 200,
     .max = 599,
     .help = "Status to answer."},
    {.name = "delay",
     .type = OPTION_DURATION,
     .offset = AT(delay_us),
     .fallback = "0s",
     .min = 0,
     .max = 3600e6,
     .help = "Time to wait before answering."},
    {.name = "fail-rate",
     .type = OPTION_NUMBER,
     .offset = AT(fail_rate),
     .fallback = "0",
     .min = 0,
     .max = 1,
     .help = "Share of the deliveries that get fail-status instead."},
    {.name = "fail-status",
     .type = OPTION_INTEGER,
     .offset = AT(fail_status),
     .fallback = "500",
     .min = 200,
     .max = 599,
     .help = "Status of the failing share."},
    {.name = "chaos",
     .type = OPTION_CHOICE,
     .offset = AT(chaos),
     .fallback = "none",
     .choices = chaos_choices,
     .help = "Misbehave to each delivery instead of an answer; they are listed below."},
    {.name = "body",
     .type = OPTION_FLAG,
     .offset = AT(body),
     .fallback = "false",
     .help = "Print the whole body, not only its beginning."},
};
#define OPTION_COUNT (sizeof options / sizeof *options)

/* Bytes of a body that are shown without --body: a glance. */
#define GLANCE 100

struct listener {
    const struct listen_options *options;
    pthread_mutex_t mutex; /* guards rng, count and the lines on stdout */
    struct rng rng;
    uint64_t count;
};

/* Looks for the header under both prefixes that deliveries may carry. */
static const char *signed_header(const struct received *r, const char *name)
{
    char full[32];
    snprintf(full, sizeof full, "webhook-%s", name);
    const char *value = receiver_header(r, full);
    if (value)
        return value;
    snprintf(full, sizeof full, "svix-%s", name);
    return receiver_header(r, full);
}

static void pause_for(int64_t us)
{
    struct timespec left = {.tv_sec = us / US_PER_S, .tv_nsec = us % US_PER_S * 1000};
    while (nanosleep(&left, &left) && errno == EINTR)
        ;
}

/* Control bytes would let a sender write to the reader's terminal. */
static void print_body(struct span body, bool whole)
{
    size_t shown = whole || body.len < GLANCE ? body.len : GLANCE;
    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)body.ptr[i];
        putchar(c < 0x20 || c == 0x7f ? ' ' : c);
    }
    printf("%s\n", shown < body.len ? " …" : "");
}

/* As soon as it has come: a signature is good for some minutes only. */
static const char *verified_text(const struct listen_options *o, const struct received *r)
{
    if (!o->secret)
        return "not verified (no --secret)";
    return verify_text(verify_delivery(o->secret, signed_header(r, "id"),
                                       signed_header(r, "timestamp"), signed_header(r, "signature"),
                                       r->body, clock_wall().us / US_PER_S));
}

/* Under the mutex. */
static void print_delivery(struct listener *l, const struct received *r, const char *verified,
                           const char *answered)
{
    const char *id = signed_header(r, "id");
    char now[WALL_TEXT_LEN + 1];
    wall_format(clock_wall(), now);
    printf("%.12s  #%llu  %s %s  %s  %zu bytes  %s  -> %s\n    ", now + 11,
           (unsigned long long)++l->count, r->method, r->path, id ? id : "-", r->body.len, verified,
           answered);
    print_body(r->body, l->options->body);
    fflush(stdout);
}

static unsigned on_delivery(void *context, const struct received *r)
{
    struct listener *l = context;
    const struct listen_options *o = l->options;
    const char *verified = verified_text(o, r);
    char answered[16];
    pause_for(o->delay_us);

    pthread_mutex_lock(&l->mutex);
    bool fail = rng_unit(&l->rng) < o->fail_rate;
    unsigned status = (unsigned)(fail ? o->fail_status : o->status);
    snprintf(answered, sizeof answered, "%u", status);
    print_delivery(l, r, verified, answered);
    pthread_mutex_unlock(&l->mutex);
    return status;
}

static unsigned on_victim(void *context, const struct received *r)
{
    struct listener *l = context;
    const char *name = chaos_choices[l->options->chaos];
    pthread_mutex_lock(&l->mutex);
    if (r->method) {
        print_delivery(l, r, verified_text(l->options, r), name);
    } else {
        printf("#%llu  a connection  -> %s\n", (unsigned long long)++l->count, name);
        fflush(stdout);
    }
    pthread_mutex_unlock(&l->mutex);
    return 0;
}

static int print_help(void)
{
    struct buf text;
    buf_init(&text, 64 * 1024);
    buf_text(&text,
             "usage: surehook listen [options]\n\nReceives deliveries, prints them, verifies "
             "their signatures and answers as told.\n\n");
    option_help(options, OPTION_COUNT, &text);
    buf_text(&text, "\nWhat --chaos does:\n\n");
    for (size_t i = 0; i < chaos_gentle_count; i++)
        buf_printf(&text, "  %-18s  %s\n", chaos_gentle[i].name, chaos_gentle[i].help);
    fwrite(text.ptr, 1, text.len, stdout);
    buf_free(&text);
    return 0;
}

static sigset_t ending_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

/* Prints the address and waits for the end. */
static int serve_until_told(const char *scheme, const char *address)
{
    const sigset_t set = ending_signals();
    int received;
    printf("listening on %s://%s\n", scheme, address);
    fflush(stdout);
    sigwait(&set, &received);
    return 0;
}

static int cannot_listen(const struct listen_options *o, enum err e)
{
    fprintf(stderr, "surehook: cannot listen on %s: %s\n", o->address, err_text(e));
    return 1;
}

static int run_chaos(struct listener *l)
{
    const struct listen_options *o = l->options;
    char address[LISTEN_ADDRESS_MAX];
    const struct chaos_behaviour *behaviour = &chaos_gentle[o->chaos - 1];
    const char *scheme = behaviour->cue == CHAOS_ON_BYTES ? "https" : "http"; /* half handshakes */
    struct chaos *chaos = chaos_new(on_victim, l);
    enum err e = chaos ? chaos_listen(chaos, o->address, behaviour, address) : ERR_NO_MEMORY;
    if (!e)
        e = chaos_start(chaos);
    int status = e ? cannot_listen(o, e) : serve_until_told(scheme, address);
    chaos_stop(&chaos);
    return status;
}

static int run_receiver(struct listener *l)
{
    struct receiver *receiver = NULL;
    enum err e = receiver_start(l->options->address, on_delivery, l, &receiver);
    int status =
        e ? cannot_listen(l->options, e) : serve_until_told("http", receiver_address(receiver));
    receiver_stop(&receiver);
    return status;
}

/* NULL or what is wrong. */
static const char *problem_of(const struct listen_options *o)
{
    if (o->secret && !verify_secret_valid(o->secret))
        return "secret: must be whsec_ or whpk_ and base64";
    if (o->chaos && (o->status != 204 || o->delay_us || o->fail_rate > 0))
        return "chaos: there is no answer, and so no status, delay or fail-rate";
    return NULL;
}

static int run(const struct listen_options *o)
{
    const char *problem = problem_of(o);
    if (problem) {
        fprintf(stderr, "surehook: %s\n", problem);
        return 2;
    }
    const sigset_t set = ending_signals();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    struct listener listener = {.options = o, .mutex = PTHREAD_MUTEX_INITIALIZER};
    uint64_t seed;
    rand_bytes(&seed, sizeof seed);
    rng_seed(&listener.rng, seed);
    return o->chaos ? run_chaos(&listener) : run_receiver(&listener);
}

int command_listen(int argc, char **argv)
{
    struct listen_options o = {0};
    struct option_error error;
    char *words[64];
    int count = 0;
    if (argc == 1 && strcmp(argv[0], "--help") == 0)
        return print_help();
    if (argc > 64 ||
        option_load_words(options, OPTION_COUNT, &o, argc, argv, words, &count, &error)) {
        fprintf(stderr, "surehook: %s\n", argc > 64 ? "too many words" : error.text);
        return 2;
    }
    int status = 2;
    if (count)
        fprintf(stderr, "surehook: `%s` is no option of listen\n", words[0]);
    else
        status = run(&o);
    option_release(options, OPTION_COUNT, &o);
    return status;
}
