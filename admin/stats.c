/* Statistics of an endpoint: its messages by what became of them, and its attempts by how they
 * ended, in hours. Without a window: the last 28 days. */
#include "admin/handlers.h"
#include "admin/lookup.h"
#include "admin/params.h"

#define WINDOW_US (INT64_C(28) * 24 * 3600 * US_PER_S)

static bool read_window(struct request *req, struct wall *since, struct wall *until)
{
    *until = clock_wall();
    if (!params_time(req, "until", until))
        return false;
    *since = wall_add(*until, -WINDOW_US);
    if (!params_time(req, "since", since))
        return false;
    if (since->us <= until->us)
        return true;
    request_invalid(req, "query", "until", "must not be before since");
    return false;
}

/* Sums the window up over as many snapshots as it takes. */
static bool sum_up(struct request *req, struct endpoint_stats *sum)
{
    struct lookup l = {0};
    struct wall since, until;
    *sum = (struct endpoint_stats){.succeeded = 0};
    if (!read_window(req, &since, &until) || !lookup_endpoint(req, &l))
        return false;
    enum err e = ERR_OK;
    do {
        struct wall next = {0};
        e = lookup_begin(req, &l);
        if (!e)
            e = store_endpoint_stats(l.read, l.endpoint->number, since, until, sum, &next);
        lookup_unpin(&l);
        since = next;
    } while (!e && since.us);
    lookup_release(&l);
    if (e)
        request_fail_err(req, e, NULL);
    return !e;
}

struct figure {
    const char *name;
    uint64_t count;
};

static void reply(struct request *req, const struct figure *figures, unsigned count)
{
    struct buf out;
    struct json_writer w;
    buf_init(&out, 4096);
    jw_init(&w, &out);
    jw_object(&w);
    for (unsigned i = 0; i < count; i++)
        jw_member_int(&w, figures[i].name, (int64_t)figures[i].count);
    jw_end_object(&w);
    request_reply(req, 200, &out);
}

void stats_get_route(struct request *req)
{
    struct endpoint_stats sum;
    if (!sum_up(req, &sum))
        return;
    const struct figure figures[] = {
        {"success", sum.deliveries[STAT_SUCCESS]},   {"pending", sum.deliveries[STAT_PENDING]},
        {"sending", sum.deliveries[STAT_SENDING]},   {"fail", sum.deliveries[STAT_FAIL]},
        {"canceled", sum.deliveries[STAT_CANCELED]},
    };
    reply(req, figures, sizeof figures / sizeof *figures);
}

void stats_get_attempts_route(struct request *req)
{
    struct endpoint_stats sum;
    if (!sum_up(req, &sum))
        return;
    /* What is canceled is a delivery; an attempt has always ended one way or the other. */
    const struct figure figures[] = {
        {"success", sum.succeeded}, {"fail", sum.failed}, {"canceled", 0}};
    reply(req, figures, sizeof figures / sizeof *figures);
}
