/* Fair turns: surplus round robin, the form of deficit round robin (Shreedhar and Varghese, 1995)
 * that need not know the cost of the next item. A member goes while its balance is above zero, pays
 * afterwards, and gets a fixed allowance each time round; so over time each gets the same share of
 * bytes, whatever the size of its messages or the length of its queue. A turn costs O(1), but for
 * one step more for each allowance of bytes that were sent. Owned by one thread. */
#ifndef DISPATCHER_TURN_H
#define DISPATCHER_TURN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* Bytes a round: a few messages, so that taking turns costs little and nobody waits long. */
#define TURN_ALLOWANCE (16 * 1024)
/* What a request costs besides its body. */
#define TURN_OVERHEAD 512

/* Embed it. Zeroed: outside. */
struct turn_member {
    TAILQ_ENTRY(turn_member) link;
    int64_t balance;
    bool in;
};

struct turn {
    TAILQ_HEAD(turn_ring, turn_member) ring;
    int64_t allowance;
};

void turn_init(struct turn *t, int64_t allowance);
/* At the end of the ring; no effect when it is in. */
void turn_add(struct turn *t, struct turn_member *m);
/* No effect when it is out. Debt is remembered, credit is not: idling earns nothing. */
void turn_remove(struct turn *t, struct turn_member *m);
/* Whose turn it is, still inside; NULL when empty. */
struct turn_member *turn_next(struct turn *t);
bool turn_is_empty(const struct turn *t);
/* The member sent a body of this size. */
void turn_charge(struct turn_member *m, uint64_t body_bytes);

#endif
