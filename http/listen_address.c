/* Listening sockets from text. Numeric addresses only: a name could mean an interface that its
 * owner did not intend to open. */
#include "http/listen_address.h"

#include "base/log.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024 /* a burst of producers that connect at once */

static struct addrinfo *resolve(const char *text)
{
    char host[LISTEN_ADDRESS_MAX];
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;
    if (!colon || !colon[1] || len >= sizeof host)
        return NULL;
    memcpy(host, text, len);
    host[len] = 0;
    char *name = host;
    if (len > 1 && host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = 0;
        name = host + 1;
    }
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    return getaddrinfo(*name ? name : NULL, colon + 1, &hints, &found) ? NULL : found;
}

static int listening_socket(const struct addrinfo *where, bool shared)
{
    int one = 1;
    int fd = socket(where->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (bind(fd, where->ai_addr, where->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int failure = errno;
    close(fd);
    errno = failure;
    return -1;
}

static bool describe(int fd, char address[LISTEN_ADDRESS_MAX])
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    char host[48], port[8];
    if (getsockname(fd, (struct sockaddr *)&bound, &size) ||
        getnameinfo((struct sockaddr *)&bound, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV))
        return false;
    bool six = bound.ss_family == AF_INET6;
    snprintf(address, LISTEN_ADDRESS_MAX, "%s%s%s:%s", six ? "[" : "", host, six ? "]" : "", port);
    return true;
}

enum err listen_address_bind(const char *text, bool shared, int *fd,
                             char address[LISTEN_ADDRESS_MAX])
{
    struct addrinfo *where = resolve(text);
    if (!where) {
        log_error("listen", LOG_TEXT_FIELD("address", text),
                  LOG_TEXT_FIELD("problem", "not an address with a port, such as 127.0.0.1:8071"),
                  LOG_END);
        return ERR_INVALID;
    }
    *fd = listening_socket(where, shared);
    freeaddrinfo(where);
    if (*fd >= 0 && describe(*fd, address))
        return ERR_OK;
    log_error("listen", LOG_TEXT_FIELD("address", text), LOG_TEXT_FIELD("problem", strerror(errno)),
              LOG_END);
    if (*fd >= 0)
        close(*fd);
    return ERR_CONFLICT;
}
