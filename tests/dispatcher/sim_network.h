/* The network of the simulator in place of dispatcher/transfer.c: answers by the nature of an
 * endpoint, after a while of the virtual clock. What may be sent is checked here, where it is sent:
 * against the model store and against what the dispatcher said before, never against a lane's own
 * counters. */
#ifndef TESTS_DISPATCHER_SIM_NETWORK_H
#define TESTS_DISPATCHER_SIM_NETWORK_H

/* The loop itself is under test, without its threads. */
#include "dispatcher/dispatcher.c"
#include "dispatcher/worker.c"
#include "sim_store.h"

#define SIM_PAYLOAD_MAX 1024
/* Bytes of a round, so few that its bounds are met in the small. */
#define SIM_ALLOWANCE 512
/* Likewise of attempts at doubtful endpoints. */
#define SIM_DOUBTFUL_PER_S 20
#define SIM_TURN (SIM_ALLOWANCE + TURN_OVERHEAD + SIM_PAYLOAD_MAX)

struct transfers {
    void (*ended)(void *owner, struct transfer *t);
};

struct transfer {
    struct transfers *all;
    struct flight *flight;
    uint32_t endpoint;
    struct id message;
    uint64_t version; /* of the endpoint */
    int64_t started_us, ends_us;
    struct result result;
};

struct transfers *transfers_new(const struct transfer_settings *settings, int wake_fd,
                                long connections, void (*ended)(void *owner, struct transfer *t))
{
    struct transfers *ts = calloc(1, sizeof *ts);
    (void)settings, (void)wake_fd, (void)connections;
    *ts = (struct transfers){.ended = ended};
    return ts;
}

void transfers_free(struct transfers **ts)
{
    free(*ts);
    *ts = NULL;
}

void transfers_cut(struct transfers *ts)
{
    (void)ts;
}

unsigned transfers_lookups(const struct transfers *ts)
{
    (void)ts;
    return 0;
}

void transfer_result(const struct transfer *t, struct result *result, struct attempt *timing)
{
    *result = t->result;
    timing->first_byte_us = (uint32_t)(t->ends_us - t->started_us);
}

bool transfer_was_cut(const struct transfer *t)
{
    (void)t;
    return false;
}

static inline void sim_flight_drop(unsigned i)
{
    world->flights[i] = world->flights[--world->flight_count];
}

/* Aborted attempts are sent again. */
void transfer_abort(struct transfer *t)
{
    for (unsigned i = 0; i < world->flight_count; i++)
        if (world->flights[i] == t) {
            sim_flight_drop(i);
            break;
        }
    free(t);
}

/* The one that ends first, of a thread's (NULL: of all); flight_count: none. */
static inline unsigned sim_flight_first(const struct transfers *ts)
{
    unsigned first = world->flight_count;
    for (unsigned i = 0; i < world->flight_count; i++) {
        if (ts && world->flights[i]->all != ts)
            continue;
        if (first == world->flight_count ||
            world->flights[i]->ends_us < world->flights[first]->ends_us)
            first = i;
    }
    return first;
}

/* It ends. What the probe of a breaker finds is told, though the endpoint was changed under it. */
static inline void sim_end(struct transfer *t)
{
    struct sim_endpoint *e = &world->store.endpoints[t->endpoint];
    const struct claim *c = t->flight->claim;
    const enum breaker_sign sign = breaker_sign(&t->result);
    const bool probe = breaker_awaits(&c->lane->breaker, c->probe) && sign != SIGN_NONE;
    const unsigned told = e->told_count;
    if (t->result.outcome == ATTEMPT_SUCCESS)
        sim_delivery(&t->message, t->endpoint)->answered = true;
    if (sign == SIGN_ALIVE && (probe || t->version == c->lane->version))
        e->sick = 0;
    e->sick += sign == SIGN_SICK && t->version == e->version;
    world->probed_across += probe && t->version != c->lane->version;
    t->all->ended(t->flight, t);
    sim_must(!probe || e->told_count > told, "what a probe finds counts");
    free(t);
}

void transfers_run(struct transfers *ts, struct mono deadline)
{
    (void)deadline;
    for (;;) {
        const unsigned i = sim_flight_first(ts);
        if (i == world->flight_count || world->flights[i]->ends_us > world->now_us)
            return;
        struct transfer *t = world->flights[i];
        sim_flight_drop(i);
        sim_end(t);
    }
}

/* ---------------------------------------------------------------- what may be sent */

static inline void sim_check_delivery(const struct transfer *t, const struct claim *c)
{
    const struct store *s = &world->store;
    const struct sim_endpoint *e = &s->endpoints[t->endpoint];
    const unsigned row = sim_row_find(t->endpoint, &t->message, c->trigger, c->due);
    for (unsigned i = 0; i < world->flight_count; i++)
        sim_must(world->flights[i]->endpoint != t->endpoint ||
                     id_cmp(&world->flights[i]->message, &t->message) != 0,
                 "a delivery has one attempt at a time");
    for (unsigned i = 0; i < s->pending_count; i++) {
        const struct attempt *a = &((struct outcome_op *)s->pending[i])->attempt;
        sim_must(a->endpoint_number != t->endpoint || id_cmp(&a->message, &t->message) != 0,
                 "no attempt begins before the outcome of the last one is durable");
    }
    sim_must(row < s->row_count || e->unheard, "only what is due is sent, and nothing that ended");
    sim_must(c->due.us <= sim_wall().us, "nothing is sent before it is due");
    sim_must(row == s->row_count || s->rows[row].row.tries == c->tries,
             "an attempt knows how many were made before it");
    if (!e->unheard) {
        sim_must(t->version == e->version, "a change counts from the turn in which it is heard");
        sim_must(!e->disabled && !e->paused && e->exists, "nothing goes where nothing is wanted");
    }
}

static inline void sim_check_caps(const struct transfer *t, const struct lane *lane)
{
    const struct endpoint *endpoint = lane->destination->endpoint;
    const unsigned option = (unsigned)world->settings.endpoint_max_in_flight;
    const unsigned most = endpoint->max_in_flight && endpoint->max_in_flight < option
                              ? endpoint->max_in_flight
                              : option;
    unsigned own = 1;
    for (unsigned i = 0; i < world->flight_count; i++)
        own += world->flights[i]->endpoint == t->endpoint;
    world->at_once += own > 2;
    sim_must(own <= most, "an endpoint has no more in flight than its maximum");
    sim_must(world->flight_count + 1 <= world->settings.max_in_flight,
             "all together have no more in flight than the option says");
}

/* By what it told the store, for the endpoint as it is. */
static inline void sim_check_breaker(const struct transfer *t)
{
    const struct sim_endpoint *e = &world->store.endpoints[t->endpoint];
    unsigned since = 0;
    if (e->told_version != t->version || !e->told.opened_at.us)
        return;
    sim_must(sim_wall().us >= e->told.probe_at.us, "nothing goes while the breaker is open");
    for (unsigned i = 0; i < world->flight_count; i++) {
        const struct transfer *other = world->flights[i];
        since += other->endpoint == t->endpoint && other->version == t->version &&
                 SIM_STARTED_AT + other->started_us >= e->told.probe_at.us;
    }
    sim_must(since == 0, "there is one probe at a time");
}

/* In any T seconds at most rate * (T + slack) + 1. */
static inline void sim_check_rate(struct sim_starts *starts, uint64_t version, int64_t rate,
                                  const char *what)
{
    if (starts->version != version)
        *starts = (struct sim_starts){.version = version};
    const unsigned kept = starts->count < SIM_STARTS ? starts->count : SIM_STARTS;
    for (unsigned back = 1; rate > 0 && back <= kept; back++) {
        const int64_t us =
            world->now_us - starts->at_us[(starts->count - back) % SIM_STARTS] + THROTTLE_SLACK_US;
        sim_must((int64_t)back * US_PER_S <= rate * us + rate, what);
    }
    starts->at_us[starts->count++ % SIM_STARTS] = world->now_us;
}

static inline bool sim_waits_for_turn(const struct lanes *l, const struct lane *lane)
{
    return lane->place.turn.in && lane->ready > 0 && lane->token_at.us <= l->now.us &&
           lane_has_room(lane, l->now);
}

/* A lane that could go waits for the others of its application: while it does, every other one
 * gets what a round allows, once, and once more for where in the round it was when this one
 * joined. */
static inline void sim_check_turn(const struct transfer *t, const struct lanes *l, uint64_t sent,
                                  bool waits[SIM_APPS + 1])
{
    const uint64_t round = map_count(l->table) * SIM_TURN;
    const enum round_pool pool = t->flight->claim->lane->place.pool;
    size_t at = 0;
    for (const struct lane *lane; (lane = map_each(l->table, &at));) {
        struct sim_endpoint *e = &world->store.endpoints[lane->number];
        const bool waiting = lane->number != t->endpoint && sim_waits_for_turn(l, lane);
        const uint32_t app = lane->place.tenant ? sim_app(lane->number) : 0;
        if (!waiting)
            e->passed = 0;
        if (!waiting || lane->place.pool != pool)
            continue;
        waits[app] = true;
        if (app == sim_app(t->endpoint))
            e->passed += sent;
        sim_must(e->passed <= 2 * round,
                 "nobody who may go is passed over for longer than a round");
    }
}

/* Of one that has something to send every other one gets what a round allows, likewise: however
 * many endpoints it has. */
static inline void sim_check_application(const struct transfer *t, const struct lanes *l,
                                         const struct message *m)
{
    const uint64_t round = (SIM_APPS + 1) * SIM_TURN;
    const uint64_t sent = m->payload.len + TURN_OVERHEAD;
    const enum round_pool pool = t->flight->claim->lane->place.pool;
    uint64_t *passed = world->app_passed[l->index][pool];
    bool waits[SIM_APPS + 1] = {false};
    sim_check_turn(t, l, sent, waits);
    for (uint32_t app = 0; app <= SIM_APPS; app++) {
        passed[app] = waits[app] && app != sim_app(t->endpoint) ? passed[app] + sent : 0;
        sim_must(passed[app] <= 2 * round, "an application's share is its own");
        world->waited_app += passed[app] > 0;
        world->waited_slow += passed[app] > 0 && pool == ROUND_SLOW;
        world->waited_doubtful += passed[app] > 0 && pool == ROUND_DOUBTFUL;
    }
}

/* Whether there is what the lanes of a pool need. */
static inline bool sim_may_go(const struct lanes *l, enum round_pool pool)
{
    const struct shared *shared = l->shared;
    if (pool == ROUND_SLOW)
        return l->flights->slow < shared->slow_reserved || shared->slow.used < shared->slow.max;
    return pool == ROUND_QUICK || rate_wait_us(&l->doubtful, l->mono.us) == 0;
}

/* Those who need a slow slot, those who are doubtful and all others take turns while there is what
 * they need. */
static inline void sim_check_pool(const struct transfer *t, const struct lanes *l)
{
    const enum round_pool own = t->flight->claim->lane->place.pool;
    unsigned *passed = world->pool_passed[l->index];
    bool waits[ROUND_POOLS] = {false};
    size_t at = 0;
    for (const struct lane *lane; (lane = map_each(l->table, &at));)
        waits[lane->place.pool] |= sim_waits_for_turn(l, lane);
    for (enum round_pool pool = 0; pool < ROUND_POOLS; pool++) {
        passed[pool] = pool != own && waits[pool] && sim_may_go(l, pool) ? passed[pool] + 1 : 0;
        sim_must(passed[pool] <= ROUND_POOLS - 1 + map_count(l->table),
                 "no pool keeps another waiting");
    }
}

/* Who has failed twice goes at the pace of those who have; who has not since it was changed does
 * not, unless its breaker has stayed open. */
static inline void sim_check_pace(const struct transfer *t, const struct lanes *l)
{
    const struct sim_endpoint *e = &world->store.endpoints[t->endpoint];
    const struct lane *lane = t->flight->claim->lane;
    const enum round_pool pool = lane->place.pool;
    sim_must(e->unheard || e->sick < 2 || pool != ROUND_QUICK,
             "who fails again and again is doubtful");
    sim_must(e->unheard || e->sick > 0 || lane->breaker.state != BREAKER_CLOSED ||
                 pool != ROUND_DOUBTFUL,
             "nobody is doubtful for what was before a change");
    if (pool == ROUND_DOUBTFUL)
        sim_check_rate(&world->doubtful_starts[l->index], 0, SIM_DOUBTFUL_PER_S,
                       "attempts at doubtful endpoints keep their pace");
}

/* How many attempts in a row have passed over what is still the first of its list; NULL: none. */
static inline unsigned sim_passed(struct sim_head *head, const struct claim *first)
{
    static const struct id none;
    const struct id *now = first ? &first->key.message : &none;
    head->passed = first && id_cmp(now, &head->message) == 0 ? head->passed + 1 : 0;
    head->message = *now;
    return head->passed;
}

/* Neither what is fresh nor what is oldest is passed over for longer than their shares say. */
static inline void sim_check_share(const struct transfer *t, const struct lane *lane)
{
    struct sim_endpoint *e = &world->store.endpoints[t->endpoint];
    const unsigned share = (unsigned)world->settings.fresh_share;
    const bool is_fresh = id_cmp(&t->message, &e->fresh.message) == 0;
    const unsigned fresh = sim_passed(&e->fresh, lane->fresh.first);
    const unsigned backlog = sim_passed(&e->backlog, is_fresh ? lane->backlog.first : NULL);
    sim_must(fresh * share <= 100, "what is fresh gets its share");
    sim_must(backlog * (100 - share) <= share, "what is oldest gets the rest");
    sim_must(lane->fresh_ready == 0 || !lane->destination->endpoint->ordering,
             "an ordered endpoint gets nothing out of its turn");
    sim_must(lane->fresh_ready <= LANE_FRESH_MAX && (share || !lane->fresh_ready),
             "what is fresh is bounded");
    world->waited_fresh += lane->fresh_ready > 0;
}

/* ---------------------------------------------------------------- answers */

static inline struct result sim_status(uint16_t status, int64_t retry_after_us)
{
    return (struct result){status < 300 ? ATTEMPT_SUCCESS : ATTEMPT_STATUS, status, retry_after_us};
}

static inline struct result sim_failure(enum attempt_class outcome)
{
    return (struct result){outcome, 0, -1};
}

static inline void sim_answer(struct transfer *t, enum sim_nature nature)
{
    int64_t us = 200 + sim_below(20000);
    t->result = sim_status(200, -1);
    switch (nature) {
    case SIM_WELL:
    case SIM_NATURES:
        break;
    case SIM_SLOW:
        us = 300 * US_PER_MS + sim_below(5000) * US_PER_MS;
        break;
    case SIM_DEAD:
        us = sim_below(3) ? 200 : 15 * US_PER_S;
        t->result = sim_failure(us == 200 ? ATTEMPT_REFUSED : ATTEMPT_TIMEOUT);
        break;
    case SIM_FLAKY:
        if (sim_below(2))
            t->result = sim_status(sim_below(100) ? (sim_below(2) ? 500 : 404) : 410, -1);
        break;
    case SIM_BUSY:
        if (sim_below(3))
            t->result = sim_status(sim_below(2) ? 429 : 503, sim_below(3) * US_PER_S);
        break;
    }
    t->ends_us = world->now_us + us;
}

/* No endpoint here has an access token. */
struct transfer *transfer_post(struct transfers *ts, struct destination *destination,
                               const struct transfer_post *post)
{
    (void)ts, (void)destination, (void)post;
    return NULL;
}

struct transfer *transfer_start(struct transfers *ts, struct destination *destination,
                                const struct departure *departure, struct buf *response,
                                void *owner)
{
    const struct message *message = departure->message;
    struct flight *f = owner;
    const struct lanes *lanes = &((struct worker *)f->all->context)->lanes;
    struct sim_endpoint *e = &world->store.endpoints[destination->endpoint->number];
    struct transfer *t = calloc(1, sizeof *t);
    (void)response;
    *t = (struct transfer){.all = ts,
                           .flight = f,
                           .endpoint = destination->endpoint->number,
                           .message = message->id,
                           .version = destination->endpoint->version,
                           .started_us = world->now_us};
    world->progress++;
    sim_trace("start e%u m%u try %u%s", t->endpoint, sim_number(&t->message), f->claim->tries,
              f->claim->probe ? " probe" : "");
    sim_check_delivery(t, f->claim);
    sim_check_caps(t, f->claim->lane);
    sim_check_breaker(t);
    sim_check_application(t, lanes, message);
    sim_check_pool(t, lanes);
    sim_check_pace(t, lanes);
    sim_check_share(t, f->claim->lane);
    sim_check_rate(&e->starts, t->version, destination->endpoint->throttle_rate,
                   "an endpoint's rate holds over every stretch of time");
    if (!e->unheard && sim_app(t->endpoint) == 1)
        sim_check_rate(&world->app_starts, world->store.app_version, world->store.app_rate,
                       "an application's rate holds over every stretch of time");
    sim_answer(t, e->nature);
    assert(world->flight_count < SIM_FLIGHTS);
    world->flights[world->flight_count++] = t;
    return t;
}

#endif
