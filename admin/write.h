/* A write of an admin route: read, check, one store operation, one answer.
 *
 * A route gives its step. The step finds and checks on the HTTP thread, fills the operation and
 * renders the answer (ids and times are its own, so that the answer can be stored under the
 * idempotency key in the same commit). When the entity changed between the step's reading and the
 * commit, the step runs again on the newer state, a bounded number of times. */
#ifndef ADMIN_WRITE_H
#define ADMIN_WRITE_H

#include "admin/body.h"
#include "admin/key.h"
#include "admin/lookup.h"

struct write;

/* False: it replied already. */
typedef bool (*write_step)(struct request *req, struct write *w);

/* Lives as long as the request. What the operation points to stands here or is borrowed from
 * `found` and `body`. */
struct write {
    union {
        struct store_op op;
        struct app_op app_op;
        struct endpoint_op endpoint_op;
        struct event_type_op event_type_op;
        struct key_op key_op;
        struct resend_op resend_op;
        struct dead_op dead_op;
        struct recover_op recover_op;
        struct replay_op replay_op;
        struct expunge_op expunge_op;
        struct expunge_all_op expunge_all_op;
        struct ingest_op ingest_op;
        struct aggregate_op aggregate_op;
        struct event_types_op event_types_op;
        struct consumer_op consumer_op;
        struct portal_op portal_op;
        struct portal_end_op portal_end_op;
    };
    struct body body;
    struct body described; /* an entity inside the body */
    struct lookup found;
    union { /* the entity that the operation stores */
        struct app app;
        struct endpoint endpoint;
        struct event_type event_type;
    };
    struct message *message;                 /* a reference, of ingest_op */
    struct ingest_item item;                 /* likewise */
    struct event_type *replaced;             /* the event type that was read; owned */
    struct span texts[ENDPOINT_FILTERS_MAX]; /* room for a list of the body */
    struct id ids[PAGE_MAX];
    struct buf url;                /* the normalised form */
    char token[KEY_TOKEN_LEN + 1]; /* of a new key */
    char portal_token[ID_MAX + 1 + KEY_SECRET_LEN + 1];
    uint8_t hash[SHA256_BYTES]; /* of the request's token */
    bool anew;                  /* a repeated request is done again: its answer is not stored */

    const char *conflict; /* what ERR_CONFLICT means here; NULL: the store's words */
    /* Answers ERR_CONFLICT itself when not NULL (get_if_exists). */
    void (*on_conflict)(struct request *req, struct write *w);
    /* Turns a rendered answer into the one to send when not NULL: what may be shown once must not
     * be stored. `op.replayed` tells whether this is the first answer. */
    void (*before_reply)(struct request *req, struct write *w);

    write_step step;
    unsigned tries;
};

/* Runs the step, submits, answers. */
void write_run(struct request *req, write_step step);

/* For steps: opens the body (`optional`: it may be empty). */
void write_open_body(struct request *req, struct write *w, bool optional);
/* False, with the 422 replied, when the body broke a rule. */
bool write_body_good(struct request *req, struct write *w);
/* False, with the reply made, for an error. */
bool write_good(struct request *req, enum err e);
/* The operation's kind and the status of its answer; with 204 nothing is rendered. */
void write_prepare(struct write *w, enum store_op_kind kind, unsigned status);
/* A writer over the operation's answer, after write_prepare. */
struct json_writer write_answer(struct write *w);

#endif
