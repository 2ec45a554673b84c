/* Invariant: what is accepted ends, in attempts or in time, and is shown as it is kept. Durations
 * are texts, as in the options. */
#include "admin/retry_policy.h"

#include "base/quantity.h"

#define DURATION_TEXT_MAX 32
enum { FIRST, CAP }; /* in delay_ms of an exponential policy */

static const struct text_rule duration_rule = {.min = 1, .max = DURATION_TEXT_MAX};

static bool duration_good(struct span text, int64_t max_us, int64_t *us)
{
    return !duration_parse(text, us) && *us >= US_PER_MS && *us <= max_us;
}

static void refuse_duration(struct body *b, const char *field, int64_t max_us)
{
    char why[96];
    struct buf longest;
    buf_init(&longest, DURATION_TEXT_MAX);
    duration_print(max_us, &longest);
    snprintf(why, sizeof why, "must be a duration such as 250ms or 1h30m, from 1ms to %.*s",
             (int)longest.len, longest.ptr ? longest.ptr : "");
    buf_free(&longest);
    body_refuse(b, field, why);
}

static enum field read_duration(struct body *b, const char *name, int64_t max_us, int64_t *us)
{
    struct span text;
    enum field state = body_text(b, name, &duration_rule, &text);
    if (state == FIELD_VALUE && !duration_good(text, max_us, us)) {
        refuse_duration(b, name, max_us);
        return FIELD_ABSENT;
    }
    return state;
}

static enum field read_delay(struct body *b, const char *name, uint32_t *ms)
{
    int64_t us;
    enum field state = read_duration(b, name, RETRY_DELAY_MAX_MS * (int64_t)US_PER_MS, &us);
    if (state == FIELD_VALUE)
        *ms = (uint32_t)(us / US_PER_MS);
    return state;
}

/* ---------------------------------------------------------------- the policy */

static void read_schedule(struct body *b, struct json_value list, struct retry_policy *p)
{
    const int64_t longest = RETRY_DELAY_MAX_MS * (int64_t)US_PER_MS;
    struct json_value item;
    struct span none;
    struct buf text;
    buf_init(&text, DURATION_TEXT_MAX);
    for (struct json_walk w = json_walk(list); json_next(&w, &none, &item) && !b->result;) {
        char field[32];
        int64_t us;
        snprintf(field, sizeof field, "schedule.%u", p->count);
        buf_clear(&text);
        if (item.type != JSON_STRING || json_text(item, &text) ||
            !duration_good(buf_view(&text), longest, &us))
            refuse_duration(b, field, longest);
        else
            p->delay_ms[p->count++] = (uint32_t)(us / US_PER_MS);
    }
    buf_free(&text);
}

static void read_exponential(struct body *b, struct json_value object, struct retry_policy *p)
{
    struct body inner;
    int64_t factor = 2;
    p->delay_ms[FIRST] = p->delay_ms[CAP] = 1;
    body_enter(b, object, &inner);
    body_require(&inner, "first", read_delay(&inner, "first", &p->delay_ms[FIRST]));
    body_require(&inner, "cap", read_delay(&inner, "cap", &p->delay_ms[CAP]));
    body_integer(&inner, "factor", 1, RETRY_FACTOR_MAX, &factor);
    if (p->delay_ms[CAP] < p->delay_ms[FIRST])
        body_refuse(&inner, "cap", "must not be less than first");
    p->factor = (uint8_t)factor;
    body_leave(b, "exponential", &inner);
}

static void check_bounds(struct body *b, const struct retry_policy *p)
{
    char why[96];
    if (p->kind == RETRY_EXPONENTIAL && !p->attempts_max && !p->age_max_us)
        body_refuse(b, "maxAttempts", "an exponential policy must have maxAttempts or maxAge");
    if (p->kind == RETRY_EXPONENTIAL || p->attempts_max <= p->count + 1)
        return;
    snprintf(why, sizeof why, "the schedule has %u delays: at most %u attempts", p->count,
             p->count + 1);
    body_refuse(b, "maxAttempts", why);
}

static void read_policy(struct body *b, struct retry_policy *p)
{
    struct json_value schedule, exponential;
    unsigned count;
    int64_t attempts = 0, jitter = RETRY_JITTER_OPTION;
    *p = (struct retry_policy){.kind = RETRY_SCHEDULE, .factor = 1};
    const bool listed =
        body_list(b, "schedule", RETRY_DELAYS_MAX, &schedule, &count) == FIELD_VALUE;
    const bool grows = body_object(b, "exponential", ADMIN_BODY_MAX, &exponential) == FIELD_VALUE;
    body_integer(b, "maxAttempts", 1, RETRY_ATTEMPTS_MAX, &attempts);
    body_integer(b, "jitterPercent", 0, 100, &jitter);
    read_duration(b, "maxAge", RETRY_AGE_MAX_US, &p->age_max_us);
    if (listed == grows)
        body_refuse(b, "", "must have either schedule or exponential");
    p->attempts_max = (uint16_t)attempts;
    p->jitter_percent = (uint8_t)jitter;
    if (listed) {
        read_schedule(b, schedule, p);
    } else if (grows) {
        p->kind = RETRY_EXPONENTIAL;
        read_exponential(b, exponential, p);
    }
    check_bounds(b, p);
}

void retry_policy_read(struct body *b, struct retry_policy *out)
{
    struct json_value object;
    struct body inner;
    enum field state = body_object(b, "retryPolicy", ADMIN_BODY_MAX, &object);
    if (state == FIELD_NULL)
        *out = (struct retry_policy){.kind = RETRY_NONE};
    if (state != FIELD_VALUE)
        return;
    body_enter(b, object, &inner);
    read_policy(&inner, out);
    body_leave(b, "retryPolicy", &inner);
}

static void read_fresh_share(struct body *b, struct endpoint *out)
{
    int64_t percent;
    const enum field state = body_integer(b, "freshShare", 0, FRESH_SHARE_MAX, &percent);
    if (state == FIELD_NULL)
        out->fresh_share = 0;
    if (state == FIELD_VALUE)
        out->fresh_share = 1 + (unsigned)percent;
    if (out->fresh_share > 1 && out->ordering != ORDERING_NONE)
        body_refuse(b, "freshShare", "must be 0 or null where ordering is asked for");
}

void retry_policy_read_endpoint(struct body *b, int64_t most, struct endpoint *out)
{
    int64_t in_flight = out->max_in_flight;
    const int64_t longest = ATTEMPT_TIMEOUT_MAX_S * US_PER_S;
    if (body_bool(b, "paused", &out->paused) == FIELD_NULL)
        out->paused = false;
    retry_policy_read(b, &out->retry);
    if (read_duration(b, "attemptTimeout", longest, &out->timeout_us) == FIELD_NULL)
        out->timeout_us = 0;
    if (body_integer(b, "maxInFlight", 1, most, &in_flight) == FIELD_NULL)
        in_flight = 0;
    out->max_in_flight = (uint32_t)in_flight;
    read_fresh_share(b, out);
}

/* ---------------------------------------------------------------- answers */

static void duration(struct json_writer *w, int64_t us)
{
    struct buf text;
    buf_init(&text, DURATION_TEXT_MAX);
    duration_print(us, &text);
    jw_string(w, buf_view(&text));
    buf_free(&text);
}

/* `us` 0 is null. */
static void member_duration(struct json_writer *w, const char *name, int64_t us)
{
    if (!us) {
        jw_member_null(w, name);
        return;
    }
    jw_name(w, name);
    duration(w, us);
}

static void delays(struct json_writer *w, const struct retry_policy *p)
{
    const bool listed = p->kind == RETRY_SCHEDULE;
    jw_name(w, listed ? "schedule" : "exponential");
    if (listed) {
        jw_array(w);
        for (unsigned i = 0; i < p->count; i++)
            duration(w, p->delay_ms[i] * (int64_t)US_PER_MS);
        jw_end_array(w);
    } else {
        jw_object(w);
        member_duration(w, "first", p->delay_ms[FIRST] * (int64_t)US_PER_MS);
        jw_member_int(w, "factor", p->factor);
        member_duration(w, "cap", p->delay_ms[CAP] * (int64_t)US_PER_MS);
        jw_end_object(w);
    }
    jw_member_null(w, listed ? "exponential" : "schedule");
}

void retry_policy_out(struct json_writer *w, const struct retry_policy *p)
{
    if (p->kind == RETRY_NONE) {
        jw_member_null(w, "retryPolicy");
        return;
    }
    jw_name(w, "retryPolicy");
    jw_object(w);
    delays(w, p);
    if (p->jitter_percent == RETRY_JITTER_OPTION)
        jw_member_null(w, "jitterPercent");
    else
        jw_member_int(w, "jitterPercent", p->jitter_percent);
    if (p->attempts_max)
        jw_member_int(w, "maxAttempts", p->attempts_max);
    else
        jw_member_null(w, "maxAttempts");
    member_duration(w, "maxAge", p->age_max_us);
    jw_end_object(w);
}

void retry_policy_out_endpoint(struct json_writer *w, const struct endpoint *e)
{
    jw_member_bool(w, "paused", e->paused);
    retry_policy_out(w, &e->retry);
    member_duration(w, "attemptTimeout", e->timeout_us);
    if (e->max_in_flight)
        jw_member_int(w, "maxInFlight", e->max_in_flight);
    else
        jw_member_null(w, "maxInFlight");
    if (e->fresh_share)
        jw_member_int(w, "freshShare", e->fresh_share - 1);
    else
        jw_member_null(w, "freshShare");
}
