/* Both generations of SDKs read these answers, so that fields which were renamed between them
 * appear under both names: filterTypes and eventTypes, rateLimit and throttleRate. */
#include "admin/entity_out.h"

#include "admin/key.h"
#include "admin/retry_policy.h"
#include "admin/status.h"

static void text_or_null(struct json_writer *w, const char *name, struct span text)
{
    if (text.len)
        jw_member_string(w, name, text);
    else
        jw_member_null(w, name);
}

static void id_or_null(struct json_writer *w, const char *name, const char *prefix,
                       const struct id *id)
{
    if (id_is_zero(id))
        jw_member_null(w, name);
    else
        jw_member_id(w, name, prefix, id);
}

static void texts_or_null(struct json_writer *w, const char *name, const struct span *texts,
                          unsigned count)
{
    if (!count) {
        jw_member_null(w, name);
        return;
    }
    jw_name(w, name);
    jw_array(w);
    for (unsigned i = 0; i < count; i++)
        jw_string(w, texts[i]);
    jw_end_array(w);
}

static void rate(struct json_writer *w, int64_t per_second)
{
    static const char *const names[] = {"rateLimit", "throttleRate"};
    for (int i = 0; i < 2; i++) {
        if (per_second)
            jw_member_int(w, names[i], per_second);
        else
            jw_member_null(w, names[i]);
    }
}

static void times(struct json_writer *w, struct wall created, struct wall updated)
{
    jw_member_time(w, "createdAt", created);
    jw_member_time(w, "updatedAt", updated);
}

static void metadata(struct json_writer *w, struct span raw)
{
    jw_member_raw(w, "metadata", raw.len ? raw : SPAN("{}"));
}

static void status(struct json_writer *w, enum status s)
{
    jw_member_int(w, "status", s);
    jw_member_string(w, "statusText", span_text(status_text(s)));
}

void entity_out_app(struct json_writer *w, const struct app *a)
{
    jw_object(w);
    jw_member_id(w, "id", ID_APP, &a->id);
    text_or_null(w, "uid", a->uid);
    jw_member_string(w, "name", a->name);
    rate(w, a->throttle_rate);
    metadata(w, a->metadata);
    times(w, a->created, a->updated);
    jw_end_object(w);
}

static void endpoint_members(struct json_writer *w, const struct endpoint *e)
{
    jw_member_id(w, "id", ID_ENDPOINT, &e->id);
    text_or_null(w, "uid", e->uid);
    jw_member_string(w, "url", e->url);
    jw_member_string(w, "description", e->description);
    jw_member_int(w, "version", e->user_version);
    jw_member_bool(w, "disabled", e->disabled);
    texts_or_null(w, "filterTypes", e->filters, e->filter_count);
    texts_or_null(w, "eventTypes", e->filters, e->filter_count);
    texts_or_null(w, "channels", e->channels, e->channel_count);
    rate(w, e->throttle_rate);
    jw_member_string(w, "ordering", span_text(ordering_name(e->ordering)));
    jw_member_string(w, "cloudEvents", span_text(cloud_events_name(e->cloud_events)));
    retry_policy_out_endpoint(w, e);
    metadata(w, e->metadata);
    times(w, e->created, e->updated);
}

/* The store keeps when the next probe is due; that it is under way, the dispatcher alone knows.
 * From then on the breaker is shown as half-open. */
static void breaker(struct json_writer *w, const struct endpoint_health *h, struct wall now)
{
    const struct breaker_mark *m = &h->breaker;
    bool open = m->opened_at.us != 0, waits = open && m->probe_at.us > now.us;
    jw_name(w, "breaker");
    jw_object(w);
    jw_member_string(w, "state", span_text(!open ? "closed" : waits ? "open" : "half_open"));
    text_or_null(w, "reason", span_text(open ? attempt_class_name(m->cause) : NULL));
    if (open && m->status)
        jw_member_int(w, "statusCode", m->status);
    else
        jw_member_null(w, "statusCode");
    jw_member_time(w, "openedAt", m->opened_at);
    jw_member_time(w, "nextProbeAt", waits ? m->probe_at : (struct wall){0});
    jw_member_time(w, "failingSince", h->failing_since);
    jw_end_object(w);
}

void entity_out_endpoint(struct json_writer *w, const struct endpoint *e,
                         const struct endpoint_health *health, struct wall now)
{
    jw_object(w);
    endpoint_members(w, e);
    breaker(w, health, now);
    text_or_null(w, "disabledReason", e->disabled_reason);
    jw_end_object(w);
}

void entity_out_event_type(struct json_writer *w, const struct event_type *t, bool content)
{
    jw_object(w);
    jw_member_string(w, "name", t->name);
    jw_member_string(w, "description", t->description);
    jw_member_bool(w, "archived", t->archived);
    jw_member_bool(w, "deprecated", t->deprecated);
    jw_member_raw(w, "schemas", content ? t->schemas : span_text(NULL));
    text_or_null(w, "groupName", t->group_name);
    text_or_null(w, "featureFlag", t->flag_count ? t->flags[0] : span_text(NULL));
    texts_or_null(w, "featureFlags", t->flags, t->flag_count);
    retry_policy_out(w, &t->retry);
    times(w, t->created, t->updated);
    jw_end_object(w);
}

void entity_out_attempt(struct json_writer *w, const struct attempt *a, bool content,
                        const struct message *msg)
{
    jw_object(w);
    jw_member_id(w, "id", ID_ATTEMPT, &a->id);
    jw_member_id(w, "msgId", ID_MESSAGE, &a->message);
    jw_member_id(w, "endpointId", ID_ENDPOINT, &a->endpoint);
    jw_member_string(w, "url", a->url);
    if (!content)
        jw_member_string(w, "response", SPAN("{}"));
    else if (a->status)
        jw_member_string(w, "response", a->response);
    else
        jw_member_string(w, "response", span_text(attempt_class_text(a->outcome)));
    jw_member_int(w, "responseStatusCode", a->status);
    jw_member_int(w, "responseDurationMs", a->duration_us / US_PER_MS);
    status(w, status_of_attempt(a));
    jw_member_string(w, "outcome", span_text(attempt_class_name(a->outcome)));
    jw_member_int(w, "triggerType", a->trigger == TRIGGER_MANUAL);
    jw_member_time(w, "timestamp", a->started);
    if (msg) {
        jw_name(w, "msg");
        message_out(w, msg, false);
    }
    jw_end_object(w);
}

void entity_out_endpoint_message(struct json_writer *w, const struct message *m,
                                 const struct delivery *d, bool content, bool expanded)
{
    jw_object(w);
    message_out_members(w, m, content);
    status(w, status_of_delivery(d, expanded));
    jw_member_time(w, "nextAttempt", status_next_attempt(d));
    jw_end_object(w);
}

void entity_out_message_endpoint(struct json_writer *w, const struct endpoint *e,
                                 const struct delivery *d, bool expanded)
{
    jw_object(w);
    endpoint_members(w, e);
    status(w, status_of_delivery(d, expanded));
    jw_member_time(w, "nextAttempt", status_next_attempt(d));
    jw_end_object(w);
}

static void reason(struct json_writer *w, const struct delivery *d)
{
    if (d->reason == REASON_NONE)
        jw_member_null(w, "reason");
    else
        jw_member_string(w, "reason", span_text(delivery_reason_name(d->reason)));
}

static void tries(struct json_writer *w, const struct delivery *d)
{
    jw_member_int(w, "tries", d->tries);
    id_or_null(w, "lastAttemptId", ID_ATTEMPT, &d->last_attempt);
    if (d->last_status)
        jw_member_int(w, "lastStatusCode", d->last_status);
    else
        jw_member_null(w, "lastStatusCode");
}

void entity_out_delivery(struct json_writer *w, const struct delivery *d, const struct id *endpoint,
                         bool in_flight, const struct id *waits_for)
{
    jw_object(w);
    jw_member_id(w, "msgId", ID_MESSAGE, &d->message);
    jw_member_id(w, "endpointId", ID_ENDPOINT, endpoint);
    jw_member_string(w, "state",
                     span_text(in_flight ? "in_flight" : delivery_state_name(d->state)));
    reason(w, d);
    tries(w, d);
    jw_member_time(w, "nextAttempt", in_flight ? (struct wall){0} : status_next_attempt(d));
    id_or_null(w, "waitsFor", ID_MESSAGE, waits_for);
    jw_member_time(w, "createdAt", d->created);
    jw_member_time(w, "finishedAt", d->finished);
    jw_end_object(w);
}

void entity_out_dead_letter(struct json_writer *w, const struct message *m,
                            const struct delivery *d, const struct id *endpoint, bool content)
{
    jw_object(w);
    message_out_members(w, m, content);
    jw_member_id(w, "endpointId", ID_ENDPOINT, endpoint);
    reason(w, d);
    tries(w, d);
    jw_member_time(w, "diedAt", d->finished);
    jw_end_object(w);
}

void entity_out_task_open(struct json_writer *w, const struct task_info *t)
{
    const char *status = t->failed ? "failed" : t->finished ? "finished" : "running";
    jw_object(w);
    jw_member_id(w, "id", ID_TASK, &t->id);
    jw_member_string(w, "status", span_text(status));
    jw_member_string(w, "task", span_text(t->kind));
    jw_name(w, "data");
    jw_object(w);
    store_task_progress(w, t);
    if (t->failed)
        jw_member_string(w, "error", SPAN("the result is too large"));
}

void entity_out_task_close(struct json_writer *w, const struct task_info *t)
{
    jw_end_object(w);
    jw_member_time(w, "updatedAt", t->updated);
    jw_end_object(w);
}

void entity_out_task(struct json_writer *w, const struct task_info *t)
{
    entity_out_task_open(w, t);
    entity_out_task_close(w, t);
}

void entity_out_key(struct json_writer *w, const struct api_key *k, struct span token)
{
    jw_object(w);
    jw_member_id(w, "id", ID_KEY, &k->id);
    jw_member_string(w, "name", span_text(k->name));
    jw_member_string(w, "scope", span_text(key_scope_name(k->scope)));
    id_or_null(w, "appId", ID_APP, &k->app);
    jw_member_time(w, "createdAt", k->created);
    jw_member_time(w, "expiresAt", k->expires);
    text_or_null(w, "token", token);
    jw_end_object(w);
}
