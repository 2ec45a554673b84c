/* Files and folders of the store, by path. Private to store/; any thread. */
#ifndef STORE_FILE_H
#define STORE_FILE_H

#include "base/err.h"

/* Logs what was attempted with errno, and says what that means: ERR_FULL for a disk or a quota
 * without room, else ERR_IO. */
enum err file_failed(const char *what, const char *path);
/* fsync. ERR_IO, ERR_FULL, logged. */
enum err file_sync(const char *path) MUST_CHECK;

#endif
