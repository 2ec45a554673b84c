/* Stored, an event takes its payload, its rows and copies of the pages on the way to them; twice
 * what the client sent covers it. */
#include "store/room.h"

#define FULL_PERCENT 90   /* ingest ends */
#define ACCEPT_PERCENT 95 /* no single commit may take ingest further */
#define LOOK_PERCENT 80
#define COMMITS 64 /* between two measures, far from the limit */
#define STORED 2   /* bytes on disk for each that was sent */

static uint64_t percent(const struct room *r, unsigned n)
{
    return r->size / 100 * n;
}

struct room room_of(uint64_t size)
{
    return (struct room){.size = size, .commits = COMMITS};
}

uint64_t room_look(const struct room *r)
{
    return percent(r, LOOK_PERCENT);
}

bool room_due(const struct room *r)
{
    return r->commits >= COMMITS || r->used + STORED * r->taken > percent(r, FULL_PERCENT);
}

void room_doubt(struct room *r)
{
    r->commits = COMMITS;
}

void room_measured(struct room *r, uint64_t used)
{
    r->used = used;
    r->taken = 0;
    r->commits = 0;
}

bool room_full(const struct room *r)
{
    return r->used > percent(r, FULL_PERCENT);
}

bool room_fits(const struct room *r, uint64_t bytes)
{
    return r->used + STORED * (r->taken + bytes) <= percent(r, ACCEPT_PERCENT);
}
