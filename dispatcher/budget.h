/* A quantity that all dispatcher threads share: attempts in flight, bytes in memory. */
#ifndef DISPATCHER_BUDGET_H
#define DISPATCHER_BUDGET_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct budget {
    _Atomic int64_t used;
    int64_t max; /* fixed before threads start */
};

/* Takes n, or nothing and false when that would pass the maximum. Any thread. */
static inline bool budget_take(struct budget *b, int64_t n)
{
    int64_t before = atomic_fetch_add_explicit(&b->used, n, memory_order_relaxed);
    if (before + n <= b->max)
        return true;
    atomic_fetch_sub_explicit(&b->used, n, memory_order_relaxed);
    return false;
}

/* Takes n even past the maximum: for what is a fact already. */
static inline void budget_force(struct budget *b, int64_t n)
{
    atomic_fetch_add_explicit(&b->used, n, memory_order_relaxed);
}

static inline void budget_give(struct budget *b, int64_t n)
{
    int64_t before = atomic_fetch_sub_explicit(&b->used, n, memory_order_relaxed);
    assert(before >= n);
}

#endif
