/* The dispatcher: from a committed delivery to a signed POST and its durable outcome.
 *
 * D threads; an endpoint belongs to one (number modulo D), which alone owns its state. Each thread
 * runs one epoll loop over its inbox, its deadlines and its curl handles. Everything that other
 * threads may call is in this header, and safe from any of them. The process must ignore SIGPIPE: a
 * TLS library may write to a connection that its peer has closed. */
#ifndef DISPATCHER_DISPATCHER_H
#define DISPATCHER_DISPATCHER_H

#include "base/histogram.h"
#include "base/option.h"
#include "store/store.h"

/* When the circuit breaker of an endpoint opens, and what then (dispatcher/breaker.h). */
struct breaker_policy {
    int64_t attempts;       /* in a window, for a judgement; 0: a breaker never opens */
    struct durations waits; /* before the probes; the last one repeats. None: it never opens */
};

enum signature_headers { SIGNATURE_WEBHOOK, SIGNATURE_SVIX, SIGNATURE_BOTH };

struct dispatcher_settings {
    int64_t threads;
    struct durations retry_schedule; /* delays after the first attempt */
    double retry_jitter;             /* 0 … 1 */
    struct breaker_policy breaker;
    int64_t request_timeout_us, connect_timeout_us;
    int64_t endpoint_max_in_flight, max_in_flight;
    int64_t fresh_share; /* percent of the attempts of an endpoint that is behind; of what is new */
    int64_t drain_us;    /* how long dispatcher_stop waits for what is in flight */
    const char *allow_subnets; /* comma-separated CIDR; NULL: none */
    const char *ca_file;       /* NULL: the system's */
    int signature_headers;     /* enum signature_headers */
    const char *user_agent;
    /* As dispatcher/proxy.h and dispatcher/source.h read them; NULL: none. */
    const char *proxy, *proxy_bypass, *proxy_ca_file, *source_address;
};

struct dispatcher;

/* Reads every endpoint's first due time and starts the threads. ERR_INVALID (logged) when a setting
 * cannot be used. The store must be started afterwards, with the listener below. */
enum err dispatcher_new(const struct dispatcher_settings *settings, struct store *store,
                        struct dispatcher **out) MUST_CHECK;
enum err dispatcher_start(struct dispatcher *d) MUST_CHECK;
/* Starts nothing new, waits for what is in flight up to the limit, aborts the rest (which stays due
 * in the store), submits the outcomes, stops the threads. Call it before store_stop. */
void dispatcher_stop(struct dispatcher *d);
void dispatcher_free(struct dispatcher **d);

/* What to pass to store_start (listener.failed stays the caller's). */
struct store_listener dispatcher_listener(struct dispatcher *d);

/* Whether an attempt of this delivery is under way or about to be. True, too, for the moment
 * between the outcome's commit and the worker's hearing of it. */
bool dispatcher_in_flight(struct dispatcher *d, const struct id *message, uint32_t endpoint);

struct dispatcher_stats {
    struct counter attempts[ATTEMPT_LAST + 1]; /* by enum attempt_class */
    struct counter in_flight, ready;           /* gauges */
    struct counter breakers_open;              /* likewise: endpoints */
    struct counter retries, handoffs_hot, handoffs_cold, pages;
    struct histogram attempt_us, queued_us;
};
const struct dispatcher_stats *dispatcher_stats(const struct dispatcher *d);
/* The age in microseconds of the oldest delivery that is due now and not in flight; 0: none. Alert
 * on this one. */
int64_t dispatcher_oldest_due_age(struct dispatcher *d);

/* The most attempts that an endpoint gets at once, whatever it asks for. */
int64_t dispatcher_endpoint_max(const struct dispatcher *d);

/* Rules for endpoint configuration, shared with the admin routes so that what is stored can be
 * sent. Each sets *why (static text) on ERR_INVALID. */

/* Parses and normalises a URL (http or https, host, no userinfo, no fragment, at most URL_MAX
 * bytes); `out` gets the stored form appended. With `https_only` http is refused. An address
 * literal in a refused range is refused here already, and so are loopback's names where that is;
 * other names are judged at every connect. ERR_NO_MEMORY when memory is short. */
enum err dispatcher_url_check(const struct dispatcher *d, struct span url, bool https_only,
                              struct buf *out, const char **why) MUST_CHECK;
/* A header that an endpoint may set: a token that is not ours, hop-by-hop or framing; a value that
 * is not blank and has no control bytes but tabs. */
enum err dispatcher_header_check(struct span name, struct span value, const char **why) MUST_CHECK;
/* "whsec_<base64 of 24-75 bytes>", the same without its prefix (the SDKs call it optional), or
 * "whsk_<base64 of 64 bytes>" whose public half belongs to its seed. ERR_NO_MEMORY when memory is
 * short. */
enum err dispatcher_secret_parse(struct span text, struct signing_key *out,
                                 const char **why) MUST_CHECK;
/* Appends what GET secret shows: "whsec_…", or the public "whpk_…". */
void dispatcher_secret_format(const struct signing_key *key, struct buf *out);
/* A fresh random key, current. Aborts when OpenSSL cannot derive a public key: there is no safe
 * key to go on with. */
void dispatcher_secret_make(enum key_kind kind, struct signing_key *out);

#endif
