/* Little's law: what waits, times what each takes, is how long the last of them waits.
 *
 * A bound in number alone is a bound in time for one kind of event only. Without one an overload
 * fills the queue to its bound, and from then on every event waits behind all of it.
 *
 * A small batch costs more for each operation than a large one would, and a burst must not be
 * judged by it: those in small and short ones count as cheap. They do count, or one dear operation
 * among a thousand that come alone would be all that is known. */
#include "store/admission.h"

#include "base/bounds.h"
#include "base/clock.h"

#include <assert.h>

#define WORK_US (10 * US_PER_MS)
#define ALWAYS \
    64          /* may wait, whatever they cost: a client with that many connections is no flood */
#define BULK 16 /* operations of a batch that is not small, … */
#define BULK_US US_PER_MS         /* … or the time of one that is not short */
#define CHEAP_US 5                /* what one counts as in the others */
#define LESSON_US (5 * US_PER_MS) /* the average moves after so much */
#define PAST 0.75                 /* what the past keeps of its weight then */

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
    const int64_t cheap_us = (int64_t)count * CHEAP_US;
    if (count == 0)
        return;
    if (count < BULK && us < BULK_US && us > cheap_us)
        us = cheap_us;
    a->lesson_count += count;
    a->lesson_us += us;
    if (a->lesson_us < LESSON_US)
        return;
    a->count = PAST * a->count + (double)a->lesson_count;
    a->us = PAST * a->us + (double)a->lesson_us;
    a->lesson_count = a->lesson_us = 0;
    double fit = WORK_US * a->count / a->us;
    fit = fit < ALWAYS ? ALWAYS : fit > WRITER_QUEUE_MAX ? WRITER_QUEUE_MAX : fit;
    atomic_store_explicit(&a->limit, (unsigned)fit, memory_order_relaxed);
}
