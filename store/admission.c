/* Little's law: what waits, times what each takes, is how long the last of them waits.
 *
 * A bound in number alone is a bound in time for one kind of event only. Without one an overload
 * fills the queue to its bound, and from then on every event waits behind all of it. Only batches
 * of some size or length teach, because a small one costs more for each operation than a large one
 * would, and a burst must not be judged by it. */
#include "store/admission.h"

#include "base/bounds.h"
#include "base/rate.h"

#include <assert.h>

#define WORK_US (10 * US_PER_MS)
#define ALWAYS \
    64          /* may wait, whatever they cost: a client with that many connections is no flood */
#define BULK 16 /* operations of a batch that teaches, … */
#define BULK_US US_PER_MS         /* … or its length */
#define LESSON_US (5 * US_PER_MS) /* the average moves after so much */
#define WEIGHT 3                  /* of the past against one lesson */

struct admission admission_new(void)
{
    return (struct admission){.limit = WRITER_QUEUE_MAX};
}

bool admission_enter(struct admission *a)
{
    unsigned limit = atomic_load_explicit(&a->limit, memory_order_relaxed);
    unsigned before = atomic_fetch_add_explicit(&a->waiting, 1, memory_order_relaxed);
    if (before < limit)
        return true;
    admission_leave(a, 1);
    return false;
}

void admission_leave(struct admission *a, unsigned count)
{
    unsigned before = atomic_fetch_sub_explicit(&a->waiting, count, memory_order_relaxed);
    assert(before >= count);
}

void admission_learn(struct admission *a, unsigned count, int64_t us)
{
    if (count == 0 || (count < BULK && us < BULK_US))
        return;
    a->count += count;
    a->us += us;
    if (a->us < LESSON_US)
        return;
    int64_t each_ns = a->us * NS_PER_US / a->count;
    a->count = a->us = 0;
    a->each_ns = a->each_ns ? (WEIGHT * a->each_ns + each_ns) / (WEIGHT + 1) : each_ns;
    int64_t fit = WORK_US * NS_PER_US / a->each_ns;
    fit = fit < ALWAYS ? ALWAYS : fit > WRITER_QUEUE_MAX ? WRITER_QUEUE_MAX : fit;
    atomic_store_explicit(&a->limit, (unsigned)fit, memory_order_relaxed);
}
