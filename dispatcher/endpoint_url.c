/* An endpoint's URL: taken apart by curl, because curl sends it; judged and put together again
 * here, because curl is lenient.
 *
 * Invariants: the stored form parses to itself; the host is an address in canonical spelling that
 * the guard let pass, or a name that no resolver can take for an address, and loopback's only where
 * the guard lets that pass; nothing depends on the locale (so international names must come as
 * punycode). */
#include "dispatcher/endpoint_url.h"

#include "base/bounds.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>

#define HOST_MAX 253 /* RFC 1035: 255 bytes on the wire */
#define LABEL_MAX 63
#define NOT_PUBLIC "the address is not a public one"

struct parts {
    char *scheme, *host, *port, *path, *query; /* curl's; port and query may be NULL */
};

/* What curl would accept, decode or drop without a word. */
static const char *junk_in(struct span url)
{
    if (url.len > URL_MAX)
        return "a URL is at most 2048 bytes long";
    for (size_t i = 0; i < url.len; i++) {
        unsigned char c = (unsigned char)url.ptr[i];
        if (c <= 0x20 || c == 0x7f)
            return "a URL must not contain spaces or control characters";
        if (c == '\\')
            return "a URL must not contain a backslash";
        if (c == '#')
            return "a URL must not have a fragment, which is never sent";
    }
    return NULL;
}

/* curl takes "http:/host" and "http:///host" for "http://host". */
static const char *bad_scheme(struct span url, bool https_only)
{
    struct span scheme = span_cut(&url, ':');
    bool https = span_eq_nocase(scheme, SPAN("https"));
    if (!https && !span_eq_nocase(scheme, SPAN("http")))
        return "a URL begins with https:// or http://";
    if (!https && https_only)
        return "only https URLs are allowed here";
    if (!span_starts(url, SPAN("//")) || span_starts(url, SPAN("///")))
        return "a URL has exactly two slashes before its host";
    return NULL;
}

static const char *parse_failure(CURLUcode code)
{
    switch (code) {
    case CURLUE_USER_NOT_ALLOWED:
        return "a URL must not contain a user name or password: set an authorization header";
    case CURLUE_BAD_PORT_NUMBER:
        return "the port is a number from 1 to 65535";
    case CURLUE_NO_HOST:
        return "the URL has no host";
    case CURLUE_BAD_HOSTNAME:
    case CURLUE_BAD_IPV6:
        return "the host is not a valid name or address";
    default:
        return "the URL is malformed";
    }
}

static void parts_free(struct parts *p)
{
    curl_free(p->scheme);
    curl_free(p->host);
    curl_free(p->port);
    curl_free(p->path);
    curl_free(p->query);
}

static enum err parts_get(CURLU *handle, const char *url, struct parts *out, const char **why)
{
    char *zone = NULL;
    CURLUcode code = curl_url_set(handle, CURLUPART_URL, url, CURLU_DISALLOW_USER);
    if (!code)
        code = curl_url_get(handle, CURLUPART_SCHEME, &out->scheme, 0);
    if (!code)
        code = curl_url_get(handle, CURLUPART_HOST, &out->host, 0);
    if (!code)
        code = curl_url_get(handle, CURLUPART_PATH, &out->path, 0);
    if (!code)
        code = curl_url_get(handle, CURLUPART_PORT, &out->port, CURLU_NO_DEFAULT_PORT);
    if (!code || code == CURLUE_NO_PORT)
        code = curl_url_get(handle, CURLUPART_QUERY, &out->query, 0);
    if (!code || code == CURLUE_NO_QUERY)
        code = curl_url_get(handle, CURLUPART_ZONEID, &zone, 0);
    curl_free(zone);
    if (code == CURLUE_NO_ZONEID)
        return ERR_OK;
    *why = code ? parse_failure(code) : "an address must not have a zone";
    return code == CURLUE_OUT_OF_MEMORY ? ERR_NO_MEMORY : ERR_INVALID;
}

static void lower(char *text)
{
    for (; *text; text++) {
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text + ('a' - 'A'));
    }
}

static bool label_ok(struct span label)
{
    for (size_t i = 0; i < label.len; i++) {
        char c = label.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return label.len >= 1 && label.len <= LABEL_MAX;
}

/* Digits, or 0x and hexadecimal digits: some resolvers take a name that ends so for IPv4. */
static bool is_number(struct span label)
{
    bool hex = span_starts(label, SPAN("0x"));
    for (size_t i = hex ? 2 : 0; i < label.len; i++) {
        char c = label.ptr[i];
        if (!((c >= '0' && c <= '9') || (hex && c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

static bool is_ascii(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] >= 0x80)
            return false;
    }
    return true;
}

/* Lower case. A single dot at the end (the DNS root) is allowed. */
static const char *bad_name(struct span name)
{
    struct span label = {0};
    if (!is_ascii(name))
        return "write an international host name in its punycode form (xn--…)";
    if (name.len > 1 && name.ptr[name.len - 1] == '.')
        name.len--;
    if (name.len > HOST_MAX)
        return "the host name is too long";
    while (name.ptr) {
        label = span_cut(&name, '.');
        if (!label_ok(label))
            return "the host is not a valid name or address";
    }
    return is_number(label) ? "the host looks like an IPv4 address but is not one" : NULL;
}

/* Appends the host in its stored form; spoils `host`. */
static const char *host_judge(const struct guard *g, char *host, struct buf *out)
{
    struct in6_addr address;
    char canonical[INET6_ADDRSTRLEN];
    bool bracketed = host[0] == '[';
    lower(host);
    if (bracketed) {
        host++;
        host[strcspn(host, "]")] = 0;
    }
    if (inet_pton(bracketed ? AF_INET6 : AF_INET, host, &address) == 1) {
        inet_ntop(bracketed ? AF_INET6 : AF_INET, &address, canonical, sizeof canonical);
        buf_printf(out, bracketed ? "[%s]" : "%s", canonical);
        bool refused = guard_judge_text(g, canonical) == GUARD_REFUSED;
        return refused ? NOT_PUBLIC : NULL;
    }
    buf_text(out, host);
    if (bracketed)
        return "the host is not a valid name or address";
    const struct span name = span_text(host);
    if (guard_names_loopback(name) && guard_judge_loopback(g) == GUARD_REFUSED)
        return NOT_PUBLIC;
    return bad_name(name);
}

static const char *bad_rest(const struct parts *p)
{
    if (p->port && strspn(p->port, "0") == strlen(p->port))
        return parse_failure(CURLUE_BAD_PORT_NUMBER);
    if (!is_ascii(span_text(p->path)) || !is_ascii(span_text(p->query)))
        return "write characters outside ASCII in their percent-encoded form";
    return NULL;
}

static enum err parts_judge(const struct guard *g, struct parts *p, struct buf *out,
                            const char **why)
{
    lower(p->scheme);
    buf_text(out, p->scheme);
    buf_text(out, "://");
    *why = host_judge(g, p->host, out);
    if (!*why)
        *why = bad_rest(p);
    if (*why)
        return ERR_INVALID;
    if (p->port) {
        buf_char(out, ':');
        buf_text(out, p->port);
    }
    buf_text(out, p->path);
    if (p->query) {
        buf_char(out, '?');
        buf_text(out, p->query);
    }
    return ERR_OK;
}

enum err endpoint_url_check(const struct guard *g, struct span url, bool https_only,
                            struct buf *out, const char **why)
{
    *why = junk_in(url);
    if (!*why)
        *why = bad_scheme(url, https_only);
    if (*why)
        return ERR_INVALID;

    char text[URL_MAX + 1];
    memcpy(text, url.ptr, url.len);
    text[url.len] = 0;

    struct parts parts = {0};
    struct buf normal;
    buf_init(&normal, URL_MAX);
    CURLU *handle = curl_url();
    enum err e = handle ? parts_get(handle, text, &parts, why) : ERR_NO_MEMORY;
    if (!e)
        e = parts_judge(g, &parts, &normal, why);
    if (!e && normal.failed) {
        *why = "the URL is too long in its normalised form";
        e = ERR_INVALID;
    }
    if (!e)
        buf_span(out, buf_view(&normal));
    buf_free(&normal);
    parts_free(&parts);
    curl_url_cleanup(handle);
    return !e && out->failed ? ERR_NO_MEMORY : e;
}
