/* The file that LMDB keeps everything in. Private to store/. */
#ifndef STORE_DATAFILE_H
#define STORE_DATAFILE_H

#include "base/err.h"

#include <stdbool.h>

/* Makes the data file of a directory that has none, whole and with an empty environment in it; its
 * name is durable after env_sync_directory. No effect when there is one. Before the environment is
 * opened, under the directory's lock. ERR_IO, ERR_FULL, ERR_NO_MEMORY, logged. */
enum err datafile_make(const char *dir) MUST_CHECK;
bool datafile_exists(const char *dir);

#endif
