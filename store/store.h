/* The store: what is acknowledged is here, and what is here is durable.
 *
 * It speaks of messages, deliveries and endpoints, not of keys and cursors, and its writes are
 * asynchronous (submit with a completion), so that a second engine can stand behind this header.
 *
 * Threads. One writer thread, started by store_start, owns every write: it takes the whole inbox,
 * applies it in one transaction, commits (with a sync), then completes every operation of the
 * batch. Reads are short snapshots on the caller's thread. Nothing that a read returns points into
 * the map.
 *
 * Failure. Map or disk full aborts the batch, which is retried without its ingest; that is answered
 * ERR_FULL. Any other error of a commit is final: nothing of the batch is acknowledged, every
 * operation completes with ERR_IO, `failed` of the listener is called and the process must exit:
 * a failed sync must never be retried in place. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/histogram.h"
#include "base/inbox.h"
#include "store/match.h"
#include "store/model.h"

struct store;
struct json_writer;

struct store_settings {
    const char *dir;  /* created (0700) when missing */
    int64_t map_size; /* bytes of address space */
    int64_t message_retention_us;
    int64_t group_wait_us;     /* how long a small batch waits for company; the service does not
                                  (docs/performance.md), tests use it to make one batch */
    const char *main_secret;   /* encrypts secrets at rest; NULL: stored plain */
    bool idempotency_conflict; /* same key, other body: ERR_MISMATCH instead of the first answer */
    int64_t disable_after_us;  /* of failure without a success an endpoint is disabled; 0: never */
    bool as_is;                /* older data is refused instead of brought up to date */
};

/* A new delivery, handed over right after its commit with the message still in memory. */
struct handoff {
    struct inbox_item item; /* for the receiver's use */
    int tag;                /* likewise */
    uint64_t txn;           /* the transaction that committed it */
    uint32_t endpoint;
    struct wall due;
    struct message *message; /* a reference that the receiver drops */
};

/* What the dispatcher hears, all on the writer thread, after the commit, in commit order. None may
 * block. */
struct store_listener {
    void *context;
    /* A new scheduled delivery. The callee owns the handoff (free) and its message reference. */
    void (*delivery)(void *context, struct handoff *h);
    /* Deliveries of this endpoint became due on disk at or after `due` by another way than an
     * outcome (replay, resend, resume, large fan-out). */
    void (*due)(void *context, uint32_t endpoint, struct wall due, uint64_t txn);
    /* The endpoint was created, changed, disabled or deleted: forget what you know of it. */
    void (*endpoint)(void *context, uint32_t endpoint, uint64_t txn);
    /* The disk failed. Called once; the process must stop. */
    void (*failed)(void *context);
};

/* Whether the directory holds a store. */
bool store_exists(const char *dir);
/* Opens (or creates) the data directory and takes its lock. ERR_LOCKED when another process has it,
 * ERR_VERSION for a newer format, ERR_INVALID when main_secret does not fit the data, ERR_CORRUPT
 * when damage took away what every store has, each logged with what to do. Time in proportion to
 * the number of endpoints. */
enum err store_open(const struct store_settings *settings, struct store **out) MUST_CHECK;
/* Starts the writer. The listener is copied. */
enum err store_start(struct store *s, const struct store_listener *listener) MUST_CHECK;
/* Completes what was submitted, commits, stops the writer. Idempotent. */
void store_stop(struct store *s);
/* After store_stop. Nulls the pointer. */
void store_close(struct store **s);

/* ---------------------------------------------------------------- writes */

enum store_op_kind {
    STORE_INGEST,  /* struct ingest_op */
    STORE_OUTCOME, /* struct outcome_op */
    STORE_APP_PUT, /* struct app_op */
    STORE_APP_DELETE,
    STORE_ENDPOINT_PUT, /* struct endpoint_op */
    STORE_ENDPOINT_DELETE,
    STORE_EVENT_TYPE_PUT, /* struct event_type_op */
    STORE_EVENT_TYPE_DELETE,
    STORE_KEY_PUT, /* struct key_op */
    STORE_KEY_REVOKE,
    STORE_PORTAL_PUT,      /* struct portal_op */
    STORE_PORTAL_END,      /* struct portal_end_op */
    STORE_RESEND,          /* struct resend_op: one manual attempt */
    STORE_DEAD,            /* struct dead_op: replay or purge of dead letters */
    STORE_RECOVER,         /* struct recover_op: manual attempts for what failed since a moment */
    STORE_REPLAY,          /* struct replay_op: manual attempts by a window of messages */
    STORE_EXPUNGE,         /* struct expunge_op: delete the payload of a message, or a response */
    STORE_EXPUNGE_ALL,     /* struct expunge_all_op: the payloads of an application's messages */
    STORE_AGGREGATE,       /* struct aggregate_op: figures of an organisation */
    STORE_EVENT_TYPES_PUT, /* struct event_types_op: many event types in one commit */
    STORE_CONSUMER_PUT,    /* struct consumer_op: where a consumer of a poller stands */
};

/* What a POST's Idempotency-Key protects. The writer looks the key up, and stores it with the
 * answer in the transaction of what it protects. */
struct idempotency {
    bool used;           /* false: the request had no key */
    uint8_t key[16];     /* identity: token, method, path, query and key, hashed together */
    uint8_t body[8];     /* hash of the request body */
    int64_t lifetime_us; /* 12 h, or 10 min for automatic keys */
};

/* Embed it first. An operation and everything it points to belongs to the store from store_submit
 * until `done` was called with it. */
struct store_op {
    struct inbox_item item;
    enum store_op_kind kind;
    enum err result;
    /* On the writer thread, after the commit (or the refusal). Must not block. */
    void (*done)(struct store_op *op);
    void *owner; /* the submitter's */

    struct idempotency idempotency;
    /* In: the answer to store under the key when the operation succeeds (not of STORE_INGEST,
     * whose answer is rendered from its messages). Out: when `replayed`, the stored one. */
    uint16_t answer_status;
    struct buf answer;
    bool replayed; /* the key was known: nothing was applied, result is ERR_OK */
};

/* Any thread. Ingest is refused with ERR_BUSY when more waits than is applied within some ten
 * milliseconds (nothing was submitted, `done` will not be called), with ERR_FULL above 90 % of the
 * map, with ERR_STOPPING after store_stop; everything else is always taken while the writer runs. */
enum err store_submit(struct store *s, struct store_op *op) MUST_CHECK;

/* One or many messages of one request, in one commit. */
struct ingest_item {
    struct message *message; /* in: one reference, the submitter keeps it. id, created, app, expires
                                are filled in */
    enum err result;         /* ERR_OK, ERR_CONFLICT: the eventId exists (existing names it),
                                ERR_FULL, ERR_NO_MEMORY; for its only endpoint: ERR_NOT_FOUND,
                                ERR_DISABLED; of a known identity with another body:
                                ERR_MISMATCH */
    struct id existing;
    struct idempotency identity; /* in: of the event itself, within its application; the key is
                                    a hash of what names it. `used` false: it has none */
    bool replayed;               /* the identity was known: nothing was stored, existing names the
                                    first message, of this moment: */
    struct wall existing_created;
};
struct ingest_op {
    struct store_op op; /* result ERR_NOT_FOUND: no such application. With one item its result is
                           the op's. When replayed: `replayed_status`, and for one message
                           items[0].existing is the first message; for a batch op.answer. One
                           message whose identity was known is replayed, too */
    struct id org;
    struct span app;          /* id or uid */
    struct id only_app;       /* zero, or the only application that the token may use: any other is
                           ERR_NOT_FOUND */
    const struct app *create; /* NULL, or the application to make in the same commit when there is
                                 none of the uid `app`; number and version are the writer's */
    bool batch;               /* op.answer must be rendered by `render` for storing under the key */
    /* For a batch with an idempotency key: called on the writer thread once ids are assigned,
     * before the commit; appends the answer. Must be quick and pure. */
    void (*render)(struct ingest_op *op, struct buf *answer);
    unsigned count;
    struct ingest_item *items;
};

/* The end of an attempt. One function of the writer moves the delivery and everything that hangs on
 * it: due index, attempt, dead letter, counters, endpoint health. */
struct outcome_op {
    struct store_op op;     /* result ERR_NOT_FOUND: message or endpoint is gone; nothing to do */
    struct attempt attempt; /* id is assigned by the writer; spans live until done */
    struct wall due;        /* the due time under which it was claimed: finds the index row */
    enum { OUTCOME_DELIVERED, OUTCOME_RETRY, OUTCOME_DEAD } verdict;
    enum delivery_reason reason; /* of OUTCOME_DEAD */
    struct wall retry_at;        /* of OUTCOME_RETRY */
    bool disable_endpoint;       /* 410: disabled with reason "gone" in the same transaction */
    /* What the attempt says of the endpoint's health; nothing when the endpoint was changed since:
     * its version is not `endpoint_version` any more. */
    enum { HEALTH_SAME, HEALTH_FAILED, HEALTH_WORKS } health;
    uint64_t endpoint_version;
    uint32_t failures;           /* of HEALTH_FAILED: in a row, with this one */
    struct breaker_mark breaker; /* of any but HEALTH_SAME: as it is now */
    bool urgent;                 /* the next of its line may wait for it: its commit waits for
                                    no company but what other operations wait for */
    enum delivery_state state;   /* out: where the delivery now is (a cancellation wins) */
};

/* Create: app->version is 0; the number is assigned. Replace: app->version is the one that was
 * read; ERR_STALE when it changed meanwhile. ERR_CONFLICT: the uid is taken. The writer sets
 * app->version and app->number. */
struct app_op {
    struct store_op op;
    struct app *app; /* in and out; stays the submitter's */
    struct id id;    /* of STORE_APP_DELETE: cancels deliveries, deletes endpoints, in steps */
};
struct endpoint_op {
    struct store_op op; /* ERR_NOT_FOUND when the application is gone; the operational one of
                           endpoint->org is made in the same commit when there is none. Setting
                           `disabled` moves its unfinished deliveries to the dead letters, in
                           steps */
    struct endpoint *endpoint;
    uint32_t number; /* of STORE_ENDPOINT_DELETE */
    /* Of a replacement: NULL, or the id (id_fresh) of the durable task that replays what died since
     * `since`; the endpoint's health is forgotten, whatever changed. */
    const struct id *recover_task;
    struct wall since;
};
struct event_type_op {
    struct store_op op;
    struct event_type *type; /* version 0 creates: ERR_CONFLICT when the name exists */
};
struct key_op {
    struct store_op op;
    struct api_key key; /* revoke: key.id */
};
struct portal_op {
    struct store_op op; /* ERR_NOT_FOUND: no such application. ERR_STALE: `create` exists */
    struct portal_token token;
    const struct app *create; /* NULL, or the application to make in the same commit, with the id of
                                 token.app */
};
struct portal_end_op {
    struct store_op op; /* ERR_NOT_FOUND of one that does not exist */
    struct id app;
    const uint8_t *hash; /* this one alone, at once; NULL: all of the application, or … */
    unsigned session_count;
    const uint8_t (*sessions)[16]; /* … those of these sessions … */
    struct wall at;                /* … that would live longer end then */
};
struct resend_op {
    struct store_op op; /* ERR_NOT_FOUND, ERR_DISABLED; ERR_IN_FLIGHT: a manual attempt waits */
    struct id message;
    uint32_t endpoint;
    bool in_flight; /* in: an attempt is under way, so ERR_IN_FLIGHT, unless the idempotency key is
                       known: a client that lost our answer asks again while its attempt runs */
};
struct dead_op {
    struct store_op op;
    enum { DEAD_REPLAY, DEAD_PURGE } verb;
    uint32_t app;              /* all dead letters of an application … */
    uint32_t endpoint;         /* … or, when not 0, of one endpoint */
    const struct id *messages; /* these alone, of `endpoint`, at once and without a task: those that
                                  are not dead are skipped, ERR_NOT_FOUND when none is */
    unsigned message_count;    /* 0: by the filter below; at most PAGE_MAX */
    struct wall since, until;  /* by the time of death; {0}: open */
    struct span event_type;    /* empty: all */
    uint32_t rate;  /* of a replay by filter: deliveries a second; 0: as fast as it goes */
    struct id task; /* in, with message_count 0: the id (id_fresh) of the durable task that does it
                       in steps, chosen by the submitter because the answer is rendered before */
};
struct recover_op {
    struct store_op op;
    uint32_t endpoint;
    struct wall since, until; /* by the message's time */
    struct id task;           /* in: the id (id_fresh) of the durable task, as in dead_op */
};
struct message_filter {
    unsigned event_type_count;
    const struct span *event_types;  /* none: all */
    struct span channel, tag;        /* empty: all */
    const struct endpoint *endpoint; /* NULL, or the one that must take it */
};
struct replay_op {
    struct store_op op; /* ERR_NOT_FOUND, ERR_DISABLED */
    uint32_t endpoint;
    struct wall since, until; /* by the message's time, both exclusive; never beyond now */
    bool missing;     /* what the endpoint would take now and never got; else what it got, by … */
    unsigned states;  /* … the delivery's state (bits of 1 << enum delivery_state), … */
    int status_class; /* … its last attempt's status (0: none, 100 … 500; -1: any), … */
    struct message_filter filter; /* … and the message. Spans live until done */
    struct id task;               /* in: the id (id_fresh) of the durable task */
};
struct expunge_op {
    struct store_op op; /* messages that are gone are passed over; an attempt: ERR_NOT_FOUND */
    uint32_t app;
    unsigned message_count; /* at most PAGE_MAX, in one commit */
    const struct id *messages;
    struct id attempt; /* zero, or the one of messages[0] whose response is meant instead */
};
struct expunge_all_op {
    struct store_op op;
    uint32_t app;
    struct id task; /* in: the id (id_fresh) of the durable task */
};
struct consumer_op {
    struct store_op op; /* ERR_NOT_FOUND: no such application. ERR_STALE: it has gone further.
                           ERR_INVALID: no message has come so far. ERR_CONFLICT: one too many */
    struct id app;
    uint8_t name[CONSUMER_NAME];
    struct id position; /* the one that it has is fine: it was used */
    bool seek;          /* backwards, too, and behind the newest message */
};
struct aggregate_op {
    struct store_op op;
    bool event_types; /* the event types that endpoints ask for; else deliveries by application … */
    struct id org;
    struct wall since, until; /* … from the hour of the one to that of the other, with both */
    const struct id *apps;    /* these alone; those that are gone are left out */
    unsigned app_count;       /* 0: all of the organisation; at most AGGREGATE_APPS_MAX */
    struct id task;           /* in: the id (id_fresh) of the durable task */
};
/* Creates or replaces, whatever stands there; a type that says the same already is left alone. At
 * most COMMIT_ROWS_MAX of both lists. */
struct event_types_op {
    struct store_op op;
    struct id org;
    struct wall now;                /* when they are created or changed */
    const struct event_type *types; /* of their times and version the store takes no notice */
    unsigned count;
    const struct span *archive; /* names of those to archive; unknown ones are left out */
    unsigned archive_count;
};

/* ---------------------------------------------------------------- reads */

/* A snapshot: sees every operation whose `done` was called before it began. One thread uses it; at
 * most READ_US_MAX long. */
struct store_read;
enum err store_read_begin(struct store *s, struct store_read **out) MUST_CHECK;
/* Nulls the pointer. */
void store_read_end(struct store_read **r);
/* The transaction that the snapshot shows; comparable with handoff.txn. */
uint64_t store_read_txn(const struct store_read *r);

/* A page of a list. The cursor is exclusive; rows come in list order (newest first where the
 * comment says so), `backward` pages towards the front and still returns rows in list order. */
struct page {
    unsigned limit; /* 1 … PAGE_MAX */
    bool has_cursor;
    struct id cursor;
    bool backward;
    bool ascending;            /* flips the list's default order */
    struct wall before, after; /* {0}: open; `after` alone: the oldest page after it */
};

/* `ref` is an id with its prefix, or a uid. ERR_NOT_FOUND. */
enum err store_app_get(struct store_read *r, const struct id *org, struct span ref,
                       struct app **out) MUST_CHECK;
/* The application of the organisation's operational endpoints, which no `ref` leads to. One that
 * was not made yet has number 0, under which nothing is found. ERR_NOT_FOUND: it cannot have one. */
enum err store_operational_app(struct store_read *r, const struct id *org,
                               struct app **out) MUST_CHECK;
/* By id alone (dispatcher). */
enum err store_app_load(struct store_read *r, const struct id *id, struct app **out) MUST_CHECK;
enum err store_endpoint_get(struct store_read *r, uint32_t app_number, struct span ref,
                            struct endpoint **out) MUST_CHECK;
enum err store_endpoint_load(struct store_read *r, uint32_t number,
                             struct endpoint **out) MUST_CHECK;
/* How an endpoint does; all zero when it does well. An error of the store alone: a record that is
 * damaged is reported and says nothing. */
enum err store_health_get(struct store_read *r, uint32_t number,
                          struct endpoint_health *out) MUST_CHECK;
/* Those that have been failing or are disabled, at start-up. */
enum err store_each_health(struct store_read *r,
                           void (*each)(void *context, uint32_t number,
                                        const struct endpoint_health *health),
                           void *context) MUST_CHECK;
enum err store_event_type_get(struct store_read *r, const struct id *org, struct span name,
                              struct event_type **out) MUST_CHECK;
/* By id or, for one with an eventId, by that. `content`: with the payload. */
enum err store_message_get(struct store_read *r, uint32_t app_number, struct span ref, bool content,
                           struct message **out) MUST_CHECK;
/* By id alone, with the payload (dispatcher). */
enum err store_message_load(struct store_read *r, const struct id *id,
                            struct message **out) MUST_CHECK;
enum err store_delivery_get(struct store_read *r, const struct id *message, uint32_t endpoint,
                            struct delivery *out) MUST_CHECK;
/* The first of the line in which a held delivery stands; zero: it waits for none. */
enum err store_delivery_waits_for(struct store_read *r, const struct delivery *d,
                                  struct id *message) MUST_CHECK;
enum err store_attempt_get(struct store_read *r, const struct id *message, const struct id *attempt,
                           bool content, struct attempt **out) MUST_CHECK;

/* Lists fill `rows` (room for page->limit), set *count and *more (rows beyond this page in the
 * page's direction). A list that stops early at READ_ROWS_MAX sets *more and *last, the id at which
 * to continue, even when *count is 0. */
struct page_result {
    unsigned count;
    bool more;
    struct id last; /* the last row looked at */
};
/* By id, ascending by default. */
enum err store_app_list(struct store_read *r, const struct id *org, const struct page *page,
                        struct app **rows, struct page_result *result) MUST_CHECK;
/* By id, descending by default. */
enum err store_endpoint_list(struct store_read *r, uint32_t app_number, const struct page *page,
                             struct endpoint **rows, struct page_result *result) MUST_CHECK;
/* By name; `cursor_name` instead of page->cursor (empty: from the start). */
enum err store_event_type_list(struct store_read *r, const struct id *org, const struct page *page,
                               struct span cursor_name, bool with_archived,
                               struct event_type **rows, struct page_result *result) MUST_CHECK;
/* All keys, oldest first; *keys is malloc'ed. */
enum err store_key_list(struct store_read *r, struct api_key **keys, size_t *count) MUST_CHECK;

/* Newest first. */
enum err store_message_list(struct store_read *r, uint32_t app_number, const struct page *page,
                            const struct message_filter *filter, bool content,
                            struct message **rows, struct page_result *result) MUST_CHECK;

/* Where a consumer of a poller stands; ERR_NOT_FOUND: nowhere yet. *fades: it will be forgotten
 * unless a consumer_op says that it is in use. */
enum err store_consumer_get(struct store_read *r, const struct id *app,
                            const uint8_t name[CONSUMER_NAME], struct wall now,
                            struct consumer *out, bool *fades) MUST_CHECK;

struct attempt_filter {
    int status;            /* -1: all; 0 success, 2 fail: the attempt's outcome */
    unsigned status_class; /* 0: all; 100 … 500 */
    uint32_t endpoint;     /* 0: all */
    struct message_filter message;
};
/* Newest first. */
enum err store_attempts_of_endpoint(struct store_read *r, uint32_t endpoint,
                                    const struct page *page, const struct attempt_filter *filter,
                                    bool content, struct attempt **rows,
                                    struct page_result *result) MUST_CHECK;
enum err store_attempts_of_message(struct store_read *r, const struct id *message,
                                   const struct page *page, const struct attempt_filter *filter,
                                   bool content, struct attempt **rows,
                                   struct page_result *result) MUST_CHECK;
/* Deliveries of a message by endpoint number, and of an endpoint by message, newest first.
 * page->cursor is the endpoint's id in the first, the message's in the second. `states` is a bit
 * set of 1 << enum delivery_state; 0: all. */
enum err store_deliveries_of_message(struct store_read *r, const struct id *message,
                                     const struct page *page, struct delivery *rows,
                                     struct page_result *result) MUST_CHECK;
enum err store_deliveries_of_endpoint(struct store_read *r, uint32_t endpoint,
                                      const struct page *page, unsigned states,
                                      const struct message_filter *filter, struct delivery *rows,
                                      struct page_result *result) MUST_CHECK;

struct dead_filter {
    struct wall since, until;
    struct span event_type;
};
/* Dead letters of one endpoint, newest message first. (An application's are merged from its
 * endpoints by the caller.) */
enum err store_dead_list(struct store_read *r, uint32_t endpoint, const struct page *page,
                         const struct dead_filter *filter, struct delivery *rows,
                         struct page_result *result) MUST_CHECK;

/* Deliveries of an endpoint that are due, oldest first, from `from` on. Reads at most `max` rows
 * with due <= now. *next_due is the due time of the first row behind those returned (WALL_NEVER:
 * none, whatever its time). */
struct due_row {
    struct wall due;
    struct id message;
    uint16_t tries;
    enum attempt_trigger trigger;
};
enum err store_due_page(struct store_read *r, uint32_t endpoint, struct wall from, struct wall now,
                        struct due_row *rows, unsigned max, unsigned *count,
                        struct wall *next_due) MUST_CHECK;
/* Every endpoint that is not deleted with its first due time (WALL_NEVER: none), at start-up. */
enum err store_each_endpoint(struct store_read *r,
                             void (*each)(void *context, uint32_t number, struct wall first_due),
                             void *context) MUST_CHECK;

/* Background tasks (recover, replay, purge …). */
struct task_info {
    struct id id;
    struct id org, app;
    const char *kind; /* static text: "endpoint.recover", "dead_letter.replay", … */
    bool finished;
    bool failed;   /* finished, too: its result would have been over TASK_RESULTS_MAX */
    uint64_t done; /* deliveries (of figures: applications) handled so far */
    struct wall created, updated;
};
/* Writes how far it is as members of an object, for answers and for the event of its end alike. */
void store_task_progress(struct json_writer *w, const struct task_info *t);
enum err store_task_get(struct store_read *r, const struct id *org, const struct id *id,
                        struct task_info *out) MUST_CHECK;
struct task_query {
    struct id app;                   /* zero: of every application */
    struct span kind;                /* empty: any that `shown` lets pass */
    bool (*shown)(const char *kind); /* NULL: every kind */
    enum { TASK_ANY, TASK_RUNNING, TASK_FINISHED, TASK_FAILED } status;
};
/* What a task found out about one application: first the application's own row, then one for each
 * event type that its endpoints ask for. Spans live during the call. */
struct task_result {
    struct id app;
    struct span uid;
    uint64_t deliveries;
    bool catch_all;         /* an endpoint of it asks for every type */
    struct span event_type; /* empty: the application's own row */
};
/* Zero it; each call continues behind the last row. */
struct task_result_place {
    struct id app;
    char event_type[EVENT_TYPE_MAX + 1];
};
/* Hands out at most READ_ROWS_MAX rows in order; *more: another snapshot may continue. */
enum err store_task_results(struct store_read *r, const struct id *task,
                            struct task_result_place *at,
                            void (*each)(void *context, const struct task_result *row),
                            void *context, bool *more) MUST_CHECK;
/* Those that a client was told of, newest first. */
enum err store_task_list(struct store_read *r, const struct id *org, const struct page *page,
                         const struct task_query *query, struct task_info *rows,
                         struct page_result *result) MUST_CHECK;

/* The key with this hash, from memory; ERR_NOT_FOUND when unknown, revoked or expired. Any thread,
 * no snapshot needed: every request asks. */
enum err store_key_find(struct store *s, const uint8_t hash[32], struct api_key *out) MUST_CHECK;
/* The portal token of this application, from a snapshot of its own; ERR_NOT_FOUND when unknown,
 * expired or ended, or the application is gone. Any thread. */
enum err store_portal_find(struct store *s, const struct id *app, const uint8_t hash[32],
                           struct wall now, struct portal_token *out) MUST_CHECK;
/* Whether any key exists; the organisation that keys get by default. */
bool store_has_keys(struct store *s);
struct id store_default_org(const struct store *s);

/* Whether any endpoint of the application would take such a message now. Any thread. */
bool store_app_takes(struct store *s, uint32_t app_number, const struct match_subject *subject);
/* Which endpoints an application has now; none of one that is not there. Any thread. */
struct app_receivers {
    bool any, enabled, elsewhere; /* elsewhere: not at Svix Play */
};
struct app_receivers store_app_receivers(struct store *s, uint32_t app_number);

/* Per endpoint, as of the last commit; any thread. */
struct endpoint_counts {
    uint64_t waiting, dead;
};
struct endpoint_counts store_endpoint_counts(struct store *s, uint32_t endpoint);

/* Of one endpoint, for some hours. */
enum stat_class {
    STAT_SUCCESS,
    STAT_PENDING,
    STAT_FAIL,
    STAT_SENDING,
    STAT_CANCELED,
    STAT_CLASSES
};
struct endpoint_stats {
    uint64_t deliveries[STAT_CLASSES]; /* by the hour of their message */
    uint64_t succeeded, failed;        /* attempts, by their own hour */
};
/* Adds the hours from that of `since` to that of `until` to *sum. *next: where to continue, with
 * another snapshot; {0}: all were looked at. */
enum err store_endpoint_stats(struct store_read *r, uint32_t endpoint, struct wall since,
                              struct wall until, struct endpoint_stats *sum,
                              struct wall *next) MUST_CHECK;

/* ---------------------------------------------------------------- care */

struct store_stats {
    struct counter accepted, accepted_bytes, replayed, conflicts, refused_busy, refused_full;
    struct counter delivered, dead, waiting, dead_waiting; /* the last two are gauges */
    struct counter expired, corrupt, commits;
    struct counter watching;           /* a gauge: places of store/watch.h that are taken */
    struct histogram commit_us;        /* commit with its syncs */
    struct histogram commit_rows;      /* rows a commit */
    struct counter map_used, map_size; /* bytes; gauges */
};
const struct store_stats *store_stats(const struct store *s);

/* A consistent copy into an empty or missing directory, while serving. Blocks the caller. */
enum err store_backup(struct store *s, const char *dir) MUST_CHECK;

struct check_report {
    uint64_t messages, deliveries, attempts, dead, endpoints, index_entries;
    uint64_t errors;
};
/* Verifies every record and every index against every other; each finding goes to `say`. The store
 * is open and not started. */
enum err store_check(struct store *s, void (*say)(void *context, const char *finding),
                     void *context, struct check_report *report) MUST_CHECK;
/* Verifies the pages of a data file that nobody has opened, without LMDB, which might follow a
 * damaged one to anywhere. store_check does the same first. ERR_LOCKED, ERR_IO, ERR_NO_MEMORY,
 * logged. */
enum err store_check_file(const char *dir, void (*say)(void *context, const char *finding),
                          void *context, struct check_report *report) MUST_CHECK;

#endif
