/* Why not kept in memory: event types are many, of many organisations, and only failures ask; one
 * lookup by key costs less than the attempt that failed. */
#include "dispatcher/schedule.h"

static void find_event_type(struct store_read *read, const struct endpoint *endpoint,
                            const struct message *message, struct retry_policy *policy)
{
    struct event_type *type = NULL;
    if (store_event_type_get(read, &endpoint->org, message->event_type, &type))
        return;
    if (type->retry.kind != RETRY_NONE)
        *policy = type->retry;
    event_type_free(&type);
}

static struct wall later(struct wall a, struct wall b)
{
    return a.us > b.us ? a : b;
}

static struct wall begun(struct store_read *read, const struct claim *c)
{
    struct delivery d;
    struct wall at = id_time(&c->key.message);
    if (!store_delivery_get(read, &c->key.message, c->key.endpoint, &d))
        at = later(d.created, d.replayed);
    return c->message ? later(at, c->message->deliver_at) : at;
}

void schedule_find(const struct shared *shared, const struct endpoint *endpoint,
                   const struct claim *claim, struct wall now, struct retry_policy *policy,
                   struct retry_moment *at)
{
    struct store_read *read;
    const bool own = endpoint && endpoint->retry.kind != RETRY_NONE;
    /* What the service tells of itself has names that are not the organisation's event types. */
    const bool by_type =
        !own && endpoint && claim->message && !app_is_operational(&endpoint->app, &endpoint->org);
    *policy = own ? endpoint->retry : shared->retry;
    at->age_us = 0;
    if (!(by_type || policy->age_max_us) || store_read_begin(shared->store, &read))
        return;
    if (by_type)
        find_event_type(read, endpoint, claim->message, policy);
    if (policy->age_max_us)
        at->age_us = now.us - begun(read, claim).us;
    store_read_end(&read);
}
