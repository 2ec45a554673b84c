/* `surehook serve`: puts the layers together, runs them, takes them apart in the right order.
 *
 * Start: store (lock, format), dispatcher (knows every endpoint before the first event), HTTP.
 * Stop (SIGTERM, SIGINT): HTTP first, so that nothing new is accepted and what waits for its commit
 * is answered; then the dispatcher, which finishes what is in flight; then the store, with the last
 * outcomes. When the disk fails the process ends at once: nothing more may be acknowledged. */
#include "cli/command.h"
#include "cli/config.h"
#include "cli/control.h"

#include "base/failpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define EXIT_DISK_FAILED 74 /* EX_IOERR of sysexits.h */

struct service {
    struct store *store;
    struct dispatcher *dispatcher;
    struct ingest *ingest;
    struct admin *admin;
    struct http_server *http;
    struct control *control;
    int failed; /* eventfd: the store lost its disk */
};

static void on_failed(void *context)
{
    const int *fd = context;
    eventfd_write(*fd, 1);
}

/* The dispatcher's listener, with the failure going to us. */
struct listener {
    struct store_listener dispatcher;
    int *failed;
};

static void forward_delivery(void *context, struct handoff *h)
{
    struct listener *l = context;
    l->dispatcher.delivery(l->dispatcher.context, h);
}
static void forward_due(void *context, uint32_t endpoint, struct wall due, uint64_t txn)
{
    struct listener *l = context;
    l->dispatcher.due(l->dispatcher.context, endpoint, due, txn);
}
static void forward_endpoint(void *context, uint32_t endpoint, uint64_t txn)
{
    struct listener *l = context;
    l->dispatcher.endpoint(l->dispatcher.context, endpoint, txn);
}
static void forward_failed(void *context)
{
    struct listener *l = context;
    on_failed(l->failed);
}

static enum err start_layers(struct service *s, const struct config *c, struct listener *l)
{
    enum err e = store_open(&c->store, &s->store);
    if (!e)
        e = dispatcher_new(&c->dispatcher, s->store, &s->dispatcher);
    if (!e)
        e = ingest_new(&c->ingest, &s->ingest);
    if (!e)
        e = admin_new(&c->admin, s->store, s->dispatcher, &s->admin);
    if (e)
        return e;
    const struct route_table tables[] = {ingest_routes(s->ingest), admin_routes(s->admin)};
    const size_t table_count = sizeof tables / sizeof *tables;
    e = admin_describe(s->admin, tables, table_count);
    if (!e)
        e = http_server_new(&c->http, s->store, tables, table_count, &s->http);
    if (e)
        return e;
    admin_set_server(s->admin, s->http);
    *l = (struct listener){.dispatcher = dispatcher_listener(s->dispatcher), .failed = &s->failed};
    const struct store_listener forward = {.context = l,
                                           .delivery = forward_delivery,
                                           .due = forward_due,
                                           .endpoint = forward_endpoint,
                                           .failed = forward_failed};
    e = store_start(s->store, &forward);
    if (!e)
        e = control_start(c->store.dir, s->store, &s->control);
    if (!e)
        e = dispatcher_start(s->dispatcher);
    return e;
}

static void stop_layers(struct service *s, const struct config *c)
{
    if (s->http)
        http_server_stop(s->http, c->drain_us);
    control_stop(&s->control);
    if (s->dispatcher)
        dispatcher_stop(s->dispatcher);
    if (s->store)
        store_stop(s->store);
    http_server_free(&s->http);
    admin_free(&s->admin);
    ingest_free(&s->ingest);
    dispatcher_free(&s->dispatcher);
    if (s->store)
        store_close(&s->store);
}

static bool sync_directory(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && !fsync(fd);
    if (fd >= 0)
        close(fd);
    return synced;
}

/* Writes <data>/admin.key (0600), durably, before the key is stored. */
static enum err keep_first_key(void *context, const char *token)
{
    const char *dir = context;
    char path[4096], fresh[4096];
    int n = snprintf(path, sizeof path, "%s/admin.key", dir);
    int m = snprintf(fresh, sizeof fresh, "%s/admin.key.new", dir);
    if (n < 0 || m < 0 || (size_t)m >= sizeof fresh)
        return ERR_INVALID;
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return ERR_IO;
    size_t len = strlen(token);
    bool written = write(fd, token, len) == (ssize_t)len && write(fd, "\n", 1) == 1 && !fsync(fd);
    FAILPOINT("key-written");
    if (close(fd) || !written || rename(fresh, path) || !sync_directory(dir))
        return ERR_IO;
    FAILPOINT("key-renamed");
    log_info("first key", LOG_TEXT_FIELD("wrote", path), LOG_END);
    return ERR_OK;
}

/* Waits for a signal or for the disk's failure; true: the disk failed. */
static bool wait_for_end(int signals, int failed)
{
    struct pollfd fds[2] = {{.fd = signals, .events = POLLIN}, {.fd = failed, .events = POLLIN}};
    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        ;
    if (fds[1].revents)
        return true;
    struct signalfd_siginfo info;
    if (read(signals, &info, sizeof info) == (ssize_t)sizeof info)
        log_info("stopping", LOG_INT("signal", info.ssi_signo), LOG_END);
    return false;
}

static int run(struct service *s, const struct config *c, int signals)
{
    struct listener listener;
    enum err e = start_layers(s, c, &listener);
    if (!e && !store_has_keys(s->store))
        e = action_first_key(s->store, keep_first_key, (void *)(uintptr_t)c->store.dir);
    if (!e)
        e = http_server_start(s->http);
    if (e) {
        fprintf(stderr, "surehook: cannot start: %s\n", err_text(e));
        stop_layers(s, c);
        return e == ERR_INVALID ? 2 : 1; /* an option's value, as when the table refuses it */
    }
    printf("listening on http://%s\n", http_server_address(s->http));
    fflush(stdout);
    if (wait_for_end(signals, s->failed)) {
        log_error("disk failed", LOG_TEXT_FIELD("action", "exit; restart once the disk is well"),
                  LOG_END);
        _exit(EXIT_DISK_FAILED);
    }
    stop_layers(s, c);
    return 0;
}

static int print_help(void)
{
    struct buf text;
    buf_init(&text, 256 * 1024);
    buf_text(&text,
             "usage: surehook serve [options]\n\nEvery option is also read from the environment "
             "(SUREHOOK_MAX_BODY for --max-body)\nand from the file named by --config.\n\n");
    option_help(config_options, config_option_count, &text);
    fwrite(text.ptr, 1, text.len, stdout);
    buf_free(&text);
    return 0;
}

static int print_reference(void)
{
    struct buf text;
    buf_init(&text, 256 * 1024);
    option_reference(config_options, config_option_count, &text);
    fwrite(text.ptr, 1, text.len, stdout);
    buf_free(&text);
    return 0;
}

/* Every thread takes all that waits each time it runs, so that being woken in the middle of
 * another's turn gains nothing: 6 % more events at saturation, latencies unchanged
 * (docs/performance.md). Threads inherit it. A hint: where it is refused all works the same. */
static void run_in_turns(void)
{
    (void)sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0});
}

/* Each client has a descriptor and each attempt another. With none left, accepting, connecting and
 * the store's own files fail in the middle of things: so clients get half at most. */
static void bound_connections(struct config *c)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files))
        return;
    rlim_t soft = files.rlim_cur;
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files))
        files.rlim_cur = soft;
    if ((rlim_t)c->http.max_connections <= files.rlim_cur / 2)
        return;
    c->http.max_connections = (int64_t)(files.rlim_cur / 2);
    log_warn("fewer connections than max-connections: too few open files are allowed",
             LOG_INT("connections", c->http.max_connections), LOG_END);
}

int command_serve(int argc, char **argv)
{
    if (argc == 1 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0))
        return print_help();
    if (argc == 1 && strcmp(argv[0], "--reference") == 0)
        return print_reference();
    struct config config;
    char *words[64];
    int word_count = 0;
    if (argc > 64) {
        fprintf(stderr, "surehook: more than 64 words on the command line\n");
        return 2;
    }
    if (config_load(&config, argc, argv, words, &word_count))
        return 2;
    int status = 2;
    if (word_count) {
        fprintf(stderr, "surehook: `%s` is no option of serve\n", words[0]);
        goto out;
    }
    /* Blocked before any thread starts, so that only the signalfd sees them. */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    run_in_turns();
    bound_connections(&config);
    int signals = signalfd(-1, &set, SFD_CLOEXEC);
    struct service service = {.failed = eventfd(0, EFD_CLOEXEC)};
    if (signals >= 0 && service.failed >= 0)
        status = run(&service, &config, signals);
    else
        perror("surehook");
    close(signals);
    close(service.failed);
out:
    config_release(&config);
    return status;
}
