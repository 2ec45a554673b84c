/* Invariants: no socket is made for an address that the guard refuses, and no connection is reused
 * to one; both are judged at every attempt. Through a proxy the address is judged before, told to
 * the proxy as it was judged, and part of what a kept connection is found by; the only address that
 * the guard does not judge is the proxy's own, and that is one only where curl was told to go
 * there. */
#include "dispatcher/passage.h"

#include "base/log.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static void lookup_over(struct passage *p)
{
    if (p->looking_up)
        p->all->lookups--;
    p->looking_up = false;
}

static void addressed(struct passage *p)
{
    lookup_over(p);
    p->addressed = true;
}

/* A name may lead elsewhere than it did, or than was known at the start. Pools go by names: a
 * connection of the other kind that stayed would serve whoever else uses the name. */
static void keep_apart(struct passage *p, bool special)
{
    p->destination->special = special;
    if (special == p->special)
        return;
    p->stray = true;
    curl_easy_setopt(p->easy, CURLOPT_FORBID_REUSE, 1L);
}

/* ---------------------------------------------------------------- curl's callbacks */

static enum guard_answer judge(const struct passage *p, const struct sockaddr *address)
{
    const struct outbound *o = p->all->outbound;
    if (!p->proxied)
        return guard_judge(&o->guard, address);
    return proxy_is_at(&o->proxy, address) ? GUARD_PUBLIC : GUARD_REFUSED;
}

/* A source address that this machine does not have any more fails every attempt, so that it is an
 * error and no sign of the endpoint's. */
static curl_socket_t open_socket(struct passage *p, const struct curl_sockaddr *address)
{
    const struct source *source = &p->all->outbound->source;
    if (!source_takes(source, address->family))
        return CURL_SOCKET_BAD;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd >= 0 && source_bind(source, fd, address->family)) {
        poll_opened(p->all->poll, fd);
        p->broken = false;
        return fd;
    }
    log_error("socket", LOG_INT("errno", errno), LOG_END);
    p->broken = true;
    if (fd >= 0)
        close(fd);
    return CURL_SOCKET_BAD;
}

static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct passage *p = context;
    (void)purpose;
    addressed(p);
    p->destination->resolved = true;
    p->opened = true;
    p->connected = false; /* a kept connection was dead: another one is made for the same request */
    enum guard_answer answer = judge(p, &address->addr);
    if (answer == GUARD_REFUSED) {
        p->blocked = true;
        return CURL_SOCKET_BAD;
    }
    if (!p->proxied)
        keep_apart(p, answer == GUARD_ALLOWED);
    return open_socket(p, address);
}

/* Before the request goes out, on a new connection or a reused one. */
static int on_connected(void *context, char *remote, char *local, int remote_port, int local_port)
{
    struct passage *p = context;
    (void)local;
    (void)remote_port;
    (void)local_port;
    addressed(p);
    p->connected = true;
    if (p->proxied) {
        p->all->works = clock_mono();
        return CURL_PREREQFUNC_OK;
    }
    enum guard_answer answer = guard_judge_text(&p->all->outbound->guard, remote);
    if (answer == GUARD_REFUSED) {
        p->blocked = true;
        return CURL_PREREQFUNC_ABORT;
    }
    keep_apart(p, answer == GUARD_ALLOWED);
    return CURL_PREREQFUNC_OK;
}

/* ---------------------------------------------------------------- a transfer's way */

void passage_init(struct passage *p, struct passages *all, CURL *easy)
{
    *p = (struct passage){.all = all, .easy = easy};
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, p);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, p);
    proxy_prepare(&all->outbound->proxy, easy);
    source_prepare(&all->outbound->source, easy);
    poll_prepare(all->poll, easy);
}

void passage_begin(struct passage *p, struct destination *destination)
{
    p->destination = destination;
    p->addressed = p->opened = p->connected = p->blocked = p->broken = p->proxied = false;
    p->special = destination->special;
    p->looking_up = !destination->resolved;
    if (p->looking_up)
        p->all->lookups++;
}

/* "::ADDRESS:" sends whatever host and port a URL has to the address, at the URL's port. */
static void pin_to(struct passage *p, const char *address)
{
    const bool six = strchr(address, ':') != NULL;
    snprintf(p->pin_text, sizeof p->pin_text, six ? "::[%s]:" : "::%s:", address);
    p->pin = (struct curl_slist){.data = p->pin_text};
}

bool passage_set(struct passage *p)
{
    const struct outbound *o = p->all->outbound;
    const struct route *route = p->destination->route;
    if (!o->proxy.url)
        return true;
    if (route) {
        const char *address = route_address(route);
        const enum guard_answer answer = guard_judge_text(&o->guard, address);
        p->special = p->destination->special = answer == GUARD_ALLOWED;
        p->proxied = answer != GUARD_REFUSED && !proxy_bypasses_address(&o->proxy, address);
        p->turn = route->turn;
        pin_to(p, address);
    }
    return !curl_easy_setopt(p->easy, CURLOPT_CONNECT_TO, route ? &p->pin : NULL) &&
           !curl_easy_setopt(p->easy, CURLOPT_PROXY, p->proxied ? o->proxy.url : "");
}

void passage_end(struct passage *p)
{
    lookup_over(p);
    if (p->stray)
        curl_easy_setopt(p->easy, CURLOPT_FORBID_REUSE, 0L);
    p->stray = false;
    p->destination = NULL;
}

/* ---------------------------------------------------------------- failures */

void passage_failed(struct passage *p)
{
    if (!p->addressed) /* also when it took too long: a dead name server says nothing */
        p->destination->resolved = false;
    if (p->destination->route)
        route_failed(p->destination->route, p->turn);
}

bool passage_tls_failed(CURLcode code)
{
    switch (code) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CLIENTCERT:
        return true;
    default:
        return false;
    }
}

/* A tunnel that was there before, or that the proxy said it made; what fails behind it is the
 * endpoint's. With a SOCKS proxy itself there is no TLS. */
static bool tunneled(const struct passage *p, CURLcode code, long status)
{
    return p->connected || (p->addressed && !p->opened) || (status >= 200 && status < 300) ||
           (passage_tls_failed(code) && p->all->outbound->proxy.socks);
}

bool passage_class(const struct passage *p, CURLcode code, enum attempt_class *out)
{
    long status = 0, reply = 0, port = 0;
    *out = p->blocked ? ATTEMPT_BLOCKED : ATTEMPT_INTERNAL;
    if (p->blocked || (p->broken && !p->connected))
        return true;
    if (!p->proxied)
        return false;
    curl_easy_getinfo(p->easy, CURLINFO_HTTP_CONNECTCODE, &status);
    curl_easy_getinfo(p->easy, CURLINFO_PROXY_ERROR, &reply);
    curl_easy_getinfo(p->easy, CURLINFO_LOCAL_PORT, &port);
    if (tunneled(p, code, status))
        return false;
    const struct mono works = p->all->works;
    *out = proxy_class(&(struct proxy_failure){
        .code = code,
        .status = status,
        .reply = code == CURLE_PROXY ? (CURLproxycode)reply : CURLPX_OK,
        .reached = port > 0,
        .trusted = works.us && clock_mono().us - works.us <= PROXY_TRUST_US,
    });
    return true;
}
