/* Log-scale histograms. A reader may see a count whose sum is not yet there: metrics, not accounts. */
#include "base/histogram.h"

#include <assert.h>

void histogram_init(struct histogram *h, uint64_t first)
{
    assert(first > 0);
    h->first = first;
    for (int i = 0; i <= HISTOGRAM_BUCKETS; i++)
        atomic_init(&h->bucket[i].n, 0);
    atomic_init(&h->sum.n, 0);
}

void histogram_add(struct histogram *h, uint64_t value)
{
    /* value <= first << i exactly when (value - 1) / first has at most i bits. */
    uint64_t steps = value ? (value - 1) / h->first : 0;
    int bits = steps ? 64 - __builtin_clzll(steps) : 0;

    counter_add(&h->bucket[bits < HISTOGRAM_BUCKETS ? bits : HISTOGRAM_BUCKETS], 1);
    counter_add(&h->sum, value);
}

uint64_t histogram_count(const struct histogram *h)
{
    uint64_t n = 0;

    for (int i = 0; i <= HISTOGRAM_BUCKETS; i++)
        n += counter_get(&h->bucket[i]);
    return n;
}
