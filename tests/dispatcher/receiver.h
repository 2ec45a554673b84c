/* A webhook receiver on loopback: a thread for the listener and one for each connection. The path
 * of a request chooses what it answers; each request is counted and the last one kept. */
#ifndef TESTS_DISPATCHER_RECEIVER_H
#define TESTS_DISPATCHER_RECEIVER_H

#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVER_CONNECTIONS_MAX 256
#define RECEIVER_REQUEST_MAX (64 * 1024)

struct receiver {
    int listener;
    unsigned port;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned requests, connections, closed;
    int fds[RECEIVER_CONNECTIONS_MAX];
    pthread_t threads[RECEIVER_CONNECTIONS_MAX];
    char last[RECEIVER_REQUEST_MAX + 1]; /* the last request, head and body */
};

struct receiver_connection {
    struct receiver *r;
    int fd;
};

static inline bool receiver_send(int fd, const char *text)
{
    return send(fd, text, strlen(text), MSG_NOSIGNAL) > 0;
}

/* Reads one request; the number of bytes, or 0 at the end of the connection. */
static inline size_t receiver_read(int fd, char *request)
{
    size_t len = 0, need = SIZE_MAX;
    while (len < need && len < RECEIVER_REQUEST_MAX) {
        ssize_t n = recv(fd, request + len, RECEIVER_REQUEST_MAX - len, 0);
        if (n <= 0)
            return 0;
        len += (size_t)n;
        request[len] = 0;
        const char *end = strstr(request, "\r\n\r\n");
        const char *length = strcasestr(request, "content-length:");
        if (end && need == SIZE_MAX)
            need = (size_t)(end + 4 - request) + (length ? strtoul(length + 15, NULL, 10) : 0);
    }
    return len;
}

static inline void receiver_fill(int fd, const char *head, const char *piece, unsigned pause_us)
{
    if (*head && !receiver_send(fd, head))
        return;
    while (receiver_send(fd, piece))
        if (pause_us)
            usleep(pause_us);
}

/* Ends the connection with a reset; the descriptor stays open. */
static inline void receiver_reset(int fd)
{
    connect(fd, &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr));
}

/* What a hostile or broken receiver does. */
static inline void receiver_attack(int fd, const char *path)
{
    if (strncmp(path, "/drip-headers", 13) == 0)
        receiver_fill(fd, "HTTP/1.1 200 OK\r\n", "x: y\r\n", 5000);
    else if (strncmp(path, "/drip", 5) == 0)
        receiver_fill(fd, "HTTP/1.1 200 OK\r\n\r\n", "x", 20000);
    else if (strncmp(path, "/endless", 8) == 0)
        receiver_fill(fd, "HTTP/1.1 200 OK\r\n\r\n", "0123456789abcdef0123456789abcdef", 0);
    else if (strncmp(path, "/headers", 8) == 0)
        receiver_fill(fd, "HTTP/1.1 200 OK\r\n", "x-filler: 0123456789abcdef\r\n", 0);
    else if (strncmp(path, "/informed", 9) == 0)
        receiver_fill(fd, "", "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n", 0);
    else if (strncmp(path, "/trailers", 9) == 0)
        receiver_fill(fd, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
                      "x-filler: 0123456789abcdef\r\n", 0);
    else if (strncmp(path, "/switch", 7) == 0)
        receiver_fill(fd, "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", "x", 5000);
    else if (strncmp(path, "/garbage", 8) == 0)
        receiver_send(fd, "this is not HTTP\r\n\r\n");
    else if (strncmp(path, "/cut", 4) == 0)
        receiver_send(fd, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
    else if (strncmp(path, "/reset-after", 12) == 0)
        receiver_send(fd, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
    if (strncmp(path, "/reset", 6) == 0)
        receiver_reset(fd);
}

/* False: the connection is over. */
static inline bool receiver_answer(int fd, const char *path)
{
    char text[256];
    if (strncmp(path, "/status/", 8) == 0) {
        snprintf(text, sizeof text, "HTTP/1.1 %.3s X\r\ncontent-length: 5\r\n\r\nhello", path + 8);
        return receiver_send(fd, text);
    }
    if (strncmp(path, "/later", 6) == 0)
        return receiver_send(fd, "HTTP/1.1 503 X\r\nRetry-After: 100\r\ncontent-length: 0\r\n\r\n");
    if (strncmp(path, "/early", 6) == 0)
        return receiver_send(fd, "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
                                 "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    if (strncmp(path, "/redirect", 9) == 0)
        return receiver_send(fd, "HTTP/1.1 302 Found\r\nlocation: /status/200\r\n"
                                 "content-length: 0\r\n\r\n");
    if (strncmp(path, "/once", 5) == 0)
        receiver_send(fd, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    else if (strncmp(path, "/hang", 5) == 0)
        recv(fd, text, 1, 0);
    else
        receiver_attack(fd, path);
    return false;
}

static inline void *receiver_serve(void *context)
{
    struct receiver_connection c = *(struct receiver_connection *)context;
    char *request = malloc(RECEIVER_REQUEST_MAX + 1);
    free(context);
    for (size_t len; (len = receiver_read(c.fd, request)) > 0;) {
        const char *path = strchr(request, ' ');
        pthread_mutex_lock(&c.r->lock);
        memcpy(c.r->last, request, len + 1);
        c.r->requests++;
        pthread_cond_broadcast(&c.r->changed);
        pthread_mutex_unlock(&c.r->lock);
        if (!path || !receiver_answer(c.fd, path + 1))
            break;
    }
    free(request);
    shutdown(c.fd, SHUT_RDWR);
    pthread_mutex_lock(&c.r->lock);
    c.r->closed++;
    pthread_cond_broadcast(&c.r->changed);
    pthread_mutex_unlock(&c.r->lock);
    return NULL;
}

static inline void *receiver_accept(void *context)
{
    struct receiver *r = context;
    for (int fd; (fd = accept(r->listener, NULL, NULL)) >= 0;) {
        struct receiver_connection *c = malloc(sizeof *c);
        *c = (struct receiver_connection){r, fd};
        pthread_mutex_lock(&r->lock);
        unsigned i = r->connections++;
        assert(i < RECEIVER_CONNECTIONS_MAX);
        r->fds[i] = fd;
        pthread_create(&r->threads[i], NULL, receiver_serve, c);
        pthread_mutex_unlock(&r->lock);
    }
    return NULL;
}

static inline void receiver_start(struct receiver *r)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    memset(r, 0, sizeof *r);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    r->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert(bind(r->listener, (struct sockaddr *)&address, sizeof address) == 0);
    assert(listen(r->listener, 64) == 0);
    assert(getsockname(r->listener, (struct sockaddr *)&address, &len) == 0);
    r->port = ntohs(address.sin_port);
    pthread_create(&r->thread, NULL, receiver_accept, r);
}

static inline void receiver_stop(struct receiver *r)
{
    shutdown(r->listener, SHUT_RDWR);
    pthread_join(r->thread, NULL);
    close(r->listener);
    for (unsigned i = 0; i < r->connections; i++) {
        shutdown(r->fds[i], SHUT_RDWR);
        pthread_join(r->threads[i], NULL);
        close(r->fds[i]);
    }
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
}

static inline void receiver_wait_requests(struct receiver *r, unsigned n)
{
    pthread_mutex_lock(&r->lock);
    while (r->requests < n)
        pthread_cond_wait(&r->changed, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

#endif
