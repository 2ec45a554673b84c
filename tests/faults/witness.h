/* The outside witness of the kill experiment: it posts every event, takes every delivery, outlives
 * the service, and knows in the end what was promised and what was kept. One thread. */
#ifndef TESTS_FAULTS_WITNESS_H
#define TESTS_FAULTS_WITNESS_H

#include "base/id.h"
#include "base/rand.h"
#include "tests/bench/wire.h"

#define FAN_OUT_MAX 4
#define APPS_MAX 8
#define BUFFER (256 * 1024)
#define PAYLOAD_MAX 8192

/* An event is known by its number, which is in its payload and its key. */
struct event {
    char id[ID_MAX + 1]; /* as first answered or delivered; empty: neither so far */
    uint8_t app;
    bool accepted;                  /* a 202 named it */
    int64_t delivered[FAN_OUT_MAX]; /* ns at which each endpoint first answered 204; 0: not yet */
};

struct witness {
    int poll;
    struct rng rng;
    const char *token, *secret; /* of the API; of every endpoint, decoded */
    size_t secret_len;
    struct {
        char id[ID_MAX + 1];
        unsigned fan_out;
    } apps[APPS_MAX];
    unsigned app_count;
    double failure_share; /* of the deliveries that are answered 500 */

    struct event *events;
    size_t event_count, event_room;
    int64_t *kills; /* ns */
    size_t kill_count;
    uint64_t accepted, attempts, delivered, repeated, refused, findings;
    bool posting;
};

/* What a file descriptor of the loop belongs to. */
struct peer {
    void (*ready)(struct witness *w, struct peer *p);
    int fd;
    char *data;
    size_t len;
    size_t event; /* of a producer: the one under way, or NO_EVENT */
};
#define NO_EVENT SIZE_MAX

/* Prints it and counts it. */
void witness_find(struct witness *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The exact bytes of an event; the length. */
size_t witness_payload(size_t number, char out[PAYLOAD_MAX]);
/* Adds a descriptor to the loop; NULL and closed when that fails. */
struct peer *witness_add(struct witness *w, int fd, void (*ready)(struct witness *, struct peer *));
void witness_drop(struct witness *w, struct peer *p);

/* witness_post.c: connects so many producers; each posts until its connection ends. */
void post_begin(struct witness *w, struct sockaddr_in address, unsigned connections);
/* witness_take.c: listens for deliveries; the port. */
uint16_t take_listen(struct witness *w);

#endif
