/* Counters and histograms that several threads add to and one reads: relaxed atomics. */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

struct counter {
    _Atomic uint64_t n;
};
static inline void counter_add(struct counter *c, uint64_t n)
{
    atomic_fetch_add_explicit(&c->n, n, memory_order_relaxed);
}
static inline void counter_sub(struct counter *c, uint64_t n)
{
    atomic_fetch_sub_explicit(&c->n, n, memory_order_relaxed);
}
static inline uint64_t counter_get(const struct counter *c)
{
    return atomic_load_explicit(&c->n, memory_order_relaxed);
}

/* Powers of two from `first`: bucket i counts values <= first << i; the last one the rest. */
#define HISTOGRAM_BUCKETS 20
struct histogram {
    uint64_t first;
    struct counter bucket[HISTOGRAM_BUCKETS + 1];
    struct counter sum;
};
void histogram_init(struct histogram *h, uint64_t first);
void histogram_add(struct histogram *h, uint64_t value);
uint64_t histogram_count(const struct histogram *h);

#endif
