/* The options, each judged by its own module. Fails closed: what cannot be read stops the start,
 * for a rule that is not understood must become neither no rule nor every rule. */
#include "dispatcher/outbound.h"

#include "base/log.h"
#include "dispatcher/dispatcher.h"

#include <openssl/x509.h>

static enum err refuse(const char *option, const char *why)
{
    log_error(option, LOG_TEXT_FIELD("why", why), LOG_END);
    return ERR_INVALID;
}

/* A bundle without a certificate that can be read would refuse every HTTPS endpoint. */
static enum err ca_check(const char *option, const char *file)
{
    if (!file)
        return ERR_OK;
    X509_STORE *certificates = X509_STORE_new();
    const bool sound = certificates && X509_STORE_load_locations(certificates, file, NULL) == 1;
    X509_STORE_free(certificates);
    if (sound)
        return ERR_OK;
    log_error(option, LOG_TEXT_FIELD("why", "no certificate could be read from it"),
              LOG_TEXT_FIELD("file", file), LOG_END);
    return ERR_INVALID;
}

static enum err proxy_init(struct proxy *p, const struct dispatcher_settings *s)
{
    static const char alone[] = "there is no proxy";
    const char *why = NULL;
    if (!s->proxy)
        return s->proxy_bypass    ? refuse("proxy-bypass", alone)
               : s->proxy_ca_file ? refuse("proxy-ca-file", alone)
                                  : ERR_OK;
    enum err e = proxy_parse(s->proxy, p, &why);
    if (e)
        return e == ERR_INVALID ? refuse("proxy", why) : e;
    p->ca_file = s->proxy_ca_file ? s->proxy_ca_file : OUTBOUND_CA_FILE;
    e = proxy_parse_bypass(s->proxy_bypass, p, &why);
    if (e)
        return e == ERR_INVALID ? refuse("proxy-bypass", why) : e;
    log_info("endpoints are reached through a proxy", LOG_TEXT_FIELD("proxy", p->url), LOG_END);
    return ca_check("proxy-ca-file", s->proxy_ca_file);
}

enum err outbound_init(struct outbound *o, const struct dispatcher_settings *settings)
{
    const char *why = NULL;
    *o = (struct outbound){.proxy.url = NULL};
    if (guard_parse(settings->allow_subnets, &o->guard, &why))
        return refuse("allow-subnets", why);
    if (source_parse(settings->source_address, &o->source, &why))
        return refuse("source-address", why);
    enum err e = ca_check("ca-file", settings->ca_file);
    return e ? e : proxy_init(&o->proxy, settings);
}

void outbound_free(struct outbound *o)
{
    proxy_free(&o->proxy);
}
