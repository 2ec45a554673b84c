/* The judgement: which rule, which reason to wait, and the words for both.
 *
 * Invariant: of several reasons the one is named that must end first for anything to happen. What
 * is on disk goes before what the dispatcher said: the snapshot is the younger of the two. */
#include "admin/explanation.h"

#include "admin/status.h"
#include "store/match.h"

/* ---------------------------------------------------------------- matched or not */

/* What speaks for or against it, as the endpoint is now. */
static enum explanation_rule rule_now(const struct endpoint *e, const struct message *m)
{
    const struct match_subject subject = {m->event_type, m->channel_count, m->channels};
    const struct match_rule types = {.filter_count = e->filter_count, .filters = e->filters};
    const struct match_rule channels = {.channel_count = e->channel_count, .channels = e->channels};
    if (m->only_endpoint)
        return m->only_endpoint == e->number ? RULE_ADDRESSED : RULE_NOT_ADDRESSED;
    if (!match(&types, &subject))
        return RULE_NOT_TYPE;
    if (!match(&channels, &subject))
        return RULE_NOT_CHANNEL;
    if (e->channel_count)
        return RULE_CHANNEL;
    return e->filter_count ? RULE_TYPE : RULE_EVERY;
}

enum explanation_rule explanation_rule(const struct explanation *x)
{
    const enum explanation_rule now = rule_now(x->endpoint, x->message);
    if (x->delivery && x->delivery->state != DELIVERY_NONE)
        return now < RULE_NOT_ADDRESSED ? now : RULE_BEFORE;
    if (now == RULE_NOT_ADDRESSED)
        return now;
    if (x->endpoint->created.us > x->message->created.us)
        return RULE_CREATED_AFTER;
    if (x->endpoint->disabled)
        return RULE_DISABLED;
    if (now > RULE_NOT_ADDRESSED)
        return now;
    const bool changed = x->endpoint->updated.us > x->message->created.us;
    return changed || x->delivery ? RULE_CHANGED : RULE_FAN_OUT;
}

/* ---------------------------------------------------------------- what it waits for */

static bool unfinished(const struct delivery *d)
{
    return d->state == DELIVERY_SCHEDULED || d->state == DELIVERY_RETRYING;
}

/* An attempt is made of what is due. When the next one lies in the future, the outcome of the one
 * that the dispatcher saw is stored already. */
static bool under_way(const struct explanation *x)
{
    const struct wall due = status_next_attempt(x->delivery);
    const bool seen = x->live.kind == LIVE_FLYING || x->live.kind == LIVE_ENDING;
    return seen && due.us && due.us <= x->now.us;
}

/* Due, and still there. */
static struct explanation_next next_of_due(const struct explanation *x)
{
    static const enum explanation_wait waits[] = {
        [LIVE_UNKNOWN] = WAIT_TURN,   [LIVE_TURN] = WAIT_TURN,   [LIVE_FLYING] = WAIT_OUTCOME,
        [LIVE_ENDING] = WAIT_OUTCOME, [LIVE_ASLEEP] = WAIT_TURN, [LIVE_BREAKER] = WAIT_BREAKER,
        [LIVE_REST] = WAIT_REST,      [LIVE_RATE] = WAIT_RATE,   [LIVE_LIMIT] = WAIT_LIMIT,
    };
    const struct breaker_mark *mark = &x->health->breaker;
    struct explanation_next next = {waits[x->live.kind], x->live.until, false};
    if (mark->opened_at.us)
        next = (struct explanation_next){WAIT_BREAKER, mark->probe_at, false};
    if (next.at.us <= x->now.us)
        next.at = (struct wall){0};
    return next;
}

static struct explanation_next next_by_time(const struct explanation *x, bool manual)
{
    const struct delivery *d = x->delivery;
    const struct wall due = manual ? d->manual_due : d->due;
    const struct breaker_mark *mark = &x->health->breaker;
    const bool breaker_later = mark->opened_at.us && mark->probe_at.us > due.us;
    if (manual || due.us <= x->now.us || breaker_later)
        return next_of_due(x);
    return (struct explanation_next){d->state == DELIVERY_RETRYING ? WAIT_RETRY : WAIT_DELIVER_AT,
                                     due, false};
}

struct explanation_next explanation_next(const struct explanation *x)
{
    const struct delivery *d = x->delivery;
    struct explanation_next next = {.wait = WAIT_NOTHING};
    if (!d) {
        next.wait = explanation_rule(x) == RULE_FAN_OUT ? WAIT_FAN_OUT : WAIT_NOTHING;
        return next;
    }
    const bool waits = unfinished(d);
    const bool manual = d->manual_due.us && status_next_attempt(d).us == d->manual_due.us;
    if (!waits && !d->manual_due.us)
        return next;
    if (under_way(x))
        next.wait = WAIT_OUTCOME;
    else if (x->endpoint->disabled)
        next.wait = WAIT_DISABLED;
    else if (x->endpoint->paused)
        next.wait = WAIT_PAUSED;
    else if (d->held && !manual)
        next.wait = WAIT_ORDER;
    else
        next = next_by_time(x, manual);
    next.manual = manual;
    return next;
}

/* ---------------------------------------------------------------- names */

const char *explanation_wait_name(unsigned i)
{
    static const char *const names[] = {"fan_out", "outcome",    "disabled", "paused",
                                        "order",   "deliver_at", "retry",    "breaker",
                                        "rest",    "rate",       "limit",    "turn"};
    _Static_assert(sizeof names / sizeof *names == WAIT_TURN, "one name a reason");
    return i < WAIT_TURN ? names[i] : NULL;
}

const char *explanation_rule_name(unsigned i)
{
    static const char *const names[] = {"every_message", "event_type",     "channel",
                                        "addressed",     "matched_before", "not_addressed",
                                        "created_after", "disabled",       "other_event_type",
                                        "other_channel", "changed_since",  "fan_out"};
    _Static_assert(sizeof names / sizeof *names == RULE_FAN_OUT + 1, "one name a rule");
    return i <= RULE_FAN_OUT ? names[i] : NULL;
}

const char *explanation_state(const struct explanation *x, const struct explanation_next *next)
{
    if (next->wait == WAIT_OUTCOME)
        return "in_flight";
    if (x->delivery)
        return delivery_state_name(x->delivery->state);
    return next->wait == WAIT_FAN_OUT ? "accepted" : "unmatched";
}

/* ---------------------------------------------------------------- words */

void explanation_rule_clause(struct buf *out, const struct explanation *x,
                             enum explanation_rule rule)
{
    static const char *const texts[] = {
        [RULE_EVERY] = "the endpoint gets every message",
        [RULE_TYPE] = "the endpoint asks for the event type ",
        [RULE_CHANNEL] = "the endpoint asks for a channel of the message",
        [RULE_ADDRESSED] = "the message is for this endpoint alone",
        [RULE_BEFORE] = "the endpoint took it when it came, and as it is now would not",
        [RULE_NOT_ADDRESSED] = "the message is for another endpoint alone",
        [RULE_CREATED_AFTER] = "the endpoint was created after the message came",
        [RULE_DISABLED] = "the endpoint is disabled, as of now",
        [RULE_NOT_TYPE] = "the endpoint, as it is now, does not ask for the event type ",
        [RULE_NOT_CHANNEL] =
            "the endpoint, as it is now, asks for channels of which the message has none",
        [RULE_CHANGED] = "the endpoint did not take it when it came; it was changed since, and as "
                         "it is now would",
        [RULE_FAN_OUT] = "the message is still being handed to the application's endpoints",
    };
    buf_text(out, texts[rule]);
    if (rule == RULE_TYPE || rule == RULE_NOT_TYPE)
        buf_span(out, x->message->event_type);
}

static void time_clause(struct buf *out, const char *lead, struct wall at)
{
    char text[WALL_TEXT_LEN + 1];
    wall_format(at, text);
    buf_printf(out, "%s%s", lead, text);
}

void explanation_attempt_clause(struct buf *out, const struct attempt *a)
{
    if (a->trigger == TRIGGER_MANUAL)
        buf_text(out, "a manual attempt ");
    else
        buf_printf(out, "attempt %u ", (unsigned)a->number);
    if (a->status)
        buf_printf(out, "got status %u", (unsigned)a->status);
    else
        buf_printf(out, "failed (%s)", attempt_class_name(a->outcome));
}

static void retry_clause(struct buf *out, const struct explanation *x)
{
    for (unsigned i = 0; i < x->attempt_count; i++)
        if (x->attempts[i]->trigger == TRIGGER_SCHEDULED) {
            explanation_attempt_clause(out, x->attempts[i]);
            return;
        }
    buf_printf(out, "attempt %u failed", (unsigned)x->delivery->tries);
}

static void breaker_clause(struct buf *out, const struct explanation *x, struct wall probe_at)
{
    const struct breaker_mark *mark = &x->health->breaker;
    buf_text(out, "the endpoint's circuit breaker is open");
    if (mark->opened_at.us && mark->status)
        buf_printf(out, " (status %u)", (unsigned)mark->status);
    else if (mark->opened_at.us)
        buf_printf(out, " (%s)", attempt_class_name(mark->cause));
    if (probe_at.us)
        time_clause(out, ", and its next probe goes no earlier than ", probe_at);
    else
        buf_text(out, ", and a probe is due or under way");
}

static void rate_clause(struct buf *out, const struct explanation *x)
{
    const int64_t own = x->endpoint->throttle_rate, app = x->app->throttle_rate;
    if (own)
        buf_printf(out, "the endpoint's rate of %lld a second", (long long)own);
    if (own && app)
        buf_text(out, " or ");
    if (app)
        buf_printf(out, "the application's rate of %lld a second", (long long)app);
    buf_text(out, own || app ? " holds it back" : "a rate holds it back");
}

static void order_clause(struct buf *out, const struct explanation *x)
{
    char text[ID_MAX + 1];
    if (id_is_zero(&x->waits_for)) {
        buf_text(out, "its turn in the order of its key is coming");
        return;
    }
    id_format(&x->waits_for, ID_MESSAGE, text);
    buf_printf(out, "%s goes before it in the order of its key", text);
}

void explanation_wait_clause(struct buf *out, const struct explanation *x,
                             const struct explanation_next *next)
{
    static const char *const texts[] = {
        [WAIT_NOTHING] = "nothing comes by itself",
        [WAIT_FAN_OUT] = "the message is still being handed to the application's endpoints",
        [WAIT_OUTCOME] = "an attempt is under way, or its outcome is being stored",
        [WAIT_DISABLED] = "the endpoint is disabled, and what waits for it is being given up",
        [WAIT_PAUSED] = "the endpoint is paused, and gets it once it is resumed",
        [WAIT_REST] = "the endpoint is left alone for a moment: it asked for that, or an attempt "
                      "has to wait for a name, for memory or for the service's proxy",
        [WAIT_LIMIT] = "as many attempts are under way as the endpoint gets at once",
    };
    switch (next->wait) {
    case WAIT_ORDER:
        order_clause(out, x);
        break;
    case WAIT_DELIVER_AT:
        time_clause(out, "it is to be sent no earlier than ", next->at);
        break;
    case WAIT_RETRY:
        retry_clause(out, x);
        time_clause(out, ", and the next is due at ", next->at);
        break;
    case WAIT_BREAKER:
        breaker_clause(out, x, next->at);
        break;
    case WAIT_RATE:
        rate_clause(out, x);
        break;
    case WAIT_TURN:
        buf_printf(out, "its turn is coming: %llu deliveries of the endpoint wait",
                   (unsigned long long)x->waiting);
        break;
    default:
        buf_text(out, texts[next->wait]);
    }
}

void explanation_end_clause(struct buf *out, const struct delivery *d)
{
    static const char *const texts[] = {
        [REASON_NONE] = "it was ended",
        [REASON_EXHAUSTED] = "the last attempt that its schedule allows has failed",
        [REASON_ENDPOINT_DISABLED] = "the endpoint was disabled",
        [REASON_ENDPOINT_DELETED] = "the endpoint was deleted",
        [REASON_MESSAGE_EXPIRED] = "the message had expired",
        [REASON_MESSAGE_EXPUNGED] = "the payload was deleted on request",
        [REASON_UNREADABLE] = "what is stored of the message cannot be read",
        [REASON_CANCELED] = "it was canceled on request",
    };
    buf_text(out, d->state == DELIVERY_DELIVERED ? "the endpoint accepted the message"
                                                 : texts[d->reason]);
}
