/* Why by mail: lanes belong to their threads, and what they know may not be read from another. The
 * asker waits elsewhere (its request is suspended), so that no thread waits for another.
 *
 * Invariant: `answered` is called under the lock and never after the asker has let go, so that what
 * it wakes is still there. */
#include "dispatcher/inquiry.h"

#include "dispatcher/lane.h"
#include "dispatcher/shared.h"

#include <assert.h>
#include <pthread.h>

struct inquiry {
    struct mail mail;
    struct id message;
    uint32_t endpoint;
    void (*answered)(void *context);
    void *context;

    pthread_mutex_t lock; /* of what follows */
    bool asked, left;     /* by whom it is still held: the thread that was asked, not the asker */
    struct live live;
};

struct inquiry *inquiry_new(const struct id *message, uint32_t endpoint,
                            void (*answered)(void *context), void *context)
{
    struct inquiry *q = calloc(1, sizeof *q);
    if (!q)
        return NULL;
    q->mail.kind = MAIL_INQUIRY;
    q->message = *message;
    q->endpoint = endpoint;
    q->answered = answered;
    q->context = context;
    pthread_mutex_init(&q->lock, NULL);
    return q;
}

/* Unlocks, and frees what nobody holds any more. */
static void let_go(struct inquiry *q)
{
    bool last = q->left && !q->asked;
    pthread_mutex_unlock(&q->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&q->lock);
    free(q);
}

struct live inquiry_end(struct inquiry **q)
{
    struct inquiry *self = *q;
    *q = NULL;
    pthread_mutex_lock(&self->lock);
    struct live live = self->live;
    self->left = true;
    let_go(self);
    return live;
}

/* ---------------------------------------------------------------- the side that is asked */

struct inbox_item *inquiry_mail(struct inquiry *q)
{
    pthread_mutex_lock(&q->lock);
    assert(!q->asked);
    q->asked = true;
    pthread_mutex_unlock(&q->lock);
    return &q->mail.item;
}

struct inquiry *inquiry_of_mail(struct inbox_item *item)
{
    assert(((struct mail *)item)->kind == MAIL_INQUIRY);
    return (struct inquiry *)item;
}

uint32_t inquiry_endpoint(const struct inquiry *q)
{
    return q->endpoint;
}

const struct id *inquiry_message(const struct inquiry *q)
{
    return &q->message;
}

void inquiry_answer(struct inquiry *q, struct live live)
{
    pthread_mutex_lock(&q->lock);
    assert(q->asked);
    q->asked = false;
    q->live = live;
    if (!q->left)
        q->answered(q->context);
    let_go(q);
}

/* ---------------------------------------------------------------- what is seen */

static struct live live_until(enum live_kind kind, struct wall until)
{
    const bool known = until.us != WALL_NEVER.us;
    return (struct live){.kind = kind, .until.us = known ? until.us : 0};
}

struct live inquiry_look(const struct lane *lane, const struct claim *c, struct wall now)
{
    const struct wall none = {0};
    if (c && c->state == CLAIM_IN_FLIGHT)
        return live_until(LIVE_FLYING, none);
    if (c && c->state == CLAIM_SETTLING)
        return live_until(LIVE_ENDING, none);
    if (!lane)
        return live_until(LIVE_TURN, none);
    if (lane->asleep)
        return live_until(LIVE_ASLEEP, none);
    if (!breaker_lets(&lane->breaker, now))
        return live_until(LIVE_BREAKER, breaker_wake_at(&lane->breaker));
    if (lane->rest_until.us > now.us)
        return live_until(LIVE_REST, lane->rest_until);
    if (lane->in_flight >= limit_allowed(&lane->limit))
        return live_until(LIVE_LIMIT, none);
    if (lane->token_at.us > now.us)
        return live_until(LIVE_RATE, lane->token_at);
    return live_until(LIVE_TURN, none);
}
