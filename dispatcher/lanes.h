/* The lanes of one dispatcher thread: the table of its endpoints, their turns, their deadlines, and
 * the step that lets one lane look at its endpoint, read a page and send one delivery.
 *
 * Attempts at endpoints that are doubtful begin at LANES_DOUBTFUL_PER_S at most, all of a thread's
 * together: at 0.2 ms of processor time each that is a fiftieth of a thread. It holds when the
 * thread has nothing else to do, too, for the processor has: the writer and the API are not seen
 * from here. What it costs them: where N of a thread's are doubtful and want to send, each goes
 * N / LANES_DOUBTFUL_PER_S seconds after its last attempt, and one that has come back waits for
 * one turn. */
#ifndef DISPATCHER_LANES_H
#define DISPATCHER_LANES_H

#include "base/map.h"
#include "dispatcher/flight.h"

#define LANES_DOUBTFUL_PER_S 100

struct lanes {
    struct shared *shared;
    unsigned index, count; /* endpoints with number % count == index are ours */
    struct held *held;
    struct transfers *transfers;
    struct flights *flights;

    struct destinations destinations;
    struct map *table;          /* by endpoint number */
    struct heap wakes;          /* lanes that wait for a moment */
    struct round round;         /* lanes that can go */
    struct rate doubtful;       /* of the attempts from that pool */
    TAILQ_HEAD(, lane) overdue; /* lanes with something due that is not in flight */
    struct due_row *rows;       /* of the page being read */
    unsigned rows_max;

    struct wall now;         /* of this turn, set by the owner */
    struct mono mono;        /* likewise */
    struct store_read *read; /* of this turn; NULL: none yet */
    bool starved;            /* the round stopped for want of a slot, … */
    bool slow_starved;       /* … or that of the slow ones alone */
    enum round_pool last;    /* whose turn it was */
};

/* The fields above `destinations` are set by the caller. False when out of memory; lanes_clear in
 * either case. */
bool lanes_init(struct lanes *l) MUST_CHECK;
/* Abandons what is ready; nothing may be in flight. */
void lanes_clear(struct lanes *l);

/* Looks at every endpoint on disk: a lane for each new one with its first due time; those that are
 * known look at their configuration and their queue again. */
enum err lanes_scan(struct lanes *l) MUST_CHECK;

/* Makes a lane that knows nothing, and so reads a page first, when there is none; NULL when out of
 * memory. */
struct lane *lanes_get(struct lanes *l, uint32_t number);
/* The endpoint changed. */
void lanes_changed(struct lanes *l, struct lane *lane);
/* Something happened to the lane: puts it where it belongs. */
void lanes_place(struct lanes *l, struct lane *lane);
/* Frees the lane of a deleted endpoint once nothing of it is held. Only where no caller up the
 * stack uses it any more. */
void lanes_reap(struct lanes *l, struct lane *lane);

/* The wall clock was set by so much, and `now` is the new time. */
void lanes_clock_moved(struct lanes *l, int64_t by_us);

/* One turn: wakes those whose moment has come and lets lanes go in fair turns. */
void lanes_go(struct lanes *l);
/* Ends the turn's snapshot. */
void lanes_end_turn(struct lanes *l);
/* Microseconds until lanes_go is needed, at most `most`. */
int64_t lanes_wait_us(const struct lanes *l, int64_t most);
/* The oldest due time among what is not in flight; WALL_NEVER: none. Walks the overdue lanes. */
struct wall lanes_oldest_due(const struct lanes *l);

#endif
