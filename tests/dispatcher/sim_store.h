/* The model store of the simulator: the part of store.h that the dispatcher sees. Changes by people
 * commit at once, outcomes in batches that lag; disabling and deleting end what is unfinished in
 * steps, as the real ones do. The real store has its own model tests, those of the order by key
 * included (tests/store/order_model_test.c): a delivery that is held back is not due, and so is
 * nothing that the dispatcher sees. */
#ifndef TESTS_DISPATCHER_SIM_STORE_H
#define TESTS_DISPATCHER_SIM_STORE_H

#include "sim_world.h"

#include <assert.h>

struct store_read {
    uint64_t txn;
};

/* ---------------------------------------------------------------- what the dispatcher reads */

enum err store_read_begin(struct store *s, struct store_read **out)
{
    *out = malloc(sizeof **out);
    (*out)->txn = s->txn;
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
    const struct sim_endpoint *e = &world->store.endpoints[number];
    (void)r;
    if (!e->exists)
        return ERR_NOT_FOUND;
    struct endpoint *p = calloc(1, sizeof *p);
    p->number = number;
    p->id = id_floor((struct wall){SIM_STARTED_AT + number * US_PER_S});
    p->app_number = sim_app(number);
    p->app.b[0] = (uint8_t)p->app_number;
    p->version = e->version;
    p->disabled = e->disabled;
    p->paused = e->paused;
    p->throttle_rate = e->rate;
    p->max_in_flight = e->max_in_flight;
    p->ordering = e->ordered ? ORDERING_FIFO : ORDERING_NONE;
    p->url = SPAN("http://127.0.0.1/");
    p->headers = SPAN("{}");
    p->key_count = 1;
    p->keys[0] = (struct signing_key){.kind = KEY_HMAC, .len = 24};
    *out = p;
    return ERR_OK;
}

enum err store_event_type_get(struct store_read *r, const struct id *org, struct span name,
                              struct event_type **out)
{
    (void)r, (void)org, (void)name, (void)out;
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
    (void)r;
    *out = calloc(1, sizeof **out);
    (*out)->number = id->b[0];
    (*out)->throttle_rate = id->b[0] == 1 ? world->store.app_rate : 0;
    (*out)->version = world->store.app_version;
    return ERR_OK;
}

enum err store_message_load(struct store_read *r, const struct id *id, struct message **out)
{
    (void)r;
    *out = message_ref(world->store.messages[sim_number(id)]);
    return ERR_OK;
}

enum err store_due_page(struct store_read *r, uint32_t endpoint, struct wall from, struct wall now,
                        struct due_row *rows, unsigned max, unsigned *count, struct wall *next_due)
{
    const struct store *s = &world->store;
    (void)r;
    *count = 0;
    *next_due = WALL_NEVER;
    for (unsigned i = 0; i < s->row_count; i++) {
        const struct sim_row *row = &s->rows[i];
        if (row->endpoint != endpoint || row->row.due.us < from.us)
            continue;
        if (*count == max || row->row.due.us > now.us) {
            *next_due = row->row.due;
            break;
        }
        rows[(*count)++] = row->row;
    }
    world->progress += *count;
    return ERR_OK;
}

enum err store_each_endpoint(struct store_read *r,
                             void (*each)(void *context, uint32_t number, struct wall first_due),
                             void *context)
{
    for (uint32_t n = 1; n <= SIM_ENDPOINTS; n++) {
        struct due_row row;
        unsigned count;
        struct wall first;
        if (!world->store.endpoints[n].exists)
            continue;
        enum err e = store_due_page(r, n, (struct wall){0}, WALL_NEVER, &row, 1, &count, &first);
        assert(!e);
        each(context, n, count ? row.due : WALL_NEVER);
    }
    return ERR_OK;
}

enum err store_health_get(struct store_read *r, uint32_t number, struct endpoint_health *out)
{
    (void)r;
    *out = world->store.endpoints[number].health;
    return ERR_OK;
}

enum err store_each_health(struct store_read *r,
                           void (*each)(void *context, uint32_t number,
                                        const struct endpoint_health *health),
                           void *context)
{
    (void)r;
    for (uint32_t n = 1; n <= SIM_ENDPOINTS; n++)
        if (world->store.endpoints[n].health.failing_since.us)
            each(context, n, &world->store.endpoints[n].health);
    return ERR_OK;
}

/* ---------------------------------------------------------------- the due index */

static inline void sim_row_add(struct sim_row row)
{
    struct store *s = &world->store;
    assert(s->row_count < SIM_ROWS);
    unsigned i = s->row_count++;
    for (; i > 0 && s->rows[i - 1].row.due.us > row.row.due.us; i--)
        s->rows[i] = s->rows[i - 1];
    s->rows[i] = row;
}

static inline void sim_row_drop(unsigned i)
{
    struct store *s = &world->store;
    memmove(&s->rows[i], &s->rows[i + 1], (s->row_count - i - 1) * sizeof *s->rows);
    s->row_count--;
}

/* Its place; row_count when there is none. `due` {0}: whenever. */
static inline unsigned sim_row_find(uint32_t endpoint, const struct id *message,
                                    enum attempt_trigger trigger, struct wall due)
{
    const struct store *s = &world->store;
    unsigned i = 0;
    for (; i < s->row_count; i++) {
        const struct sim_row *r = &s->rows[i];
        if (r->endpoint == endpoint && r->row.trigger == trigger &&
            (!due.us || r->row.due.us == due.us) && id_cmp(&r->row.message, message) == 0)
            break;
    }
    return i;
}

/* ---------------------------------------------------------------- outcomes */

enum err store_submit(struct store *s, struct store_op *op)
{
    const struct outcome_op *o = (struct outcome_op *)op;
    struct sim_endpoint *e = &s->endpoints[o->attempt.endpoint_number];
    assert(op->kind == STORE_OUTCOME && s->pending_count < SIM_ROWS);
    if (s->pending_count == 0)
        s->commit_at_us = world->now_us + 50 + sim_below(sim_below(8) ? 2000 : 60000);
    s->pending[s->pending_count++] = op;
    if (o->health != HEALTH_SAME) {
        e->told = o->breaker;
        e->told_version = o->endpoint_version;
        e->told_count++;
    }
    world->progress++;
    sim_trace("ended e%u m%u -> %d", o->attempt.endpoint_number, sim_number(&o->attempt.message),
              o->verdict);
    return ERR_OK;
}

static inline void sim_endpoint_told(uint32_t number)
{
    struct store *s = &world->store;
    s->endpoints[number].unheard = true;
    s->listener.endpoint(s->listener.context, number, s->txn);
}

static inline void sim_health_put(struct sim_endpoint *e, const struct outcome_op *op)
{
    if (op->health == HEALTH_SAME || op->endpoint_version != e->version)
        return;
    e->health = (struct endpoint_health){.breaker = op->breaker};
    if (op->health == HEALTH_FAILED) {
        e->health.failing_since = op->attempt.started;
        e->health.failures = op->failures;
    }
}

/* The delivery's new state; the row of the claim is at `i`, or was ended meanwhile. */
static inline void sim_delivery_put(struct outcome_op *op, unsigned i)
{
    struct store *s = &world->store;
    const uint32_t number = op->attempt.endpoint_number;
    struct sim_delivery *d = sim_delivery(&op->attempt.message, number);
    const bool scheduled = op->attempt.trigger == TRIGGER_SCHEDULED;
    const bool found = i < s->row_count;
    struct sim_row row = found ? s->rows[i] : (struct sim_row){0};
    if (found)
        sim_row_drop(i);
    if (op->verdict == OUTCOME_DELIVERED) {
        sim_must(d->answered, "delivered means that a 2xx came back");
        d->state = DELIVERY_DELIVERED;
        i = sim_row_find(number, &op->attempt.message, TRIGGER_SCHEDULED, (struct wall){0});
        if (i < s->row_count)
            sim_row_drop(i);
    } else if (found && scheduled && op->verdict == OUTCOME_DEAD) {
        d->state = DELIVERY_DEAD;
    } else if (found && scheduled) {
        row.row.due = op->retry_at;
        row.row.tries++;
        sim_row_add(row);
        d->state = DELIVERY_RETRYING;
    }
    op->state = d->state;
}

static inline void sim_outcome_put(struct outcome_op *op)
{
    struct store *s = &world->store;
    const uint32_t number = op->attempt.endpoint_number;
    struct sim_endpoint *e = &s->endpoints[number];
    if (!e->exists) {
        op->op.result = ERR_NOT_FOUND;
        return;
    }
    sim_delivery_put(op, sim_row_find(number, &op->attempt.message, op->attempt.trigger, op->due));
    sim_health_put(e, op);
    if (op->disable_endpoint && op->endpoint_version == e->version) {
        e->disabled = e->ending = true;
        e->version++;
        sim_endpoint_told(number);
    }
}

/* A step of what was disabled or deleted. */
static inline void sim_end_some(void)
{
    struct store *s = &world->store;
    for (unsigned i = 0, left = 4; i < s->row_count && left > 0;) {
        const struct sim_row r = s->rows[i];
        const struct sim_endpoint *e = &s->endpoints[r.endpoint];
        struct sim_delivery *d = sim_delivery(&r.row.message, r.endpoint);
        if (!e->ending) {
            i++;
            continue;
        }
        if (sim_unfinished(d) && r.row.trigger == TRIGGER_SCHEDULED)
            d->state = e->exists ? DELIVERY_DEAD : DELIVERY_CANCELED;
        sim_row_drop(i);
        left--;
    }
}

/* One transaction: every outcome that waits, or none of them for want of memory. */
static inline void sim_commit(void)
{
    struct store *s = &world->store;
    struct store_op *batch[SIM_ROWS];
    const unsigned count = s->pending_count;
    const bool refused = sim_below(40) == 0;
    memcpy(batch, s->pending, count * sizeof *batch);
    s->pending_count = 0;
    s->txn++;
    sim_trace("commit of %u%s", count, refused ? ", refused" : "");
    for (unsigned i = 0; i < count; i++) {
        batch[i]->result = refused ? ERR_NO_MEMORY : ERR_OK;
        if (!refused)
            sim_outcome_put((struct outcome_op *)batch[i]);
    }
    for (unsigned i = 0; i < count; i++)
        batch[i]->done(batch[i]);
    sim_end_some();
}

#endif
