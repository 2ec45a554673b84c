/* The world of the simulator: everything that a seed decides, what the checks have to remember, and
 * the trace. One thread, one virtual clock; what happens at a moment happens there alone. */
#ifndef TESTS_DISPATCHER_SIM_WORLD_H
#define TESTS_DISPATCHER_SIM_WORLD_H

#include "base/rand.h"
#include "dispatcher/dispatcher.h"
#include "dispatcher/round.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SIM_ENDPOINTS 7 /* numbers from 1 */
#define SIM_APPS 2      /* likewise; 0: not known yet */
#define SIM_MESSAGES 96
#define SIM_ROWS (2 * SIM_ENDPOINTS * SIM_MESSAGES)
#define SIM_FLIGHTS 128
#define SIM_STARTS 64
#define SIM_THREADS 2
#define SIM_STARTED_AT (INT64_C(1700000000) * US_PER_S)

enum sim_nature { SIM_WELL, SIM_SLOW, SIM_DEAD, SIM_FLAKY, SIM_BUSY, SIM_NATURES };

/* What a rate is checked against: the attempts since it was set, or since the start. */
struct sim_starts {
    uint64_t version;
    unsigned count;
    int64_t at_us[SIM_STARTS]; /* the last ones, in a ring */
};

struct sim_endpoint {
    enum sim_nature nature;
    bool exists, disabled, paused, ending; /* ending: what is unfinished is being ended in steps */
    uint64_t version;
    int64_t rate;
    uint32_t max_in_flight;
    struct endpoint_health health;
    bool unheard; /* its thread has not looked into its inbox since it changed */
    struct sim_starts starts;
    bool ordered;
    unsigned sick; /* attempts in a row, at the endpoint as it is */
    unsigned told_count;
    uint64_t passed; /* what others of its application sent since it could go, as turns charge it */
    /* The first of each of its lists, and how many attempts have passed it over. */
    struct sim_head {
        struct id message;
        unsigned passed;
    } backlog, fresh;
    /* The breaker as the dispatcher told it last, for which version. */
    uint64_t told_version;
    struct breaker_mark told;
};

struct sim_delivery {
    bool made, answered; /* answered: a 2xx came back */
    enum delivery_state state;
};

struct sim_row {
    uint32_t endpoint;
    struct due_row row;
};

struct store {
    struct store_listener listener;
    uint64_t txn;
    int64_t app_rate;
    uint64_t app_version;
    struct sim_endpoint endpoints[SIM_ENDPOINTS + 1];
    struct message *messages[SIM_MESSAGES];
    unsigned message_count;
    struct sim_delivery deliveries[SIM_MESSAGES][SIM_ENDPOINTS + 1];
    struct sim_row rows[SIM_ROWS]; /* by due time */
    unsigned row_count;
    struct store_op *pending[SIM_ROWS]; /* submitted, not committed */
    unsigned pending_count;
    int64_t commit_at_us;
};

struct sim {
    uint64_t seed;
    struct rng rng;
    int64_t now_us; /* of the monotonic clock */
    struct store store;
    struct dispatcher_settings settings;
    struct dispatcher *dispatcher;
    int64_t hot_bytes, wake_at_us[SIM_THREADS];
    struct transfer *flights[SIM_FLIGHTS]; /* the attempts on their way, in no order */
    unsigned flight_count;
    struct sim_starts app_starts;
    struct sim_starts doubtful_starts[SIM_THREADS];
    uint64_t app_passed[SIM_THREADS][ROUND_POOLS][SIM_APPS + 1]; /* what other ones sent */
    unsigned pool_passed[SIM_THREADS][ROUND_POOLS];              /* attempts of the other ones */
    /* What there was to check. */
    uint64_t waited_fresh, waited_slow, waited_doubtful, waited_app, at_once, probed_across;
    unsigned progress; /* of the turn under way: what it did */
    unsigned idle_turns[SIM_THREADS];
    int64_t idle_since_us[SIM_THREADS];
    uint64_t hash; /* of the trace */
    bool printed;  /* the trace is */
    const char *violated;
};

/* There is one at a time: the network and the store of the dispatcher have no other way to it. */
static struct sim *world;

static inline unsigned sim_below(unsigned n)
{
    return (unsigned)(rng_next(&world->rng) % n);
}

static inline struct wall sim_wall(void)
{
    return (struct wall){SIM_STARTED_AT + world->now_us};
}

__attribute__((format(printf, 1, 2))) static inline void sim_trace(const char *format, ...)
{
    char line[128];
    va_list args;
    int len = snprintf(line, sizeof line, "%lld ", (long long)world->now_us);
    va_start(args, format);
    len += vsnprintf(line + len, sizeof line - (size_t)len, format, args);
    va_end(args);
    for (int i = 0; i < len && line[i]; i++)
        world->hash = (world->hash ^ (uint8_t)line[i]) * UINT64_C(0x100000001b3);
    if (world->printed)
        puts(line);
}

/* The first one counts: what follows from it is no news. */
static inline void sim_must(bool holds, const char *what)
{
    if (holds || world->violated)
        return;
    world->violated = what;
    sim_trace("violated: %s", what);
}

/* One has an endpoint alone, the other all the rest. */
static inline uint32_t sim_app(uint32_t endpoint)
{
    return endpoint == SIM_ENDPOINTS ? 2 : 1;
}

static inline uint32_t sim_number(const struct id *id)
{
    return (uint32_t)id->b[18] << 8 | id->b[19];
}

static inline struct sim_delivery *sim_delivery(const struct id *message, uint32_t endpoint)
{
    return &world->store.deliveries[sim_number(message)][endpoint];
}

static inline bool sim_unfinished(const struct sim_delivery *d)
{
    return d->made && (d->state == DELIVERY_SCHEDULED || d->state == DELIVERY_RETRYING);
}

#endif
