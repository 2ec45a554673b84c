/* Preloaded into the service: lets the n-th allocation fail, whoever asks for it: our code, libc or
 * a library (control.h).
 *
 * But for libcurl: 7.88 does not survive a failed allocation of its own (docs/reliability.md), so
 * that what it asks for is spared, and counted. */
#include "tests/faults/control.h"

#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))
#define FRAMES 48

/* glibc's own, under the names that it keeps for this. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

/* Allocations before it is mapped belong to the loader. */
static struct control *control;
static uintptr_t spared_from, spared_to; /* libcurl's code */

static int find_libcurl(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    (void)context;
    if (!strstr(info->dlpi_name, "/libcurl"))
        return 0;
    spared_from = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        uintptr_t end = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
        if (info->dlpi_phdr[i].p_type == PT_LOAD && end > spared_to)
            spared_to = end;
    }
    return 1;
}

__attribute__((constructor)) static void set_up(void)
{
    void *frame[1];
    backtrace(frame, 1); /* its first call allocates */
    dl_iterate_phdr(find_libcurl, NULL);
    control = control_map();
}

static int is_spared(void)
{
    void *frames[FRAMES];
    int count = backtrace(frames, FRAMES);
    for (int i = 0; i < count; i++) {
        if ((uintptr_t)frames[i] >= spared_from && (uintptr_t)frames[i] < spared_to) {
            atomic_fetch_add(&control->spared, 1);
            return 1;
        }
    }
    return 0;
}

static int fails(void)
{
    if (!control || !control_fails(control, CALL_MEMORY) || is_spared())
        return 0;
    if (atomic_load(&control->error) == FAIL_HIDDEN)
        abort();
    errno = ENOMEM;
    return 1;
}

EXPORT void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

/* Size 0 frees, which cannot fail. */
EXPORT void *realloc(void *old, size_t size)
{
    return size && fails() ? NULL : __libc_realloc(old, size);
}
