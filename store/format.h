/* The format of a data directory: which trees it has, and how an older one becomes the present one.
 * Private to store/. */
#ifndef STORE_FORMAT_H
#define STORE_FORMAT_H

#include "store/tree.h"

/* Opens every tree of the environment. A new data file gets them, with the rows of META that every
 * store has; an older format is brought up to date first, a step a transaction, so that a crash
 * between two resumes at the next. Logged with what to do:
 *   ERR_VERSION  the format is a newer one; or an older one, and `as_is` forbids to touch it
 *   ERR_CORRUPT  a tree, or a row that every store has, is not there: only damage takes one away
 *   ERR_IO, ERR_FULL, ERR_NO_MEMORY */
enum err format_open(struct env *env, bool as_is) MUST_CHECK;

#endif
