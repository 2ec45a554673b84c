/* A turn of the loop: wait for the network and the inbox; take the inbox; let lanes read and send;
 * note what must be noted.
 *
 * Invariants: "now" is read once a turn, after the inbox was taken, so that a hand-off is never in
 * the future; mail that finds no memory waits, and what came after it waits behind it. */
#include "dispatcher/worker.h"

#include "base/log.h"
#include "dispatcher/inquiry.h"
#include "dispatcher/lanes.h"

#include <assert.h>
#include <pthread.h>

#define TURN_US_MAX US_PER_S         /* a turn at least: a stepped clock is noticed */
#define PENDING_US (100 * US_PER_MS) /* how soon to try again what found no memory */
#define STOPPING_US (10 * US_PER_MS) /* a turn while winding up */
#define CLOCK_STEP_US (US_PER_S / 2) /* between the two clocks: the wall clock was set */

struct worker {
    struct shared *shared;
    pthread_t thread;
    bool started;

    /* any thread */
    struct inbox *inbox;
    struct held *held; /* by its own rules */
    atomic_bool stopping;
    atomic_bool mail_lost; /* memory ran out for a note: look at every endpoint */
    _Atomic int64_t oldest_due;

    /* the thread's own */
    struct transfers *transfers;
    struct bearers *bearers;
    struct flights flights;
    struct lanes lanes;
    struct inbox_item *pending; /* taken, and waiting for memory */
    struct mono now, oldest_at, drain_until;
    int64_t clocks_apart; /* wall minus monotonic, of the last turn */
};

/* A note of the listener that carries no delivery. */
struct lane_note {
    struct mail mail;
    uint32_t endpoint;
    struct wall due;
    uint64_t txn;
};

/* ---------------------------------------------------------------- from other threads */

void worker_post_handoff(struct worker *w, struct handoff *h)
{
    h->tag = MAIL_HANDOFF;
    inbox_put(w->inbox, &h->item);
}

static void post_note(struct worker *w, enum mail_kind kind, uint32_t endpoint, struct wall due,
                      uint64_t txn)
{
    struct lane_note *note = malloc(sizeof *note);
    if (!note) {
        atomic_store(&w->mail_lost, true);
        inbox_wake(w->inbox);
        return;
    }
    *note = (struct lane_note){.mail.kind = kind, .endpoint = endpoint, .due = due, .txn = txn};
    inbox_put(w->inbox, &note->mail.item);
}

void worker_post_due(struct worker *w, uint32_t endpoint, struct wall due, uint64_t txn)
{
    post_note(w, MAIL_DUE, endpoint, due, txn);
}

void worker_post_changed(struct worker *w, uint32_t endpoint, uint64_t txn)
{
    post_note(w, MAIL_CHANGED, endpoint, WALL_NEVER, txn);
}

void worker_post_inquiry(struct worker *w, struct inquiry *q)
{
    inbox_put(w->inbox, inquiry_mail(q));
}

bool worker_holds(const struct worker *w, const struct id *message, uint32_t endpoint)
{
    return held_has(w->held, endpoint, message);
}

struct wall worker_oldest_due(const struct worker *w)
{
    return (struct wall){atomic_load_explicit(&w->oldest_due, memory_order_relaxed)};
}

void worker_stop(struct worker *w)
{
    atomic_store(&w->stopping, true);
    inbox_wake(w->inbox);
}

/* ---------------------------------------------------------------- the inbox */

static void settled(struct worker *w, struct flight *f)
{
    struct lane *lane = f->claim->lane;
    flight_settled(f, w->lanes.now);
    lanes_reap(&w->lanes, lane);
}

static void noted(struct worker *w, struct lane *lane, struct lane_note *note)
{
    if (note->mail.kind == MAIL_CHANGED)
        lanes_changed(&w->lanes, lane);
    else
        lane_due(lane, note->due, note->txn);
    free(note);
}

static void handed(struct worker *w, struct lane *lane, struct handoff *h)
{
    struct dispatcher_stats *stats = &w->shared->stats;
    bool hot = lane_handoff(lane, w->held, &w->shared->hot_bytes, h, w->lanes.now);
    counter_add(hot ? &stats->handoffs_hot : &stats->handoffs_cold, 1);
    if (hot)
        counter_add(&stats->ready, 1);
}

static void asked(struct worker *w, struct inquiry *q)
{
    const uint32_t endpoint = inquiry_endpoint(q);
    const struct lane *lane = map_get(w->lanes.table, span_of(&endpoint, sizeof endpoint));
    const struct claim *c = held_find(w->held, endpoint, inquiry_message(q));
    inquiry_answer(q, inquiry_look(lane, c, w->lanes.now));
}

/* False when out of memory: the item was not touched. */
static bool receive(struct worker *w, struct inbox_item *item)
{
    int kind = ((struct mail *)item)->kind;
    if (kind == MAIL_SETTLED) {
        settled(w, (struct flight *)item);
        return true;
    }
    if (kind == MAIL_INQUIRY) {
        asked(w, inquiry_of_mail(item));
        return true;
    }
    struct handoff *h = (struct handoff *)item;
    struct lane_note *note = (struct lane_note *)item;
    struct lane *lane = lanes_get(&w->lanes, kind == MAIL_HANDOFF ? h->endpoint : note->endpoint);
    if (!lane)
        return false;
    if (kind == MAIL_HANDOFF)
        handed(w, lane, h);
    else
        noted(w, lane, note);
    lanes_place(&w->lanes, lane);
    return true;
}

/* Reads the clocks. Rests are short and kept by the wall clock, as what is due is: without this a
 * clock that is set back would make an hour of a pause of milliseconds. */
static void read_clocks(struct worker *w)
{
    w->lanes.now = clock_wall();
    w->now = w->lanes.mono = clock_mono();
    int64_t apart = w->lanes.now.us - w->now.us, by = apart - w->clocks_apart;
    w->clocks_apart = apart;
    if (by < -CLOCK_STEP_US || by > CLOCK_STEP_US)
        lanes_clock_moved(&w->lanes, by);
}

static void take_inbox(struct worker *w)
{
    struct inbox_item **end = &w->pending;
    while (*end)
        end = &(*end)->next;
    *end = inbox_take(w->inbox);
    read_clocks(w);

    while (w->pending) {
        struct inbox_item *item = w->pending, *next = item->next;
        if (!receive(w, item))
            break;
        w->pending = next;
    }
    if (atomic_load_explicit(&w->mail_lost, memory_order_relaxed)) {
        atomic_store(&w->mail_lost, false);
        if (lanes_scan(&w->lanes))
            atomic_store(&w->mail_lost, true);
    }
}

/* ---------------------------------------------------------------- the loop */

static void note_oldest_due(struct worker *w)
{
    bool any = !TAILQ_EMPTY(&w->lanes.overdue);
    if (any && w->now.us - w->oldest_at.us < US_PER_S)
        return;
    w->oldest_at = w->now;
    atomic_store_explicit(&w->oldest_due, lanes_oldest_due(&w->lanes).us, memory_order_relaxed);
}

/* True when the thread may end: nothing is in flight and every outcome is stored. */
static bool wind_up(struct worker *w)
{
    if (w->drain_until.us == MONO_NEVER.us)
        w->drain_until = mono_add(w->now, w->shared->settings.drain_us);
    if (w->now.us >= w->drain_until.us) {
        transfers_cut(w->transfers);
        flights_abort(&w->flights);
    }
    return w->flights.in_flight == 0 && w->flights.settling == 0;
}

/* Returns how long the next turn may wait for the network; below zero: no next turn. */
static int64_t turn(struct worker *w)
{
    if (atomic_load(&w->stopping))
        return wind_up(w) ? -1 : STOPPING_US;
    if (atomic_load_explicit(&w->shared->broken, memory_order_relaxed))
        return TURN_US_MAX;
    lanes_go(&w->lanes);
    return lanes_wait_us(&w->lanes, w->pending ? PENDING_US : TURN_US_MAX);
}

static void *run(void *context)
{
    struct worker *w = context;
    pthread_setname_np(pthread_self(), "dispatch");
    for (int64_t wait_us = 0; wait_us >= 0;) {
        transfers_run(w->transfers, mono_add(w->now, wait_us));
        take_inbox(w);
        wait_us = turn(w);
        flights_age(&w->flights, w->now);
        note_oldest_due(w);
        lanes_end_turn(&w->lanes);
    }
    return NULL;
}

enum err worker_scan(struct worker *w)
{
    return lanes_scan(&w->lanes);
}

enum err worker_start(struct worker *w)
{
    if (pthread_create(&w->thread, NULL, run, w))
        return ERR_NO_MEMORY;
    w->started = true;
    return ERR_OK;
}

void worker_join(struct worker *w)
{
    if (w->started)
        pthread_join(w->thread, NULL);
    w->started = false;
}

/* ---------------------------------------------------------------- life */

static bool open_network(struct worker *w)
{
    const struct dispatcher_settings *s = &w->shared->settings;
    struct transfer_settings settings = {
        .outbound = &w->shared->outbound,
        .request_timeout_us = s->request_timeout_us,
        .connect_timeout_us = s->connect_timeout_us,
        .user_agent = s->user_agent,
        .ca_file = s->ca_file,
        .signature_headers = s->signature_headers,
    };
    w->transfers =
        transfers_new(&settings, inbox_fd(w->inbox), (long)s->endpoint_max_in_flight, flight_ended);
    w->bearers = w->transfers ? bearers_new(w->transfers, &w->shared->outbound) : NULL;
    return w->bearers != NULL;
}

static void on_lane_moved(void *context, struct lane *lane)
{
    struct worker *w = context;
    lanes_place(&w->lanes, lane);
}

struct worker *worker_new(struct shared *shared, unsigned index, unsigned count)
{
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->shared = shared;
    w->drain_until = MONO_NEVER;
    w->clocks_apart = clock_wall().us - clock_mono().us;
    atomic_init(&w->oldest_due, WALL_NEVER.us);
    w->inbox = inbox_new();
    w->held = held_new();
    bool good = w->inbox && w->held && open_network(w);
    w->flights = (struct flights){.shared = shared,
                                  .inbox = w->inbox,
                                  .held = w->held,
                                  .transfers = w->transfers,
                                  .bearers = w->bearers,
                                  .moved = on_lane_moved,
                                  .context = w};
    flights_init(&w->flights);
    w->lanes = (struct lanes){.shared = shared,
                              .index = index,
                              .count = count,
                              .held = w->held,
                              .transfers = w->transfers,
                              .flights = &w->flights};
    if (!lanes_init(&w->lanes) || !good)
        worker_free(&w);
    return w;
}

/* What arrived after the loop ended: the deliveries stay due on disk. */
static void drop_mail(struct inbox_item *list)
{
    while (list) {
        struct inbox_item *next = list->next;
        const int kind = ((struct mail *)list)->kind;
        if (kind == MAIL_HANDOFF)
            message_unref(&((struct handoff *)list)->message);
        if (kind == MAIL_INQUIRY)
            inquiry_answer(inquiry_of_mail(list), (struct live){.kind = LIVE_UNKNOWN});
        else
            free(list);
        list = next;
    }
}

void worker_free(struct worker **w)
{
    struct worker *self = *w;
    if (!self)
        return;
    *w = NULL;
    assert(!self->started);
    drop_mail(self->pending);
    if (self->inbox)
        drop_mail(inbox_take(self->inbox));
    lanes_clear(&self->lanes);
    flights_clear(&self->flights);
    bearers_free(&self->bearers);
    transfers_free(&self->transfers);
    held_free(&self->held);
    inbox_free(&self->inbox);
    free(self);
}
