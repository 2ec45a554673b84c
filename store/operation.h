/* The operations of store/store.h, each in the file of its noun. Private to store/; the writer
 * thread alone calls them.
 *
 * Each checks first and writes afterwards: an error of an operation that has written nothing
 * refuses it alone (it becomes op->result); an error after its first row ends the batch. */
#ifndef STORE_OPERATION_H
#define STORE_OPERATION_H

#include "store/delivery.h"

/* Applies one operation of any kind, or refuses it alone. An error is the batch's. */
enum err operation_apply(struct batch *b, struct store_op *op) MUST_CHECK;
/* Whether it must not be begun while a fan-out is unfinished. */
bool operation_waits(const struct batch *b, const struct store_op *op);
/* At most this many index entries come with it: their room is asked for before. */
unsigned operation_entries(const struct batch *b, const struct store_op *op);
/* What an ingest brings; 0 for any other. */
uint64_t operation_bytes(const struct store_op *op);

/* ingest.c */
enum err ingest_apply(struct batch *b, struct ingest_op *op) MUST_CHECK;
/* Whether it makes its application, which ends its batch. */
bool ingest_creates(const struct batch *b, const struct ingest_op *op);
/* Whether its messages must not be accepted before the unfinished fan-outs have ended: their order
 * matters, and as tasks of their own they would pile up behind those. */
bool ingest_waits(const struct batch *b, const struct ingest_op *op);
/* At most this many index entries come with the operation: its room is asked for before. */
unsigned ingest_entries(const struct batch *b, const struct ingest_op *op);

/* Deliveries of one message in its own commit; the rest follow by a task of that commit. */
#define FANOUT_AT_ONCE 1000
/* Assigns id and times, writes the message and its deliveries: by the submitter's wish, or the
 * store's own. */
enum err ingest_message(struct batch *b, const struct table_app *a, struct message *m) MUST_CHECK;

/* Writes the message's own index entries: its application's, its event id's. */
enum err message_index(struct batch *b, const struct message *m, struct wall expires) MUST_CHECK;

/* outcome.c */
enum err outcome_apply(struct batch *b, struct outcome_op *op) MUST_CHECK;

/* app.c, endpoint.c, event_type.c, api_key.c: these end their batch. */
enum err app_put(struct batch *b, struct app_op *op) MUST_CHECK;
enum err app_delete(struct batch *b, struct app_op *op) MUST_CHECK;
/* Makes an application that must not exist. *out is the batch's until its commit. */
enum err app_make(struct batch *b, const struct app *a, const struct table_app **out) MUST_CHECK;
enum err endpoint_put(struct batch *b, struct endpoint_op *op) MUST_CHECK;
enum err endpoint_delete(struct batch *b, struct endpoint_op *op) MUST_CHECK;
enum err event_type_put(struct batch *b, struct event_type_op *op) MUST_CHECK;
enum err event_type_delete(struct batch *b, struct event_type_op *op) MUST_CHECK;
enum err event_types_put(struct batch *b, struct event_types_op *op) MUST_CHECK;
enum err api_key_put(struct batch *b, struct key_op *op) MUST_CHECK;
enum err api_key_revoke(struct batch *b, struct key_op *op) MUST_CHECK;
/* portal.c; the first ends its batch when it makes its application. */
enum err portal_put(struct batch *b, struct portal_op *op) MUST_CHECK;
enum err portal_end(struct batch *b, struct portal_end_op *op) MUST_CHECK;
bool portal_creates(const struct batch *b, const struct portal_op *op);
/* Removes an endpoint's rows: it is gone for readers. ERR_NOT_FOUND, ERR_CORRUPT. */
enum err endpoint_unlink(struct batch *b, uint32_t number) MUST_CHECK;
/* Disables it because of what the receiver at `url` did. No effect when it is disabled already or
 * has another URL by now. */
enum err endpoint_disable(struct batch *b, uint32_t number, struct span url,
                          struct span reason) MUST_CHECK;

/* dead.c */
enum err dead_apply(struct batch *b, struct dead_op *op) MUST_CHECK;
/* The endpoint's first letter at or behind the key `from`: its message and the row's value. Those
 * with damaged keys name no message and are removed. ERR_NOT_FOUND. */
enum err dead_next(struct batch *b, uint32_t endpoint, const struct treekey *from,
                   struct id *message, struct span *value) MUST_CHECK;

/* manual.c */
enum err resend_apply(struct batch *b, struct resend_op *op) MUST_CHECK;
enum err recover_apply(struct batch *b, struct recover_op *op) MUST_CHECK;
/* Asks for a manual attempt from `due` on; makes the delivery when there is none. *asked: false
 * when one waits already. */
enum err manual_ask(struct batch *b, const struct id *message, uint32_t endpoint, struct wall due,
                    bool *asked) MUST_CHECK;
/* Whether the attempt that the task asked for last still waits: attempts are made in order, so it
 * tells for all. */
enum err manual_waits(struct batch *b, const struct task *t, bool *waits) MUST_CHECK;

/* replay.c */
enum err replay_apply(struct batch *b, struct replay_op *op) MUST_CHECK;

/* expunge.c */
enum err expunge_apply(struct batch *b, struct expunge_op *op) MUST_CHECK;
enum err expunge_all_apply(struct batch *b, struct expunge_all_op *op) MUST_CHECK;

/* consumer.c */
enum err consumer_apply(struct batch *b, struct consumer_op *op) MUST_CHECK;
/* `row` of the expiry tree came due for the consumer at `key`. */
enum err consumer_expire(struct batch *b, const struct treekey *row,
                         const struct treekey *key) MUST_CHECK;

/* aggregate.c */
enum err aggregate_apply(struct batch *b, struct aggregate_op *op) MUST_CHECK;

/* retention.c */
/* Cancels what of a message is unfinished or dead, at endpoints behind the number *last, until
 * about `limit` rows were written. *last: the last endpoint looked at. *done: none is left. */
enum err retention_end_deliveries(struct batch *b, const struct id *message,
                                  enum delivery_reason reason, uint32_t *last, unsigned limit,
                                  bool *done) MUST_CHECK;
/* Removes what has expired, until about `rows` rows were written. *next: when to come again. */
enum err retention_step(struct batch *b, unsigned rows, struct wall *next) MUST_CHECK;

/* idempotency.c */
/* Looks the operation's key up. *known: the operation was answered before; op->replayed and the
 * stored answer are set. ERR_MISMATCH; ERR_CORRUPT: what is stored of it cannot be read. */
enum err idempotency_check(struct batch *b, struct store_op *op, bool *known) MUST_CHECK;
/* Stores the answer of an operation that succeeded. */
enum err idempotency_keep(struct batch *b, struct store_op *op) MUST_CHECK;
/* The same for the identity of one event. item->replayed: it is known. ERR_MISMATCH,
 * ERR_CORRUPT. */
enum err idempotency_check_item(struct batch *b, uint32_t app_number,
                                struct ingest_item *item) MUST_CHECK;
enum err idempotency_keep_item(struct batch *b, uint32_t app_number,
                               const struct ingest_item *item) MUST_CHECK;

#endif
