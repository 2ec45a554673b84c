/* What the dispatcher's threads have in common. Everything but the atomics is fixed before they
 * start. */
#ifndef DISPATCHER_SHARED_H
#define DISPATCHER_SHARED_H

#include "dispatcher/budget.h"
#include "dispatcher/dispatcher.h"
#include "dispatcher/outbound.h"
#include "dispatcher/throttle.h"

struct shared {
    struct dispatcher_settings settings;
    struct retry_policy retry; /* as the settings say */
    struct outbound outbound;
    struct store *store;
    unsigned reserved;       /* attempts that each thread may have in flight whatever others do */
    struct budget in_flight; /* attempts beyond those */
    unsigned slow_reserved; /* of all, the ones that hold their slot for long: of each thread … */
    struct budget slow;     /* … and beyond those */
    struct budget hot_bytes; /* of messages handed over in memory */
    struct throttles throttles;
    struct dispatcher_stats stats;
    atomic_bool broken; /* the store takes nothing any more: send nothing either */
};

/* The kinds of items in a dispatcher thread's inbox. Every item begins like this. */
enum mail_kind {
    MAIL_HANDOFF, /* struct handoff, whose tag it is */
    MAIL_DUE,     /* something became due on disk */
    MAIL_CHANGED, /* the endpoint's configuration changed */
    MAIL_SETTLED, /* struct flight: its outcome is durable, or refused */
    MAIL_INQUIRY, /* struct inquiry */
};
struct mail {
    struct inbox_item item;
    int kind; /* enum mail_kind */
};
static_assert(offsetof(struct mail, kind) == offsetof(struct handoff, tag),
              "a hand-off is mail by its tag");

#endif
