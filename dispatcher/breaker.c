/* Why a breaker when every delivery has a schedule: a dead endpoint with a large backlog has as
 * many schedules as deliveries, and would burn all of them in vain. While it is open they wait, and
 * waiting is no attempt.
 *
 * Invariants: the mark is zero exactly while the breaker is closed; at most one number is that of a
 * probe under way, and a number is never given twice in a row, so that the end of an attempt from
 * before a reset is not taken for that of the present probe.
 *
 * The window is two halves that take turns, so that it costs the same for one attempt a minute and
 * for a thousand a second. It spans between half of its length and all of it. */
#include "dispatcher/breaker.h"

#include "base/bounds.h"

#include <assert.h>

#define HALF_US (BREAKER_WINDOW_US / 2)

enum breaker_sign breaker_sign(const struct result *r)
{
    switch (r->outcome) {
    case ATTEMPT_SUCCESS:
        return SIGN_ALIVE;
    case ATTEMPT_STATUS:
        return r->status >= 500 ? SIGN_SICK : SIGN_ALIVE;
    case ATTEMPT_INTERNAL:
    case ATTEMPT_PROXY:
        return SIGN_NONE;
    case ATTEMPT_REFUSED:
    case ATTEMPT_TIMEOUT:
    case ATTEMPT_DNS:
    case ATTEMPT_TLS:
    case ATTEMPT_BLOCKED:
    case ATTEMPT_PROTOCOL:
    case ATTEMPT_TOKEN:
        break;
    }
    return SIGN_SICK;
}

static bool never_opens(const struct breaker_policy *policy)
{
    return policy->attempts <= 0 || policy->waits.count == 0;
}

int64_t breaker_wait_us(const struct breaker_policy *policy, unsigned probes, double unit)
{
    assert(policy->waits.count > 0 && unit >= 0 && unit < 1);
    unsigned last = policy->waits.count - 1;
    int64_t step = policy->waits.us[probes < last ? probes : last];
    return step - (int64_t)((double)step / 2 * unit);
}

static void open_it(struct breaker *b, const struct breaker_policy *policy,
                    const struct breaker_event *event)
{
    struct breaker_mark *m = &b->mark;
    b->state = BREAKER_OPEN;
    if (!m->opened_at.us)
        m->opened_at = event->ended;
    m->probe_at = wall_add(event->ended, breaker_wait_us(policy, m->probes, event->unit));
    if (m->probe_at.us < event->not_before.us)
        m->probe_at = event->not_before;
    m->cause = event->result->outcome;
    m->status = event->result->status;
}

void breaker_reset(struct breaker *b)
{
    *b = (struct breaker){.probe = b->probe};
}

/* ---------------------------------------------------------------- the end of an attempt */

static void count(struct breaker *b, bool sick, struct mono now)
{
    int64_t age = now.us - b->now_began.us;
    if (age >= HALF_US) {
        b->before = age < 2 * HALF_US ? b->now : (struct breaker_count){0};
        b->now = (struct breaker_count){0};
        b->now_began = now;
    }
    b->now.attempts++;
    b->now.sick += sick;
}

static bool is_sick(const struct breaker *b, const struct breaker_policy *policy)
{
    uint64_t attempts = (uint64_t)b->now.attempts + b->before.attempts;
    uint64_t sick = (uint64_t)b->now.sick + b->before.sick;
    return attempts >= (uint64_t)policy->attempts && 2 * sick >= attempts;
}

static bool probe_ended(struct breaker *b, const struct breaker_policy *policy,
                        const struct breaker_event *event, enum breaker_sign sign)
{
    switch (sign) {
    case SIGN_NONE:
        breaker_lost(b, event->probe);
        return false;
    case SIGN_ALIVE:
        breaker_reset(b);
        return true;
    case SIGN_SICK:
        break;
    }
    if (b->mark.probes < UINT16_MAX)
        b->mark.probes++;
    open_it(b, policy, event);
    return true;
}

bool breaker_awaits(const struct breaker *b, uint32_t probe)
{
    return b->state == BREAKER_HALF_OPEN && probe == b->probe;
}

bool breaker_observe(struct breaker *b, const struct breaker_policy *policy,
                     const struct breaker_event *event)
{
    enum breaker_sign sign = breaker_sign(event->result);
    if (never_opens(policy))
        return false;
    if (breaker_awaits(b, event->probe))
        return probe_ended(b, policy, event, sign);
    if (b->state != BREAKER_CLOSED || sign == SIGN_NONE)
        return false;
    count(b, sign == SIGN_SICK, event->now);
    if (sign != SIGN_SICK || !is_sick(b, policy))
        return false;
    open_it(b, policy, event);
    return true;
}

/* ---------------------------------------------------------------- its beginning */

bool breaker_lets(const struct breaker *b, struct wall now)
{
    return b->state == BREAKER_CLOSED ||
           (b->state == BREAKER_OPEN && b->mark.probe_at.us <= now.us);
}

struct wall breaker_wake_at(const struct breaker *b)
{
    return b->state == BREAKER_HALF_OPEN ? WALL_NEVER : b->mark.probe_at;
}

uint32_t breaker_begin(struct breaker *b)
{
    if (b->state != BREAKER_OPEN)
        return 0;
    b->state = BREAKER_HALF_OPEN;
    if (++b->probe == 0)
        b->probe = 1;
    return b->probe;
}

void breaker_lost(struct breaker *b, uint32_t probe)
{
    if (breaker_awaits(b, probe))
        b->state = BREAKER_OPEN;
}

void breaker_restore(struct breaker *b, const struct breaker_policy *policy,
                     const struct breaker_mark *mark, struct wall now)
{
    breaker_reset(b);
    if (never_opens(policy) || !mark->opened_at.us)
        return;
    int64_t longest = RETRY_AFTER_MAX_S * US_PER_S;
    for (unsigned i = 0; i < policy->waits.count; i++)
        if (policy->waits.us[i] > longest)
            longest = policy->waits.us[i];
    b->state = BREAKER_OPEN;
    b->mark = *mark;
    if (b->mark.probe_at.us > wall_add(now, longest).us)
        b->mark.probe_at = wall_add(now, longest);
}
