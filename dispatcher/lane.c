/* Why a lane knows so little: memory must follow endpoints and what is in flight, never the
 * backlog. One time, next_due, stands for everything that is only on disk; the header says why that
 * is enough.
 *
 * Every function keeps I1 to I3 of the header; `fall` is the only way next_due moves to an earlier
 * moment and lane_page the only way to a later one. */
#include "dispatcher/lane.h"

#include <assert.h>

/* How long a lane pauses when a page held nothing new although more is due: only rows that
 * contradict each other do that, and they must not spin the thread. */
#define CONTRADICTION_REST_US US_PER_S

struct lane *lane_new(uint32_t number, unsigned max_in_flight, struct wall first_due, uint64_t txn)
{
    static_assert(sizeof(struct lane) <= 512,
                  "with what the store keeps, 1 KiB for an idle endpoint");
    struct lane *lane = calloc(1, sizeof *lane);
    if (!lane)
        return NULL;
    lane->number = number;
    lane->next_due = first_due;
    lane->page_txn = txn;
    limit_init(&lane->limit, max_in_flight);
    heap_item_init(&lane->wake);
    return lane;
}

unsigned lane_held(const struct lane *lane)
{
    return lane->ready + lane->in_flight + lane->settling;
}

void lane_free(struct lane **lane)
{
    if (!*lane)
        return;
    assert(lane_held(*lane) == 0);
    throttle_release(&(*lane)->throttle);
    free(*lane);
    *lane = NULL;
}

static void fall(struct lane *lane, struct wall due)
{
    if (due.us < lane->next_due.us)
        lane->next_due = due;
}

/* ---------------------------------------------------------------- the lists */

static unsigned backlog_ready(const struct lane *lane)
{
    return lane->ready - lane->fresh_ready;
}

static void push(struct lane *lane, struct claim_list *list, struct claim *c)
{
    c->lane = lane;
    c->next = NULL;
    if (list->last)
        list->last->next = c;
    else
        list->first = c;
    list->last = c;
    lane->ready++;
    lane->fresh_ready += list == &lane->fresh;
}

/* Whose attempt is next. Credit grows only while both wait, so that it never makes a burst. */
static struct claim_list *next_list(struct lane *lane)
{
    if (lane->fresh_ready == 0 || backlog_ready(lane) == 0)
        return lane->fresh_ready ? &lane->fresh : &lane->backlog;
    lane->fresh_credit += lane->fresh_share;
    if (lane->fresh_credit < 100)
        return &lane->backlog;
    lane->fresh_credit -= 100;
    return &lane->fresh;
}

struct claim *lane_pop(struct lane *lane)
{
    struct claim_list *list = next_list(lane);
    struct claim *c = list->first;
    if (!c)
        return NULL;
    list->first = c->next;
    if (!list->first)
        list->last = NULL;
    lane->ready--;
    lane->fresh_ready -= list == &lane->fresh;
    c->next = NULL;
    return c;
}

static void give_message(struct lane *lane, struct claim *c, struct budget *hot_bytes)
{
    if (c->hot_bytes) {
        lane->hot_bytes -= c->hot_bytes;
        budget_give(hot_bytes, c->hot_bytes);
        c->hot_bytes = 0;
    }
    message_unref(&c->message);
}

static bool take_handoff(struct lane *lane, struct held *held, struct budget *hot_bytes,
                         struct handoff *h, struct wall now)
{
    /* What waits for a token, or for the pace of those who are doubtful, waits without its body:
     * they must not take the memory of those who need not wait. The whole block is what the
     * reference keeps. */
    bool with_message = lane->token_at.us <= now.us && lane->trust != TRUST_DOUBTFUL;
    int64_t bytes = with_message ? (int64_t)(h->message->block_len + sizeof *h->message) : 0;
    struct claim *c = NULL;
    if (backlog_ready(lane) >= READY_MAX || lane->hot_bytes + bytes > LANE_HOT_BYTES_MAX ||
        !budget_take(hot_bytes, bytes))
        return false;
    if (held_add(held, lane->number, &h->message->id, &c)) {
        budget_give(hot_bytes, bytes);
        return false;
    }
    c->trigger = TRIGGER_SCHEDULED;
    c->due = h->due;
    if (with_message) {
        c->message = h->message;
        c->hot_bytes = bytes;
        lane->hot_bytes += bytes;
        h->message = NULL;
    }
    push(lane, &lane->backlog, c);
    return true;
}

static bool is_behind(const struct lane *lane, struct wall now)
{
    return lane_oldest_due(lane, now).us <= now.us - LANE_BEHIND_US;
}

static bool take_fresh(struct lane *lane, struct held *held, const struct handoff *h,
                       struct wall now)
{
    struct claim *c = NULL;
    if (lane->fresh_ready >= LANE_FRESH_MAX || !is_behind(lane, now) ||
        held_add(held, lane->number, &h->message->id, &c))
        return false;
    c->trigger = TRIGGER_SCHEDULED;
    c->due = h->due;
    push(lane, &lane->fresh, c);
    return true;
}

bool lane_handoff(struct lane *lane, struct held *held, struct budget *hot_bytes,
                  struct handoff *handoff, struct wall now)
{
    bool taken = false;
    if (handoff->txn > lane->page_txn) {
        const bool wanted =
            handoff->due.us <= now.us && !lane->asleep && lane->breaker.state == BREAKER_CLOSED;
        const bool hot = lane->next_due.us > now.us;
        if (wanted && lane->fresh_share)
            taken = take_fresh(lane, held, handoff, now);
        if (wanted && hot && !taken)
            taken = take_handoff(lane, held, hot_bytes, handoff, now);
        if (!taken)
            fall(lane, handoff->due);
    }
    message_unref(&handoff->message);
    free(handoff);
    return taken;
}

void lane_due(struct lane *lane, struct wall due, uint64_t txn)
{
    if (txn <= lane->page_txn)
        return;
    fall(lane, due);
    lane->asleep = false;
}

void lane_changed(struct lane *lane)
{
    lane->changed = true;
    lane->asleep = lane->gone = lane->rated = lane->sized_up = false;
    lane->fresh_share = 0; /* it may be ordered now */
    lane->rest_until = lane->token_at = (struct wall){0};
}

void lane_set_rates(struct lane *lane, int64_t per_second, struct throttle *throttle,
                    struct mono mono)
{
    rate_set(&lane->rate, per_second, THROTTLE_SLACK_US, mono.us);
    if (throttle != lane->throttle)
        lane->reservation.held = false;
    throttle_release(&lane->throttle);
    lane->throttle = throttle;
    lane->rated = true;
}

bool lane_has_token(struct lane *lane, struct wall now, struct mono mono)
{
    int64_t wait_us = rate_wait_us(&lane->rate, mono.us);
    if (wait_us == 0 && lane->throttle)
        wait_us = throttle_wait_us(lane->throttle, &lane->reservation, mono);
    if (wait_us > 0)
        lane->token_at = wall_add(now, wait_us);
    return wait_us == 0;
}

void lane_take_token(struct lane *lane, struct mono mono)
{
    if (lane->rate.interval_ns)
        rate_take(&lane->rate, mono.us);
    lane->reservation.held = false;
}

bool lane_wants_page(const struct lane *lane, struct wall now)
{
    return !lane->asleep && lane->next_due.us <= now.us && backlog_ready(lane) <= LANE_LOW;
}

unsigned lane_page_rows(const struct lane *lane)
{
    /* A held delivery can stand in the index twice, once for each trigger; a page of this size has
     * room for all of them and for as many others as the ready list takes. */
    return 2 * lane_held(lane) + READY_MAX - backlog_ready(lane);
}

/* False when the list is full or memory is short: the row was not taken. */
static bool take_row(struct lane *lane, struct held *held, const struct due_row *row)
{
    struct claim *c = held_find(held, lane->number, &row->message);
    if (c) {
        bool same = c->due.us == row->due.us && c->trigger == row->trigger;
        if (!same && row->due.us < c->again.us)
            c->again = row->due;
        return true;
    }
    if (backlog_ready(lane) >= READY_MAX || held_add(held, lane->number, &row->message, &c))
        return false;
    c->trigger = row->trigger;
    c->tries = row->tries;
    c->due = row->due;
    push(lane, &lane->backlog, c);
    return true;
}

void lane_page(struct lane *lane, struct held *held, const struct due_row *rows, unsigned count,
               struct wall next_due, uint64_t txn, struct wall now)
{
    assert(txn >= lane->page_txn); /* snapshots never go back */
    unsigned before = lane->ready;
    lane->page_txn = txn;
    lane->next_due = next_due;
    for (unsigned i = 0; i < count; i++)
        if (!take_row(lane, held, &rows[i])) {
            lane->next_due = rows[i].due;
            break;
        }
    if (lane->ready == before && lane->next_due.us <= now.us)
        lane_rest(lane, wall_add(now, CONTRADICTION_REST_US));
}

static bool limited(const struct lane *lane)
{
    return lane->in_flight >= limit_allowed(&lane->limit) || lane->settling >= LANE_SETTLING_MAX;
}

bool lane_has_room(const struct lane *lane, struct wall now)
{
    return !limited(lane) && lane->rest_until.us <= now.us && breaker_lets(&lane->breaker, now);
}

bool lane_can_go(const struct lane *lane, struct wall now)
{
    bool to_send = lane->ready > 0 && lane->token_at.us <= now.us;
    bool work = to_send || lane_wants_page(lane, now);
    return lane->changed || (work && lane_has_room(lane, now));
}

static struct wall wall_later(struct wall a, struct wall b)
{
    return a.us > b.us ? a : b;
}

struct wall lane_wake_at(const struct lane *lane)
{
    struct wall at = backlog_ready(lane) <= LANE_LOW ? lane->next_due : WALL_NEVER;
    if (limited(lane) || lane->asleep)
        return WALL_NEVER;
    if (lane->ready > 0 && lane->token_at.us < at.us)
        at = lane->token_at;
    return wall_later(at, wall_later(lane->rest_until, breaker_wake_at(&lane->breaker)));
}

struct wall lane_oldest_due(const struct lane *lane, struct wall now)
{
    const struct claim *first = lane->backlog.first ? lane->backlog.first : lane->fresh.first;
    struct wall oldest = first ? first->due : WALL_NEVER;
    if (lane->breaker.state != BREAKER_CLOSED)
        return WALL_NEVER;
    if (!lane->asleep && lane->next_due.us <= now.us && lane->next_due.us < oldest.us)
        oldest = lane->next_due;
    return oldest;
}

void lane_rest(struct lane *lane, struct wall until)
{
    if (until.us > lane->rest_until.us)
        lane->rest_until = until;
}

void lane_clock_moved(struct lane *lane, int64_t by_us)
{
    if (lane->rest_until.us)
        lane->rest_until = wall_add(lane->rest_until, by_us);
    if (lane->token_at.us)
        lane->token_at = wall_add(lane->token_at, by_us);
    if (lane->breaker.mark.probe_at.us)
        lane->breaker.mark.probe_at = wall_add(lane->breaker.mark.probe_at, by_us);
}

void lane_start(struct lane *lane, struct claim *c)
{
    claim_set_state(c, CLAIM_IN_FLIGHT);
    c->probe = breaker_begin(&lane->breaker);
    lane->in_flight++;
}

void lane_settle(struct lane *lane, struct claim *c, struct budget *hot_bytes)
{
    claim_set_state(c, CLAIM_SETTLING);
    breaker_lost(&lane->breaker, c->probe);
    lane->in_flight--;
    lane->settling++;
    give_message(lane, c, hot_bytes);
}

void lane_settled(struct lane *lane, struct held *held, struct claim *c, struct wall retry_at)
{
    assert(c->state == CLAIM_SETTLING);
    lane->settling--;
    fall(lane, retry_at);
    fall(lane, c->again);
    held_release(held, c);
}

void lane_abandon(struct lane *lane, struct held *held, struct claim *c, struct budget *hot_bytes)
{
    if (c->state == CLAIM_IN_FLIGHT) {
        breaker_lost(&lane->breaker, c->probe);
        lane->in_flight--;
    }
    if (c->state == CLAIM_SETTLING)
        lane->settling--;
    give_message(lane, c, hot_bytes);
    fall(lane, c->due);
    fall(lane, c->again);
    held_release(held, c);
}

void lane_unready(struct lane *lane, struct held *held, struct budget *hot_bytes)
{
    for (struct claim *c; (c = lane_pop(lane));)
        lane_abandon(lane, held, c, hot_bytes);
}

void lane_sleep(struct lane *lane, struct held *held, struct budget *hot_bytes)
{
    lane->asleep = true;
    lane_unready(lane, held, hot_bytes);
}

/* ---------------------------------------------------------------- health */

void lane_set_health(struct lane *lane, const struct endpoint_health *health, uint64_t version,
                     const struct breaker_policy *policy, struct wall now)
{
    bool first = lane->version == 0;
    lane->sized_up = true;
    if (!first && lane->version == version)
        return;
    lane->version = version;
    lane->failures = health->failing_since.us ? health->failures : 0;
    if (!first && health->breaker.opened_at.us)
        return;
    breaker_restore(&lane->breaker, policy, &health->breaker, now);
    lane->trust = lane->breaker.state == BREAKER_CLOSED ? TRUST_NEW : TRUST_DOUBTFUL;
}

/* Whatever is no 2xx is a failure of the delivery, and, unless it was ours or our proxy's, of an
 * endpoint that does nothing else; the breaker's signs are fewer. */
static bool counts_as_failure(const struct result *r)
{
    return r->outcome != ATTEMPT_SUCCESS && r->outcome != ATTEMPT_INTERNAL &&
           r->outcome != ATTEMPT_PROXY;
}

bool lane_judge(struct lane *lane, struct claim *c, const struct breaker_policy *policy,
                struct breaker_event *event, struct outcome_op *op)
{
    const bool failed = counts_as_failure(event->result);
    const bool works = event->result->outcome == ATTEMPT_SUCCESS;
    if (op->endpoint_version != lane->version && !breaker_awaits(&lane->breaker, c->probe))
        return false;
    op->endpoint_version = lane->version;
    event->probe = c->probe;
    bool moved = breaker_observe(&lane->breaker, policy, event);
    if (failed && lane->failures < UINT32_MAX)
        lane->failures++;
    if (failed)
        op->health = HEALTH_FAILED;
    else if (works && (moved || lane->failures))
        op->health = HEALTH_WORKS;
    if (works)
        lane->failures = 0;
    op->failures = lane->failures;
    op->breaker = lane->breaker.mark;
    if (moved && lane->breaker.state == BREAKER_CLOSED)
        limit_init(&lane->limit, (unsigned)lane->limit.max);
    return moved && lane->breaker.state == BREAKER_OPEN;
}
