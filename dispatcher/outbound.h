/* What holds for every connection that the dispatcher makes: where it may lead, the proxy it goes
 * through, the address that it leaves from. Fixed before the threads start. */
#ifndef DISPATCHER_OUTBOUND_H
#define DISPATCHER_OUTBOUND_H

#include "dispatcher/guard.h"
#include "dispatcher/proxy.h"
#include "dispatcher/source.h"

#define OUTBOUND_CA_FILE "/etc/ssl/certs/ca-certificates.crt" /* the system's */

struct outbound {
    struct guard guard;
    struct proxy proxy;
    struct source source;
};

struct dispatcher_settings;

/* From the options. ERR_INVALID (logged, by the option's name) or ERR_NO_MEMORY; outbound_free in
 * any case. The settings' texts stay the caller's and outlive it. */
enum err outbound_init(struct outbound *o, const struct dispatcher_settings *settings) MUST_CHECK;
void outbound_free(struct outbound *o);

#endif
