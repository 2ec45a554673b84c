/* A store with its writer on a directory of its own, a listener that records, and operations that
 * wait for their completion. Tests of the write side begin and end with rig_open and rig_close. */
#ifndef TESTS_STORE_RIG_H
#define TESTS_STORE_RIG_H

#include "base/hash.h"
#include "base/log.h"
#include "base/rand.h"
#include "store/delivery.h"
#include "store/snapshot.h"

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#define OK(call) assert_int_equal(call, ERR_OK)
#define RIG_EPOCH INT64_C(1700000000000000)
#define DAY_US (INT64_C(24) * 3600 * US_PER_S)
#define HEARD_MAX 8192

struct heard {
    uint32_t endpoint;
    struct wall due;
    struct id message;
};

struct rig {
    struct store *s;
    struct store_settings settings;
    char dir[64];
    struct wall now;
    /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned deliveries, dues, endpoints, failures, done;
    struct heard delivered[HEARD_MAX], due[HEARD_MAX];
    uint32_t endpoint[HEARD_MAX];
};

/* ---------------------------------------------------------------- the listener */

static inline void rig_delivery(void *context, struct handoff *h)
{
    struct rig *r = context;
    pthread_mutex_lock(&r->lock);
    if (r->deliveries < HEARD_MAX)
        r->delivered[r->deliveries] = (struct heard){h->endpoint, h->due, h->message->id};
    r->deliveries++;
    pthread_mutex_unlock(&r->lock);
    message_unref(&h->message);
    free(h);
}

static inline void rig_due(void *context, uint32_t endpoint, struct wall due, uint64_t txn)
{
    struct rig *r = context;
    (void)txn;
    pthread_mutex_lock(&r->lock);
    if (r->dues < HEARD_MAX)
        r->due[r->dues] = (struct heard){.endpoint = endpoint, .due = due};
    r->dues++;
    pthread_mutex_unlock(&r->lock);
}

static inline void rig_endpoint(void *context, uint32_t endpoint, uint64_t txn)
{
    struct rig *r = context;
    (void)txn;
    pthread_mutex_lock(&r->lock);
    if (r->endpoints < HEARD_MAX)
        r->endpoint[r->endpoints] = endpoint;
    r->endpoints++;
    pthread_mutex_unlock(&r->lock);
}

static inline void rig_failed(void *context)
{
    struct rig *r = context;
    pthread_mutex_lock(&r->lock);
    r->failures++;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

/* ---------------------------------------------------------------- life */

/* The writer of a store that is open. */
static inline void rig_resume(struct rig *r)
{
    const struct store_listener listener = {r, rig_delivery, rig_due, rig_endpoint, rig_failed};
    OK(store_start(r->s, &listener));
}

static inline void rig_start(struct rig *r)
{
    OK(store_open(&r->settings, &r->s));
    rig_resume(r);
}

static inline void rig_stop(struct rig *r)
{
    store_stop(r->s);
    store_close(&r->s);
}

/* As after a clean stop: what is heard afterwards is counted anew. */
static inline void rig_restart(struct rig *r)
{
    rig_stop(r);
    r->deliveries = r->dues = r->endpoints = 0;
    rig_start(r);
}

static inline void rig_make(struct rig *r)
{
    memset(r, 0, sizeof *r);
    snprintf(r->dir, sizeof r->dir, "/tmp/surehook-writer-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    log_setup(LOG_ERROR + 1, LOG_TEXT);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    r->now = (struct wall){RIG_EPOCH};
    clock_fake(r->now, (struct mono){1});
    r->settings = (struct store_settings){
        .dir = r->dir,
        .map_size = 256 << 20,
        .message_retention_us = 30 * DAY_US,
    };
}

static inline void rig_open(struct rig *r)
{
    rig_make(r);
    rig_start(r);
}

static inline void rig_remove(struct rig *r)
{
    DIR *d = opendir(r->dir);
    for (struct dirent *entry; d && (entry = readdir(d));) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", r->dir, entry->d_name);
        unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(r->dir);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->changed);
    clock_real();
}

static inline void rig_report(void *context, const char *finding)
{
    (void)context;
    print_error("check: %s\n", finding);
}

/* Whatever the test did, what is stored agrees with itself. */
static inline void rig_check(struct rig *r)
{
    struct check_report report;
    store_stop(r->s);
    OK(store_check(r->s, rig_report, NULL, &report));
    assert_int_equal(report.errors, 0);
}

static inline void rig_close(struct rig *r)
{
    rig_check(r);
    store_close(&r->s);
    rig_remove(r);
}

static inline void rig_advance(struct rig *r, int64_t us)
{
    r->now = wall_add(r->now, us);
    clock_fake(r->now, (struct mono){1});
}

/* ---------------------------------------------------------------- operations */

static inline void rig_done(struct store_op *op)
{
    struct rig *r = op->owner;
    pthread_mutex_lock(&r->lock);
    r->done++;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static inline void rig_submit(struct rig *r, struct store_op *op, enum store_op_kind kind)
{
    op->kind = kind;
    op->owner = r;
    op->done = rig_done;
    OK(store_submit(r->s, op));
}

static inline void rig_await(struct rig *r, unsigned done)
{
    pthread_mutex_lock(&r->lock);
    while (r->done < done)
        pthread_cond_wait(&r->changed, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

static inline void rig_await_failure(struct rig *r)
{
    pthread_mutex_lock(&r->lock);
    while (!r->failures)
        pthread_cond_wait(&r->changed, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

/* Submits one operation and returns its result. Nothing else may be under way. */
static inline enum err rig_do(struct rig *r, struct store_op *op, enum store_op_kind kind)
{
    unsigned wanted = r->done + 1;
    rig_submit(r, op, kind);
    rig_await(r, wanted);
    return op->result;
}

/* One more turn of the writer, with its background work: an event type that comes and goes. */
static inline void rig_turn(struct rig *r)
{
    struct event_type type = {.org = store_default_org(r->s), .name = SPAN("turn")};
    struct event_type_op op = {.type = &type};
    OK(rig_do(r, &op.op, STORE_EVENT_TYPE_PUT));
    op = (struct event_type_op){.type = &type};
    OK(rig_do(r, &op.op, STORE_EVENT_TYPE_DELETE));
}

static inline void rig_turns(struct rig *r, unsigned n)
{
    while (n--)
        rig_turn(r);
}

static inline struct app rig_app(struct rig *r, const char *uid)
{
    struct app a = {.id = id_random(r->now),
                    .org = store_default_org(r->s),
                    .uid = span_text(uid),
                    .name = SPAN("name"),
                    .created = r->now};
    struct app_op op = {.app = &a};
    OK(rig_do(r, &op.op, STORE_APP_PUT));
    return a;
}

static inline enum err rig_put_endpoint(struct rig *r, struct endpoint *e)
{
    struct endpoint_op op = {.endpoint = e};
    return rig_do(r, &op.op, STORE_ENDPOINT_PUT);
}

static inline struct endpoint rig_endpoint_new(struct rig *r, const struct app *a)
{
    return (struct endpoint){.id = id_random(r->now),
                             .app = a->id,
                             .org = a->org,
                             .url = SPAN("http://receiver.example/"),
                             .created = r->now};
}

static inline struct endpoint rig_add_endpoint(struct rig *r, const struct app *a)
{
    struct endpoint e = rig_endpoint_new(r, a);
    OK(rig_put_endpoint(r, &e));
    return e;
}

static inline void rig_disable(struct rig *r, struct endpoint *e, bool disabled)
{
    e->disabled = disabled;
    e->disabled_reason = disabled ? SPAN("manual") : SPAN("");
    OK(rig_put_endpoint(r, e));
}

static inline struct message *rig_message(const char *type, const char *payload)
{
    struct message *m = message_new();
    assert_non_null(m);
    m->event_type = span_text(type);
    m->payload = span_text(payload);
    return m;
}

/* Ingests one message; op and item stay readable. */
struct rig_ingest {
    struct ingest_op op;
    struct ingest_item item;
};
static inline enum err rig_ingest(struct rig *r, const struct app *a, struct message *m,
                                  const char *key, const char *body, struct rig_ingest *i)
{
    *i = (struct rig_ingest){.item.message = m};
    i->op.org = a->org;
    i->op.app = a->uid.len ? a->uid : SPAN("?");
    i->op.count = 1;
    i->op.items = &i->item;
    i->op.op.answer_status = 202;
    if (key) {
        i->op.op.idempotency.used = true;
        i->op.op.idempotency.lifetime_us = 12 * 3600 * US_PER_S;
        hash_128(span_text(key), i->op.op.idempotency.key);
        snprintf((char *)i->op.op.idempotency.body, 8, "%s", body);
    }
    return rig_do(r, &i->op.op, STORE_INGEST);
}

/* A message of type "a" without further ado; returns its id. */
static inline struct id rig_send(struct rig *r, const struct app *a)
{
    struct message *m = rig_message("a", "{\"n\":1}");
    struct rig_ingest i;
    OK(rig_ingest(r, a, m, NULL, NULL, &i));
    struct id id = m->id;
    message_unref(&m);
    return id;
}

/* Many in one request. */
static inline void rig_send_all(struct rig *r, const struct app *a, struct id *ids, unsigned n)
{
    static struct ingest_item items[BATCH_MESSAGES_MAX];
    struct ingest_op op = {.org = a->org, .app = a->uid, .batch = true, .count = n, .items = items};
    for (unsigned i = 0; i < n; i++)
        items[i] = (struct ingest_item){.message = rig_message("a", "{}")};
    OK(rig_do(r, &op.op, STORE_INGEST));
    for (unsigned i = 0; i < n; i++) {
        OK(items[i].result);
        ids[i] = items[i].message->id;
        message_unref(&items[i].message);
    }
}

/* ---------------------------------------------------------------- looking */

static inline enum err rig_delivery_get(struct rig *r, const struct id *message, uint32_t endpoint,
                                        struct delivery *d)
{
    struct store_read *read;
    OK(store_read_begin(r->s, &read));
    enum err e = store_delivery_get(read, message, endpoint, d);
    store_read_end(&read);
    return e;
}

static inline enum delivery_state rig_state(struct rig *r, const struct id *message,
                                            uint32_t endpoint)
{
    struct delivery d;
    OK(rig_delivery_get(r, message, endpoint, &d));
    return d.state;
}

static inline unsigned rig_due_rows(struct rig *r, uint32_t endpoint, struct due_row rows[64])
{
    struct store_read *read;
    struct wall next;
    unsigned count;
    OK(store_read_begin(r->s, &read));
    OK(store_due_page(read, endpoint, (struct wall){0}, WALL_NEVER, rows, 64, &count, &next));
    store_read_end(&read);
    return count;
}

static inline unsigned rig_dead_rows(struct rig *r, uint32_t endpoint)
{
    struct delivery rows[PAGE_MAX];
    const struct page page = {.limit = PAGE_MAX};
    const struct dead_filter filter = {0};
    struct page_result result;
    struct store_read *read;
    OK(store_read_begin(r->s, &read));
    OK(store_dead_list(read, endpoint, &page, &filter, rows, &result));
    store_read_end(&read);
    return result.count;
}

/* Of all endpoints and messages. */
static inline uint64_t rig_rows(struct rig *r, enum tree tree)
{
    MDB_txn *txn;
    MDB_stat stat;
    assert_int_equal(mdb_txn_begin(r->s->env.mdb, NULL, MDB_RDONLY, &txn), 0);
    assert_int_equal(mdb_stat(txn, r->s->env.tree[tree], &stat), 0);
    mdb_txn_abort(txn);
    return stat.ms_entries;
}

/* How many of an endpoint's attempts a page lists. */
static inline unsigned rig_attempts(struct rig *r, uint32_t endpoint)
{
    struct attempt *rows[PAGE_MAX];
    const struct page page = {.limit = PAGE_MAX};
    const struct attempt_filter filter = {.status = -1};
    struct page_result result;
    struct store_read *read;
    OK(store_read_begin(r->s, &read));
    OK(store_attempts_of_endpoint(read, endpoint, &page, &filter, true, rows, &result));
    store_read_end(&read);
    for (unsigned i = 0; i < result.count; i++)
        attempt_free(&rows[i]);
    return result.count;
}

static inline enum err rig_load(struct rig *r, const struct id *message, struct message **m)
{
    struct store_read *read;
    OK(store_read_begin(r->s, &read));
    enum err e = store_message_load(read, message, m);
    store_read_end(&read);
    return e;
}

/* ---------------------------------------------------------------- outcomes */

/* What the dispatcher would report for the delivery as it stands, failed or delivered. */
static inline struct outcome_op rig_outcome(struct rig *r, const struct id *message,
                                            const struct endpoint *e, enum attempt_trigger trigger,
                                            int verdict)
{
    struct delivery d;
    OK(rig_delivery_get(r, message, e->number, &d));
    struct outcome_op op = {.verdict = verdict, .reason = REASON_EXHAUSTED};
    op.due = trigger == TRIGGER_MANUAL ? d.manual_due : d.due;
    op.retry_at = wall_add(r->now, 5 * US_PER_S);
    op.attempt = (struct attempt){
        .message = *message,
        .endpoint = e->id,
        .endpoint_number = e->number,
        .started = r->now,
        .outcome = verdict == OUTCOME_DELIVERED ? ATTEMPT_SUCCESS : ATTEMPT_STATUS,
        .trigger = trigger,
        .status = verdict == OUTCOME_DELIVERED ? 200 : 500,
        .number = (uint16_t)(d.tries + 1),
        .url = SPAN("http://receiver.example/"),
        .response = SPAN("ok"),
    };
    return op;
}

static inline enum delivery_state rig_conclude(struct rig *r, const struct id *message,
                                               const struct endpoint *e,
                                               enum attempt_trigger trigger, int verdict)
{
    struct outcome_op op = rig_outcome(r, message, e, trigger, verdict);
    OK(rig_do(r, &op.op, STORE_OUTCOME));
    return op.state;
}

static inline void rig_kill(struct rig *r, const struct id *message, const struct endpoint *e)
{
    assert_int_equal(rig_conclude(r, message, e, TRIGGER_SCHEDULED, OUTCOME_DEAD), DELIVERY_DEAD);
}

/* Concludes many at once: outcomes wait for company, one by one they would take long. */
static inline void rig_conclude_all(struct rig *r, const struct id *ids, unsigned n,
                                    const struct endpoint *e, enum attempt_trigger trigger,
                                    int verdict)
{
    struct outcome_op *ops = calloc(n, sizeof *ops);
    assert_non_null(ops);
    unsigned wanted = r->done + n;
    for (unsigned i = 0; i < n; i++)
        ops[i] = rig_outcome(r, &ids[i], e, trigger, verdict);
    for (unsigned i = 0; i < n; i++)
        rig_submit(r, &ops[i].op, STORE_OUTCOME);
    rig_await(r, wanted);
    for (unsigned i = 0; i < n; i++)
        OK(ops[i].op.result);
    free(ops);
}

static inline enum err rig_resend(struct rig *r, const struct id *message, uint32_t endpoint)
{
    struct resend_op op = {.message = *message, .endpoint = endpoint};
    return rig_do(r, &op.op, STORE_RESEND);
}

#endif
