/* The parts that all dispatcher threads share, and the way in from other threads: each call finds
 * the endpoint's thread and leaves a note in its inbox, or asks a structure that is safe to ask.
 *
 * Invariant: the threads end before anything they use is freed, and notes that arrive afterwards
 * are dropped: what they are about is on disk. */
#include "dispatcher/dispatcher.h"

#include "base/log.h"
#include "dispatcher/endpoint_url.h"
#include "dispatcher/inquiry.h"
#include "dispatcher/retry.h"
#include "dispatcher/worker.h"

#include <curl/curl.h>

#define HISTOGRAM_FIRST_US 64 /* … to half a minute in the last bucket but one */

struct dispatcher {
    struct shared shared;
    unsigned count;
    struct worker **workers;
};

static struct worker *worker_of(const struct dispatcher *d, uint32_t endpoint)
{
    return d->workers[endpoint % d->count];
}

/* ---------------------------------------------------------------- life */

static bool settings_sound(const struct dispatcher_settings *s)
{
    return s->threads > 0 && s->threads <= 256 && s->endpoint_max_in_flight > 0 &&
           s->endpoint_max_in_flight <= UINT16_MAX && s->max_in_flight > 0 &&
           s->request_timeout_us >= US_PER_MS && s->connect_timeout_us >= US_PER_MS &&
           s->drain_us >= 0 && s->retry_jitter >= 0 && s->retry_jitter <= 1 &&
           s->fresh_share >= 0 && s->fresh_share <= FRESH_SHARE_MAX;
}

/* Each thread has slots of its own of both kinds: who passes one on takes it again at once, and
 * others, who look for one now and then, would never find it. So there are no more threads than
 * that allows. */
static void share_slots(struct shared *shared)
{
    const int64_t all = shared->settings.max_in_flight, slow = all > 1 ? all / 2 : 1;
    int64_t *threads = &shared->settings.threads;
    if (*threads > slow)
        *threads = slow;
    const int64_t own = all / (2 * *threads), own_slow = slow / (2 * *threads);
    shared->reserved = own ? (unsigned)own : 1;
    shared->slow_reserved = own_slow ? (unsigned)own_slow : 1;
    shared->in_flight.max = all - shared->reserved * *threads;
    shared->slow.max = slow - shared->slow_reserved * *threads;
}

static enum err shared_init(struct shared *shared, const struct dispatcher_settings *settings,
                            struct store *store)
{
    shared->settings = *settings;
    shared->store = store;
    shared->retry = retry_of_option(&settings->retry_schedule);
    if (!throttles_init(&shared->throttles))
        return ERR_NO_MEMORY;
    if (!settings_sound(settings)) {
        log_error("dispatcher settings", LOG_TEXT_FIELD("why", "a number is out of its range"),
                  LOG_END);
        return ERR_INVALID;
    }
    enum err e = outbound_init(&shared->outbound, settings);
    if (e)
        return e;
    share_slots(shared);
    shared->hot_bytes.max = HOT_BYTES_MAX;
    histogram_init(&shared->stats.attempt_us, HISTOGRAM_FIRST_US);
    histogram_init(&shared->stats.queued_us, HISTOGRAM_FIRST_US);
    return ERR_OK;
}

static enum err workers_open(struct dispatcher *d)
{
    unsigned count = (unsigned)d->shared.settings.threads;
    d->workers = calloc(count, sizeof *d->workers);
    if (!d->workers)
        return ERR_NO_MEMORY;
    for (; d->count < count; d->count++) {
        d->workers[d->count] = worker_new(&d->shared, d->count, count);
        if (!d->workers[d->count])
            return ERR_NO_MEMORY;
    }
    enum err e = ERR_OK;
    for (unsigned i = 0; i < count && !e; i++)
        e = worker_scan(d->workers[i]);
    return e;
}

enum err dispatcher_new(const struct dispatcher_settings *settings, struct store *store,
                        struct dispatcher **out)
{
    struct dispatcher *d = calloc(1, sizeof *d);
    if (!d)
        return ERR_NO_MEMORY;
    if (curl_global_init(CURL_GLOBAL_DEFAULT)) {
        free(d);
        return ERR_NO_MEMORY;
    }
    enum err e = shared_init(&d->shared, settings, store);
    if (!e)
        e = workers_open(d);
    if (e)
        dispatcher_free(&d);
    *out = d;
    return e;
}

enum err dispatcher_start(struct dispatcher *d)
{
    enum err e = ERR_OK;
    for (unsigned i = 0; i < d->count && !e; i++)
        e = worker_start(d->workers[i]);
    if (e)
        dispatcher_stop(d);
    return e;
}

void dispatcher_stop(struct dispatcher *d)
{
    for (unsigned i = 0; i < d->count; i++)
        worker_stop(d->workers[i]);
    for (unsigned i = 0; i < d->count; i++)
        worker_join(d->workers[i]);
}

void dispatcher_free(struct dispatcher **d)
{
    struct dispatcher *self = *d;
    if (!self)
        return;
    *d = NULL;
    for (unsigned i = 0; i < self->count; i++)
        worker_free(&self->workers[i]);
    free(self->workers);
    throttles_clear(&self->shared.throttles);
    outbound_free(&self->shared.outbound);
    free(self);
    curl_global_cleanup();
}

/* ---------------------------------------------------------------- the store's listener */

static void on_delivery(void *context, struct handoff *h)
{
    worker_post_handoff(worker_of(context, h->endpoint), h);
}

static void on_due(void *context, uint32_t endpoint, struct wall due, uint64_t txn)
{
    worker_post_due(worker_of(context, endpoint), endpoint, due, txn);
}

static void on_endpoint(void *context, uint32_t endpoint, uint64_t txn)
{
    worker_post_changed(worker_of(context, endpoint), endpoint, txn);
}

struct store_listener dispatcher_listener(struct dispatcher *d)
{
    return (struct store_listener){
        .context = d, .delivery = on_delivery, .due = on_due, .endpoint = on_endpoint};
}

/* ---------------------------------------------------------------- questions */

bool dispatcher_in_flight(struct dispatcher *d, const struct id *message, uint32_t endpoint)
{
    return worker_holds(worker_of(d, endpoint), message, endpoint);
}

void dispatcher_inquire(struct dispatcher *d, struct inquiry *q)
{
    worker_post_inquiry(worker_of(d, inquiry_endpoint(q)), q);
}

const struct dispatcher_stats *dispatcher_stats(const struct dispatcher *d)
{
    return &d->shared.stats;
}

int64_t dispatcher_oldest_due_age(struct dispatcher *d)
{
    struct wall now = clock_wall(), oldest = now;
    for (unsigned i = 0; i < d->count; i++) {
        struct wall due = worker_oldest_due(d->workers[i]);
        if (due.us < oldest.us)
            oldest = due;
    }
    return now.us - oldest.us;
}

int64_t dispatcher_endpoint_max(const struct dispatcher *d)
{
    return d->shared.settings.endpoint_max_in_flight;
}

enum err dispatcher_url_check(const struct dispatcher *d, struct span url, bool https_only,
                              struct buf *out, const char **why)
{
    return endpoint_url_check(&d->shared.outbound.guard, url, https_only, out, why);
}
