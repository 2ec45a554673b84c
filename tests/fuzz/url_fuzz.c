/* Where an endpoint may be. An accepted URL reads to curl as it was given, is its own normal form,
 * and its host is a name or an address that a second table of ranges lets pass, in whatever
 * spelling a resolver would take it; addresses are judged as that table judges them; what the
 * operator allowed can be read back.
 *
 * Input: a byte for what it is, then a URL, the bytes of an address, its text, subnets, or a proxy
 * and, behind a line feed, for whom it is left out. */
#include "base/bounds.h"
#include "dispatcher/endpoint_url.h"
#include "dispatcher/proxy.h"
#include "tests/fuzz/address_oracle.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>
#include <netinet/in.h>

static struct guard strict; /* planted: not so strict */

/* ---------------------------------------------------------------- addresses */

static enum guard_answer judge_bytes(const struct guard *g, int family, const uint8_t *bytes)
{
    struct sockaddr_in in4 = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (family == AF_INET) {
        memcpy(&in4.sin_addr, bytes, 4);
        return guard_judge(g, (const struct sockaddr *)&in4);
    }
    memcpy(&in6.sin6_addr, bytes, 16);
    return guard_judge(g, (const struct sockaddr *)&in6);
}

/* In each spelling: bytes, text, and mapped into IPv6. */
static void check_address(int family, const uint8_t *bytes)
{
    const bool special = family == AF_INET ? oracle_special4(bytes) : oracle_special6(bytes);
    const enum guard_answer wanted = special ? GUARD_REFUSED : GUARD_PUBLIC;
    uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff};
    char text[INET6_ADDRSTRLEN];
    HOLDS(judge_bytes(&strict, family, bytes) == wanted);
    HOLDS(inet_ntop(family, bytes, text, sizeof text));
    HOLDS(guard_judge_text(&strict, text) == wanted);
    if (family == AF_INET) {
        memcpy(mapped + 12, bytes, 4);
        HOLDS(judge_bytes(&strict, AF_INET6, mapped) == wanted);
    }
}

static void check_bytes(struct span input)
{
    uint8_t bytes[16] = {0};
    const int family = input.len > 4 ? AF_INET6 : AF_INET;
    if (input.len)
        memcpy(bytes, input.ptr, input.len < sizeof bytes ? input.len : sizeof bytes);
    check_address(family, bytes);
}

static void check_text(struct span input)
{
    char *text = fuzz_text(input);
    uint8_t bytes[16];
    if (inet_pton(AF_INET, text, bytes) == 1)
        check_address(AF_INET, bytes);
    else if (inet_pton(AF_INET6, text, bytes) == 1)
        check_address(AF_INET6, bytes);
    else
        HOLDS(guard_judge_text(&strict, text) == GUARD_REFUSED);
    free(text);
}

/* ---------------------------------------------------------------- subnets */

static void print_subnets(const struct guard *g, struct buf *out)
{
    char text[INET6_ADDRSTRLEN];
    for (unsigned i = 0; i < g->count; i++) {
        const struct subnet *s = &g->allowed[i];
        HOLDS(inet_ntop(s->family, s->address, text, sizeof text));
        buf_printf(out, "%s%s/%u", i ? "," : "", text, s->bits);
    }
}

static void check_subnets(struct span input)
{
    char *text = fuzz_text(input);
    struct guard g, again;
    const char *why = NULL;
    struct buf out;
    buf_init(&out, 64 * 1024);
    if (guard_parse(text, &g, &why) == ERR_OK) {
        HOLDS(g.count <= GUARD_SUBNETS_MAX);
        print_subnets(&g, &out);
        HOLDS(!out.failed && guard_parse(out.ptr, &again, &why) == ERR_OK);
        HOLDS(memcmp(&g, &again, sizeof g) == 0);
        for (unsigned i = 0; i < g.count; i++) {
            HOLDS(judge_bytes(&g, g.allowed[i].family, g.allowed[i].address) != GUARD_REFUSED);
            check_address(g.allowed[i].family, g.allowed[i].address);
        }
    } else {
        HOLDS(why && *why);
    }
    buf_free(&out);
    free(text);
}

/* ---------------------------------------------------------------- the proxy */

static void print_bypass(const struct proxy *p, struct buf *out)
{
    char text[INET6_ADDRSTRLEN];
    for (unsigned i = 0; i < p->name_count; i++)
        buf_printf(out, "%s,", p->names[i]);
    for (unsigned i = 0; i < p->subnet_count; i++) {
        const struct subnet *s = &p->subnets[i];
        HOLDS(inet_ntop(s->family, s->address, text, sizeof text));
        buf_printf(out, "%s/%u,", text, s->bits);
    }
    if (out->len)
        out->ptr[--out->len] = '\0';
}

/* The list is read as written, and each name of it goes without the proxy. */
static void check_bypass(const char *list)
{
    struct proxy p = {.url = NULL}, again = {.url = NULL};
    struct buf text;
    const char *why = NULL;
    buf_init(&text, 64 * 1024);
    if (proxy_parse_bypass(list, &p, &why) == ERR_OK) {
        print_bypass(&p, &text);
        HOLDS(!text.failed && proxy_parse_bypass(text.ptr, &again, &why) == ERR_OK);
        HOLDS(again.name_count == p.name_count && again.subnet_count == p.subnet_count);
        HOLDS(memcmp(again.subnets, p.subnets, sizeof p.subnets) == 0);
        for (unsigned i = 0; i < p.name_count; i++) {
            HOLDS(strcmp(again.names[i], p.names[i]) == 0);
            HOLDS(p.names[i][0] == '.' || proxy_bypasses_name(&p, p.names[i]));
        }
    } else {
        HOLDS(why && *why);
    }
    proxy_free(&p);
    proxy_free(&again);
    buf_free(&text);
}

/* What is kept of a proxy's URL leads where the whole does, without its credentials. */
static void check_proxy(struct span input)
{
    struct span rest = input, line = span_cut(&rest, '\n');
    char *text = fuzz_text(line), *bypass = fuzz_text(rest);
    struct proxy p, again;
    const char *why = NULL;
    if (proxy_parse(text, &p, &why) == ERR_OK) {
        HOLDS(p.port && !strchr(p.url, '@') && !p.user == !p.password);
        HOLDS(proxy_parse(p.url, &again, &why) == ERR_OK);
        HOLDS(strcmp(again.url, p.url) == 0 && again.port == p.port && again.socks == p.socks);
        HOLDS(!again.user && !again.address == !p.address);
        HOLDS(!p.address || strcmp(again.address, p.address) == 0);
        proxy_free(&again);
    } else {
        HOLDS(why && *why);
    }
    proxy_free(&p);
    check_bypass(bypass);
    free(text);
    free(bypass);
}

/* ---------------------------------------------------------------- URLs */

/* Empty when the URL has no such part. */
static char *part_of(CURLU *url, CURLUPart part, unsigned flags)
{
    char *text = NULL;
    if (curl_url_get(url, part, &text, flags) != CURLUE_OK)
        text = NULL;
    char *copy = fuzz_text(span_text(text));
    curl_free(text);
    return copy;
}

static void check_same(CURLU *given, CURLU *stored, CURLUPart part, bool any_case)
{
    char *a = part_of(given, part, CURLU_DEFAULT_PORT),
         *b = part_of(stored, part, CURLU_DEFAULT_PORT);
    HOLDS(any_case ? strcasecmp(a, b) == 0 : strcmp(a, b) == 0);
    free(a);
    free(b);
}

/* What stands between "//" and the path, without asking curl. */
static struct span authority_of(struct span url)
{
    size_t begin = 0;
    while (url.ptr[begin] != '/')
        begin++;
    struct span rest = span_skip(url, begin + 2);
    size_t len = 0;
    while (len < rest.len && rest.ptr[len] != '/' && rest.ptr[len] != '?')
        len++;
    return span_of(rest.ptr, len);
}

/* Whatever a resolver would take for an address without asking a name server is judged as one. */
static void check_host(const char *host, bool literal6)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    struct in_addr in4;
    if (getaddrinfo(host, NULL, &hints, &found) == 0) {
        struct sockaddr_in6 in6;
        if (found->ai_family == AF_INET) {
            struct sockaddr_in in;
            memcpy(&in, found->ai_addr, sizeof in);
            HOLDS(!literal6 && !oracle_special4((const uint8_t *)&in.sin_addr));
        } else {
            memcpy(&in6, found->ai_addr, sizeof in6);
            HOLDS(literal6 && !in6.sin6_scope_id && !oracle_special6(in6.sin6_addr.s6_addr));
        }
        freeaddrinfo(found);
    } else {
        HOLDS(!literal6);
        HOLDS(fuzz_only(span_text(host), "abcdefghijklmnopqrstuvwxyz" FUZZ_DIGITS "-_."));
    }
    if (inet_aton(host, &in4)) /* more lenient than getaddrinfo, and some resolvers use it */
        HOLDS(inet_pton(AF_INET, host, &in4) == 1);
}

static void check_accepted(struct span given, struct span stored, bool https_only)
{
    char *given_text = fuzz_text(given), *stored_text = fuzz_text(stored);
    CURLU *a = curl_url(), *b = curl_url();
    struct span authority = authority_of(given);
    HOLDS(strlen(given_text) == given.len && strlen(stored_text) == stored.len);
    HOLDS(stored.len <= URL_MAX && fuzz_only(authority, FUZZ_ALNUM "-_.[]:%"));
    HOLDS(span_starts(stored, SPAN("https://")) ||
          (!https_only && span_starts(stored, SPAN("http://"))));
    HOLDS(curl_url_set(a, CURLUPART_URL, given_text, 0) == CURLUE_OK);
    HOLDS(curl_url_set(b, CURLUPART_URL, stored_text, 0) == CURLUE_OK);
    check_same(a, b, CURLUPART_SCHEME, true);
    check_same(a, b, CURLUPART_PORT, false);
    check_same(a, b, CURLUPART_PATH, false);
    check_same(a, b, CURLUPART_QUERY, false);
    char *host = part_of(b, CURLUPART_HOST, 0), *user = part_of(b, CURLUPART_USER, 0);
    const bool literal6 = host[0] == '[';
    HOLDS(!*user && *host);
    if (!literal6)
        check_same(a, b, CURLUPART_HOST, true);
    else
        host[strlen(host) - 1] = '\0';
    check_host(host + literal6, literal6);
    curl_url_cleanup(a);
    curl_url_cleanup(b);
    free(host);
    free(user);
    free(given_text);
    free(stored_text);
}

static void check_url(struct span url, bool https_only)
{
    struct buf out, again;
    const char *why = NULL;
    buf_init(&out, URL_MAX);
    buf_init(&again, URL_MAX);
    enum err e = endpoint_url_check(&strict, url, https_only, &out, &why);
    HOLDS(e == ERR_OK || (e == ERR_INVALID && why && *why && !out.len));
    if (!e) {
        check_accepted(url, buf_view(&out), https_only);
        HOLDS(endpoint_url_check(&strict, buf_view(&out), https_only, &again, &why) == ERR_OK);
        HOLDS(span_eq(buf_view(&out), buf_view(&again)));
        if (!span_starts(buf_view(&out), SPAN("https:"))) {
            buf_clear(&again);
            HOLDS(endpoint_url_check(&strict, url, true, &again, &why) == ERR_INVALID);
        }
    }
    buf_free(&out);
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of(data, size);
    const char *why;
    if (fuzz_planted() && !strict.count)
        HOLDS(guard_parse("192.0.2.0/31", &strict, &why) == ERR_OK);
    switch (fuzz_choice(&input, 6)) {
    case 0:
        check_url(input, false);
        break;
    case 1:
        check_url(input, true);
        break;
    case 2:
        check_bytes(input);
        break;
    case 3:
        check_text(input);
        break;
    case 4:
        check_subnets(input);
        break;
    default:
        check_proxy(input);
    }
    return 0;
}
