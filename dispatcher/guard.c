/* Which addresses an endpoint may be reached at.
 *
 * Invariants: an address is refused unless it is known to be globally reachable or in a subnet that
 * the operator named; an IPv4 address is judged the same in either spelling (plain or in
 * ::ffff:0:0/96); a form that carries an IPv4 address which someone else would unpack (NAT64, 6to4,
 * Teredo) is refused whatever it carries. */
#include "dispatcher/guard.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>

/* IANA IPv4 Special-Purpose Address Registry, and multicast. The few entries of 192.0.0.0/24 that
 * are globally reachable serve no webhook. */
static const struct subnet special4[] = {
    {AF_INET, {0}, 8},             /* this network, RFC 791 */
    {AF_INET, {10}, 8},            /* private, RFC 1918 */
    {AF_INET, {100, 64}, 10},      /* carrier-grade NAT, RFC 6598 */
    {AF_INET, {127}, 8},           /* loopback, RFC 1122 */
    {AF_INET, {169, 254}, 16},     /* link local (cloud metadata), RFC 3927 */
    {AF_INET, {172, 16}, 12},      /* private, RFC 1918 */
    {AF_INET, {192, 0, 0}, 24},    /* IETF protocol assignments, RFC 6890 */
    {AF_INET, {192, 0, 2}, 24},    /* documentation, RFC 5737 */
    {AF_INET, {192, 88, 99}, 24},  /* 6to4 relay anycast, RFC 7526 */
    {AF_INET, {192, 168}, 16},     /* private, RFC 1918 */
    {AF_INET, {198, 18}, 15},      /* benchmarking, RFC 2544 */
    {AF_INET, {198, 51, 100}, 24}, /* documentation, RFC 5737 */
    {AF_INET, {203, 0, 113}, 24},  /* documentation, RFC 5737 */
    {AF_INET, {224}, 4},           /* multicast, RFC 5771 */
    {AF_INET, {240}, 4},           /* reserved, and limited broadcast, RFC 1112 and 919 */
};

/* Only global unicast is allocated: this leaves out ::/96 (IPv4-compatible), ::1, 64:ff9b::/96 and
 * 64:ff9b:1::/48 (NAT64), 100::/64, 5f00::/16, fc00::/7, fe80::/10, fec0::/10 and ff00::/8. */
static const struct subnet global6 = {AF_INET6, {0x20}, 3};

/* IANA IPv6 Special-Purpose Address Registry, inside global unicast. */
static const struct subnet special6[] = {
    {AF_INET6, {0x20, 0x01}, 23},             /* IETF assignments: Teredo, ORCHID, …, RFC 2928 */
    {AF_INET6, {0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation, RFC 3849 */
    {AF_INET6, {0x20, 0x02}, 16},             /* 6to4, RFC 3056 */
    {AF_INET6, {0x3f, 0xff}, 20},             /* documentation, RFC 9637 */
};

/* IPv4-mapped, RFC 4291 section 2.5.5.2. */
static const struct subnet mapped = {AF_INET6, {[10] = 0xff, [11] = 0xff}, 96};

struct address {
    int family;
    uint8_t bytes[16];
};

static unsigned family_bits(int family)
{
    return family == AF_INET ? 32 : 128;
}

static bool contains(const struct subnet *s, const struct address *a)
{
    unsigned whole = s->bits / 8, rest = s->bits % 8;
    if (s->family != a->family || memcmp(s->address, a->bytes, whole) != 0)
        return false;
    return rest == 0 || (s->address[whole] ^ a->bytes[whole]) >> (8 - rest) == 0;
}

static bool in_any(const struct subnet *list, size_t n, const struct address *a)
{
    for (size_t i = 0; i < n; i++) {
        if (contains(&list[i], a))
            return true;
    }
    return false;
}

static bool is_special(const struct address *a)
{
    if (a->family == AF_INET)
        return in_any(special4, sizeof special4 / sizeof *special4, a);
    return !contains(&global6, a) || in_any(special6, sizeof special6 / sizeof *special6, a);
}

/* Of both spellings of an IPv4 address the plain one. */
static struct address plain(struct address a)
{
    if (contains(&mapped, &a)) {
        a.family = AF_INET;
        memmove(a.bytes, a.bytes + 12, 4);
    }
    return a;
}

static enum guard_answer judge(const struct guard *g, struct address a)
{
    a = plain(a);
    if (!is_special(&a))
        return GUARD_PUBLIC;
    return in_any(g->allowed, g->count, &a) ? GUARD_ALLOWED : GUARD_REFUSED;
}

enum guard_answer guard_judge(const struct guard *g, const struct sockaddr *address)
{
    struct address a = {.family = address->sa_family};
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
    switch (address->sa_family) {
    case AF_INET:
        memcpy(&in4, address, sizeof in4);
        memcpy(a.bytes, &in4.sin_addr, 4);
        return judge(g, a);
    case AF_INET6:
        memcpy(&in6, address, sizeof in6);
        memcpy(a.bytes, &in6.sin6_addr, 16);
        return judge(g, a);
    default:
        return GUARD_REFUSED;
    }
}

/* Dotted quad or RFC 4291 text: inet_pton takes no zone and no short forms of IPv4. */
static bool address_parse(const char *text, struct address *out)
{
    *out = (struct address){.family = AF_INET};
    if (inet_pton(AF_INET, text, out->bytes) == 1)
        return true;
    out->family = AF_INET6;
    return inet_pton(AF_INET6, text, out->bytes) == 1;
}

enum guard_answer guard_judge_text(const struct guard *g, const char *address)
{
    struct address a;
    return address_parse(address, &a) ? judge(g, a) : GUARD_REFUSED;
}

bool guard_names_loopback(struct span name)
{
    const struct span top = SPAN("localhost");
    if (name.len > 0 && name.ptr[name.len - 1] == '.')
        name.len--;
    if (name.len < top.len || !span_eq_nocase(span_skip(name, name.len - top.len), top))
        return false;
    return name.len == top.len || name.ptr[name.len - top.len - 1] == '.';
}

enum guard_answer guard_judge_loopback(const struct guard *g)
{
    const enum guard_answer four = guard_judge_text(g, "127.0.0.1");
    return four == GUARD_ALLOWED ? four : guard_judge_text(g, "::1");
}

bool guard_subnet_has(const struct subnet *s, const char *address)
{
    struct address a;
    if (!address_parse(address, &a))
        return false;
    a = plain(a);
    return contains(s, &a);
}

static bool bits_parse(struct span text, unsigned max, unsigned *out)
{
    if (text.len < 1 || text.len > 3)
        return false;
    *out = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        *out = *out * 10 + (unsigned)(text.ptr[i] - '0');
    }
    return *out <= max;
}

static bool has_host_bits(const struct subnet *s)
{
    for (unsigned i = s->bits; i < family_bits(s->family); i++) {
        if (s->address[i / 8] & (0x80 >> (i % 8)))
            return true;
    }
    return false;
}

enum err guard_subnet_parse(struct span text, struct subnet *out, const char **why)
{
    char host[INET6_ADDRSTRLEN];
    struct span address = span_cut(&text, '/');
    struct address a;
    *why = "not a subnet in the form address/bits";
    if (address.len >= sizeof host || memchr(address.ptr, 0, address.len))
        return ERR_INVALID;
    memcpy(host, address.ptr, address.len);
    host[address.len] = 0;
    if (!address_parse(host, &a))
        return ERR_INVALID;

    *out = (struct subnet){.family = a.family};
    memcpy(out->address, a.bytes, sizeof a.bytes);
    *why = "the prefix length is missing or too long for the address";
    if (!bits_parse(text, family_bits(a.family), &out->bits))
        return ERR_INVALID;
    *why = "the address has bits set behind its prefix";
    if (has_host_bits(out))
        return ERR_INVALID;
    *why = "an IPv4-mapped subnet: write it as IPv4, which covers both spellings";
    return contains(&mapped, &a) ? ERR_INVALID : ERR_OK;
}

enum err guard_parse(const char *subnets, struct guard *out, const char **why)
{
    *out = (struct guard){0};
    struct span rest = span_trim(span_text(subnets));
    if (rest.len == 0)
        return ERR_OK;
    while (rest.ptr) {
        struct span item = span_trim(span_cut(&rest, ','));
        if (out->count == GUARD_SUBNETS_MAX) {
            *why = "too many subnets";
            return ERR_INVALID;
        }
        enum err e = guard_subnet_parse(item, &out->allowed[out->count], why);
        if (e)
            return e;
        out->count++;
    }
    return ERR_OK;
}
