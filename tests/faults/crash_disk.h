/* A disk that is cut off from its power: replays a record (record.h) and says, at each cut, which
 * pieces of the file are durable and which were under way.
 *
 * A piece is what one write does to one sector of 512 bytes. What was synced is there; any of the
 * others may be there or not, in any order; one of them may be torn. */
#ifndef TESTS_FAULTS_CRASH_DISK_H
#define TESTS_FAULTS_CRASH_DISK_H

#include "base/rand.h"

#include <stdbool.h>
#include <stdint.h>

#define SECTOR 512

struct piece {
    uint64_t offset;
    uint32_t length; /* within one sector */
    const uint8_t *bytes;
    bool dsync; /* written through a descriptor with O_DSYNC */
};

struct crash_disk {
    const uint8_t *record; /* mapped */
    size_t record_len, at; /* at: the next call */
    uint64_t sequence;     /* of the last call that is over */
    bool trust_no_sync;    /* planted: syncs are lies */
    bool lazy_meta;        /* planted: a write with O_DSYNC is durable with the next such write */

    enum { NAME_NEW, NAME_EITHER, NAME_FINAL } name; /* of the file: data.new, or data.mdb */
    uint8_t *durable; /* room bytes, of which `size` are the file; zero behind */
    uint64_t room, size, size_pending;
    uint64_t high; /* nothing but zeros from here on */
    struct piece *pending;
    size_t pending_count, pending_room, last_call; /* last_call: where its first piece stands */
};

/* Ends the process when the record cannot be read. */
void crash_disk_open(struct crash_disk *d, const char *path);
void crash_disk_close(struct crash_disk *d);
/* Begins the next call: its pieces are pending. False at the end of the record. A sync ends here,
 * too: afterwards nothing is pending. */
bool crash_disk_begin(struct crash_disk *d);
/* The call is over, and so a write with O_DSYNC is durable. */
void crash_disk_end(struct crash_disk *d);

enum cut {
    CUT_NONE, /* nothing of what is pending */
    CUT_ALL,  /* all of it */
    CUT_SOME, /* a random subset of it */
    CUT_TORN, /* likewise, with some pieces half written */
    CUT_LAST, /* all but a random subset of the last call's, one of them torn */
    CUT_CHOICES
};
/* Puts the file into the directory as it is after such a cut, and removes what was there. */
void crash_disk_cut(const struct crash_disk *d, enum cut cut, struct rng *rng, const char *dir);

#endif
