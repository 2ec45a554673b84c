/* The nouns that the store keeps, as plain values. No layer's logic lives here.
 *
 * Every struct that the store returns is an owned copy: one malloc'ed block with spans into it,
 * released with its `_free`. Spans inside a struct handed to the store must stay valid until the
 * operation's completion; the store copies what it keeps. */
#ifndef STORE_MODEL_H
#define STORE_MODEL_H

#include "base/bounds.h"
#include "base/id.h"
#include "store/feature_flag.h"
#include "store/retry.h"
#include "store/transport.h"

#include <stdatomic.h>

/* Applications and endpoints carry a small internal number for hot keys; it is assigned by the
 * writer, never reused, and never shown. */

struct app {
    struct id id;
    uint32_t number;
    struct id org;
    uint64_t version; /* grows with every change: compare-and-set */
    struct wall created, updated;
    struct span uid, name;
    struct span metadata;  /* JSON object, raw; empty means {} */
    int64_t throttle_rate; /* messages a second; 0: none */
    void *block;
};
void app_free(struct app **app);

/* The application of an organisation's operational endpoints has the organisation's id, so that
 * there is one at most. It is made with its first endpoint, has no uid, stands in no list, and no
 * reference leads to it but store_operational_app. */
static inline bool app_is_operational(const struct id *app, const struct id *org)
{
    return id_cmp(app, org) == 0;
}

enum key_kind { KEY_HMAC, KEY_ED25519 };

struct signing_key {
    enum key_kind kind;
    uint8_t bytes[SIGNING_KEY_MAX]; /* HMAC key, or ed25519 seed (32) and public key (32) */
    size_t len;
    struct wall expires; /* {0}: the current key; else it signs on until then */
};

/* Whether an endpoint gets its messages one after another. On disk: append only. */
enum ordering {
    ORDERING_NONE, /* each on its own */
    ORDERING_KEY,  /* those with the same ordering key in order; those without one on their own */
    ORDERING_FIFO, /* all in order */
    ORDERINGS
};
/* "none", "key", "fifo"; NULL past the last. */
const char *ordering_name(unsigned ordering);

/* As what an endpoint gets its messages. On disk: append only. */
enum cloud_events {
    CLOUD_EVENTS_NONE,       /* the payload */
    CLOUD_EVENTS_STRUCTURED, /* a CloudEvent around the payload */
    CLOUD_EVENTS_BINARY,     /* the payload, with what is about it in headers */
    CLOUD_EVENTS_END
};
/* The name in the API; NULL past the last. */
const char *cloud_events_name(unsigned mode);

struct endpoint {
    struct id id;
    uint32_t number;
    struct id app;
    uint32_t app_number;
    struct id org;
    uint64_t version; /* compare-and-set */
    struct wall created, updated;
    struct span uid, url, description;
    int64_t user_version; /* Svix's `version` field */
    bool disabled;
    struct span disabled_reason; /* "" while enabled; "manual", "gone" (410), "failing" */
    unsigned filter_count;
    struct span *filters; /* event types; none: every type */
    unsigned channel_count;
    struct span channels[ENDPOINT_CHANNELS_MAX]; /* none: every message */
    struct span metadata;                        /* JSON object, raw; empty means {} */
    struct span headers; /* JSON object string → string, raw; empty means {} */
    int64_t throttle_rate;
    enum ordering ordering;
    enum cloud_events cloud_events;
    bool paused; /* what it gets waits until it is resumed */
    struct retry_policy retry;
    int64_t timeout_us;     /* of one attempt in all; 0: the option's */
    uint32_t max_in_flight; /* 0: the option's, which is never exceeded */
    unsigned fresh_share;   /* of what is new while it is behind: 1 + percent; 0: the option's */
    struct endpoint_auth auth;
    struct endpoint_tls tls; /* any of it: the URL is https */
    unsigned key_count;
    struct signing_key keys[SIGNING_KEYS_MAX]; /* newest first */
    void *block;
};
void endpoint_free(struct endpoint **endpoint);
/* Whether the change may have cured what made attempts fail: where it goes, with which headers and
 * secrets, for how long, or that it goes at all or again. What was known of the endpoint's health
 * is forgotten then. */
bool endpoint_cured(const struct endpoint *before, const struct endpoint *after);

struct event_type {
    struct id org;
    uint64_t version;
    struct wall created, updated;
    struct span name, description, group_name;
    unsigned flag_count;
    struct span flags[EVENT_TYPE_FLAGS_MAX]; /* none: shown to all; else to tokens with one */
    struct span schemas;                     /* JSON object version → schema, raw; empty: null */
    bool archived, deprecated;
    struct retry_policy retry; /* of its messages, at endpoints without one of their own */
    void *block;
};
void event_type_free(struct event_type **type);

enum key_scope { SCOPE_ADMIN, SCOPE_INGEST, SCOPE_READ, SCOPE_APP };

struct api_key {
    struct id id;
    uint8_t hash[32]; /* SHA-256 of the token */
    struct id org;
    enum key_scope scope;
    struct id app;                /* of SCOPE_APP */
    struct wall created, expires; /* expires {0}: never */
    char name[64];
};

/* What a token of one application may do beyond nothing. On disk: append only. */
enum capability {
    CAPABILITY_VIEW_BASE = 1,
    CAPABILITY_VIEW_ENDPOINT_SECRET = 2,
    CAPABILITY_MANAGE_ENDPOINT_SECRET = 4,
    CAPABILITY_MANAGE_TRANSFORMATIONS = 8,
    CAPABILITY_CREATE_ATTEMPTS = 16,
    CAPABILITY_MANAGE_ENDPOINT = 32,
    CAPABILITY_ALL = 63
};

/* A token of the application portal. */
struct portal_token {
    struct id org, app;
    uint8_t hash[32]; /* SHA-256 of the token */
    struct wall created, expires;
    unsigned capabilities; /* bits of enum capability */
    struct feature_flags flags;
    uint8_t session[16]; /* the hash of its session id; zero: none */
};

/* What an organisation can be told about itself. A new kind goes last. */
enum operational_event {
    OPERATIONAL_ENDPOINT_CREATED,
    OPERATIONAL_ENDPOINT_UPDATED,
    OPERATIONAL_ENDPOINT_DELETED,
    OPERATIONAL_ENDPOINT_ENABLED,
    OPERATIONAL_ENDPOINT_DISABLED,
    OPERATIONAL_ATTEMPT_EXHAUSTED, /* the schedule of a delivery ended */
    OPERATIONAL_ATTEMPT_FAILING,   /* a delivery failed for the fourth time and goes on */
    OPERATIONAL_ATTEMPT_RECOVERED, /* delivered after one of the two before was sent */
    OPERATIONAL_TASK_FINISHED,
};
/* The event type, "endpoint.created" …; NULL past the last. */
const char *operational_event_name(unsigned kind);

/* A consumer of a poller: who fetches messages instead of being called. */
#define CONSUMER_NAME 32 /* bytes: the hash of the poller's and the consumer's name */
struct consumer {
    struct id position; /* of the last message that it has done with; zero: of none */
    struct wall used;
};

/* An event. Reference-counted and, once submitted, immutable: the HTTP thread, the writer and every
 * dispatcher share one copy of the payload. */
struct message {
    atomic_uint refs;
    struct id id;           /* assigned by the writer */
    struct wall created;    /* assigned by the writer */
    struct wall expires;    /* created + retention; assigned by the writer from retention_us */
    int64_t retention_us;   /* asked by the client; 0: the option's */
    struct wall deliver_at; /* its deliveries are due then; {0}: at once */
    struct id app;          /* assigned by the writer, like its number */
    uint32_t app_number;
    uint32_t only_endpoint; /* 0, or the one that gets it, whatever that asks for: an example */
    struct span event_type, event_id, ordering_key;
    unsigned channel_count;
    struct span channels[MESSAGE_CHANNELS_MAX];
    unsigned tag_count;
    struct span tags[TAGS_MAX];
    struct span content_type; /* empty: application/json */
    struct span headers;      /* JSON object of headers for this message alone; empty: none */
    struct span attributes;   /* JSON object: the context attributes of a CloudEvent; empty: none */
    struct span traceparent;  /* W3C trace context to send on; empty: none … */
    struct span tracestate;   /* … likewise, with a traceparent alone */
    struct span payload;      /* exact bytes */
    bool expunged;            /* the payload was deleted on request */
    char *block;      /* malloc'ed, what the spans point into, freed with the message; NULL when the
                         bytes stand behind the struct itself, as in what the store reads */
    size_t block_len; /* of those bytes, wherever they are */
};
/* A message with one reference and everything zero; NULL when out of memory. */
struct message *message_new(void);
/* The same with `room` bytes for its texts behind it, from *at on. */
struct message *message_new_with(size_t room, char **at);
struct message *message_ref(struct message *m);
/* Drops a reference, frees at the last one. Nulls the pointer. Any thread. */
void message_unref(struct message **m);

/* A delivery is (message, endpoint). In flight is known in memory only, so that a claim costs no
 * write and a crash returns it to its due time.
 *
 *   scheduled -> delivered | retrying | dead | canceled
 *   retrying  -> delivered | retrying | dead | canceled
 *   dead      -> scheduled (replay) | delivered (manual attempt) | canceled (endpoint deleted)
 *   delivered, canceled: final; a successful manual attempt turns canceled into delivered */
enum delivery_state {
    DELIVERY_SCHEDULED, /* never tried, due at `due` */
    DELIVERY_RETRYING,  /* tried, next attempt at `due` */
    DELIVERY_DELIVERED, /* a 2xx was received */
    DELIVERY_DEAD,      /* given up: in the dead-letter queue */
    DELIVERY_CANCELED,  /* nobody wants it any more */
    DELIVERY_NONE,      /* created by a manual attempt that has not succeeded: never scheduled */
};

/* Why a delivery is dead or canceled. On disk: append only. */
enum delivery_reason {
    REASON_NONE,
    REASON_EXHAUSTED,         /* the schedule ended */
    REASON_ENDPOINT_DISABLED, /* by hand, by 410 or by continuous failure */
    REASON_ENDPOINT_DELETED,
    REASON_MESSAGE_EXPIRED,
    REASON_MESSAGE_EXPUNGED,
    REASON_UNREADABLE, /* the stored record failed its checksum */
    REASON_CANCELED,   /* on request */
};
const char *delivery_state_name(enum delivery_state s);
const char *delivery_reason_name(enum delivery_reason r);

#define LINE_BYTES 16 /* of an ordering key's hash; zeros for all of a FIFO endpoint */

struct delivery {
    struct id message;
    uint32_t endpoint_number;
    enum delivery_state state;
    enum delivery_reason reason;
    uint16_t tries; /* scheduled attempts made since creation or the last replay */
    struct wall created, due, finished; /* due {0} when none is scheduled */
    struct wall replayed;               /* its schedule began anew then; {0}: never */
    struct wall manual_due;             /* a manual attempt waits; {0}: none */
    struct id last_attempt;             /* zero: never tried */
    uint16_t last_status;
    bool reported; /* an operational event told of its failure: one tells of its recovery */
    /* Its place among the unfinished deliveries of its ordering key; ticket zero: in no line. */
    uint8_t line[LINE_BYTES];
    struct id ticket;
    bool held;       /* waits for another of its line, then for `due` */
    uint8_t counted; /* the writer's: 1 + its class in the statistics; 0: in none. Not stored */
};

/* The class of an attempt's outcome, for people, metrics and policy. On disk: append only. */
enum attempt_class {
    ATTEMPT_SUCCESS,  /* 2xx */
    ATTEMPT_STATUS,   /* any other final status */
    ATTEMPT_REFUSED,  /* connection refused or reset before the response */
    ATTEMPT_TIMEOUT,  /* the whole attempt took too long */
    ATTEMPT_DNS,      /* the name did not resolve */
    ATTEMPT_TLS,      /* handshake or certificate */
    ATTEMPT_BLOCKED,  /* the address guard said no */
    ATTEMPT_PROTOCOL, /* not HTTP, too large, cut off */
    ATTEMPT_INTERNAL, /* ours: out of memory, bad stored URL */
    ATTEMPT_TOKEN,    /* no access token for it: nothing was sent */
    ATTEMPT_PROXY,    /* the operator's proxy did not let it through */
    ATTEMPT_LAST = ATTEMPT_PROXY
};
const char *attempt_class_name(enum attempt_class c);
/* A sentence for tenants: the class, never an address. */
const char *attempt_class_text(enum attempt_class c);

enum attempt_trigger { TRIGGER_SCHEDULED, TRIGGER_MANUAL };

/* What is kept of an endpoint's circuit breaker, which is the dispatcher's. */
struct breaker_mark {
    struct wall opened_at;    /* {0}: closed */
    struct wall probe_at;     /* nothing is sent before; then one probe */
    uint16_t probes;          /* that failed since it opened */
    enum attempt_class cause; /* of the attempt that opened it, or of the last probe */
    uint16_t status;          /* likewise; 0: no response */
};
static inline bool breaker_mark_same(const struct breaker_mark *a, const struct breaker_mark *b)
{
    return a->opened_at.us == b->opened_at.us && a->probe_at.us == b->probe_at.us &&
           a->probes == b->probes && a->cause == b->cause && a->status == b->status;
}

/* How an endpoint does; kept from its first failure to its next success, and while it is
 * disabled. All zero: well. */
struct endpoint_health {
    struct wall failing_since; /* the first failed attempt since the last success; {0}: none */
    uint32_t failures;         /* since then, at least */
    struct wall disabled_at;   /* {0}: it is enabled */
    struct breaker_mark breaker;
};

struct attempt {
    struct id id; /* assigned by the writer at the outcome */
    struct id message;
    struct id endpoint;
    uint32_t endpoint_number;
    struct wall started;
    int64_t duration_us;
    int64_t queued_us, dns_us, connect_us, tls_us, first_byte_us; /* parts, from the start */
    enum attempt_class outcome;
    enum attempt_trigger trigger;
    uint16_t status; /* HTTP status; 0: no response */
    uint16_t number; /* 1 for the first of its schedule */
    struct span url;
    struct span response; /* at most ATTEMPT_BODY_KEPT_MAX, as received */
    void *block;
};
void attempt_free(struct attempt **attempt);

#endif
