/* The queue of one endpoint: which of its deliveries are in memory, which are still on disk, and
 * what may be sent now. Owned by one dispatcher thread. It does no I/O: the caller feeds it
 * hand-offs, pages of due rows and the ends of attempts, so that the protocol below can be tested
 * against a model.
 *
 * The truth is the due index on disk; a lane only knows a part of it. Invariants:
 *
 *   I1  Every due row that was committed in a transaction the lane has heard of is held, or its due
 *       time is not before `next_due`, or it is the `again` of a held claim.
 *   I2  A delivery is held from the moment it enters the ready list until its outcome is durable.
 *   I3  A row is taken from a page only when it is not held; a hand-off only when it is newer than
 *       the last page (`page_txn`), which has seen every older one.
 *
 * I1 loses nothing; I2 and I3 send nothing twice. A lane is *hot* while next_due lies in the
 * future: then all that is due is in memory and a hand-off, which is due now, may join at the end.
 * It is *cold* when next_due has come: hand-offs stay on disk (I1 holds, they are not before
 * next_due) and a page is read once the ready list has room. Each event keeps the invariants like
 * this:
 *
 *   hand-off, hot, room        taken; held; its message, too, unless it must wait for a token
 *                              or for the pace of those who are doubtful
 *   hand-off, hot, no room     (in the list or for its bytes) dropped; next_due falls to its due
 *                              time: the lane turns cold
 *   hand-off, cold             dropped
 *   hand-off, behind           taken as a fresh one (below), whether hot or cold
 *   hand-off, not newer than the last page   dropped: the page had it, or next_due covers it
 *   page                       rows that are not held are taken until the list is full; next_due
 *                              becomes the first row not taken, or the first behind the page. A
 *                              row that is held under another due time or trigger (a resend of a
 *                              delivery in flight) becomes the claim's `again`
 *   something became due       next_due falls to it, unless the last page saw it
 *   outcome durable            released; next_due falls to the retry and to `again`
 *   released without outcome   next_due falls to the claim's own due time and to `again`
 *   endpoint changed           the ready list is released without outcome (of what the change has
 *                              ended a page shows nothing); the lane wakes
 *   disabled, or paused        the ready list is released without outcome; the lane sleeps until
 *                              the endpoint changes or something becomes due
 *   breaker opened             the ready list is released without outcome; while it is open
 *                              hand-offs stay on disk, and a page is read for the probe alone
 *
 * Fresh ones. When a lane is behind (its oldest delivery has been due for LANE_BEHIND_US) what is
 * new would wait for all of its backlog. So of its attempts a share, `fresh_share`, goes to a
 * second list, of hand-offs that came while it was behind, hot or cold. That keeps the invariants,
 * because none of them speaks of an order: such a delivery is held (I1, I2), so that the page in
 * which its row comes passes over it; and like any hand-off it is newer than the last page (I3).
 * What finds the list full goes the way of the table above. The list keeps no bodies and is short:
 * what stands in it waits for a moment, and what does not is no longer fresh. An ordered endpoint
 * has no share.
 *
 * They rest on two promises of the store: a snapshot shows every transaction that was heard of
 * before it began, and a thread hears of transactions in order. */
#ifndef DISPATCHER_LANE_H
#define DISPATCHER_LANE_H

#include "base/heap.h"
#include "dispatcher/breaker.h"
#include "dispatcher/budget.h"
#include "dispatcher/held.h"
#include "dispatcher/limit.h"
#include "dispatcher/round.h"
#include "dispatcher/throttle.h"
#include "dispatcher/trust.h"
#include "store/store.h"

/* Outcomes of one endpoint that may wait for their commit before it has to pause: with a slow disk
 * the memory for them must not grow. */
#define LANE_SETTLING_MAX 256
/* A page is read when the ready list has fallen to this. */
#define LANE_LOW (READY_MAX / 2)
/* Of the budget for hot bodies: an endpoint that is behind with large ones leaves the rest to the
 * others, whose deliveries would go through the disk otherwise. */
#define LANE_HOT_BYTES_MAX (HOT_BYTES_MAX / 12)
/* Fresh deliveries that wait in memory. */
#define LANE_FRESH_MAX 16
/* How late its oldest delivery makes a lane one that is behind: longer than a burst that a healthy
 * endpoint takes in its stride, which should arrive in order. */
#define LANE_BEHIND_US (5 * US_PER_S)

struct destination;

struct lane {
    uint32_t number;
    struct id endpoint;   /* its public id, once loaded */
    bool asleep;          /* disabled or deleted: nothing is read or sent */
    bool changed;         /* the configuration must be looked at again */
    bool gone;            /* deleted, as of the last look */
    bool slow;            /* its last attempt held a slot for long */
    enum trust trust;     /* by how its attempts ended */
    struct wall next_due; /* see I1 */
    uint64_t page_txn;    /* of the last page */
    struct wall rest_until;
    struct claim_list {
        struct claim *first, *last;
    } backlog, fresh;            /* the ready list, oldest first, and that of fresh ones */
    unsigned ready, fresh_ready; /* in both, and in the second */
    unsigned fresh_share;        /* percent of its attempts; 0: nothing is taken as fresh */
    unsigned fresh_credit;       /* in percent of an attempt; 100: the next one is fresh */
    unsigned in_flight, settling, slow_in_flight;
    int64_t hot_bytes; /* of its claims */
    struct limit limit;

    bool sized_up;     /* its health is that of the disk, or newer */
    uint64_t version;  /* of the endpoint to which it belongs; 0: not known */
    uint32_t failures; /* attempts that failed since the last success */
    struct breaker breaker;
    bool breaker_counted; /* the owner's: it is among those that are not closed */

    bool rated;                     /* the rates are those of its configuration */
    struct rate rate;               /* the endpoint's */
    struct throttle *throttle;      /* the application's, a reference; NULL: it has none */
    struct reservation reservation; /* in it */
    struct wall token_at;           /* nothing is sent before: the next token comes then */

    /* The owner's: its place in the round, among the deadlines, and in the list of lanes that have
     * something due. */
    struct round_member place;
    struct heap_item wake;
    TAILQ_ENTRY(lane) overdue_link;
    bool overdue;
    struct destination *destination; /* loaded configuration; NULL: must be loaded */
};

/* Nothing of the endpoint is known but that its first row is due at `first_due` (WALL_NEVER: none)
 * in the snapshot `txn`; {0} and 0 when not even that. NULL when out of memory. */
struct lane *lane_new(uint32_t number, unsigned max_in_flight, struct wall first_due, uint64_t txn);
/* Nothing of it may be held. Nulls the pointer. */
void lane_free(struct lane **lane);

/* Takes the hand-off into the ready list and true, or leaves it on disk and false. Consumes it
 * either way. `now` must have been read after the hand-off arrived. */
bool lane_handoff(struct lane *lane, struct held *held, struct budget *hot_bytes,
                  struct handoff *handoff, struct wall now);
/* The listener's `due`. Wakes a sleeping lane: something is wanted of it, so it looks again. */
void lane_due(struct lane *lane, struct wall due, uint64_t txn);
/* The listener's `endpoint`: wakes the lane and ends its rest, which the old configuration earned.
 * The caller clears `changed` when it has looked. */
void lane_changed(struct lane *lane);

/* Whether a page should be read now; if so, how many rows to ask for so that it makes progress
 * whatever is held. */
bool lane_wants_page(const struct lane *lane, struct wall now);
unsigned lane_page_rows(const struct lane *lane);
/* The rows of store_due_page (from {0} to `now`) in a snapshot that shows `txn`. */
void lane_page(struct lane *lane, struct held *held, const struct due_row *rows, unsigned count,
               struct wall next_due, uint64_t txn, struct wall now);

/* Its rates as configured: `per_second` is the endpoint's (0: none); `throttle` (NULL: none) is the
 * application's, whose reference the lane takes over. */
void lane_set_rates(struct lane *lane, int64_t per_second, struct throttle *throttle,
                    struct mono mono);
/* Whether its rates let it send now; otherwise it sends nothing before its next token, and sleeps
 * when it has nothing else to do. To be asked last: it may reserve a moment of its application's
 * rate, which is lost when it cannot be used. */
bool lane_has_token(struct lane *lane, struct wall now, struct mono mono);
/* An attempt of any kind begins: it takes the tokens that lane_has_token found. */
void lane_take_token(struct lane *lane, struct mono mono);

/* Whether its limits and its rest let it send or read now. */
bool lane_has_room(const struct lane *lane, struct wall now);
/* Whether it has something to look at, read or send, and may. */
bool lane_can_go(const struct lane *lane, struct wall now);
/* How many of its deliveries are in memory. */
unsigned lane_held(const struct lane *lane);
/* When lane_can_go may become true by time alone; WALL_NEVER: not before something happens. */
struct wall lane_wake_at(const struct lane *lane);
/* The oldest due time among what is not in flight; WALL_NEVER: nothing is due. What waits for a
 * breaker is not late: it is the subscriber who is. */
struct wall lane_oldest_due(const struct lane *lane, struct wall now);
/* What is kept of its health, and the endpoint's version beside it (0: not read). With a version
 * that the lane knows it is ignored: what the lane has seen is newer. With another one a breaker
 * that is not kept as open is closed: the change has cured it, or so it is hoped. */
void lane_set_health(struct lane *lane, const struct endpoint_health *health, uint64_t version,
                     const struct breaker_policy *policy, struct wall now);
/* What the end of an attempt, made with the version of the endpoint that *op has, says of its
 * health: the health and breaker of *op, and the version for which they hold. Nothing when that is
 * not the endpoint as it is now; but the probe that the breaker waits for counts for as long as the
 * changes have not closed it, or each of them would earn another probe at once. True: the breaker
 * opened, and nothing should be held ready. */
bool lane_judge(struct lane *lane, struct claim *c, const struct breaker_policy *policy,
                struct breaker_event *event, struct outcome_op *op);
/* Its ready list goes back to the disk. */
void lane_unready(struct lane *lane, struct held *held, struct budget *hot_bytes);
/* Not before `until`. Only ever later. */
void lane_rest(struct lane *lane, struct wall until);
/* The wall clock was set: its rest and its wait for a token stay as long as they were. */
void lane_clock_moved(struct lane *lane, int64_t by_us);

/* The next ready claim, the oldest or a fresh one, leaves its list; NULL when there is none. The
 * caller moves it on: */
struct claim *lane_pop(struct lane *lane);
/* READY -> IN_FLIGHT. */
void lane_start(struct lane *lane, struct claim *c);
/* IN_FLIGHT -> SETTLING. Gives the message back. */
void lane_settle(struct lane *lane, struct claim *c, struct budget *hot_bytes);
/* The outcome is durable; `retry_at` is WALL_NEVER when there is no retry. */
void lane_settled(struct lane *lane, struct held *held, struct claim *c, struct wall retry_at);
/* From any state, without an outcome: it stays due. A READY claim must have been popped. */
void lane_abandon(struct lane *lane, struct held *held, struct claim *c, struct budget *hot_bytes);
/* Disabled, deleted or paused: abandons the ready list and sleeps. What waits on disk, manual
 * attempts included, the store ends by itself (a task of the disabling or the deletion), or it
 * waits until the endpoint is resumed. */
void lane_sleep(struct lane *lane, struct held *held, struct budget *hot_bytes);

#endif
