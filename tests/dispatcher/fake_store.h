/* The part of the store that the dispatcher sees, in memory: endpoints, messages and a due index
 * that change under one lock, with the promises of store.h and with failures on demand. Linked in
 * place of the real one. */
#ifndef TESTS_DISPATCHER_FAKE_STORE_H
#define TESTS_DISPATCHER_FAKE_STORE_H

#include "dispatcher/dispatcher.h"

#include <assert.h>
#include <pthread.h>

#define FAKE_ENDPOINTS 16
#define FAKE_ROWS 8192

struct fake_row {
    uint32_t endpoint;
    struct due_row row;
    struct message *message; /* shared by rows, kept to the end */
};

struct fake_outcome {
    struct attempt attempt; /* its spans are gone */
    size_t response_len;
    int verdict;
    enum delivery_reason reason;
    struct wall retry_at;
    bool disable, urgent;
};

struct store {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct store_listener listener;
    uint64_t txn;
    char *urls[FAKE_ENDPOINTS]; /* NULL: no such endpoint */
    bool disabled[FAKE_ENDPOINTS], paused[FAKE_ENDPOINTS];
    uint64_t versions[FAKE_ENDPOINTS];
    struct endpoint_health health[FAKE_ENDPOINTS];
    uint32_t fifo; /* the one endpoint that is ordered; 0: none */
    struct fake_row
        held[FAKE_ROWS]; /* of that one: each becomes due at the end of the one before */
    unsigned held_count, held_next;
    int64_t rates[FAKE_ENDPOINTS]; /* of the endpoints … */
    int64_t app_rate;              /* … and of the one application that has them all */
    uint64_t app_version;
    struct fake_row rows[FAKE_ROWS]; /* by due time */
    unsigned row_count;
    struct message *messages[FAKE_ROWS];
    unsigned message_count;
    bool unreadable;        /* every message load fails as corrupt */
    bool forgetful;         /* outcomes find that their delivery is gone */
    unsigned fail_outcomes; /* so many outcomes fail with ERR_NO_MEMORY */
    struct fake_outcome outcomes[FAKE_ROWS];
    unsigned outcome_count, loads;
};

struct store_read {
    struct store *s;
    uint64_t txn;
};

enum err store_read_begin(struct store *s, struct store_read **out)
{
    struct store_read *r = malloc(sizeof *r);
    pthread_mutex_lock(&s->lock);
    *r = (struct store_read){s, s->txn};
    pthread_mutex_unlock(&s->lock);
    *out = r;
    return ERR_OK;
}

void store_read_end(struct store_read **r)
{
    free(*r);
    *r = NULL;
}

uint64_t store_read_txn(const struct store_read *r)
{
    return r->txn;
}

enum err store_endpoint_load(struct store_read *r, uint32_t number, struct endpoint **out)
{
    struct store *s = r->s;
    enum err e = ERR_NOT_FOUND;
    pthread_mutex_lock(&s->lock);
    if (number < FAKE_ENDPOINTS && s->urls[number]) {
        struct endpoint *p = calloc(1, sizeof *p);
        p->number = number;
        p->id = id_floor((struct wall){INT64_C(1700000000000000) + number * US_PER_S});
        p->version = s->versions[number];
        p->disabled = s->disabled[number];
        p->paused = s->paused[number];
        p->throttle_rate = s->rates[number];
        p->ordering = number == s->fifo ? ORDERING_FIFO : ORDERING_NONE;
        p->block = strdup(s->urls[number]);
        p->url = span_text(p->block);
        p->headers = SPAN("{\"x-tenant\":\"blue\",\"host\":\"evil\"}");
        p->key_count = 1;
        p->keys[0] = (struct signing_key){.kind = KEY_HMAC, .len = 24};
        *out = p;
        e = ERR_OK;
    }
    pthread_mutex_unlock(&s->lock);
    return e;
}

/* Nobody has said how its messages are retried. */
enum err store_event_type_get(struct store_read *r, const struct id *org, struct span name,
                              struct event_type **out)
{
    (void)r;
    (void)org;
    (void)name;
    (void)out;
    return ERR_NOT_FOUND;
}

enum err store_delivery_get(struct store_read *r, const struct id *message, uint32_t endpoint,
                            struct delivery *out)
{
    (void)r;
    *out = (struct delivery){
        .message = *message, .endpoint_number = endpoint, .created = id_time(message)};
    return ERR_OK;
}

enum err store_app_load(struct store_read *r, const struct id *id, struct app **out)
{
    (void)id;
    *out = calloc(1, sizeof **out);
    pthread_mutex_lock(&r->s->lock);
    (*out)->number = 1;
    (*out)->throttle_rate = r->s->app_rate;
    (*out)->version = r->s->app_version;
    pthread_mutex_unlock(&r->s->lock);
    return ERR_OK;
}

enum err store_message_load(struct store_read *r, const struct id *id, struct message **out)
{
    struct store *s = r->s;
    enum err e = s->unreadable ? ERR_CORRUPT : ERR_NOT_FOUND;
    pthread_mutex_lock(&s->lock);
    s->loads++;
    for (unsigned i = 0; i < s->message_count && e == ERR_NOT_FOUND; i++)
        if (id_cmp(&s->messages[i]->id, id) == 0) {
            *out = message_ref(s->messages[i]);
            e = ERR_OK;
        }
    pthread_mutex_unlock(&s->lock);
    return e;
}

enum err store_due_page(struct store_read *r, uint32_t endpoint, struct wall from, struct wall now,
                        struct due_row *rows, unsigned max, unsigned *count, struct wall *next_due)
{
    struct store *s = r->s;
    *count = 0;
    *next_due = WALL_NEVER;
    pthread_mutex_lock(&s->lock);
    r->txn = s->txn; /* the fake has no versions: the snapshot is as of now */
    for (unsigned i = 0; i < s->row_count; i++) {
        const struct fake_row *row = &s->rows[i];
        if (row->endpoint != endpoint || row->row.due.us < from.us)
            continue;
        if (*count == max || row->row.due.us > now.us) {
            *next_due = row->row.due;
            break;
        }
        rows[(*count)++] = row->row;
    }
    pthread_mutex_unlock(&s->lock);
    return ERR_OK;
}

enum err store_each_endpoint(struct store_read *r,
                             void (*each)(void *context, uint32_t number, struct wall first_due),
                             void *context)
{
    for (uint32_t n = 0; n < FAKE_ENDPOINTS; n++) {
        struct due_row row;
        struct wall first;
        unsigned count;
        if (!r->s->urls[n])
            continue;
        enum err e = store_due_page(r, n, (struct wall){0}, WALL_NEVER, &row, 1, &count, &first);
        assert(!e);
        each(context, n, count ? row.due : WALL_NEVER);
    }
    return ERR_OK;
}

enum err store_health_get(struct store_read *r, uint32_t number, struct endpoint_health *out)
{
    pthread_mutex_lock(&r->s->lock);
    *out = r->s->health[number];
    pthread_mutex_unlock(&r->s->lock);
    return ERR_OK;
}

enum err store_each_health(struct store_read *r,
                           void (*each)(void *context, uint32_t number,
                                        const struct endpoint_health *health),
                           void *context)
{
    static const struct endpoint_health well;
    for (uint32_t n = 0; n < FAKE_ENDPOINTS; n++)
        if (memcmp(&r->s->health[n], &well, sizeof well) != 0)
            each(context, n, &r->s->health[n]);
    return ERR_OK;
}

static inline void fake_row_insert(struct store *s, struct fake_row row)
{
    assert(s->row_count < FAKE_ROWS);
    unsigned i = s->row_count++;
    for (; i > 0 && s->rows[i - 1].row.due.us > row.row.due.us; i--)
        s->rows[i] = s->rows[i - 1];
    s->rows[i] = row;
}

static inline bool fake_row_take(struct store *s, const struct outcome_op *op, struct fake_row *out)
{
    for (unsigned i = 0; i < s->row_count; i++) {
        const struct fake_row *r = &s->rows[i];
        if (r->endpoint != op->attempt.endpoint_number || r->row.due.us != op->due.us ||
            r->row.trigger != op->attempt.trigger ||
            id_cmp(&r->row.message, &op->attempt.message) != 0)
            continue;
        *out = *r;
        memmove(&s->rows[i], &s->rows[i + 1], (s->row_count - i - 1) * sizeof *s->rows);
        s->row_count--;
        return true;
    }
    return false;
}

/* The next of the ordered endpoint, in the transaction of the outcome. */
static inline void fake_release(struct store *s)
{
    if (s->held_next == s->held_count)
        return;
    struct fake_row next = s->held[s->held_next++];
    next.row.due = clock_wall();
    fake_row_insert(s, next);
    s->listener.due(s->listener.context, next.endpoint, next.row.due, s->txn);
}

static inline void fake_note_health(struct store *s, const struct outcome_op *op)
{
    uint32_t number = op->attempt.endpoint_number;
    struct endpoint_health *health = &s->health[number];
    if (op->health == HEALTH_SAME || op->endpoint_version != s->versions[number])
        return;
    *health = (struct endpoint_health){.breaker = op->breaker};
    if (op->health == HEALTH_FAILED) {
        health->failing_since = op->attempt.started;
        health->failures = op->failures;
    }
}

static inline void fake_outcome_apply(struct store *s, struct outcome_op *op)
{
    struct fake_row row;
    if (s->fail_outcomes > 0) {
        s->fail_outcomes--;
        op->op.result = ERR_NO_MEMORY;
        return;
    }
    assert(fake_row_take(s, op, &row));
    if (s->forgetful) {
        op->op.result = ERR_NOT_FOUND;
        s->forgetful = false;
        return;
    }
    if (op->verdict == OUTCOME_RETRY) {
        row.row.due = op->retry_at;
        row.row.tries++;
        fake_row_insert(s, row);
        op->state = DELIVERY_RETRYING;
    }
    fake_note_health(s, op);
    s->txn++;
    s->outcomes[s->outcome_count++] =
        (struct fake_outcome){op->attempt,  op->attempt.response.len, op->verdict, op->reason,
                              op->retry_at, op->disable_endpoint,     op->urgent};
    if (row.endpoint == s->fifo && op->verdict != OUTCOME_RETRY)
        fake_release(s);
    if (op->disable_endpoint) {
        s->disabled[op->attempt.endpoint_number] = true;
        s->listener.endpoint(s->listener.context, op->attempt.endpoint_number, s->txn);
    }
}

enum err store_submit(struct store *s, struct store_op *op)
{
    assert(op->kind == STORE_OUTCOME);
    pthread_mutex_lock(&s->lock);
    fake_outcome_apply(s, (struct outcome_op *)op);
    op->done(op);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return ERR_OK;
}

static inline struct store *fake_new(void)
{
    struct store *s = calloc(1, sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->txn = 1;
    return s;
}

static inline void fake_free(struct store *s)
{
    for (unsigned i = 0; i < s->message_count; i++)
        message_unref(&s->messages[i]);
    for (unsigned i = 0; i < FAKE_ENDPOINTS; i++)
        free(s->urls[i]);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* A new message for one endpoint; `due` {0}: now. Handed over when a listener is set. */
static inline struct id fake_add(struct store *s, uint32_t endpoint, const char *payload,
                                 struct wall due)
{
    struct message *m = message_new();
    m->block = strdup(payload);
    m->payload = span_text(m->block);
    m->created = clock_wall();
    pthread_mutex_lock(&s->lock);
    m->id = id_floor(m->created);
    memcpy(m->id.b + 12, &s->message_count, sizeof s->message_count);
    s->messages[s->message_count++] = m;
    s->txn++;
    struct wall at = due.us ? due : clock_wall();
    struct due_row row = {.due = at, .message = m->id, .trigger = TRIGGER_SCHEDULED};
    fake_row_insert(s, (struct fake_row){endpoint, row, m});
    if (s->listener.delivery) {
        struct handoff *h = calloc(1, sizeof *h);
        h->txn = s->txn;
        h->endpoint = endpoint;
        h->due = at;
        h->message = message_ref(m);
        s->listener.delivery(s->listener.context, h);
    }
    struct id id = m->id;
    pthread_mutex_unlock(&s->lock);
    return id;
}

/* A manual attempt. */
static inline void fake_resend(struct store *s, uint32_t endpoint, const struct id *message)
{
    pthread_mutex_lock(&s->lock);
    struct due_row row = {.due = clock_wall(), .message = *message, .trigger = TRIGGER_MANUAL};
    fake_row_insert(s, (struct fake_row){endpoint, row, NULL});
    s->txn++;
    s->listener.due(s->listener.context, endpoint, row.due, s->txn);
    pthread_mutex_unlock(&s->lock);
}

/* Creates or changes an endpoint; NULL deletes it. */
static inline void fake_endpoint(struct store *s, uint32_t number, const char *url)
{
    pthread_mutex_lock(&s->lock);
    free(s->urls[number]);
    s->urls[number] = url ? strdup(url) : NULL;
    s->disabled[number] = false;
    s->versions[number]++;
    s->health[number] = (struct endpoint_health){.failures = 0};
    s->txn++;
    if (s->listener.endpoint)
        s->listener.endpoint(s->listener.context, number, s->txn);
    pthread_mutex_unlock(&s->lock);
}

/* Changes the application's rate, of which every endpoint hears. */
static inline void fake_app_rate(struct store *s, int64_t per_second)
{
    pthread_mutex_lock(&s->lock);
    s->app_rate = per_second;
    s->app_version++;
    s->txn++;
    for (uint32_t n = 0; n < FAKE_ENDPOINTS && s->listener.endpoint; n++)
        if (s->urls[n])
            s->listener.endpoint(s->listener.context, n, s->txn);
    pthread_mutex_unlock(&s->lock);
}

/* Makes the endpoint ordered, with what is due there as one line of which the first is due. Before
 * the dispatcher starts. */
static inline void fake_line(struct store *s, uint32_t endpoint)
{
    unsigned kept = 0;
    bool first = true;
    s->fifo = endpoint;
    for (unsigned i = 0; i < s->row_count; i++) {
        bool holds = s->rows[i].endpoint == endpoint && !first;
        first = first && s->rows[i].endpoint != endpoint;
        if (holds)
            s->held[s->held_count++] = s->rows[i];
        else
            s->rows[kept++] = s->rows[i];
    }
    s->row_count = kept;
}

static inline void fake_pause(struct store *s, uint32_t number, bool paused)
{
    pthread_mutex_lock(&s->lock);
    s->paused[number] = paused;
    s->txn++;
    s->listener.endpoint(s->listener.context, number, s->txn);
    pthread_mutex_unlock(&s->lock);
}

static inline void fake_disable(struct store *s, uint32_t number)
{
    pthread_mutex_lock(&s->lock);
    s->disabled[number] = true;
    s->txn++;
    s->listener.endpoint(s->listener.context, number, s->txn);
    pthread_mutex_unlock(&s->lock);
}

static inline void fake_expunge(struct store *s, const struct id *message)
{
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->message_count; i++)
        if (id_cmp(&s->messages[i]->id, message) == 0) {
            struct message *gone = message_new();
            gone->id = *message;
            gone->expunged = true;
            message_unref(&s->messages[i]);
            s->messages[i] = gone;
        }
    pthread_mutex_unlock(&s->lock);
}

static inline void fake_wait_outcomes(struct store *s, unsigned n)
{
    pthread_mutex_lock(&s->lock);
    while (s->outcome_count < n)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

#endif
