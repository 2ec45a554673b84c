/* Linked into each preloaded library. */
#include "tests/faults/control.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

struct control *control_map(void)
{
    const char *path = getenv("FAULTS_CONTROL");
    if (!path)
        return NULL;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *mapped = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || mapped == MAP_FAILED)
        _exit(3);
    close(fd);
    return mapped;
}
