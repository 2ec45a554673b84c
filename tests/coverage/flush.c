/* Linked into the program in MODE=coverage: a process that ends without the functions of atexit,
 * for a failed disk or a broken assertion, keeps its counters all the same. Killed ones lose
 * them. */
#include <stdlib.h>
#include <unistd.h>

extern void __gcov_dump(void);

extern _Noreturn void __real__exit(int status);
extern _Noreturn void __wrap__exit(int status);
extern _Noreturn void __real_abort(void);
extern _Noreturn void __wrap_abort(void);

void __wrap__exit(int status)
{
    __gcov_dump();
    __real__exit(status);
}

void __wrap_abort(void)
{
    __gcov_dump();
    __real_abort();
}
