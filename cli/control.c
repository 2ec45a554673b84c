/* The control socket. A request at a time, on one thread: operators are few and patient. */
#include "cli/control.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "cli/config.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_MAX_BYTES (64 * 1024)
/* A peer that says nothing, or does not read, for this long is dropped: it holds the only seat. */
#define PEER_PATIENCE_MS 5000

struct control {
    struct store *store;
    struct sockaddr_un address;
    int socket, stop;
    pthread_t thread;
};

static bool socket_address(const char *dir, struct sockaddr_un *out)
{
    memset(out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    int n = snprintf(out->sun_path, sizeof out->sun_path, "%s/control.sock", dir);
    return n > 0 && (size_t)n < sizeof out->sun_path;
}

static bool wait_readable(int fd, int stop, int timeout_ms)
{
    struct pollfd fds[2] = {{.fd = fd, .events = POLLIN}, {.fd = stop, .events = POLLIN}};
    int n;
    do {
        n = poll(fds, stop < 0 ? 1 : 2, timeout_ms);
    } while (n < 0 && errno == EINTR);
    return n > 0 && fds[0].revents && !(stop >= 0 && fds[1].revents);
}

/* One line without its end; false when the peer closed, talks too long or not at all. */
static bool read_line(int fd, int stop, int timeout_ms, struct buf *line)
{
    char part[4096];
    while (wait_readable(fd, stop, timeout_ms)) {
        ssize_t n = read(fd, part, sizeof part);
        if (n <= 0)
            return false;
        buf_bytes(line, part, (size_t)n);
        if (line->failed)
            return false;
        if (line->ptr[line->len - 1] == '\n') {
            line->len--;
            return true;
        }
    }
    return false;
}

static bool write_line(int fd, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    if (!text)
        return false;
    size_t len = strlen(text), sent = 0;
    text[len++] = '\n'; /* in place of the NUL: only `len` bytes are used from here on */
    while (sent < len) {
        ssize_t n = send(fd, text + sent, len - sent, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    free(text);
    return sent == len;
}

static bool peer_is_trusted(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void answer_peer(struct control *c, int fd)
{
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    if (peer_is_trusted(fd) && read_line(fd, c->stop, PEER_PATIENCE_MS, &line)) {
        json_t *request = json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES, NULL);
        json_t *answer = request ? action_run(c->store, request)
                                 : json_pack("{s:s}", "error", "the request is not JSON");
        if (answer && !write_line(fd, answer))
            log_warn("control", LOG_TEXT_FIELD("problem", "the peer left before its answer"),
                     LOG_END);
        json_decref(answer);
        json_decref(request);
    }
    buf_free(&line);
}

static void *control_main(void *context)
{
    struct control *c = context;
    const struct timeval patience = {.tv_sec = PEER_PATIENCE_MS / 1000};
    while (wait_readable(c->socket, c->stop, -1)) {
        int fd = accept4(c->socket, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        answer_peer(c, fd);
        close(fd);
    }
    return NULL;
}

/* The directory's lock is ours, so a socket that exists was left by a process that died. */
static int bind_private(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    unlink(address->sun_path);
    mode_t before = umask(0177);
    int bound = bind(fd, (const struct sockaddr *)address, sizeof *address);
    umask(before);
    FAILPOINT("control-bound");
    if (bound || listen(fd, 8)) {
        close(fd);
        return -1;
    }
    return fd;
}

enum err control_start(const char *data_dir, struct store *store, struct control **out)
{
    struct control *c = calloc(1, sizeof *c);
    if (!c)
        return ERR_NO_MEMORY;
    c->store = store;
    c->socket = c->stop = -1;
    enum err result = ERR_INVALID;
    if (!socket_address(data_dir, &c->address)) {
        log_error("control", LOG_TEXT_FIELD("problem", "the data directory's path is too long"),
                  LOG_END);
        goto out;
    }
    result = ERR_IO;
    c->socket = bind_private(&c->address);
    c->stop = eventfd(0, EFD_CLOEXEC);
    if (c->socket < 0 || c->stop < 0) {
        log_error("control", LOG_TEXT_FIELD("socket", c->address.sun_path),
                  LOG_TEXT_FIELD("problem", strerror(errno)), LOG_END);
        goto out;
    }
    if (pthread_create(&c->thread, NULL, control_main, c))
        goto out;
    *out = c;
    return ERR_OK;
out:
    if (c->socket >= 0)
        close(c->socket);
    if (c->stop >= 0)
        close(c->stop);
    free(c);
    return result;
}

void control_stop(struct control **control)
{
    struct control *c = *control;
    if (!c)
        return;
    *control = NULL;
    eventfd_write(c->stop, 1);
    pthread_join(c->thread, NULL);
    unlink(c->address.sun_path);
    close(c->socket);
    close(c->stop);
    free(c);
}

enum err control_ask(const char *data_dir, const json_t *request, json_t **answer)
{
    struct sockaddr_un address;
    *answer = NULL;
    if (!socket_address(data_dir, &address))
        return ERR_NOT_FOUND;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) {
        if (fd >= 0)
            close(fd);
        return ERR_NOT_FOUND;
    }
    struct buf line;
    buf_init(&line, 16 * LINE_MAX_BYTES);
    if (write_line(fd, request) && read_line(fd, -1, -1, &line))
        *answer = json_loadb(line.ptr, line.len, 0, NULL);
    buf_free(&line);
    close(fd);
    return *answer ? ERR_OK : ERR_IO;
}

static json_t *run_on_stopped(const struct config *config, const json_t *request)
{
    struct store *store = NULL;
    struct store_settings settings = config->store;
    settings.as_is = true; /* `serve` alone brings an older format up to date */
    if (!config_has_data(config))
        return NULL;
    enum err e = store_open(&settings, &store);
    if (!e)
        e = store_start(store, &(struct store_listener){0});
    json_t *answer = e ? NULL : action_run(store, request);
    if (store) {
        store_stop(store);
        store_close(&store);
    }
    if (e)
        fprintf(stderr, "surehook: cannot open %s: %s\n", config->store.dir, err_text(e));
    return answer;
}

json_t *control_run(const struct config *config, const json_t *request)
{
    json_t *answer = NULL;
    enum err e = control_ask(config->store.dir, request, &answer);
    if (e == ERR_NOT_FOUND)
        answer = run_on_stopped(config, request);
    else if (e)
        fprintf(stderr, "surehook: the running service closed the connection\n");
    const char *error = json_string_value(json_object_get(answer, "error"));
    if (error) {
        fprintf(stderr, "surehook: %s\n", error);
        json_decref(answer);
        return NULL;
    }
    return answer;
}
