/* The deliveries that one dispatcher thread has in memory, by (endpoint, message): ready, in
 * flight, or sent with their outcome not yet durable. None is in the set twice, so that none is
 * sent twice at the same time.
 *
 * The dispatcher thread owns the set and every claim; a mutex guards the lookup table alone,
 * because held_has answers other threads. */
#ifndef DISPATCHER_HELD_H
#define DISPATCHER_HELD_H

#include "store/model.h"

struct lane;

/* Legal transitions:
 *
 *   READY -> IN_FLIGHT     its turn came
 *   IN_FLIGHT -> SETTLING  the attempt ended, the outcome is with the store
 *
 * held_release ends any of them; before SETTLING it means that the delivery stays due on disk. */
enum claim_state {
    CLAIM_READY,     /* in its lane's ready list */
    CLAIM_IN_FLIGHT, /* an attempt is under way */
    CLAIM_SETTLING,  /* its outcome waits for the commit */
};

/* A delivery in memory. */
struct claim {
    struct claim_key {
        uint32_t endpoint;
        struct id message;
    } key;
    enum claim_state state;
    enum attempt_trigger trigger;
    uint16_t tries;  /* scheduled attempts made before this one */
    uint32_t probe;  /* the number of its breaker's probe that it is; 0: none */
    struct wall due; /* under which it stands on disk */
    /* The earliest other row of the same delivery that a page met meanwhile; WALL_NEVER: none. It
     * must be looked for again when this claim ends. */
    struct wall again;
    struct message *message; /* a reference; NULL: still on disk alone */
    int64_t hot_bytes;       /* what it took of the budget for hot messages */
    struct lane *lane;
    struct claim *next; /* in the ready list, or among the unused */
};

void claim_set_state(struct claim *c, enum claim_state to);

struct held;

/* NULL when out of memory. */
struct held *held_new(void);
/* Releases what is left. Nulls the pointer. */
void held_free(struct held **h);

/* Adds a claim in state READY, without message and lane. ERR_CONFLICT: it is held already. */
enum err held_add(struct held *h, uint32_t endpoint, const struct id *message,
                  struct claim **out) MUST_CHECK;
struct claim *held_find(struct held *h, uint32_t endpoint, const struct id *message);
/* Drops the message's reference; the claim is gone. */
void held_release(struct held *h, struct claim *c);
size_t held_count(struct held *h);

/* Any thread. */
bool held_has(struct held *h, uint32_t endpoint, const struct id *message);

#endif
