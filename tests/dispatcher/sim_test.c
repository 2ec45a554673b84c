/* A deterministic simulation of the dispatcher: its scheduling and its policy, as they are, in a
 * world of a virtual clock, a model store and a model network that a seed decides. Of every attempt
 * sim_network.h checks whether it might be made; here it is checked that the loop rests when it has
 * nothing to do, and that in the end nothing was lost.
 *
 *     sim_test                     a share of the seeds, as a unit test
 *     sim_test --seeds FROM COUNT  as many as wanted
 *     sim_test --seed N --trace    one, telling what happens */
#include "sim_network.h"

#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define SEEDS 1000                    /* of the unit test */
#define TROUBLE_LASTS (40 * US_PER_S) /* then everything heals … */
#define ALL_ENDS (400 * US_PER_S)     /* … and by then everything must have ended */
#define IDLE_TURNS_MAX 200            /* of a thread in a second, beyond two for each that works */

/* ---------------------------------------------------------------- the dispatcher's life */

static void clock_set(void)
{
    clock_fake(sim_wall(), (struct mono){world->now_us});
}

static void wake(unsigned thread, int64_t at_us)
{
    if (at_us < world->wake_at_us[thread])
        world->wake_at_us[thread] = at_us;
}

/* Where a thread that was woken comes round a little later. */
static void wake_who_has_mail(void)
{
    for (unsigned i = 0; i < world->dispatcher->count; i++)
        if (inbox_count(world->dispatcher->workers[i]->inbox) > 0)
            wake(i, world->now_us + sim_below(100));
}

static void begin(void)
{
    struct store *s = &world->store;
    enum err e = dispatcher_new(&world->settings, s, &world->dispatcher);
    assert(!e);
    world->dispatcher->shared.hot_bytes.max = world->hot_bytes;
    s->listener = dispatcher_listener(world->dispatcher);
    world->app_starts = (struct sim_starts){.version = s->app_version};
    memset(world->app_passed, 0, sizeof world->app_passed);
    memset(world->pool_passed, 0, sizeof world->pool_passed);
    memset(world->doubtful_starts, 0, sizeof world->doubtful_starts);
    for (unsigned i = 0; i < world->dispatcher->count; i++) {
        struct lanes *lanes = &world->dispatcher->workers[i]->lanes;
        struct round *round = &lanes->round;
        rate_set(&lanes->doubtful, SIM_DOUBTFUL_PER_S, lanes->doubtful.slack_ns / NS_PER_US,
                 world->now_us);
        round->endpoint_allowance = SIM_ALLOWANCE;
        for (int pool = 0; pool < ROUND_POOLS; pool++)
            round->tenants[pool].allowance = SIM_ALLOWANCE;
        rng_seed(&world->dispatcher->workers[i]->flights.rng, rng_next(&world->rng));
        world->wake_at_us[i] = world->now_us + sim_below(1000);
    }
    for (uint32_t n = 1; n <= SIM_ENDPOINTS; n++) {
        struct sim_endpoint *p = &s->endpoints[n];
        p->unheard = false;
        p->starts.count = 0;
        p->passed = 0;
        p->sick = 0;
        p->backlog = p->fresh = (struct sim_head){.passed = 0};
        p->told = p->health.breaker;
        p->told_version = p->version;
    }
}

/* What is under way is forgotten; what was committed is not. */
static void crash(void)
{
    struct store *s = &world->store;
    sim_trace("crash");
    for (unsigned i = 0; i < s->pending_count; i++) {
        s->pending[i]->result = ERR_STOPPING;
        s->pending[i]->done(s->pending[i]);
    }
    s->pending_count = 0;
    for (unsigned i = 0; i < world->dispatcher->count; i++) {
        struct worker *w = world->dispatcher->workers[i];
        flights_abort(&w->flights);
        take_inbox(w);
        lanes_end_turn(&w->lanes);
    }
    dispatcher_free(&world->dispatcher);
    assert(world->flight_count == 0);
}

static void heard(unsigned thread)
{
    for (uint32_t n = 1; n <= SIM_ENDPOINTS; n++)
        if (n % world->dispatcher->count == thread)
            world->store.endpoints[n].unheard = false;
}

/* A loop that comes round for nothing burns the processor: it does so for a slot, every 10 ms, and
 * once or twice after an attempt, when the lane finds that it must wait for the next token. */
static void check_idle(unsigned thread, bool idle)
{
    if (world->now_us - world->idle_since_us[thread] >= US_PER_S) {
        world->idle_since_us[thread] = world->now_us;
        world->idle_turns[thread] = 0;
    }
    if (idle)
        world->idle_turns[thread]++;
    else
        world->idle_turns[thread] -= world->idle_turns[thread] < 2 ? 0 : 2;
    sim_must(world->idle_turns[thread] <= IDLE_TURNS_MAX, "a thread without work rests");
}

/* ---------------------------------------------------------------- what people do */

static bool takes_messages(const struct sim_endpoint *e)
{
    return e->exists && !e->disabled;
}

static void deliver_to(struct message *m, uint32_t number)
{
    struct store *s = &world->store;
    struct sim_delivery *d = sim_delivery(&m->id, number);
    struct due_row row = {.due = sim_wall(), .message = m->id, .trigger = TRIGGER_SCHEDULED};
    if (sim_below(16) == 0)
        row.due = wall_add(row.due, sim_below(5000) * US_PER_MS);
    *d = (struct sim_delivery){.made = true, .state = DELIVERY_SCHEDULED};
    sim_row_add((struct sim_row){number, row});
    if (row.due.us > sim_wall().us || sim_below(4) == 0) {
        s->listener.due(s->listener.context, number, row.due, s->txn);
        return;
    }
    struct handoff *h = calloc(1, sizeof *h);
    h->txn = s->txn;
    h->endpoint = number;
    h->due = row.due;
    h->message = message_ref(m);
    s->listener.delivery(s->listener.context, h);
}

static void post_message(void)
{
    static const char payload[SIM_PAYLOAD_MAX];
    struct store *s = &world->store;
    if (s->message_count == SIM_MESSAGES)
        return;
    struct message *m = message_new();
    m->created = sim_wall();
    m->id = id_floor(m->created);
    m->id.b[18] = (uint8_t)(s->message_count >> 8);
    m->id.b[19] = (uint8_t)s->message_count;
    m->payload = span_of(payload, sim_below(SIM_PAYLOAD_MAX));
    s->messages[s->message_count++] = m;
    s->txn++;
    sim_trace("message m%u", sim_number(&m->id));
    for (uint32_t n = 1; n <= SIM_ENDPOINTS; n++)
        if (takes_messages(&s->endpoints[n]) && sim_below(4))
            deliver_to(m, n);
}

/* A replay of what is dead, or one attempt by hand of anything. */
static void ask_again(uint32_t number, bool replay)
{
    struct store *s = &world->store;
    if (s->message_count == 0 || !takes_messages(&s->endpoints[number]))
        return;
    const struct id *id = &s->messages[sim_below(s->message_count)]->id;
    struct sim_delivery *d = sim_delivery(id, number);
    const enum attempt_trigger trigger = replay ? TRIGGER_SCHEDULED : TRIGGER_MANUAL;
    if (!d->made || (replay && d->state != DELIVERY_DEAD) ||
        sim_row_find(number, id, trigger, (struct wall){0}) < s->row_count)
        return;
    if (replay)
        d->state = DELIVERY_SCHEDULED;
    s->txn++;
    sim_trace("%s e%u m%u", replay ? "replay" : "resend", number, sim_number(id));
    sim_row_add((struct sim_row){number, {.due = sim_wall(), .message = *id, .trigger = trigger}});
    s->listener.due(s->listener.context, number, sim_wall(), s->txn);
}

enum change { DISABLE, ENABLE, DELETE, PAUSE, RESUME, RATE, AT_ONCE, ORDER, CHANGES };

static void change_endpoint(uint32_t number, enum change change)
{
    struct sim_endpoint *e = &world->store.endpoints[number];
    if (!e->exists)
        return;
    switch (change) {
    case DISABLE:
        e->disabled = e->ending = true;
        break;
    case ENABLE:
        e->disabled = e->ending = false;
        e->health = (struct endpoint_health){0};
        break;
    case DELETE:
        e->exists = false;
        e->ending = true;
        break;
    case PAUSE:
    case RESUME:
        e->paused = change == PAUSE;
        break;
    case RATE:
        e->rate = sim_below(2) ? 1 + sim_below(50) : 0;
        break;
    case AT_ONCE:
        e->max_in_flight = sim_below(8);
        break;
    case ORDER:
    case CHANGES:
        e->ordered = !e->ordered;
        break;
    }
    e->version++;
    e->sick = 0;
    world->store.txn++;
    sim_trace("change %d of e%u", change, number);
    sim_endpoint_told(number);
}

static void change_application(int64_t rate)
{
    struct store *s = &world->store;
    s->app_rate = rate;
    s->app_version++;
    s->txn++;
    sim_trace("application rate %lld", (long long)rate);
    for (uint32_t n = 1; n <= SIM_ENDPOINTS; n++)
        if (s->endpoints[n].exists)
            sim_endpoint_told(n);
}

static void do_something(void)
{
    const uint32_t number = 1 + sim_below(SIM_ENDPOINTS);
    const unsigned what = sim_below(64);
    if (what < 20)
        post_message();
    else if (what < 23)
        for (unsigned n = 4 + sim_below(20); n > 0; n--)
            post_message();
    else if (what < 36)
        ask_again(number, what < 30);
    else if (what < 50)
        change_endpoint(number, (enum change)sim_below(sim_below(8) ? DELETE : CHANGES));
    else if (what < 54)
        change_endpoint(number, ENABLE + (enum change)(3 * sim_below(2)));
    else if (what < 59)
        world->store.endpoints[number].nature = (enum sim_nature)sim_below(SIM_NATURES);
    else if (what < 61)
        change_application(sim_below(2) ? 5 + sim_below(100) : 0);
    else if (what == 61) {
        crash();
        begin();
    }
}

/* One round of the loop of dispatcher/worker.c. The writer may commit in the middle of it, so
 * that a page shows what no mail has told yet. */
static void take_turn(unsigned thread)
{
    struct worker *w = world->dispatcher->workers[thread];
    world->progress = (unsigned)inbox_count(w->inbox);
    transfers_run(w->transfers, (struct mono){world->now_us});
    heard(thread);
    take_inbox(w);
    if (world->store.pending_count > 0 && sim_below(8) == 0)
        sim_commit();
    if (world->now_us < TROUBLE_LASTS && sim_below(64) == 0)
        post_message();
    const int64_t wait_us = turn(w);
    flights_age(&w->flights, w->now);
    note_oldest_due(w);
    lanes_end_turn(&w->lanes);
    check_idle(thread, world->progress == 0);
    world->wake_at_us[thread] = world->now_us + (wait_us > 0 ? wait_us : 10 + sim_below(100));
}

/* ---------------------------------------------------------------- a world */

static void create(uint64_t seed)
{
    struct sim *w = world;
    w->seed = seed;
    rng_seed(&w->rng, seed);
    w->hash = UINT64_C(0xcbf29ce484222325);
    w->hot_bytes = sim_below(2) ? HOT_BYTES_MAX : (1 + sim_below(8)) * SIM_PAYLOAD_MAX;
    w->settings = (struct dispatcher_settings){
        .threads = 1 + sim_below(SIM_THREADS),
        .retry_schedule = {.count = 3, .us = {200 * US_PER_MS, US_PER_S, 5 * US_PER_S}},
        .retry_jitter = 1,
        .breaker = {.attempts = sim_below(8),
                    .waits = {.count = 2, .us = {US_PER_S, 4 * US_PER_S}}},
        .request_timeout_us = 15 * US_PER_S,
        .connect_timeout_us = 5 * US_PER_S,
        .endpoint_max_in_flight = 1 + sim_below(16),
        .max_in_flight = 2 + sim_below(sim_below(2) ? 62 : 6),
        .fresh_share = sim_below(3) ? sim_below(FRESH_SHARE_MAX + 1) : 0,
        .allow_subnets = "127.0.0.0/8",
    };
    for (uint32_t n = 1; n <= SIM_ENDPOINTS; n++) {
        struct sim_endpoint *e = &w->store.endpoints[n];
        e->exists = true;
        e->version = 1;
        e->nature = (enum sim_nature)sim_below(SIM_NATURES);
        e->rate = sim_below(4) ? 0 : 1 + sim_below(20);
        e->ordered = sim_below(5) == 0;
    }
    w->store.txn = 1;
    w->store.app_version = 1;
    w->store.app_rate = sim_below(3) ? 0 : 10 + sim_below(50);
}

static void heal(void)
{
    sim_trace("all heal");
    for (uint32_t n = 1; n <= SIM_ENDPOINTS; n++) {
        struct sim_endpoint *e = &world->store.endpoints[n];
        e->nature = SIM_WELL;
        if (e->paused)
            change_endpoint(n, RESUME);
    }
}

static int64_t next_event(int64_t at_us)
{
    const unsigned first = sim_flight_first(NULL);
    if (world->store.pending_count > 0 && world->store.commit_at_us < at_us)
        at_us = world->store.commit_at_us;
    for (unsigned i = 0; i < world->dispatcher->count; i++)
        if (world->wake_at_us[i] < at_us)
            at_us = world->wake_at_us[i];
    if (first < world->flight_count && world->flights[first]->ends_us < at_us)
        at_us = world->flights[first]->ends_us;
    return at_us > world->now_us ? at_us : world->now_us;
}

/* Everything that happens until the moment `until_us`. */
static void advance(int64_t until_us)
{
    while (!world->violated) {
        const int64_t at_us = next_event(until_us);
        if (at_us >= until_us)
            break;
        world->now_us = at_us;
        clock_set();
        if (world->store.pending_count > 0 && world->store.commit_at_us <= at_us)
            sim_commit();
        const unsigned first = sim_flight_first(NULL);
        const bool ends = first < world->flight_count && world->flights[first]->ends_us <= at_us;
        for (unsigned i = 0; i < world->dispatcher->count; i++)
            if (world->wake_at_us[i] <= at_us || (ends && world->flight_count > 0))
                take_turn(i);
        wake_who_has_mail();
    }
    world->now_us = until_us;
    clock_set();
}

static bool all_ended(void)
{
    return world->store.row_count == 0 && world->store.pending_count == 0 &&
           world->flight_count == 0;
}

static void check_end(void)
{
    const struct shared *shared = &world->dispatcher->shared;
    sim_must(all_ended(), "everything comes to an end");
    sim_must(shared->in_flight.used == 0 && shared->slow.used == 0, "every slot is given back");
    for (unsigned m = 0; m < world->store.message_count; m++)
        for (uint32_t n = 1; n <= SIM_ENDPOINTS; n++)
            sim_must(!sim_unfinished(&world->store.deliveries[m][n]), "no delivery is lost");
}

static void destroy(void)
{
    crash();
    for (unsigned m = 0; m < world->store.message_count; m++)
        message_unref(&world->store.messages[m]);
}

/* The hash of the trace; the world is left as it was when something was violated. */
static uint64_t simulate(uint64_t seed, bool printed)
{
    static struct sim one;
    one = (struct sim){.printed = printed};
    world = &one;
    create(seed);
    clock_set();
    begin();
    const int64_t pace_us = 20 * US_PER_MS + sim_below(400) * US_PER_MS;
    while (world->now_us < TROUBLE_LASTS && !world->violated) {
        advance(world->now_us + 1 + (int64_t)(rng_unit(&world->rng) * (double)pace_us));
        do_something();
        wake_who_has_mail();
    }
    heal();
    wake_who_has_mail();
    while (world->now_us < ALL_ENDS && !world->violated && !all_ended()) {
        advance(world->now_us + US_PER_S);
        sim_end_some();
    }
    check_end();
    if (world->violated)
        fprintf(stderr, "seed %llu: broken: %s\n", (unsigned long long)seed, world->violated);
    else
        destroy();
    return world->hash;
}

/* ---------------------------------------------------------------- many worlds */

static void no_seed_breaks_a_promise(void **state)
{
    (void)state;
    uint64_t fresh = 0, slow = 0, doubtful = 0, app = 0, at_once = 0, across = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        simulate(seed, false);
        assert_null(world->violated);
        fresh += world->waited_fresh;
        slow += world->waited_slow;
        doubtful += world->waited_doubtful;
        app += world->waited_app;
        at_once += world->at_once;
        across += world->probed_across;
    }
    /* What the promises are about has happened. */
    assert_true(fresh > 0 && slow > 0 && doubtful > 0 && app > 0 && at_once > 0 && across > 0);
}

static void a_seed_replays_byte_for_byte(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        const uint64_t hash = simulate(seed, false);
        assert_true(simulate(seed, false) == hash);
        assert_true(simulate(seed + 1, false) != hash);
    }
}

static void every_thread_has_slots_of_its_own_and_all_are_given_out(void **state)
{
    (void)state;
    for (int64_t all = 1; all < 300; all++)
        for (int64_t threads = 1; threads <= 64; threads++) {
            struct shared s = {.settings = {.max_in_flight = all, .threads = threads}};
            share_slots(&s);
            const int64_t count = s.settings.threads, slow = all > 1 ? all / 2 : 1;
            assert_in_range(count, 1, threads);
            assert_true(s.reserved >= 1 && s.slow_reserved >= 1);
            assert_true(s.in_flight.max >= 0 && s.slow.max >= 0);
            assert_int_equal(s.in_flight.max + s.reserved * count, all);
            assert_int_equal(s.slow.max + s.slow_reserved * count, slow);
        }
}

/* Exit status 1 when one of them breaks a promise. */
static int run_seeds(uint64_t from, uint64_t count, bool printed)
{
    uint64_t all = 0;
    for (uint64_t seed = from; seed < from + count; seed++) {
        all = all * 31 + simulate(seed, printed);
        if (world->violated)
            return 1;
    }
    printf("ok - %llu seeds from %llu, trace %016llx\n", (unsigned long long)count,
           (unsigned long long)from, (unsigned long long)all);
    return 0;
}

static int by_hand(int argc, char **argv)
{
    const bool one = strcmp(argv[1], "--seed") == 0;
    const uint64_t from = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    if (one)
        return run_seeds(from, 1, argc > 3 && strcmp(argv[3], "--trace") == 0);
    if (strcmp(argv[1], "--seeds") == 0 && argc == 4)
        return run_seeds(from, strtoull(argv[3], NULL, 10), false);
    fprintf(stderr, "sim_test [--seed N [--trace] | --seeds FROM COUNT]\n");
    return 2;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_seed_breaks_a_promise),
        cmocka_unit_test(a_seed_replays_byte_for_byte),
        cmocka_unit_test(every_thread_has_slots_of_its_own_and_all_are_given_out),
    };
    log_setup((enum log_level)(LOG_ERROR + 1), LOG_TEXT);
    if (curl_global_init(CURL_GLOBAL_DEFAULT))
        return 2;
    const int status = argc > 1 ? by_hand(argc, argv) : cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return status;
}
