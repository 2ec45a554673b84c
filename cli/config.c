/* The option table. `surehook serve --help` and docs/configuration.md are printed from it, so that
 * they cannot disagree with what the service does. */
#include "cli/config.h"

#include <stdio.h>

static const char *const mismatch_choices[] = {"replay", "conflict", NULL};
static const char *const header_choices[] = {"webhook", "svix", "both", NULL};
static const char *const signature_choices[] = {"hmac", "ed25519", NULL};
static const char *const level_choices[] = {"debug", "info", "warn", "error", NULL};
static const char *const format_choices[] = {"text", "json", NULL};

#define AT(field) offsetof(struct config, field)
#define MS(n) ((double)(n)*1e3)
#define SECONDS(n) ((double)(n)*1e6)
#define MIB(n) ((double)(n)*1024 * 1024)

const struct option config_options[] = {
    {.name = "config",
     .type = OPTION_TEXT,
     .offset = AT(config_file),
     .help = "File with lines `name = value` of the options below."},
    {.name = "listen",
     .type = OPTION_TEXT,
     .offset = AT(http.listen),
     .fallback = "127.0.0.1:8071",
     .help = "Address and port of the API; port 0 takes a free one, which is printed."},
    {.name = "data",
     .type = OPTION_TEXT,
     .offset = AT(store.dir),
     .fallback = "data",
     .help = "Directory of the store; created when missing. One process uses it at a time."},
    {.name = "map-size",
     .type = OPTION_SIZE,
     .offset = AT(store.map_size),
     .fallback = "64g",
     .min = MIB(1),
     .max = MIB(16.0 * 1024 * 1024),
     .help = "Address space of the store and so the most it can hold. Events are refused with 507 "
             "above 90 % of it."},
    {.name = "http-threads",
     .type = OPTION_INTEGER,
     .offset = AT(http.threads),
     .fallback = "1",
     .min = 1,
     .max = 64,
     .help = "Threads that serve the API. One takes tens of thousands of events a second."},
    {.name = "dispatch-threads",
     .type = OPTION_INTEGER,
     .offset = AT(dispatcher.threads),
     .fallback = "2",
     .min = 1,
     .max = 64,
     .help = "Threads that deliver. An endpoint belongs to one of them."},
    {.name = "retry-schedule",
     .type = OPTION_DURATIONS,
     .offset = AT(dispatcher.retry_schedule),
     .fallback = "5s,5m,30m,2h,5h,10h,14h,20h,24h",
     .min = MS(1),
     .max = SECONDS(30 * 86400),
     .help = "Delays after the first attempt, each from the end of the one before; may be empty. "
             "When it ends the delivery is dead."},
    {.name = "retry-jitter",
     .type = OPTION_NUMBER,
     .offset = AT(dispatcher.retry_jitter),
     .fallback = "1",
     .min = 0,
     .max = 1,
     .help = "Share of the distance to the previous step over which a delay is spread, or of half "
             "of the delay where steps hardly grow; 1 is full."},
    {.name = "breaker-attempts",
     .type = OPTION_INTEGER,
     .offset = AT(dispatcher.breaker.attempts),
     .fallback = "10",
     .min = 0,
     .max = 1000000,
     .help = "An endpoint's circuit breaker opens when of so many attempts or more within a minute "
             "half found it sick; 0: never."},
    {.name = "breaker-waits",
     .type = OPTION_DURATIONS,
     .offset = AT(dispatcher.breaker.waits),
     .fallback = "10s,20s,40s,80s,160s,5m",
     .min = MS(1),
     .max = SECONDS(86400),
     .help = "How long an open breaker waits before each probe, half of it at random; the last one "
             "repeats."},
    {.name = "disable-after",
     .type = OPTION_DURATION,
     .offset = AT(store.disable_after_us),
     .fallback = "5d",
     .min = 0,
     .max = SECONDS(3650.0 * 86400),
     .help = "An endpoint that failed for so long, with ten attempts and no success, is disabled; "
             "0: never, and what an open breaker holds back is kept for as long as it takes."},
    {.name = "request-timeout",
     .type = OPTION_DURATION,
     .offset = AT(dispatcher.request_timeout_us),
     .fallback = "15s",
     .min = MS(1),
     .max = SECONDS(300),
     .help = "The longest that one attempt may take in all."},
    {.name = "connect-timeout",
     .type = OPTION_DURATION,
     .offset = AT(dispatcher.connect_timeout_us),
     .fallback = "5s",
     .min = MS(1),
     .max = SECONDS(300),
     .help = "The longest that connecting, TLS included, may take."},
    {.name = "endpoint-max-in-flight",
     .type = OPTION_INTEGER,
     .offset = AT(dispatcher.endpoint_max_in_flight),
     .fallback = "50",
     .min = 1,
     .max = 10000,
     .help = "Attempts under way to one endpoint; fewer while it shows signs of overload."},
    {.name = "max-in-flight",
     .type = OPTION_INTEGER,
     .offset = AT(dispatcher.max_in_flight),
     .fallback = "2048",
     .min = 1,
     .max = 100000,
     .help = "Attempts under way in all."},
    {.name = "fresh-share",
     .type = OPTION_INTEGER,
     .offset = AT(dispatcher.fresh_share),
     .fallback = "25",
     .min = 0,
     .max = FRESH_SHARE_MAX,
     .help = "Percent of the attempts of an endpoint that is more than 5s behind that go to new "
             "events; the rest to the oldest. Ordered endpoints get theirs in order."},
    {.name = "drain-timeout",
     .type = OPTION_DURATION,
     .offset = AT(drain_us),
     .fallback = "20s",
     .min = 0,
     .max = SECONDS(3600),
     .help = "How long a stop waits for requests and attempts under way. What is cut off is "
             "delivered after the next start."},
    {.name = "allow-subnets",
     .type = OPTION_TEXT,
     .offset = AT(dispatcher.allow_subnets),
     .help =
         "Internal networks (CIDR, comma-separated) that endpoints may reach; by default none."},
    {.name = "endpoint-https-only",
     .type = OPTION_FLAG,
     .offset = AT(admin.endpoint_https_only),
     .fallback = "false",
     .help = "Refuse endpoints with an http URL."},
    {.name = "ca-file",
     .type = OPTION_TEXT,
     .offset = AT(dispatcher.ca_file),
     .help = "Certificate authorities (PEM) for endpoints instead of the system's."},
    {.name = "proxy",
     .type = OPTION_TEXT,
     .offset = AT(dispatcher.proxy),
     .help = "Reach endpoints through this proxy: http://, https:// or socks5://, then "
             "[user:password@]host:port. It is told addresses and never names."},
    {.name = "proxy-bypass",
     .type = OPTION_TEXT,
     .offset = AT(dispatcher.proxy_bypass),
     .help = "Endpoints reached without it: host names, .example.com for all names below one, "
             "addresses, subnets; comma-separated."},
    {.name = "proxy-ca-file",
     .type = OPTION_TEXT,
     .offset = AT(dispatcher.proxy_ca_file),
     .help = "Certificate authorities (PEM) for an https proxy instead of the system's."},
    {.name = "source-address",
     .type = OPTION_TEXT,
     .offset = AT(dispatcher.source_address),
     .help = "Address of this machine that connections to endpoints leave from, or one of each "
             "family with a comma between; a family without one is not used."},
    {.name = "signature-headers",
     .type = OPTION_CHOICE,
     .offset = AT(dispatcher.signature_headers),
     .fallback = "webhook",
     .choices = header_choices,
     .help = "Prefix of the id, timestamp and signature headers: webhook-, svix- or both."},
    {.name = "default-signature",
     .type = OPTION_CHOICE,
     .offset = AT(default_signature),
     .fallback = "hmac",
     .choices = signature_choices,
     .help = "Kind of the secret that is made for an endpoint created without one."},
    {.name = "portal-url",
     .type = OPTION_TEXT,
     .offset = AT(admin.portal_url),
     .help = "Page that answers of app-portal-access lead to, with the token behind `#key=`; "
             "without it /portal of the address that was asked."},
    {.name = "main-secret",
     .type = OPTION_TEXT,
     .offset = AT(store.main_secret),
     .secret = true,
     .help = "Encrypts signing secrets and what endpoints authenticate with at rest. Once given it "
             "must be given at every start."},
    {.name = "jwt-secret",
     .type = OPTION_TEXT,
     .offset = AT(http.jwt_secret),
     .secret = true,
     .help = "Accept HS256 tokens of the Svix form that were signed with this secret, too."},
    {.name = "cors",
     .type = OPTION_FLAG,
     .offset = AT(http.cors),
     .fallback = "false",
     .help = "Let pages of any origin call the API and read its answers."},
    {.name = "idempotency-mismatch",
     .type = OPTION_CHOICE,
     .offset = AT(idempotency_mismatch),
     .fallback = "replay",
     .choices = mismatch_choices,
     .help = "An Idempotency-Key used again with another body: replay the first answer, or "
             "answer 409."},
    {.name = "message-retention",
     .type = OPTION_DURATION,
     .offset = AT(store.message_retention_us),
     .fallback = "90d",
     .min = SECONDS(1),
     .max = SECONDS(3650.0 * 86400),
     .help = "How long messages and their attempts are kept; dead letters as long again from "
             "their death."},
    {.name = "max-body",
     .type = OPTION_SIZE,
     .offset = AT(http.max_body),
     .fallback = "1m",
     .min = 1024,
     .max = MIB(16),
     .help = "The largest body of a message request."},
    {.name = "max-batch-body",
     .type = OPTION_SIZE,
     .offset = AT(http.max_batch_body),
     .fallback = "16m",
     .min = 1024,
     .max = MIB(64),
     .help = "The largest body of a batch request."},
    {.name = "head-timeout",
     .type = OPTION_DURATION,
     .offset = AT(http.head_timeout_us),
     .fallback = "10s",
     .min = MS(10),
     .max = SECONDS(300),
     .help = "A request's head must have arrived after this time."},
    {.name = "body-timeout",
     .type = OPTION_DURATION,
     .offset = AT(http.body_timeout_us),
     .fallback = "30s",
     .min = MS(10),
     .max = SECONDS(3600),
     .help = "A request's body must have arrived after this time."},
    {.name = "max-connections",
     .type = OPTION_INTEGER,
     .offset = AT(http.max_connections),
     .fallback = "4096",
     .min = 1,
     .max = 1000000,
     .help = "Connections to the API in all."},
    {.name = "max-connections-per-address",
     .type = OPTION_INTEGER,
     .offset = AT(http.max_connections_per_address),
     .fallback = "0",
     .min = 0,
     .max = 1000000,
     .help = "Connections from one address; 0: no limit of its own."},
    {.name = "log-level",
     .type = OPTION_CHOICE,
     .offset = AT(log_level),
     .fallback = "info",
     .choices = level_choices,
     .help = "The least severe lines to write to standard error."},
    {.name = "log-format",
     .type = OPTION_CHOICE,
     .offset = AT(log_format),
     .fallback = "text",
     .choices = format_choices,
     .help = "Lines of key=value text, or one JSON object a line."},
};
const size_t config_option_count = sizeof config_options / sizeof *config_options;

enum err config_load(struct config *c, int argc, char **argv, char **rest, int *rest_count)
{
    memset(c, 0, sizeof *c);
    struct option_error error;
    enum err e =
        option_load(config_options, config_option_count, c, argc, argv, rest, rest_count, &error);
    if (e) {
        fprintf(stderr, "surehook: %s\n", error.text);
        return e;
    }
    c->store.idempotency_conflict = c->idempotency_mismatch == 1;
    c->ingest.max_body = c->http.max_body;
    c->dispatcher.drain_us = c->drain_us;
    c->dispatcher.user_agent = "Surehook/" SUREHOOK_VERSION;
    c->admin.default_signature = c->default_signature == 1 ? KEY_ED25519 : KEY_HMAC;
    log_setup((enum log_level)c->log_level, (enum log_format)c->log_format);
    return ERR_OK;
}

bool config_has_data(const struct config *c)
{
    if (store_exists(c->store.dir))
        return true;
    fprintf(stderr, "surehook: there is no store in %s\n", c->store.dir);
    return false;
}

void config_release(struct config *c)
{
    option_release(config_options, config_option_count, c);
}
