/* How much of the map ingest may take: what is left belongs to the outcomes of what was accepted.
 * Pure; private to store/, owned by the writer's thread.
 *
 * The pages in use are measured now and then, because that walks the free list. In between, what
 * was accepted is counted, and near the limit every commit is measured: a small map would otherwise
 * be full before the next look. */
#ifndef STORE_ROOM_H
#define STORE_ROOM_H

#include <stdbool.h>
#include <stdint.h>

struct room {
    uint64_t size;    /* of the map; what follows is in bytes, too */
    uint64_t used;    /* when it was measured */
    uint64_t taken;   /* accepted since then, as the client counts it */
    unsigned commits; /* since then */
};

/* To be measured before it is asked. */
struct room room_of(uint64_t size);
/* Below, the free list is not worth a walk. */
uint64_t room_look(const struct room *r);
/* Time to measure: after every so many commits, or when what was taken may have reached the limit. */
bool room_due(const struct room *r);
/* The measure may be old: the next commit is measured. */
void room_doubt(struct room *r);
void room_measured(struct room *r, uint64_t used);
/* Above the limit for all ingest. */
bool room_full(const struct room *r);
/* Whether an ingest of so many bytes leaves the outcomes theirs. */
bool room_fits(const struct room *r, uint64_t bytes);

#endif
