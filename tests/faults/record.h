/* The record of what a service did to its data file, in order: each call after it succeeded. */
#ifndef TESTS_FAULTS_RECORD_H
#define TESTS_FAULTS_RECORD_H

#include <stdint.h>

enum record_kind {
    RECORD_WRITE, /* followed by `length` bytes */
    RECORD_SYNC,
    RECORD_SIZE,      /* the file has at least (allocate), or exactly (truncate) `offset` bytes */
    RECORD_NAME,      /* data.new was renamed to data.mdb */
    RECORD_DIRECTORY, /* a directory was synced: names are durable */
};

struct record {
    uint64_t sequence; /* 1, 2, 3, … */
    uint32_t kind;
    uint32_t durable; /* a write through a descriptor with O_DSYNC, which is its own sync */
    uint64_t offset, length;
};

#endif
