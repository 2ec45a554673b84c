/* The outbound address guard (SSRF): no endpoint URL reaches an internal address. Pure, after
 * guard_parse. Fails closed: what it does not know is refused. */
#ifndef DISPATCHER_GUARD_H
#define DISPATCHER_GUARD_H

#include "base/buf.h"

#include <sys/socket.h>

#define GUARD_SUBNETS_MAX 64

struct subnet {
    int family; /* AF_INET or AF_INET6 */
    uint8_t address[16];
    unsigned bits;
};

/* Subnets that an operator allowed although they are special. */
struct guard {
    unsigned count;
    struct subnet allowed[GUARD_SUBNETS_MAX];
};

/* "127.0.0.0/8,::1/128"; NULL or empty: none. *why (static text) on ERR_INVALID. */
enum err guard_parse(const char *subnets, struct guard *out, const char **why) MUST_CHECK;

enum guard_answer {
    GUARD_PUBLIC,  /* globally reachable */
    GUARD_ALLOWED, /* special, but in an allowed subnet: such endpoints get their own connections */
    GUARD_REFUSED,
};
/* `address` is the whole structure of its family. */
enum guard_answer guard_judge(const struct guard *g, const struct sockaddr *address);
/* The same for an address in text form, as CURLINFO_PRIMARY_IP gives it; GUARD_REFUSED when it is
 * not one. */
enum guard_answer guard_judge_text(const struct guard *g, const char *address);

/* Whether the name is kept for loopback (RFC 6761 section 6.3): "localhost" or one below it, in any
 * case, with or without the root's dot. No resolver is asked for those. */
bool guard_names_loopback(struct span name);
/* Of such a name: GUARD_ALLOWED when one of its addresses, 127.0.0.1 and ::1, is. */
enum guard_answer guard_judge_loopback(const struct guard *g);

/* "10.0.0.0/8". *why (static text) on ERR_INVALID. */
enum err guard_subnet_parse(struct span text, struct subnet *out, const char **why) MUST_CHECK;
/* Whether the address, in text form and in either spelling, is in the subnet. */
bool guard_subnet_has(const struct subnet *s, const char *address);

#endif
