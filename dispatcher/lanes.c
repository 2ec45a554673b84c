/* Why lanes do not act by themselves: a thread has tens of thousands of them, nearly all idle, and
 * only those in the round or under a deadline may cost anything.
 *
 * Invariants:
 *   - After anything that happens to a lane, lanes_place puts it where it belongs: into the round
 *     when it can go, else under its next deadline; and among the overdue when something is due.
 *   - A lane that needs a slow slot is in the round of the slow, else one that is doubtful in that
 *     of the doubtful; one that must look at its endpoint first is with the quick, because that
 *     needs no slot, and sends when it is back where it belongs.
 *   - There is at most one snapshot of the store a turn. It begins after the inbox was taken and
 *     ends before it is taken again, so that it shows everything that the lanes have heard of. */
#include "dispatcher/lanes.h"

#include "base/log.h"

#include <assert.h>

#define STEPS_MAX 64                  /* of lanes in one turn, so that the network is looked at */
#define STARVED_US (10 * US_PER_MS)   /* how soon to look for a slot that another thread freed */
#define SLOW_POOL_US (50 * US_PER_MS) /* likewise for a slow one */
#define LOOKUP_US (10 * US_PER_MS)    /* how long one waits for others' name lookups */
#define DOUBTFUL_US (10 * US_PER_MS)  /* how late a thread may come for a doubtful one's turn */
#define FRESH_US US_PER_S             /* how long a message handed over is taken as it came */
#define TROUBLE_US (100 * US_PER_MS)  /* memory or store in trouble: the next try */
#define LOOKUPS_MAX 64     /* name lookups at once: each may hold a resolver thread … */
#define LANE_LOOKUPS_MAX 2 /* … and how many attempts may wait for the same name */

static struct span key_of_lane(const void *value)
{
    const struct lane *lane = value;
    return span_of(&lane->number, sizeof lane->number);
}

static void note_overdue(struct lanes *l, struct lane *lane)
{
    bool overdue = lane_oldest_due(lane, l->now).us != WALL_NEVER.us;
    if (overdue && !lane->overdue)
        TAILQ_INSERT_TAIL(&l->overdue, lane, overdue_link);
    if (!overdue && lane->overdue)
        TAILQ_REMOVE(&l->overdue, lane, overdue_link);
    lane->overdue = overdue;
}

static void count_breaker(struct lanes *l, struct lane *lane, bool open)
{
    struct counter *total = &l->shared->stats.breakers_open;
    if (open && !lane->breaker_counted)
        counter_add(total, 1);
    if (!open && lane->breaker_counted)
        counter_sub(total, 1);
    lane->breaker_counted = open;
}

static enum round_pool pool_of(const struct lane *lane)
{
    if (lane->changed)
        return ROUND_QUICK;
    if (flight_is_slow(lane))
        return ROUND_SLOW;
    return lane->trust == TRUST_DOUBTFUL ? ROUND_DOUBTFUL : ROUND_QUICK;
}

void lanes_place(struct lanes *l, struct lane *lane)
{
    note_overdue(l, lane);
    count_breaker(l, lane, lane->breaker.state != BREAKER_CLOSED && !lane->asleep);
    if (lane_can_go(lane, l->now)) {
        heap_remove(&l->wakes, &lane->wake);
        round_add(&l->round, &lane->place, pool_of(lane));
        return;
    }
    round_remove(&l->round, &lane->place);
    struct wall at = lane_wake_at(lane);
    assert(at.us > l->now.us); /* else it could go */
    if (at.us == WALL_NEVER.us)
        heap_remove(&l->wakes, &lane->wake);
    else
        heap_set(&l->wakes, &lane->wake, at.us);
}

static struct lane *lane_add(struct lanes *l, uint32_t number, struct wall first_due, uint64_t txn)
{
    struct lane *lane =
        lane_new(number, (unsigned)l->shared->settings.endpoint_max_in_flight, first_due, txn);
    if (!lane || !heap_reserve(&l->wakes, map_count(l->table) + 1) || !map_put(l->table, lane)) {
        lane_free(&lane);
        return NULL;
    }
    lanes_place(l, lane);
    return lane;
}

struct lane *lanes_get(struct lanes *l, uint32_t number)
{
    struct lane *lane = map_get(l->table, span_of(&number, sizeof number));
    return lane ? lane : lane_add(l, number, (struct wall){0}, 0);
}

/* What is ready goes back to the disk: before this lane gets its look, for which it may wait long
 * when all slots are taken, the endpoint may be enabled again, and what its disabling has ended
 * must not be sent. */
void lanes_changed(struct lanes *l, struct lane *lane)
{
    const unsigned ready = lane->ready;
    destination_forget(&l->destinations, &lane->destination);
    lane_unready(lane, l->held, &l->shared->hot_bytes);
    counter_sub(&l->shared->stats.ready, ready);
    lane_changed(lane);
}

static void lane_discard(struct lanes *l, struct lane *lane)
{
    destination_forget(&l->destinations, &lane->destination);
    heap_remove(&l->wakes, &lane->wake);
    round_leave(&l->round, &lane->place);
    if (lane->overdue)
        TAILQ_REMOVE(&l->overdue, lane, overdue_link);
    count_breaker(l, lane, false);
    map_take(l->table, key_of_lane(lane));
    lane_free(&lane);
}

void lanes_reap(struct lanes *l, struct lane *lane)
{
    if (lane->gone && lane_held(lane) == 0)
        lane_discard(l, lane);
}

struct scan {
    struct lanes *lanes;
    uint64_t txn;
    enum err result;
};

static void scan_endpoint(void *context, uint32_t number, struct wall first_due)
{
    struct scan *scan = context;
    struct lanes *l = scan->lanes;
    if (scan->result || number % l->count != l->index)
        return;
    struct lane *lane = map_get(l->table, span_of(&number, sizeof number));
    if (lane) {
        lanes_changed(l, lane);
        lane_due(lane, first_due, scan->txn);
        lanes_place(l, lane);
    } else if (!lane_add(l, number, first_due, scan->txn)) {
        scan->result = ERR_NO_MEMORY;
    }
}

static void scan_health(void *context, uint32_t number, const struct endpoint_health *health)
{
    struct scan *scan = context;
    struct lanes *l = scan->lanes;
    struct lane *lane = map_get(l->table, span_of(&number, sizeof number));
    if (!lane || lane->version)
        return;
    lane_set_health(lane, health, 0, &l->shared->settings.breaker, l->now);
    lane->sized_up = false;
    lanes_place(l, lane);
}

enum err lanes_scan(struct lanes *l)
{
    struct store_read *read;
    enum err e = store_read_begin(l->shared->store, &read);
    if (e)
        return e;
    struct scan scan = {.lanes = l, .txn = store_read_txn(read)};
    e = store_each_endpoint(read, scan_endpoint, &scan);
    if (!e && !scan.result)
        e = store_each_health(read, scan_health, &scan);
    store_read_end(&read);
    return e ? e : scan.result;
}

/* ---------------------------------------------------------------- a lane's step */

/* The snapshot of this turn; NULL when there is none to be had. */
static struct store_read *turn_read(struct lanes *l)
{
    if (!l->read && store_read_begin(l->shared->store, &l->read))
        l->read = NULL;
    return l->read;
}

static void lane_trouble(struct lanes *l, struct lane *lane)
{
    lane_rest(lane, wall_add(l->now, TROUBLE_US));
}

static void send_to_sleep(struct lanes *l, struct lane *lane)
{
    unsigned ready = lane->ready;
    lane_sleep(lane, l->held, &l->shared->hot_bytes);
    counter_sub(&l->shared->stats.ready, ready - lane->ready);
}

/* The option may be less than it was when the endpoint's own was stored. */
static unsigned max_in_flight(const struct lanes *l, const struct endpoint *endpoint)
{
    const unsigned most = (unsigned)l->shared->settings.endpoint_max_in_flight;
    return endpoint->max_in_flight && endpoint->max_in_flight < most ? endpoint->max_in_flight
                                                                     : most;
}

static unsigned fresh_share(const struct lanes *l, const struct endpoint *endpoint)
{
    if (endpoint->ordering != ORDERING_NONE)
        return 0;
    return endpoint->fresh_share ? endpoint->fresh_share - 1
                                 : (unsigned)l->shared->settings.fresh_share;
}

/* The rates of the endpoint and of its application, how much it gets at once, and how much of that
 * what is fresh gets. */
static enum err load_rates(struct lanes *l, struct lane *lane, const struct endpoint *endpoint)
{
    struct throttle *throttle = NULL;
    struct app *app;
    enum err e = store_app_load(l->read, &endpoint->app, &app);
    if (!e && app->throttle_rate) {
        throttle = throttle_get(&l->shared->throttles, app->number, app->throttle_rate,
                                app->version, l->mono);
        e = throttle ? ERR_OK : ERR_NO_MEMORY;
    }
    app_free(&app);
    /* An application that is gone or unreadable has no rate: its endpoints have their own. */
    if (e && e != ERR_NOT_FOUND && e != ERR_CORRUPT)
        return e;
    lane_set_rates(lane, endpoint->throttle_rate, throttle, l->mono);
    limit_set_max(&lane->limit, max_in_flight(l, endpoint), l->mono);
    lane->fresh_share = fresh_share(l, endpoint);
    return ERR_OK;
}

static enum err load_health(struct lanes *l, struct lane *lane, uint64_t version)
{
    struct endpoint_health health;
    enum err e = store_health_get(l->read, lane->number, &health);
    if (!e)
        lane_set_health(lane, &health, version, &l->shared->settings.breaker, l->now);
    return e;
}

/* A paused endpoint sleeps until it changes: what it gets stays on disk, manual attempts too. */
static bool sleeps_paused(struct lanes *l, struct lane *lane)
{
    const bool paused = lane->destination->endpoint->paused;
    if (paused)
        send_to_sleep(l, lane);
    return paused;
}

/* Looks at the endpoint. False when nothing can be sent to it now. Without a destination but true:
 * what is stored cannot be used, and attempts fail one by one. */
static bool look_up_destination(struct lanes *l, struct lane *lane)
{
    if (lane->destination && !lane->changed) {
        destination_touch(&l->destinations, lane->destination);
        return !sleeps_paused(l, lane);
    }
    struct store_read *read = turn_read(l);
    round_charge(&l->round, &lane->place, 0); /* a look costs as much as a small request */
    enum err e = read ? destination_load(&l->destinations, read, lane->number, &lane->endpoint,
                                         &lane->destination)
                      : ERR_NO_MEMORY;
    if (!e && !lane->rated)
        e = load_rates(l, lane, lane->destination->endpoint);
    if (!e && !lane->sized_up)
        e = load_health(l, lane, lane->destination->endpoint->version);
    lane->changed = false;
    switch (e) {
    case ERR_OK:
        return !sleeps_paused(l, lane);
    case ERR_INVALID:
    case ERR_CORRUPT:
        return true;
    case ERR_NOT_FOUND:
    case ERR_DISABLED:
        lane->gone = e == ERR_NOT_FOUND;
        send_to_sleep(l, lane);
        return false;
    default: /* it will be loaded when something is to be sent */
        destination_forget(&l->destinations, &lane->destination);
        lane_trouble(l, lane);
        return false;
    }
}

static void read_page(struct lanes *l, struct lane *lane)
{
    struct store_read *read = turn_read(l);
    unsigned want = lane_page_rows(lane), count = 0, before = lane->ready;
    struct wall next_due;
    if (want > l->rows_max)
        want = l->rows_max;
    if (!read || store_due_page(read, lane->number, (struct wall){0}, l->now, l->rows, want, &count,
                                &next_due)) {
        lane_trouble(l, lane);
        return;
    }
    lane_page(lane, l->held, l->rows, count, next_due, store_read_txn(read), l->now);
    counter_add(&l->shared->stats.pages, 1);
    counter_add(&l->shared->stats.ready, lane->ready - before);
}

static bool would_look_up(const struct lanes *l, const struct destination *d)
{
    return !d->resolved || (d->endpoint->auth.kind == AUTH_OAUTH2 &&
                            bearers_would_look_up(l->flights->bearers, d, l->mono));
}

/* Whether one more attempt may wait for this endpoint's name, or its authorization server's: with a
 * dead name server every lookup holds a thread for many seconds. */
static bool may_look_up(struct lanes *l, const struct lane *lane)
{
    return !lane->destination || !would_look_up(l, lane->destination) ||
           (lane->in_flight < LANE_LOOKUPS_MAX && transfers_lookups(l->transfers) < LOOKUPS_MAX);
}

static enum delivery_reason reason_of(enum err e)
{
    return e == ERR_NOT_FOUND ? REASON_MESSAGE_EXPIRED : REASON_UNREADABLE;
}

/* What waited for long is read again: it may have been expunged meanwhile, and then not even the
 * copy in memory may be sent. */
static enum err load_message(struct lanes *l, struct claim *c)
{
    struct message *stored;
    if (c->message && l->now.us - c->due.us < FRESH_US)
        return ERR_OK;
    if (!turn_read(l))
        return ERR_NO_MEMORY;
    enum err e = store_message_load(l->read, &c->key.message, &stored);
    if (e)
        return e;
    message_unref(&c->message);
    c->message = stored;
    return ERR_OK;
}

/* Sends the oldest ready claim in the opened flight. */
static void depart(struct lanes *l, struct lane *lane, struct flight *f)
{
    struct claim *c = lane_pop(lane);
    if (!lane->destination) {
        round_charge(&l->round, &lane->place, 0);
        flight_refuse(f, c, REASON_NONE, l->now);
        return;
    }
    enum err e = load_message(l, c);
    if (e == ERR_NOT_FOUND || e == ERR_CORRUPT) {
        log_warn("message cannot be delivered", LOG_ID("msg", ID_MESSAGE, &c->key.message),
                 LOG_TEXT_FIELD("error", err_name(e)), LOG_END);
        flight_refuse(f, c, reason_of(e), l->now);
    } else if (e) {
        flight_cancel(f, c);
        lane_trouble(l, lane);
    } else if (c->message->expunged) {
        flight_refuse(f, c, REASON_MESSAGE_EXPUNGED, l->now);
    } else {
        round_charge(&l->round, &lane->place, c->message->payload.len);
        lane_take_token(lane, l->mono);
        if (lane->place.pool == ROUND_DOUBTFUL)
            rate_take(&l->doubtful, l->mono.us);
        flight_send(f, c, lane->destination, l->now);
    }
}

static void send_one(struct lanes *l, struct lane *lane)
{
    struct flight *f = NULL;
    if (!may_look_up(l, lane)) {
        lane_rest(lane, wall_add(l->now, LOOKUP_US));
        return;
    }
    if (!lane_has_token(lane, l->now, l->mono))
        return;
    switch (flight_open(l->flights, lane, &f)) {
    case FLIGHT_OPEN:
        depart(l, lane, f);
        break;
    case FLIGHT_NO_SLOT:
        l->starved = true;
        break;
    case FLIGHT_NO_SLOW_SLOT:
        l->slow_starved = true;
        break;
    }
}

/* Its application is known once its endpoint is. It goes on when it is its application's turn. */
static bool joins_application(struct lanes *l, struct lane *lane)
{
    return lane->destination &&
           round_join(&l->round, &lane->place, lane->destination->endpoint->app_number);
}

static void step(struct lanes *l, struct lane *lane)
{
    if (look_up_destination(l, lane) && !joins_application(l, lane)) {
        if (lane_wants_page(lane, l->now) && lane_has_room(lane, l->now))
            read_page(l, lane);
        if (lane->ready > 0 && lane_has_room(lane, l->now) && lane->place.pool == pool_of(lane))
            send_one(l, lane);
    }
    lanes_place(l, lane);
    lanes_reap(l, lane);
}

/* ---------------------------------------------------------------- a turn */

void lanes_clock_moved(struct lanes *l, int64_t by_us)
{
    size_t at = 0;
    for (struct lane *lane; (lane = map_each(l->table, &at));) {
        lane_clock_moved(lane, by_us);
        lanes_place(l, lane);
    }
}

static void wake_lanes(struct lanes *l)
{
    for (struct heap_item *first; (first = heap_first(&l->wakes)) && first->when <= l->now.us;)
        lanes_place(l, (struct lane *)((char *)first - offsetof(struct lane, wake)));
}

/* Whether a lane of the pool may find what its attempt needs. */
static bool pool_may_go(const struct lanes *l, enum round_pool pool)
{
    if (round_is_empty(&l->round, pool))
        return false;
    switch (pool) {
    case ROUND_SLOW:
        return !l->slow_starved;
    case ROUND_DOUBTFUL:
        return rate_wait_us(&l->doubtful, l->mono.us) == 0;
    default:
        return true;
    }
}

/* Those that may go take turns. ROUND_POOLS: none may. */
static enum round_pool next_pool(const struct lanes *l)
{
    for (unsigned after = 1; after <= ROUND_POOLS; after++) {
        const enum round_pool pool = (l->last + after) % ROUND_POOLS;
        if (pool_may_go(l, pool))
            return pool;
    }
    return ROUND_POOLS;
}

/* Who found no slot has its turn when there is one. */
static void go_round(struct lanes *l)
{
    l->starved = l->slow_starved = false;
    for (unsigned i = 0; i < STEPS_MAX && !l->starved; i++) {
        const enum round_pool pool = next_pool(l);
        if (pool == ROUND_POOLS)
            return;
        struct round_member *m = round_next(&l->round, pool);
        step(l, (struct lane *)((char *)m - offsetof(struct lane, place)));
        if (!l->starved)
            l->last = pool;
    }
}

void lanes_go(struct lanes *l)
{
    wake_lanes(l);
    go_round(l);
}

void lanes_end_turn(struct lanes *l)
{
    if (l->read)
        store_read_end(&l->read);
}

int64_t lanes_wait_us(const struct lanes *l, int64_t most)
{
    const struct heap_item *first = heap_first(&l->wakes);
    const int64_t doubtful_us = rate_wait_us(&l->doubtful, l->mono.us);
    int64_t us = most;
    if (!round_is_empty(&l->round, ROUND_SLOW))
        us = l->slow_starved ? SLOW_POOL_US : 0;
    if (!round_is_empty(&l->round, ROUND_DOUBTFUL) && doubtful_us < us)
        us = doubtful_us;
    if (!round_is_empty(&l->round, ROUND_QUICK))
        us = 0;
    if (us == 0 && l->starved)
        us = STARVED_US;
    if (first && first->when - l->now.us < us)
        us = first->when - l->now.us;
    return us > 0 ? us : 0;
}

struct wall lanes_oldest_due(const struct lanes *l)
{
    struct wall oldest = WALL_NEVER;
    const struct lane *lane;
    TAILQ_FOREACH(lane, &l->overdue, overdue_link)
    {
        struct wall due = lane_oldest_due(lane, l->now);
        if (due.us < oldest.us)
            oldest = due;
    }
    return oldest;
}

/* ---------------------------------------------------------------- life */

bool lanes_init(struct lanes *l)
{
    unsigned in_flight = (unsigned)l->shared->settings.endpoint_max_in_flight;
    heap_init(&l->wakes);
    TAILQ_INIT(&l->overdue);
    destinations_init(&l->destinations, &l->shared->outbound);
    l->now = clock_wall();
    l->mono = clock_mono();
    rate_set(&l->doubtful, LANES_DOUBTFUL_PER_S, DOUBTFUL_US, l->mono.us);
    l->rows_max = 2 * (READY_MAX + LANE_FRESH_MAX + LANE_SETTLING_MAX + in_flight) + READY_MAX;
    l->rows = calloc(l->rows_max, sizeof *l->rows);
    l->table = map_new(key_of_lane);
    return round_init(&l->round) && l->rows && l->table;
}

void lanes_clear(struct lanes *l)
{
    size_t at = 0;
    for (struct lane *lane; l->table && (lane = map_each(l->table, &at));) {
        for (struct claim *c; (c = lane_pop(lane));)
            lane_abandon(lane, l->held, c, &l->shared->hot_bytes);
        destination_forget(&l->destinations, &lane->destination);
        round_leave(&l->round, &lane->place);
        lane_free(&lane);
    }
    map_free(&l->table);
    round_clear(&l->round);
    heap_free(&l->wakes);
    free(l->rows);
}
