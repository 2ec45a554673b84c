/* Why a socket is bound by us and not by curl's option: the option takes one address, and curl
 * binds a port at once, of which an address has no more than 28,000. Without a port the kernel
 * finds one when it knows the other end. */
#include "dispatcher/source.h"

#include "base/span.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool source_takes(const struct source *s, int family)
{
    if (!s->has4 && !s->has6)
        return true;
    return family == AF_INET ? s->has4 : family == AF_INET6 && s->has6;
}

bool source_bind(const struct source *s, int fd, int family)
{
    const int on = 1;
    if (!s->has4 && !s->has6)
        return true;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (family == AF_INET)
        return bind(fd, (const struct sockaddr *)&s->in4, sizeof s->in4) == 0;
    return bind(fd, (const struct sockaddr *)&s->in6, sizeof s->in6) == 0;
}

void source_prepare(const struct source *s, CURL *easy)
{
    if (s->has4 != s->has6)
        curl_easy_setopt(easy, CURLOPT_IPRESOLVE,
                         (long)(s->has4 ? CURL_IPRESOLVE_V4 : CURL_IPRESOLVE_V6));
}

/* Into the place of its family. */
static const char *bad_address(struct span item, struct source *out)
{
    char text[INET6_ADDRSTRLEN] = "";
    struct in_addr in4;
    struct in6_addr in6;
    if (item.len >= sizeof text)
        return "not an address";
    memcpy(text, item.ptr, item.len);
    if (inet_pton(AF_INET, text, &in4) == 1) {
        if (out->has4)
            return "one address of each family at most";
        out->has4 = true;
        out->in4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = in4};
        return in4.s_addr == htonl(INADDR_ANY) ? "any address is no address" : NULL;
    }
    if (inet_pton(AF_INET6, text, &in6) != 1)
        return "not an IPv4 or IPv6 address";
    if (out->has6)
        return "one address of each family at most";
    out->has6 = true;
    out->in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = in6};
    if (IN6_IS_ADDR_V4MAPPED(&in6))
        return "write an IPv4 address as such";
    return IN6_IS_ADDR_UNSPECIFIED(&in6) ? "any address is no address" : NULL;
}

static bool can_bind(const struct source *s, int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    const bool good = source_bind(s, fd, family);
    close(fd);
    return good;
}

enum err source_parse(const char *text, struct source *out, const char **why)
{
    *out = (struct source){.has4 = false};
    struct span rest = span_trim(span_text(text));
    if (rest.len == 0)
        return ERR_OK;
    while (rest.ptr) {
        *why = bad_address(span_trim(span_cut(&rest, ',')), out);
        if (*why)
            return ERR_INVALID;
    }
    *why = "not an address of this machine, or its family is not in use";
    if ((out->has4 && !can_bind(out, AF_INET)) || (out->has6 && !can_bind(out, AF_INET6)))
        return ERR_INVALID;
    return ERR_OK;
}
