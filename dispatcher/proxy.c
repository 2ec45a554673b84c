/* The options of the proxy, taken apart once at the start, and what its failures mean. Pure, after
 * proxy_parse.
 *
 * Invariants: no text that leaves this file has the user or the password in it; an entry of the
 * bypass list that cannot be read is an error, because a list that lacks one sends to the proxy
 * what was to stay inside. */
#include "dispatcher/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define NAME_MAX_BYTES 253 /* RFC 1035 */

/* ---------------------------------------------------------------- the URL */

struct parts {
    char *scheme, *user, *password, *host, *port, *path, *rest;
};

static void parts_free(struct parts *p)
{
    curl_free(p->scheme);
    curl_free(p->user);
    curl_free(p->password);
    curl_free(p->host);
    curl_free(p->port);
    curl_free(p->path);
    curl_free(p->rest);
}

/* What is not there stays NULL. False: what is there cannot be decoded, or out of memory. */
static bool part_get(CURLU *url, CURLUPart part, CURLUcode none, unsigned flags, char **out)
{
    CURLUcode code = curl_url_get(url, part, out, flags);
    return code == CURLUE_OK || code == none;
}

static enum err parts_get(CURLU *url, const char *text, struct parts *p, const char **why)
{
    *why = "not a URL of the form scheme://host:port";
    if (curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) ||
        curl_url_get(url, CURLUPART_SCHEME, &p->scheme, 0) ||
        curl_url_get(url, CURLUPART_HOST, &p->host, 0))
        return ERR_INVALID;
    *why = "the user or the password cannot be decoded: %XX stands for a byte, and none is a "
           "control character";
    if (!part_get(url, CURLUPART_USER, CURLUE_NO_USER, CURLU_URLDECODE, &p->user) ||
        !part_get(url, CURLUPART_PASSWORD, CURLUE_NO_PASSWORD, CURLU_URLDECODE, &p->password))
        return ERR_INVALID;
    *why = "the port is missing";
    if (curl_url_get(url, CURLUPART_PORT, &p->port, 0))
        return ERR_INVALID;
    *why = "a path, a query, a fragment or a zone has no meaning here";
    if (curl_url_get(url, CURLUPART_QUERY, &p->rest, 0) != CURLUE_NO_QUERY ||
        curl_url_get(url, CURLUPART_FRAGMENT, &p->rest, 0) != CURLUE_NO_FRAGMENT ||
        curl_url_get(url, CURLUPART_ZONEID, &p->rest, 0) != CURLUE_NO_ZONEID ||
        curl_url_get(url, CURLUPART_PATH, &p->path, 0) || (*p->path && strcmp(p->path, "/") != 0))
        return ERR_INVALID;
    return ERR_OK;
}

/* curl decodes what it finds in a host, and takes more than a name or an address. */
#define HOST_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.[]:"

static const char *bad_parts(const struct parts *p)
{
    const struct span scheme = span_text(p->scheme);
    if (strspn(p->host, HOST_BYTES) != strlen(p->host))
        return "the host is not a valid name or address";
    if (span_eq_nocase(scheme, SPAN("socks5h")))
        return "write socks5: the proxy is never asked to look a name up";
    if (!span_eq_nocase(scheme, SPAN("http")) && !span_eq_nocase(scheme, SPAN("https")) &&
        !span_eq_nocase(scheme, SPAN("socks5")))
        return "a proxy is http, https or socks5";
    if (strspn(p->port, "0") == strlen(p->port))
        return "the port is a number from 1 to 65535";
    if (p->user && !*p->user)
        return "the user is empty";
    if (p->user && strchr(p->user, ':'))
        return "a user must not contain a colon";
    if ((p->user && strlen(p->user) > 255) || (p->password && strlen(p->password) > 255))
        return "a user or a password is at most 255 bytes long";
    return NULL;
}

/* The address that the host is, in canonical form; NULL: it is a name, or out of memory. */
static char *address_of(const char *host)
{
    char text[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    const bool bracketed = *host == '[';
    const struct span inside = span_of(host + bracketed, strcspn(host + bracketed, "]"));
    if (inside.len >= sizeof text)
        return NULL;
    memcpy(text, inside.ptr, inside.len);
    text[inside.len] = 0;
    const int family = bracketed ? AF_INET6 : AF_INET;
    if (inet_pton(family, text, bytes) != 1 || !inet_ntop(family, bytes, text, sizeof text))
        return NULL;
    return strdup(text);
}

static enum err url_keep(struct proxy *out, const struct parts *p)
{
    struct buf text;
    buf_init(&text, 4096);
    buf_printf(&text, "%s://%s:%s", p->scheme, p->host, p->port);
    out->url = buf_take(&text, NULL);
    out->port = (uint16_t)strtoul(p->port, NULL, 10);
    out->address = address_of(p->host);
    out->socks = span_eq_nocase(span_text(p->scheme), SPAN("socks5"));
    if (p->user) {
        out->user = strdup(p->user);
        out->password = strdup(p->password ? p->password : "");
    }
    return out->url && (!p->user || (out->user && out->password)) ? ERR_OK : ERR_NO_MEMORY;
}

enum err proxy_parse(const char *text, struct proxy *out, const char **why)
{
    *out = (struct proxy){.url = NULL};
    struct parts parts = {0};
    CURLU *url = curl_url();
    enum err e = url ? parts_get(url, text, &parts, why) : ERR_NO_MEMORY;
    if (!e && (*why = bad_parts(&parts)))
        e = ERR_INVALID;
    if (!e)
        e = url_keep(out, &parts);
    if (e == ERR_NO_MEMORY)
        *why = err_text(e);
    parts_free(&parts);
    curl_url_cleanup(url);
    return e;
}

/* ---------------------------------------------------------------- the bypass list */

static bool name_sound(struct span name)
{
    struct span rest = name.len && name.ptr[0] == '.' ? span_skip(name, 1) : name;
    if (rest.len == 0 || rest.len > NAME_MAX_BYTES)
        return false;
    while (rest.ptr) {
        struct span label = span_cut(&rest, '.');
        for (size_t i = 0; i < label.len; i++) {
            const char c = label.ptr[i];
            if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
                return false;
        }
        if (label.len == 0)
            return false;
    }
    return true;
}

static enum err name_add(struct span item, struct proxy *out, const char **why)
{
    char *name = strndup(item.ptr, item.len);
    *why = err_text(ERR_NO_MEMORY);
    if (!name)
        return ERR_NO_MEMORY;
    for (char *c = name; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + ('a' - 'A'));
    *why = "an entry is neither a host name, nor .example.com, an address or a subnet";
    if (!name_sound(span_text(name))) {
        free(name);
        return ERR_INVALID;
    }
    out->names[out->name_count++] = name;
    return ERR_OK;
}

/* An address is a subnet of its own. */
static enum err address_add(struct span item, struct proxy *out, const char **why)
{
    char text[INET6_ADDRSTRLEN + 8];
    const char *bits = memchr(item.ptr, ':', item.len) ? "/128" : "/32";
    if (memchr(item.ptr, '/', item.len))
        return guard_subnet_parse(item, &out->subnets[out->subnet_count], why);
    snprintf(text, sizeof text, "%.*s%s", SPAN_ARG(item), bits);
    return guard_subnet_parse(span_text(text), &out->subnets[out->subnet_count], why);
}

/* What has a slash, a colon, or nothing but digits and dots is not meant as a name. */
static bool looks_like_address(struct span item)
{
    bool digits = true;
    for (size_t i = 0; i < item.len; i++) {
        const char c = item.ptr[i];
        if (c == '/' || c == ':')
            return true;
        digits = digits && ((c >= '0' && c <= '9') || c == '.');
    }
    return digits;
}

enum err proxy_parse_bypass(const char *list, struct proxy *out, const char **why)
{
    struct span rest = span_trim(span_text(list));
    if (rest.len == 0)
        return ERR_OK;
    while (rest.ptr) {
        struct span item = span_trim(span_cut(&rest, ','));
        enum err e = ERR_OK;
        *why = "the list is too long, or an entry of it is empty";
        if (item.len == 0 || item.len > NAME_MAX_BYTES + 1 ||
            out->name_count + out->subnet_count == PROXY_BYPASS_MAX)
            return ERR_INVALID;
        if (!looks_like_address(item))
            e = name_add(item, out, why);
        else if (!(e = address_add(item, out, why)))
            out->subnet_count++;
        if (e)
            return e;
    }
    return ERR_OK;
}

/* ---------------------------------------------------------------- all */

void proxy_free(struct proxy *p)
{
    free(p->url);
    free(p->user);
    free(p->password);
    free(p->address);
    for (unsigned i = 0; i < p->name_count; i++)
        free(p->names[i]);
    *p = (struct proxy){.url = NULL};
}

bool proxy_bypasses_name(const struct proxy *p, const char *host)
{
    struct span name = span_text(host);
    if (name.len > 1 && name.ptr[name.len - 1] == '.')
        name.len--;
    for (unsigned i = 0; i < p->name_count; i++) {
        const struct span entry = span_text(p->names[i]);
        struct span end = name;
        if (entry.ptr[0] == '.' && name.len > entry.len)
            end = span_skip(name, name.len - entry.len);
        if (span_eq(end, entry))
            return true;
    }
    return false;
}

bool proxy_bypasses_address(const struct proxy *p, const char *address)
{
    for (unsigned i = 0; i < p->subnet_count; i++)
        if (guard_subnet_has(&p->subnets[i], address))
            return true;
    return false;
}

bool proxy_is_at(const struct proxy *p, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN] = "";
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
    uint16_t port = 0;
    if (address->sa_family == AF_INET) {
        memcpy(&in4, address, sizeof in4);
        inet_ntop(AF_INET, &in4.sin_addr, text, sizeof text);
        port = ntohs(in4.sin_port);
    } else if (address->sa_family == AF_INET6) {
        memcpy(&in6, address, sizeof in6);
        inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof text);
        port = ntohs(in6.sin6_port);
    }
    return port != 0 && port == p->port && (!p->address || strcmp(text, p->address) == 0);
}

void proxy_prepare(const struct proxy *p, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    if (!p->url)
        return;
    curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
    curl_easy_setopt(easy, CURLOPT_PROXYAUTH, (long)CURLAUTH_BASIC);
    curl_easy_setopt(easy, CURLOPT_SOCKS5_AUTH, (long)CURLAUTH_BASIC);
    curl_easy_setopt(easy, CURLOPT_PROXYUSERNAME, p->user);
    curl_easy_setopt(easy, CURLOPT_PROXYPASSWORD, p->password);
    curl_easy_setopt(easy, CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, p->ca_file);
    curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
}

/* ---------------------------------------------------------------- failures */

enum attempt_class proxy_class(const struct proxy_failure *f)
{
    if (f->code == CURLE_OUT_OF_MEMORY)
        return ATTEMPT_INTERNAL;
    if (!f->trusted)
        return ATTEMPT_PROXY;
    if (f->status >= 500 && f->status < 600)
        return f->status == 504 ? ATTEMPT_TIMEOUT : ATTEMPT_REFUSED;
    switch (f->reply) {
    case CURLPX_REPLY_CONNECTION_REFUSED:
    case CURLPX_REPLY_HOST_UNREACHABLE:
    case CURLPX_REPLY_NETWORK_UNREACHABLE:
        return ATTEMPT_REFUSED;
    case CURLPX_REPLY_TTL_EXPIRED:
        return ATTEMPT_TIMEOUT;
    default:
        break;
    }
    const bool silent = f->code == CURLE_OPERATION_TIMEDOUT && f->reached && f->status == 0;
    return silent ? ATTEMPT_TIMEOUT : ATTEMPT_PROXY;
}
