/* Whose turn it is among the lanes of one dispatcher thread: first among the applications, then
 * among the endpoints of the one whose turn it is (both as in dispatcher/turn.h). So an application
 * has the same share however many endpoints it has, and ten thousand of them cost its neighbour's
 * only one nothing.
 *
 * There are three pools, for what a turn needs is of three kinds. Whoever needs a slot of the slow
 * ones waits for it in a round of its own, and so does who is doubtful (dispatcher/trust.h) for the
 * pace: there it keeps its turn and keeps nobody else waiting.
 *
 * Owned by one thread. An application costs it ROUND_TENANT_BYTES at most, from the first look at
 * one of its endpoints until the last of their lanes is gone. */
#ifndef DISPATCHER_ROUND_H
#define DISPATCHER_ROUND_H

#include "base/map.h"
#include "dispatcher/turn.h"

/* Bytes a round of an application: less than an endpoint's, because whoever has one endpoint and
 * few attempts at once joins the round anew with each of them. */
#define ROUND_ALLOWANCE (4 * 1024)
#define ROUND_TENANT_BYTES 256

enum round_pool { ROUND_QUICK, ROUND_SLOW, ROUND_DOUBTFUL, ROUND_POOLS };

struct tenant;

/* A lane's place. Embed it. Zeroed: outside, of an application that is not known. */
struct round_member {
    struct turn_member turn; /* among those of its application */
    struct tenant *tenant;   /* a reference; NULL: not known */
    enum round_pool pool;    /* while it is in */
};

struct round {
    struct turn tenants[ROUND_POOLS];
    int64_t endpoint_allowance; /* of a tenant's members */
    struct map *by_app;
    struct tenant *unknown; /* stands for the applications that are not known */
};

/* False when out of memory; round_clear in either case. */
bool round_init(struct round *r) __attribute__((warn_unused_result));
/* Every member must have left. */
void round_clear(struct round *r);

/* The application of the member is this one from now on; no effect when it is known already, nor
 * when memory is short: then it stays among the unknown until the next call. True: it was moved,
 * and is out. */
bool round_join(struct round *r, struct round_member *m, uint32_t app);
/* It is out, and its application is not known any more. */
void round_leave(struct round *r, struct round_member *m);

/* At the end of the pool; no effect when it is in there. From the other one it is moved. */
void round_add(struct round *r, struct round_member *m, enum round_pool pool);
/* No effect when it is out. */
void round_remove(struct round *r, struct round_member *m);
/* Whose turn it is, still inside; NULL when the pool is empty. */
struct round_member *round_next(struct round *r, enum round_pool pool);
bool round_is_empty(const struct round *r, enum round_pool pool);
/* The member, which is in, sent a body of this size, or did what costs as much as a request. */
void round_charge(struct round *r, struct round_member *m, uint64_t body_bytes);

#endif
