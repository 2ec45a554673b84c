/* One attempt, from its start to the moment its outcome is durable. Owned by one dispatcher thread;
 * while the store has the outcome, the store owns that part.
 *
 * A flight takes a slot of the attempts in flight when it is opened, which is right before it is
 * sent, refused or canceled, and gives it back when its transfer ends; its claim stays held until
 * the outcome is durable. Slots held for longer than FLIGHT_SLOW_US count against a second, smaller
 * budget, and an endpoint that is known to be slow needs a slot of that one to start: slow
 * endpoints together cannot take more than it. Of both every thread has some of its own, so that
 * none has to wait for one that the others pass on among themselves. */
#ifndef DISPATCHER_FLIGHT_H
#define DISPATCHER_FLIGHT_H

#include "base/rand.h"
#include "dispatcher/lane.h"
#include "dispatcher/shared.h"
#include "dispatcher/bearer.h"

#define FLIGHT_SLOW_US US_PER_S
/* Outcomes of one thread that may wait for their commit before it starts nothing new; each keeps
 * up to 16 KiB of response. */
#define FLIGHT_SETTLING_MAX 1024

struct flight {
    struct mail mail;
    struct outcome_op outcome;
    struct flights *all;
    struct claim *claim;
    struct destination *destination; /* the attempt's url is in it; NULL: none was loaded */
    struct transfer *transfer;       /* NULL before the start and after the end, and … */
    struct bearer_wait wait;         /* … while it waits for its access token, … */
    int64_t waited_us;               /* … which took so long */
    struct buf response;
    struct mono started;
    bool slow;                /* has a slot of the slow budget */
    bool aged;                /* in `old` instead of `young` */
    bool cut;                 /* its answer was cut off */
    TAILQ_ENTRY(flight) link; /* young, old or unused */
};
TAILQ_HEAD(flight_list, flight);

/* All of a thread's. */
struct flights {
    struct shared *shared;
    struct inbox *inbox; /* where MAIL_SETTLED arrives */
    struct held *held;
    struct transfers *transfers;
    struct bearers *bearers;
    /* The lane's counts, limits or times changed. */
    void (*moved)(void *context, struct lane *lane);
    void *context;

    struct rng rng;                /* jitter */
    struct flight_list young, old; /* under way, in the order of their start */
    struct flight_list unused;
    unsigned unused_count, in_flight, settling;
    unsigned slow; /* of those in flight, with a slow slot */
};

void flights_init(struct flights *fs);
/* Nothing may be in flight or settling. */
void flights_clear(struct flights *fs);

enum flight_answer {
    FLIGHT_OPEN,
    FLIGHT_NO_SLOT,      /* nobody of this thread may start now */
    FLIGHT_NO_SLOW_SLOT, /* this lane may not */
};
/* Whether an attempt of this lane needs a slow slot: its last one did, or one that is under way. */
static inline bool flight_is_slow(const struct lane *lane)
{
    return lane->slow || lane->slow_in_flight > 0;
}
/* Reserves what an attempt of this lane needs. */
enum flight_answer flight_open(struct flights *fs, const struct lane *lane, struct flight **out);

/* Sends the claim, just popped from its lane, with its message. A request that cannot be built ends
 * at once as ATTEMPT_INTERNAL. */
void flight_send(struct flight *f, struct claim *c, struct destination *destination,
                 struct wall now);
/* Writes an outcome without sending. REASON_NONE: an attempt that failed for a reason of ours, to
 * be retried by the schedule; otherwise the delivery is dead. A manual attempt just ends. */
void flight_refuse(struct flight *f, struct claim *c, enum delivery_reason reason, struct wall now);

/* Not now: gives the slots back, and the popped claim stays due. */
void flight_cancel(struct flight *f, struct claim *c);

/* The callback of transfers_new: the flight is its owner. */
void flight_ended(void *owner, struct transfer *t);
/* MAIL_SETTLED arrived. */
void flight_settled(struct flight *f, struct wall now);

/* Moves what holds its slot for long into the slow budget. */
void flights_age(struct flights *fs, struct mono now);
/* Aborts what is under way, without outcomes: it stays due. */
void flights_abort(struct flights *fs);

#endif
