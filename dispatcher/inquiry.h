/* What keeps one delivery from being sent, asked of the thread that owns its lane. A look and
 * nothing else: no lane is made, woken or moved by it.
 *
 * An inquiry has two owners, the asker and the thread that is asked; the last one to let go frees
 * it. After inquiry_end `answered` is not called any more. */
#ifndef DISPATCHER_INQUIRY_H
#define DISPATCHER_INQUIRY_H

#include "dispatcher/dispatcher.h"

enum live_kind {
    LIVE_UNKNOWN, /* nobody has answered */
    LIVE_TURN,    /* nothing is in its way but what goes before it */
    LIVE_FLYING,  /* an attempt is under way */
    LIVE_ENDING,  /* its attempt has ended, the outcome is being stored */
    LIVE_ASLEEP,  /* nothing is sent to the endpoint: disabled, deleted or paused */
    LIVE_BREAKER, /* the endpoint's breaker lets nothing through */
    LIVE_REST,    /* the endpoint asked to be left alone, or we are short of something, or our proxy
                     failed */
    LIVE_RATE,    /* its rate, or its application's */
    LIVE_LIMIT,   /* as many attempts are under way as the endpoint gets at once */
};

struct live {
    enum live_kind kind;
    struct wall until; /* of LIVE_BREAKER, LIVE_REST and LIVE_RATE; {0}: not known */
};

struct inquiry;

/* About this delivery. `answered` is called by the thread that was asked, must not block, and may
 * be called before dispatcher_inquire returns. NULL when out of memory. */
struct inquiry *inquiry_new(const struct id *message, uint32_t endpoint,
                            void (*answered)(void *context), void *context) MUST_CHECK;
/* Once an inquiry, any thread. After dispatcher_stop nobody answers. */
void dispatcher_inquire(struct dispatcher *d, struct inquiry *q);
/* The asker lets go, whether it was asked or not. Nulls the pointer. */
struct live inquiry_end(struct inquiry **q);

/* ---- the side of the thread that is asked ---- */

struct claim;
struct lane;
struct inbox_item;

/* What the lane (NULL: it knows nothing of the endpoint) and the claim (NULL: not in memory) say. */
struct live inquiry_look(const struct lane *lane, const struct claim *c, struct wall now);
struct inbox_item *inquiry_mail(struct inquiry *q);
struct inquiry *inquiry_of_mail(struct inbox_item *item);
uint32_t inquiry_endpoint(const struct inquiry *q);
const struct id *inquiry_message(const struct inquiry *q);
/* Answers, unless the asker has left, and lets go. */
void inquiry_answer(struct inquiry *q, struct live live);

#endif
