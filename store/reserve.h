/* What is prepared of the data file past the last page in use. Private to store/; the writer's
 * thread, between its transactions: nobody else writes there, and LMDB reads nothing of it. */
#ifndef STORE_RESERVE_H
#define STORE_RESERVE_H

#include "store/tree.h"

/* Keeps disk blocks allocated (16 MiB, or a sixteenth of a small map), so that what must still be
 * committed on a full disk finds room. Cheap when nothing is to do. ERR_FULL: the disk has none to
 * spare (not logged). A file system that cannot allocate ahead reserves nothing. */
enum err reserve_blocks(struct env *env) MUST_CHECK;

/* Writes zeros for the pages of the next burst, a quarter of a large file, a piece at a time: a
 * commit to blocks that were written before needs no change of the file system's own records, which
 * is a quarter of the commit's time. For idle moments: a piece costs about a millisecond.
 * *more: another piece is wanted. Stops for good where the disk is nearly full. ERR_IO, logged. */
enum err reserve_write(struct env *env, bool *more) MUST_CHECK;
/* Whether it is time to begin: half of what should be there is used up. Cheap. */
bool reserve_wants(const struct env *env);

#endif
