/* The way of a claim: open (slots) -> send -> ended (verdict, outcome to the store) -> settled.
 *
 * Invariants: in_flight counts the flights in young and old, settling those with the store; a slot
 * is given back exactly once, when the transfer ends or is aborted. Of the common slots a thread
 * has as many as it has attempts beyond the reserved ones, so that a thread whose endpoints could
 * use every slot leaves some to those of the others. No memory is needed between the
 * end of a transfer and its outcome: the flight has brought it along. */
#include "dispatcher/flight.h"
#include "dispatcher/schedule.h"

#include "base/failpoint.h"
#include "base/log.h"

#include <assert.h>

#define UNUSED_MAX 256
#define RESPONSE_KEPT_CAP 2048 /* an unused flight keeps no larger buffer */
#define REFUSED_REST_US US_PER_S

void flights_init(struct flights *fs)
{
    uint64_t seed;
    rand_bytes(&seed, sizeof seed);
    rng_seed(&fs->rng, seed);
    TAILQ_INIT(&fs->young);
    TAILQ_INIT(&fs->old);
    TAILQ_INIT(&fs->unused);
}

static void flight_free(struct flight *f)
{
    buf_free(&f->response);
    free(f);
}

void flights_clear(struct flights *fs)
{
    assert(fs->in_flight == 0 && fs->settling == 0);
    for (struct flight *f; (f = TAILQ_FIRST(&fs->unused));) {
        TAILQ_REMOVE(&fs->unused, f, link);
        flight_free(f);
    }
}

static struct flight *unused_take(struct flights *fs)
{
    struct flight *f = TAILQ_FIRST(&fs->unused);
    if (!f) {
        f = calloc(1, sizeof *f);
        if (f) {
            f->all = fs;
            buf_init(&f->response, ATTEMPT_BODY_KEPT_MAX);
        }
        return f;
    }
    TAILQ_REMOVE(&fs->unused, f, link);
    fs->unused_count--;
    return f;
}

static void unused_give(struct flight *f)
{
    struct flights *fs = f->all;
    destination_unref(&f->destination);
    if (fs->unused_count == UNUSED_MAX) {
        flight_free(f);
        return;
    }
    if (f->response.cap > RESPONSE_KEPT_CAP)
        buf_free(&f->response);
    buf_clear(&f->response);
    TAILQ_INSERT_HEAD(&fs->unused, f, link);
    fs->unused_count++;
}

/* A slot of the attempts in flight: one of the thread's own while it has any, else a common one. */
static bool slot_take(struct flights *fs)
{
    struct shared *shared = fs->shared;
    return fs->in_flight < shared->reserved || budget_take(&shared->in_flight, 1);
}

/* `left`: in flight without it. */
static void slot_give(struct flights *fs, unsigned left)
{
    if (left >= fs->shared->reserved)
        budget_give(&fs->shared->in_flight, 1);
}

static bool slow_take(struct flights *fs)
{
    struct shared *shared = fs->shared;
    return fs->slow < shared->slow_reserved || budget_take(&shared->slow, 1);
}

/* `left`: slow ones in flight without it. */
static void slow_give(struct flights *fs, unsigned left)
{
    if (left >= fs->shared->slow_reserved)
        budget_give(&fs->shared->slow, 1);
}

enum flight_answer flight_open(struct flights *fs, const struct lane *lane, struct flight **out)
{
    const bool slow = flight_is_slow(lane);
    if (fs->settling >= FLIGHT_SETTLING_MAX || !slot_take(fs))
        return FLIGHT_NO_SLOT;
    enum flight_answer answer = FLIGHT_NO_SLOT;
    if (slow && !slow_take(fs)) {
        answer = FLIGHT_NO_SLOW_SLOT;
        goto no_slow;
    }
    struct flight *f = unused_take(fs);
    if (!f)
        goto no_memory;
    f->slow = slow;
    f->aged = f->cut = false;
    *out = f;
    return FLIGHT_OPEN;

no_memory:
    if (slow)
        slow_give(fs, fs->slow);
no_slow:
    slot_give(fs, fs->in_flight);
    return answer;
}

/* ---------------------------------------------------------------- start */

static void take_off(struct flight *f, struct claim *c)
{
    struct flights *fs = f->all;
    f->claim = c;
    f->started = clock_mono();
    TAILQ_INSERT_TAIL(&fs->young, f, link);
    fs->in_flight++;
    if (f->slow) {
        fs->slow++;
        c->lane->slow_in_flight++;
    }
    counter_sub(&fs->shared->stats.ready, 1);
    counter_add(&fs->shared->stats.in_flight, 1);
    lane_start(c->lane, c);
    limit_begin(&c->lane->limit, c->lane->in_flight, f->started);
}

/* Gives the slots back. */
static void land(struct flight *f)
{
    struct flights *fs = f->all;
    TAILQ_REMOVE(f->aged ? &fs->old : &fs->young, f, link);
    fs->in_flight--;
    if (f->slow) {
        f->claim->lane->slow_in_flight--;
        fs->slow--;
        slow_give(fs, fs->slow);
    }
    slot_give(fs, fs->in_flight);
    counter_sub(&fs->shared->stats.in_flight, 1);
    f->transfer = NULL;
}

static void attempt_begin(struct flight *f, struct wall now)
{
    const struct claim *c = f->claim;
    struct attempt *a = &f->outcome.attempt;
    *a = (struct attempt){
        .message = c->key.message,
        .endpoint = c->lane->endpoint,
        .endpoint_number = c->key.endpoint,
        .started = now,
        .trigger = c->trigger,
        .number = (uint16_t)(c->tries + 1),
        .queued_us = now.us > c->due.us ? now.us - c->due.us : 0,
    };
    f->outcome.health = HEALTH_SAME;
    if (f->destination) {
        a->url = f->destination->endpoint->url;
        f->outcome.endpoint_version = f->destination->endpoint->version;
    }
}

/* ---------------------------------------------------------------- end */

static void log_attempt(const struct attempt *a)
{
    /* Failures at info; successes at debug, because a write(2) for every delivery would cost a
     * tenth of what the delivery costs. */
    enum log_level level = a->outcome == ATTEMPT_SUCCESS ? LOG_DEBUG : LOG_INFO;
    LOG_AT(level, "attempt", LOG_ID("msg", ID_MESSAGE, &a->message),
           LOG_ID("endpoint", ID_ENDPOINT, &a->endpoint), LOG_INT("number", a->number),
           LOG_TEXT_FIELD("outcome", attempt_class_name(a->outcome)), LOG_INT("status", a->status),
           LOG_INT("queued_us", a->queued_us), LOG_INT("connect_us", a->connect_us),
           LOG_INT("first_byte_us", a->first_byte_us), LOG_INT("duration_us", a->duration_us),
           LOG_END);
}

/* On the writer thread. */
static void on_outcome_done(struct store_op *op)
{
    struct flight *f = op->owner;
    inbox_put(f->all->inbox, &f->mail.item);
}

static void count(struct shared *shared, const struct attempt *a, const struct outcome_op *op)
{
    counter_add(&shared->stats.attempts[a->outcome], 1);
    if (op->verdict == OUTCOME_RETRY)
        counter_add(&shared->stats.retries, 1);
    histogram_add(&shared->stats.attempt_us, (uint64_t)a->duration_us);
    histogram_add(&shared->stats.queued_us, (uint64_t)a->queued_us);
}

/* The claim leaves the flight's hands without an outcome. */
static void give_up(struct flight *f)
{
    struct lane *lane = f->claim->lane;
    lane_abandon(lane, f->all->held, f->claim, &f->all->shared->hot_bytes);
    f->all->moved(f->all->context, lane);
    unused_give(f);
}

/* Hands the outcome to the store. */
static void submit(struct flight *f, const struct verdict *v)
{
    struct flights *fs = f->all;
    struct lane *lane = f->claim->lane;
    struct outcome_op *op = &f->outcome;
    op->op = (struct store_op){.kind = STORE_OUTCOME, .done = on_outcome_done, .owner = f};
    op->due = f->claim->due;
    op->verdict = v->what;
    op->reason = v->reason;
    op->retry_at = v->retry_at;
    op->disable_endpoint = v->disable;
    op->urgent = f->destination && f->destination->endpoint->ordering != ORDERING_NONE;
    op->state = DELIVERY_NONE;
    op->attempt.response = buf_view(&f->response);
    f->mail.kind = MAIL_SETTLED;
    count(fs->shared, &op->attempt, op);
    log_attempt(&op->attempt);

    FAILPOINT("outcome");
    enum err e = store_submit(fs->shared->store, &op->op);
    if (e) {
        log_error("outcome refused by the store", LOG_TEXT_FIELD("error", err_name(e)), LOG_END);
        atomic_store(&fs->shared->broken, true);
        give_up(f);
        return;
    }
    /* The flight is the store's now, until its mail arrives; the claim is still ours. */
    fs->settling++;
    lane_settle(lane, f->claim, &fs->shared->hot_bytes);
    fs->moved(fs->context, lane);
}

static void unready(struct flight *f)
{
    struct lane *lane = f->claim->lane;
    unsigned ready = lane->ready;
    lane_unready(lane, f->all->held, &f->all->shared->hot_bytes);
    counter_sub(&f->all->shared->stats.ready, ready);
}

static void judge_health(struct flight *f, const struct result *r, const struct verdict *v,
                         struct mono now, struct wall ended)
{
    struct lane *lane = f->claim->lane;
    const struct breaker_policy *policy = &f->all->shared->settings.breaker;
    struct breaker_event event = {
        .result = r,
        .ended = ended,
        .now = now,
        .not_before = v->not_before,
        .unit = rng_unit(&f->all->rng),
    };
    if (f->destination && lane_judge(lane, f->claim, policy, &event, &f->outcome))
        unready(f);
}

/* An attempt from before a change says as little of its trust as of its health. */
static void judge_trust(const struct flight *f, const struct result *r)
{
    struct lane *lane = f->claim->lane;
    const enum breaker_sign sign = breaker_sign(r);
    if (sign != SIGN_NONE && f->outcome.endpoint_version == lane->version)
        lane->trust = trust_after(lane->trust, sign == SIGN_ALIVE && !f->cut);
}

/* From the request to the first byte: what a new connection or an access token took is no sign of a
 * queue. 0: no byte came. */
static int64_t response_us(const struct flight *f)
{
    const struct attempt *a = &f->outcome.attempt;
    int64_t ready_us = a->tls_us > a->connect_us ? a->tls_us : a->connect_us;
    if (ready_us < f->waited_us)
        ready_us = f->waited_us;
    return a->first_byte_us > ready_us ? a->first_byte_us - ready_us : 0;
}

/* What the attempt says about the endpoint, as opposed to the delivery. */
static void judge_endpoint(struct flight *f, const struct result *r, const struct verdict *v,
                           struct mono now, struct wall ended)
{
    struct lane *lane = f->claim->lane;
    lane->slow = f->outcome.attempt.duration_us >= FLIGHT_SLOW_US;
    if (r->outcome == ATTEMPT_SUCCESS && !f->cut)
        limit_success(&lane->limit, f->started, response_us(f), now);
    else if (v->slow_down || f->cut)
        limit_overload(&lane->limit, f->started, now);
    lane_rest(lane, v->not_before);
    judge_health(f, r, v, now, ended);
    judge_trust(f, r);
    if (v->disable) {
        uint64_t ready = lane->ready;
        /* The outcome disables it; when that is durable the lane looks again. */
        lane_sleep(lane, f->all->held, &f->all->shared->hot_bytes);
        counter_sub(&f->all->shared->stats.ready, ready - lane->ready);
    }
}

/* The endpoint as it is known now: what was changed while the attempt ran counts at once. */
static const struct endpoint *endpoint_now(const struct flight *f)
{
    const struct destination *known = f->claim->lane->destination;
    if (!known)
        known = f->destination;
    return known ? known->endpoint : NULL;
}

static struct verdict verdict_on(struct flight *f, const struct result *r, struct wall ended)
{
    const struct claim *c = f->claim;
    struct retry_policy policy;
    struct retry_moment at = {
        .tries = c->trigger == TRIGGER_MANUAL ? 0 : c->tries + 1u,
        .jitter = f->all->shared->settings.retry_jitter,
        .unit = rng_unit(&f->all->rng),
    };
    if (r->outcome != ATTEMPT_SUCCESS && at.tries)
        schedule_find(f->all->shared, endpoint_now(f), c, ended, &policy, &at);
    return verdict_of(r, c->trigger, &policy, &at, ended);
}

static void conclude(struct flight *f, const struct result *r)
{
    struct mono now = clock_mono();
    struct attempt *a = &f->outcome.attempt;
    struct wall ended = clock_wall();
    struct verdict v = verdict_on(f, r, ended);
    a->duration_us = now.us - f->started.us;
    a->outcome = r->outcome;
    a->status = r->status;
    land(f);
    judge_endpoint(f, r, &v, now, ended);
    submit(f, &v);
}

/* An attempt's parts are counted from its start. */
static void count_wait(struct attempt *a, int64_t waited_us)
{
    int64_t *const parts[] = {&a->dns_us, &a->connect_us, &a->tls_us, &a->first_byte_us};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (*parts[i])
            *parts[i] += waited_us;
}

void flight_ended(void *owner, struct transfer *t)
{
    struct flight *f = owner;
    struct result r;
    transfer_result(t, &r, &f->outcome.attempt);
    f->cut = transfer_was_cut(t);
    count_wait(&f->outcome.attempt, f->waited_us);
    if (r.status == 401 && f->destination->endpoint->auth.kind == AUTH_OAUTH2)
        bearers_refused(f->all->bearers, f->destination, f->wait.serial, clock_mono());
    conclude(f, &r);
}

static void fail(struct flight *f)
{
    conclude(f, &(struct result){.outcome = ATTEMPT_INTERNAL, .retry_after_us = -1});
}

static void start(struct flight *f, struct span token, struct wall now, int64_t waited_us)
{
    const struct departure departure = {f->claim->message, now, token, waited_us};
    f->waited_us = waited_us;
    f->transfer = transfer_start(f->all->transfers, f->destination, &departure, &f->response, f);
    if (!f->transfer)
        fail(f);
}

static void on_token(struct bearer_wait *wait, struct span token, const struct result *failure)
{
    struct flight *f = (struct flight *)((char *)wait - offsetof(struct flight, wait));
    if (failure)
        conclude(f, failure);
    else
        start(f, token, clock_wall(), clock_mono().us - f->started.us);
}

/* With the access token that there is, or once one has come. */
static void authorize(struct flight *f, struct wall now)
{
    struct span token;
    f->wait.done = on_token;
    switch (bearers_ask(f->all->bearers, f->destination, f->started, &f->wait, &token)) {
    case BEARER_READY:
        start(f, token, now, 0);
        break;
    case BEARER_WAITS:
        break;
    case BEARER_FAILED:
        fail(f);
        break;
    }
}

void flight_send(struct flight *f, struct claim *c, struct destination *destination,
                 struct wall now)
{
    assert(c->message);
    f->destination = destination_ref(destination);
    take_off(f, c);
    attempt_begin(f, now);
    if (destination->endpoint->auth.kind == AUTH_OAUTH2)
        authorize(f, now);
    else
        start(f, (struct span){0}, now, 0);
}

void flight_refuse(struct flight *f, struct claim *c, enum delivery_reason reason, struct wall now)
{
    struct result r = {.outcome = ATTEMPT_INTERNAL, .retry_after_us = -1};
    take_off(f, c);
    attempt_begin(f, now);
    f->outcome.attempt.outcome = r.outcome;
    struct verdict v = verdict_on(f, &r, now);
    if (reason != REASON_NONE)
        v = (struct verdict){.what = OUTCOME_DEAD,
                             .reason = c->trigger == TRIGGER_MANUAL ? REASON_NONE : reason};
    land(f);
    submit(f, &v);
}

void flight_cancel(struct flight *f, struct claim *c)
{
    take_off(f, c);
    land(f);
    give_up(f);
}

void flight_settled(struct flight *f, struct wall now)
{
    struct flights *fs = f->all;
    const struct outcome_op *op = &f->outcome;
    struct lane *lane = f->claim->lane;
    fs->settling--;
    if (op->disable_endpoint) /* it sleeps; whether it was really disabled, the store knows */
        lane_changed(lane);
    switch (op->op.result) {
    case ERR_OK:
    case ERR_NOT_FOUND: { /* message or endpoint are gone, and the delivery with them */
        bool retry = op->op.result == ERR_OK && op->verdict == OUTCOME_RETRY &&
                     op->state == DELIVERY_RETRYING;
        lane_settled(lane, fs->held, f->claim, retry ? op->retry_at : WALL_NEVER);
        break;
    }
    case ERR_IO:
    case ERR_STOPPING:
        atomic_store(&fs->shared->broken, true);
        lane_abandon(lane, fs->held, f->claim, &fs->shared->hot_bytes);
        break;
    default:
        /* It will be sent again: at least once. Not at once, for the store is in trouble. */
        log_error("outcome not stored", LOG_ID("msg", ID_MESSAGE, &f->claim->key.message),
                  LOG_TEXT_FIELD("error", err_name(op->op.result)), LOG_END);
        lane_abandon(lane, fs->held, f->claim, &fs->shared->hot_bytes);
        lane_changed(lane);
        lane_rest(lane, wall_add(now, REFUSED_REST_US));
        break;
    }
    fs->moved(fs->context, lane);
    unused_give(f);
}

/* ---------------------------------------------------------------- all of a thread's */

static void turn_slow(struct flight *f)
{
    struct flights *fs = f->all;
    f->slow = true;
    if (fs->slow++ >= fs->shared->slow_reserved)
        budget_force(&fs->shared->slow, 1);
    f->claim->lane->slow_in_flight++;
    fs->moved(fs->context, f->claim->lane);
}

void flights_age(struct flights *fs, struct mono now)
{
    for (struct flight *f; (f = TAILQ_FIRST(&fs->young));) {
        if (now.us - f->started.us < FLIGHT_SLOW_US)
            return;
        TAILQ_REMOVE(&fs->young, f, link);
        TAILQ_INSERT_TAIL(&fs->old, f, link);
        f->aged = true;
        if (!f->slow)
            turn_slow(f);
    }
}

static void abort_list(struct flight_list *list)
{
    for (struct flight *f; (f = TAILQ_FIRST(list));) {
        if (f->transfer)
            transfer_abort(f->transfer);
        bearer_cancel(&f->wait);
        land(f);
        give_up(f);
    }
}

void flights_abort(struct flights *fs)
{
    abort_list(&fs->young);
    abort_list(&fs->old);
}
