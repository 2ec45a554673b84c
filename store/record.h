/* Records on disk: explicit encoding, a version byte and a checksum. Private to store/.
 *
 * Layout: version (1) | checksum of the rest (4) | fields. Fixed fields first, then optional ones
 * as tag (1) length (varint) bytes, so that a later version adds fields without a new format.
 * Decoding checks every bound and answers ERR_CORRUPT for whatever an encoder would not have
 * written; an unknown tag is ERR_CORRUPT too (a newer writer raises the version byte instead).
 *
 * Encoders append to a buf (sticky error). Decoders make owned copies in one malloc'ed block. */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include "store/tree.h"

struct vault; /* store/vault.h: encrypts signing keys when a main secret is set */

void record_app_encode(const struct app *a, struct buf *out);
enum err record_app_decode(struct span in, struct app **out) MUST_CHECK;

void record_endpoint_encode(const struct endpoint *e, const struct vault *v, struct buf *out);
enum err record_endpoint_decode(struct span in, const struct vault *v,
                                struct endpoint **out) MUST_CHECK;
/* record_transport.c: the fields `tag` of it that hold credentials. `sealed` is the field's value
 * in memory of the caller's own, which is overwritten and must live as long as the endpoint. */
void record_auth_encode(const struct endpoint *e, const struct vault *v, uint8_t tag,
                        struct buf *out);
enum err record_auth_decode(struct span sealed, const struct vault *v, uint8_t tag,
                            struct endpoint *e) MUST_CHECK;
void record_tls_encode(const struct endpoint *e, const struct vault *v, uint8_t tag,
                       struct buf *out);
enum err record_tls_decode(struct span sealed, const struct vault *v, uint8_t tag,
                           struct endpoint *e) MUST_CHECK;

void record_event_type_encode(const struct event_type *t, struct buf *out);
enum err record_event_type_decode(struct span in, struct event_type **out) MUST_CHECK;

void record_key_encode(const struct api_key *k, struct buf *out);
enum err record_key_decode(struct span in, struct api_key *out) MUST_CHECK;

/* The head of a message. The payload follows inline when the whole record fits INLINE_BYTES_MAX,
 * else it stands in chunks in TREE_BODY and the head keeps its length and checksum. */
void record_message_encode(const struct message *m, struct buf *out);
/* How many chunks record_message_encode left to TREE_BODY, and each chunk's record. */
unsigned record_message_chunks(const struct message *m);
void record_body_encode(const struct message *m, unsigned chunk, struct buf *out);
/* Decodes a head. *payload_len is what is still missing from chunks (0: complete or expunged). With
 * `content` the block has room for the payload at m->payload (filled by record_body_decode), else
 * m->payload is empty. The id is not in the record: the caller sets it from the key. */
enum err record_message_decode(struct span in, bool content, struct message **out,
                               size_t *missing) MUST_CHECK;
/* When the message expires, without decoding the rest: every outcome asks. */
enum err record_message_expires(struct span in, struct wall *out) MUST_CHECK;
/* Copies chunk number `chunk` into place. After the last one, record_message_verify. */
enum err record_body_decode(struct span in, unsigned chunk, struct message *m) MUST_CHECK;
enum err record_message_verify(const struct message *m) MUST_CHECK;

/* Fixed size, so that a state change rewrites in place. message and endpoint come from the key. */
void record_delivery_encode(const struct delivery *d, struct buf *out);
enum err record_delivery_decode(struct span in, struct delivery *out) MUST_CHECK;

void record_due_encode(uint16_t tries, struct buf *out);
enum err record_due_decode(struct span in, uint16_t *tries) MUST_CHECK;

/* Where the renewal of a message's index entries stands: the value of its expiry row. */
struct renewal {
    struct wall until; /* the later expiry */
    enum renewal_part { RENEWAL_DELIVERIES, RENEWAL_ATTEMPTS, RENEWAL_PARTS } part;
    bool begun;     /* the part is renewed up to `last` */
    struct id last; /* an attempt's id, or an endpoint number in its first bytes */
};
void record_renewal_encode(const struct renewal *at, struct buf *out);
enum err record_renewal_decode(struct span in, struct renewal *out) MUST_CHECK;

/* id and message come from the key. Without `content` the response is left empty. */
void record_attempt_encode(const struct attempt *a, struct buf *out);
enum err record_attempt_decode(struct span in, bool content, struct attempt **out) MUST_CHECK;

struct dead_record {
    struct wall died;
    enum delivery_reason reason;
    struct span event_type; /* points into the input */
};
void record_dead_encode(const struct dead_record *d, struct buf *out);
enum err record_dead_decode(struct span in, struct dead_record *out) MUST_CHECK;

/* app and hash come from the key. */
void record_portal_encode(const struct portal_token *t, struct buf *out);
enum err record_portal_decode(struct span in, struct portal_token *out) MUST_CHECK;

/* record_consumer.c; application and name come from the key. */
void record_consumer_encode(const struct consumer *c, struct buf *out);
enum err record_consumer_decode(struct span in, struct consumer *out) MUST_CHECK;

/* record_health.c; the endpoint's number comes from the key. */
void record_health_encode(const struct endpoint_health *h, struct buf *out);
enum err record_health_decode(struct span in, struct endpoint_health *out) MUST_CHECK;

/* A stored answer: status and body. */
void record_answer_encode(uint16_t status, const uint8_t body_hash[8], struct span answer,
                          struct buf *out);
enum err record_answer_decode(struct span in, uint16_t *status, uint8_t body_hash[8],
                              struct span *answer) MUST_CHECK;

void record_count_encode(const struct endpoint_counts *c, struct buf *out);
enum err record_count_decode(struct span in, struct endpoint_counts *out) MUST_CHECK;

struct stat_record {
    struct endpoint_stats stats;
    uint32_t app; /* the number of the endpoint's application, which a deleted endpoint cannot tell;
                     0 in rows of before */
    bool inexact; /* a damaged delivery was among what it counts */
};
void record_stat_encode(const struct stat_record *s, struct buf *out);
enum err record_stat_decode(struct span in, struct stat_record *out) MUST_CHECK;

/* Durable work in steps. On disk: append only. */
enum task_kind {
    TASK_FANOUT,            /* the deliveries of a message that matched very many endpoints */
    TASK_ENDPOINT_DISABLED, /* unfinished deliveries to the dead letters */
    TASK_ENDPOINT_DELETED,  /* unfinished deliveries canceled, dead letters dropped, rows removed */
    TASK_APP_DELETED,       /* its endpoints, one after another; then its messages expire */
    TASK_DEAD_REPLAY,
    TASK_DEAD_PURGE,
    TASK_RECOVER,
    TASK_REPLAY_MISSING, /* messages that the endpoint takes and never got */
    TASK_BULK_REPLAY,    /* messages that it got, by a filter */
    TASK_PURGE_CONTENT,  /* the payloads of an application's messages */
    TASK_APP_STATS,      /* deliveries of an organisation by application */
    TASK_EVENT_TYPES,    /* the event types that an organisation's endpoints ask for */
    TASK_ORDER_CHANGED,  /* deliveries in line, after a change of their endpoint's ordering */
    TASK_ORDER_FLOW,     /* lets the first of each line of an endpoint go */
    TASK_EXPUNGED,       /* the rest of the deliveries of a message that lost its payload */
    TASK_KINDS
};
/* Whether a client was told the task's id: it can be asked for, and is kept for a while. */
bool task_is_public(enum task_kind kind);
struct task {
    struct id id;
    enum task_kind kind;
    struct id org, app;
    uint32_t app_number, endpoint;
    struct id cursor;  /* where the next step begins */
    struct id message; /* the one under way; of the kinds that wait: the last attempt asked for */
    uint32_t cursor_number;
    struct wall since, until;
    struct line_place place; /* of the kinds that walk lines: the last one looked at */
    char event_type[EVENT_TYPE_MAX + 1];
    bool finished, failed; /* what failed is finished, too */
    uint64_t done;
    uint64_t results; /* rows in TREE_TASK_RESULT */
    uint32_t rate;    /* deliveries a second; 0: as fast as it goes */
    int64_t next_ns;  /* with a rate: as store/pace.h says */
    struct wall created, updated;
};
/* id comes from the key. */
void record_task_encode(const struct task *t, struct buf *out);
enum err record_task_decode(struct span in, struct task *out) MUST_CHECK;

/* What a TASK_BULK_REPLAY chooses. */
struct task_filter {
    unsigned states;  /* 1 << enum delivery_state */
    int status_class; /* of the last attempt: 0 (no response), 100 … 500; -1: any */
    struct message_filter message;
};
void record_task_filter_encode(const struct task_filter *f, struct buf *out);
/* One block; free it. ERR_CORRUPT, ERR_NO_MEMORY. */
enum err record_task_filter_decode(struct span in, struct task_filter **out) MUST_CHECK;

/* A row of an application's own; app comes from the key. *out points into the input. */
void record_task_result_encode(const struct task_result *r, struct buf *out);
enum err record_task_result_decode(struct span in, struct task_result *out) MUST_CHECK;

void record_marks_encode(const struct marks *m, struct buf *out);
enum err record_marks_decode(struct span in, struct marks *out) MUST_CHECK;

/* Of a row that says everything with its key. */
void record_empty_encode(struct buf *out);

/* The id of the default organisation. */
void record_org_encode(const struct id *org, struct buf *out);
enum err record_org_decode(struct span in, struct id *out) MUST_CHECK;

#endif
