/* A checked copy takes the place of a data file: restoring a backup, and giving back the space of
 * what has gone. For commands: nothing else may use the directory, and both take their time.
 *
 * The copy is made in a folder of its own inside the data directory, synced, opened, verified by
 * store_check, and moved into place by one rename. Until then nothing has changed; what a crash
 * leaves behind is thrown away by the next try. */
#ifndef STORE_REPLACE_H
#define STORE_REPLACE_H

#include "store/store.h"

/* Where findings go, and what was found. */
struct replace_report {
    void (*say)(void *context, const char *finding); /* in */
    void *context;                                   /* in */
    struct check_report check;                       /* out: of the copy */
    uint64_t before, after; /* out, of store_compact: bytes on disk of the old and the new file */
};

/* Copies the backup in directory `from`, which stays as it is, into settings->dir, which must be
 * empty or missing, and brings it to this version's format. ERR_NOT_FOUND: no store in `from`;
 * ERR_LOCKED: a process uses it; ERR_CONFLICT: the directory is not empty; ERR_CORRUPT: the copy
 * has findings; any of store_open and ERR_IO, ERR_FULL. Logged, but for findings. */
enum err store_restore(const char *from, const struct store_settings *settings,
                       struct replace_report *report) MUST_CHECK;

/* Writes the store in settings->dir anew without what is free in it. It needs as much disk as is
 * live. ERR_CORRUPT: the copy has findings, and the old file stays; any of store_open and ERR_IO,
 * ERR_FULL. Logged, but for findings. */
enum err store_compact(const struct store_settings *settings,
                       struct replace_report *report) MUST_CHECK;

#endif
