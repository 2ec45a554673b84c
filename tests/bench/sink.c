/* The sink: receives deliveries as cheaply as possible, answers 204 and measures how long after the
 * event's scheduled moment each one arrived.
 *
 *     sink PORT-FILE
 *
 * Writes its port to the file. One line on stdin, "reset" or "report", is answered by one line:
 * count and p50, p99 in microseconds since the last reset. Ends with its stdin. */
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>

#define CONNECTIONS 8192
#define BUFFER (256 * 1024)

struct peer {
    char *data;
    size_t len;
};

static struct peer peers[CONNECTIONS];
static struct samples latencies;
static uint64_t received;
static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";

static void measure(const char *body, size_t len)
{
    size_t look = len < 64 ? len : 64;
    const char *stamp = memmem(body, look, STAMP_MEMBER, sizeof STAMP_MEMBER - 1);
    received++;
    if (stamp)
        samples_add(&latencies,
                    now_ns() + STAMP_BASE - strtoll(stamp + sizeof STAMP_MEMBER - 1, NULL, 10));
}

/* Takes whole requests off the front of the buffer; returns how many. */
static unsigned take_requests(struct peer *p)
{
    unsigned taken = 0;
    size_t at = 0;
    for (;;) {
        size_t head = head_length(p->data + at, p->len - at);
        if (!head)
            break;
        size_t body = content_length(p->data + at, head);
        if (p->len - at < head + body)
            break;
        measure(p->data + at + head, body);
        at += head + body;
        taken++;
    }
    memmove(p->data, p->data + at, p->len - at);
    p->len -= at;
    return taken;
}

static void drop(int fd)
{
    close(fd);
    free(peers[fd].data);
    peers[fd] = (struct peer){0};
}

static void serve(int fd)
{
    struct peer *p = &peers[fd];
    ssize_t n = recv(fd, p->data + p->len, BUFFER - p->len, 0);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            drop(fd);
        return;
    }
    p->len += (size_t)n;
    for (unsigned i = take_requests(p); i > 0; i--) {
        if (send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0) {
            drop(fd);
            return;
        }
    }
}

static void accept_all(int listener, int poll)
{
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= CONNECTIONS) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        peers[fd].data = malloc(BUFFER);
        epoll_ctl(poll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.fd = fd});
    }
}

static bool command(void)
{
    char line[64];
    if (!fgets(line, sizeof line, stdin))
        return false;
    if (line[0] == 'r' && line[2] == 's') {
        latencies.count = 0;
        received = 0;
    }
    samples_sort(&latencies);
    printf("{\"count\":%llu,\"p50\":%u,\"p99\":%u}\n", (unsigned long long)received,
           samples_at(&latencies, 0.5), samples_at(&latencies, 0.99));
    fflush(stdout);
    return true;
}

static int listen_anywhere(const char *port_file)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 4096) ||
        getsockname(fd, (struct sockaddr *)&a, &size))
        abort();
    FILE *f = fopen(port_file, "w");
    if (!f)
        abort();
    fprintf(f, "%u\n", ntohs(a.sin_port));
    fclose(f);
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    int poll = epoll_create1(0);
    int listener = listen_anywhere(argv[1]);
    setvbuf(stdin, NULL, _IONBF, 0);
    epoll_ctl(poll, EPOLL_CTL_ADD, listener,
              &(struct epoll_event){.events = EPOLLIN, .data.fd = listener});
    epoll_ctl(poll, EPOLL_CTL_ADD, 0, &(struct epoll_event){.events = EPOLLIN, .data.fd = 0});
    for (;;) {
        struct epoll_event events[256];
        int n = epoll_wait(poll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                accept_all(listener, poll);
            else if (fd != 0)
                serve(fd);
            else if (!command())
                return 0;
        }
    }
}
