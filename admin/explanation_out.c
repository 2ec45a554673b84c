/* The answer in the order in which things happened. Sentences are made of clauses: a capital in
 * front, a full stop behind; the summary puts a lead before one.
 *
 * Invariant: of an attempt only its class, its status and its times are told, never an address or
 * what a library said: whoever may name a URL must not learn from us what is behind it. */
#include "admin/explanation.h"

#include <ctype.h>

#define SENTENCE_MAX 1024

enum step {
    STEP_ACCEPTED,
    STEP_MATCHED,
    STEP_NOT_MATCHED,
    STEP_QUEUED,
    STEP_REPLAYED,
    STEP_EARLIER,
    STEP_ATTEMPT,
    STEP_DELIVERED,
    STEP_DEAD,
    STEP_CANCELED,
    STEPS,
};
enum remedy { REMEDY_ENABLE, REMEDY_RESUME, REMEDY_REPLAY, REMEDY_RESEND, REMEDIES };

const char *explanation_step_name(unsigned i)
{
    static const char *const names[] = {"accepted", "matched",          "not_matched", "queued",
                                        "replayed", "earlier_attempts", "attempt",     "delivered",
                                        "dead",     "canceled"};
    _Static_assert(sizeof names / sizeof *names == STEPS, "one name a step");
    return i < STEPS ? names[i] : NULL;
}

const char *explanation_remedy_name(unsigned i)
{
    static const char *const names[] = {"enable", "resume", "replay", "resend"};
    _Static_assert(sizeof names / sizeof *names == REMEDIES, "one name a remedy");
    return i < REMEDIES ? names[i] : NULL;
}

/* ---------------------------------------------------------------- sentences */

/* Writes lead and clause as a sentence, and frees the clause. */
static void sentence(struct json_writer *w, const char *name, const char *lead, struct buf *clause)
{
    struct buf text;
    buf_init(&text, SENTENCE_MAX);
    buf_text(&text, lead);
    buf_span(&text, buf_view(clause));
    buf_char(&text, '.');
    if (clause->failed || text.failed) {
        w->out->failed = true;
        jw_member_null(w, name);
    } else {
        text.ptr[0] = (char)toupper((unsigned char)text.ptr[0]);
        jw_member_string(w, name, buf_view(&text));
    }
    buf_free(&text);
    buf_free(clause);
}

static void sentence_of(struct json_writer *w, const char *name, const char *text)
{
    struct buf clause;
    buf_init(&clause, SENTENCE_MAX);
    sentence(w, name, text, &clause);
}

static void step_open(struct json_writer *w, enum step what, struct wall at)
{
    jw_object(w);
    jw_member_time(w, "at", at);
    jw_member_string(w, "what", span_text(explanation_step_name(what)));
}

/* ---------------------------------------------------------------- steps */

static void step_rule(struct json_writer *w, const struct explanation *x,
                      enum explanation_rule rule)
{
    const bool matched = rule < RULE_NOT_ADDRESSED;
    struct buf clause;
    buf_init(&clause, SENTENCE_MAX);
    explanation_rule_clause(&clause, x, rule);
    step_open(w, matched ? STEP_MATCHED : STEP_NOT_MATCHED,
              matched ? x->delivery->created : x->now);
    jw_member_string(w, "rule", span_text(explanation_rule_name(rule)));
    sentence(w, "detail", "", &clause);
    jw_end_object(w);
}

static void step_plain(struct json_writer *w, enum step what, struct wall at, const char *text)
{
    step_open(w, what, at);
    sentence_of(w, "detail", text);
    jw_end_object(w);
}

static void moment(struct json_writer *w, const char *name, int64_t us)
{
    if (us)
        jw_member_int(w, name, us);
    else
        jw_member_null(w, name);
}

static void timings(struct json_writer *w, const struct attempt *a)
{
    jw_name(w, "timings");
    jw_object(w);
    jw_member_int(w, "queuedUs", a->queued_us);
    moment(w, "dnsUs", a->dns_us);
    moment(w, "connectUs", a->connect_us);
    moment(w, "tlsUs", a->tls_us);
    moment(w, "firstByteUs", a->first_byte_us);
    jw_member_int(w, "totalUs", a->duration_us);
    jw_end_object(w);
}

static void step_attempt(struct json_writer *w, const struct attempt *a)
{
    struct buf clause;
    buf_init(&clause, SENTENCE_MAX);
    explanation_attempt_clause(&clause, a);
    step_open(w, STEP_ATTEMPT, a->started);
    jw_member_id(w, "attemptId", ID_ATTEMPT, &a->id);
    jw_member_int(w, "triggerType", a->trigger == TRIGGER_MANUAL);
    jw_member_string(w, "outcome", span_text(attempt_class_name(a->outcome)));
    jw_member_int(w, "responseStatusCode", a->status);
    timings(w, a);
    sentence(w, "detail", "", &clause);
    jw_end_object(w);
}

/* A replay stands before the attempts that it led to. */
static void step_attempts(struct json_writer *w, const struct explanation *x)
{
    const struct wall replayed = x->delivery ? x->delivery->replayed : (struct wall){0};
    bool told = replayed.us == 0;
    if (x->more_attempts)
        step_plain(w, STEP_EARLIER, (struct wall){0}, "older attempts are left out");
    for (unsigned i = x->attempt_count; i-- > 0;) {
        if (!told && x->attempts[i]->started.us >= replayed.us) {
            step_plain(w, STEP_REPLAYED, replayed, "it was replayed: its schedule began anew");
            told = true;
        }
        step_attempt(w, x->attempts[i]);
    }
    if (!told)
        step_plain(w, STEP_REPLAYED, replayed, "it was replayed: its schedule began anew");
}

static void step_end(struct json_writer *w, const struct delivery *d)
{
    static const enum step ends[] = {[DELIVERY_DELIVERED] = STEP_DELIVERED,
                                     [DELIVERY_DEAD] = STEP_DEAD,
                                     [DELIVERY_CANCELED] = STEP_CANCELED};
    if (d->state < DELIVERY_DELIVERED || d->state > DELIVERY_CANCELED)
        return;
    struct buf clause;
    buf_init(&clause, SENTENCE_MAX);
    explanation_end_clause(&clause, d);
    step_open(w, ends[d->state], d->finished);
    if (d->reason != REASON_NONE)
        jw_member_string(w, "reason", span_text(delivery_reason_name(d->reason)));
    sentence(w, "detail", "", &clause);
    jw_end_object(w);
}

static void steps(struct json_writer *w, const struct explanation *x)
{
    const struct delivery *d = x->delivery;
    jw_name(w, "steps");
    jw_array(w);
    step_plain(w, STEP_ACCEPTED, x->message->created, "the message was accepted and stored");
    step_rule(w, x, explanation_rule(x));
    if (d && d->state != DELIVERY_NONE)
        step_plain(w, STEP_QUEUED, d->created, "it was queued for the endpoint");
    step_attempts(w, x);
    if (d)
        step_end(w, d);
    jw_end_array(w);
}

/* ---------------------------------------------------------------- what comes */

static void next_out(struct json_writer *w, const struct explanation *x,
                     const struct explanation_next *next)
{
    jw_name(w, "next");
    if (next->wait == WAIT_NOTHING) {
        jw_null(w);
        return;
    }
    struct buf clause;
    buf_init(&clause, SENTENCE_MAX);
    explanation_wait_clause(&clause, x, next);
    jw_object(w);
    jw_member_string(w, "what", span_text(explanation_wait_name((unsigned)next->wait - 1)));
    jw_member_time(w, "at", next->at);
    jw_member_int(w, "triggerType", next->manual);
    if (next->wait == WAIT_ORDER && !id_is_zero(&x->waits_for))
        jw_member_id(w, "waitsFor", ID_MESSAGE, &x->waits_for);
    else
        jw_member_null(w, "waitsFor");
    sentence(w, "why", "", &clause);
    jw_end_object(w);
}

static bool remedy_helps(const struct explanation *x, const struct explanation_next *next,
                         enum remedy remedy)
{
    const bool usable = !x->endpoint->disabled && !x->message->expunged;
    switch (remedy) {
    case REMEDY_ENABLE:
        return x->endpoint->disabled;
    case REMEDY_RESUME:
        return x->endpoint->paused;
    case REMEDY_REPLAY:
        return usable && x->delivery && x->delivery->state == DELIVERY_DEAD;
    default:
        return usable && !x->endpoint->paused && next->wait != WAIT_OUTCOME && !next->manual;
    }
}

static void remedies(struct json_writer *w, const struct explanation *x,
                     const struct explanation_next *next)
{
    jw_name(w, "can");
    jw_array(w);
    for (enum remedy r = 0; r < REMEDIES; r++)
        if (remedy_helps(x, next, r))
            jw_string(w, span_text(explanation_remedy_name(r)));
    jw_end_array(w);
}

static const char *lead_of(const struct explanation *x, const struct explanation_next *next)
{
    if (next->wait != WAIT_NOTHING)
        return x->delivery && x->delivery->state == DELIVERY_DELIVERED
                   ? "delivered, and a manual attempt comes: "
                   : "not delivered yet: ";
    if (!x->delivery)
        return "not for this endpoint: ";
    switch (x->delivery->state) {
    case DELIVERY_DELIVERED:
        return "delivered: ";
    case DELIVERY_DEAD:
        return "given up: ";
    case DELIVERY_CANCELED:
        return "canceled: ";
    default:
        return id_is_zero(&x->delivery->last_attempt)
                   ? "a manual attempt was asked for and ended before it was made: "
                   : "manual attempts alone were made, and none succeeded: ";
    }
}

static void summary(struct json_writer *w, const struct explanation *x,
                    const struct explanation_next *next)
{
    struct buf clause;
    buf_init(&clause, SENTENCE_MAX);
    if (next->wait != WAIT_NOTHING)
        explanation_wait_clause(&clause, x, next);
    else if (x->delivery && x->delivery->state != DELIVERY_NONE)
        explanation_end_clause(&clause, x->delivery);
    else
        explanation_rule_clause(&clause, x, explanation_rule(x));
    sentence(w, "summary", lead_of(x, next), &clause);
}

void explanation_out(struct json_writer *w, const struct explanation *x)
{
    const struct explanation_next next = explanation_next(x);
    jw_object(w);
    jw_member_id(w, "msgId", ID_MESSAGE, &x->message->id);
    jw_member_id(w, "endpointId", ID_ENDPOINT, &x->endpoint->id);
    jw_member_time(w, "asOf", x->now);
    jw_member_string(w, "state", span_text(explanation_state(x, &next)));
    summary(w, x, &next);
    steps(w, x);
    next_out(w, x, &next);
    remedies(w, x, &next);
    jw_end_object(w);
}
