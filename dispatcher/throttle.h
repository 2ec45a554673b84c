/* The rates of applications, each shared by the lanes of its endpoints on all dispatcher threads.
 *
 * A lane that has something to send reserves the next moment that is free and sleeps until then: so
 * endpoints that compete go in the order in which they asked, each with one reservation at a time,
 * and however many they are, a token wakes one lane. A reservation that its lane could not use
 * within the slack (its endpoint was told to rest, or was disabled) is lost, so that those kept
 * back for long never add up to a burst. */
#ifndef DISPATCHER_THROTTLE_H
#define DISPATCHER_THROTTLE_H

#include "base/map.h"
#include "base/rate.h"

#include <pthread.h>
#include <stdatomic.h>

/* How late a lane may come for its token: longer than a busy thread takes to come round, and short
 * enough to be smooth below the second. */
#define THROTTLE_SLACK_US (100 * US_PER_MS)

struct throttle;

/* All of a dispatcher. */
struct throttles {
    pthread_mutex_t lock;
    struct map *by_app; /* under it, like the counts of references */
};

/* A moment reserved. Zeroed: none. */
struct reservation {
    bool held;
    int64_t token_ns;
    uint64_t version; /* of the rate under which it was made */
};

/* False when out of memory; throttles_clear in either case. */
bool throttles_init(struct throttles *all) MUST_CHECK;
/* Every throttle must have been released. */
void throttles_clear(struct throttles *all);

/* A reference to the application's throttle, made when nobody has one; NULL when out of memory. Of
 * two versions of an application the newer one's rate (1 … RATE_MAX) counts; it ends the
 * reservations made under the older. Any thread. */
struct throttle *throttle_get(struct throttles *all, uint32_t app, int64_t per_second,
                              uint64_t version, struct mono now) MUST_CHECK;
/* No effect on NULL. Nulls the pointer. Any thread. */
void throttle_release(struct throttle **t);

/* Microseconds until the reserved moment; 0: it has come. Reserves one unless `r` holds one that is
 * still good. Any thread; `r` is the caller's. */
int64_t throttle_wait_us(struct throttle *t, struct reservation *r, struct mono now);

#endif
