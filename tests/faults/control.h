/* What an experiment (Python, faults.py) and the libraries preloaded into the service share: a file
 * of 64-bit numbers that both map. Named by the variable FAULTS_CONTROL.
 *
 * Everything is zero when nothing is to fail. The experiment writes `fail_*` and `quota`, the
 * library the rest; each number is read and written whole. */
#ifndef TESTS_FAULTS_CONTROL_H
#define TESTS_FAULTS_CONTROL_H

#include <stdatomic.h>
#include <stdint.h>

/* Kinds of calls, as `fail_kind` names them. */
enum call_kind { CALL_WRITE = 1, CALL_SYNC, CALL_ALLOCATE, CALL_MEMORY, CALL_KINDS };

/* Planted bugs: a sync that fails and says that it did not; an allocation that ends the process. */
#define FAIL_HIDDEN 1000

struct control {
    atomic_ulong sequence;          /* calls on the data file that were recorded */
    atomic_ulong calls[CALL_KINDS]; /* calls of each kind so far */
    atomic_ulong fail_kind;         /* which kind fails, 0: none … */
    atomic_ulong fail_at;           /* … from this call of its kind on (1 is the first) … */
    atomic_ulong fail_more;         /* … and so many calls after it */
    atomic_ulong error;             /* errno; 0: a write stops half-way; FAIL_HIDDEN */
    atomic_ulong quota;             /* bytes that the data file may have; 0: any */
    atomic_ulong failed;            /* calls that were made to fail */
    atomic_ulong spared;            /* calls that were to fail and did not (memory.c) */
};

_Static_assert(sizeof(unsigned long) == sizeof(uint64_t), "the experiment writes 64-bit numbers");

/* The mapped file, or NULL when the variable is not set. Ends the process when it cannot be mapped:
 * an experiment without its faults would pass. */
struct control *control_map(void);

/* Counts a call; whether it is one that fails. */
static inline int control_fails(struct control *c, enum call_kind kind)
{
    unsigned long number = atomic_fetch_add(&c->calls[kind], 1) + 1;
    if (atomic_load(&c->fail_kind) != (unsigned long)kind)
        return 0;
    unsigned long from = atomic_load(&c->fail_at);
    if (number < from || number - from > atomic_load(&c->fail_more))
        return 0;
    atomic_fetch_add(&c->failed, 1);
    return 1;
}

#endif
