/* One meaning of a failed system call, for all that copies, makes or replaces the data file. */
#include "store/file.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum err file_failed(const char *what, const char *path)
{
    int error = errno;
    log_error("store", LOG_TEXT_FIELD("what", what), LOG_TEXT_FIELD("path", path),
              LOG_TEXT_FIELD("error", strerror(error)), LOG_END);
    return error == ENOSPC || error == EDQUOT ? ERR_FULL : ERR_IO;
}

enum err file_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return file_failed("open", path);
    enum err e = fsync(fd) == 0 ? ERR_OK : file_failed("sync", path);
    close(fd);
    return e;
}
