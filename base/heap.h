/* A binary min-heap of deadlines, intrusive. Owned by one thread. */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include "base/clock.h"

/* Embed it; `at` is HEAP_OUT while outside any heap. */
struct heap_item {
    int64_t when;
    uint64_t sequence; /* breaks ties: first in, first out */
    size_t at;
};
#define HEAP_OUT SIZE_MAX

struct heap {
    struct heap_item **items;
    size_t count, cap;
    uint64_t sequence;
};

void heap_init(struct heap *h);
void heap_free(struct heap *h);
/* Makes room for n items in all, so that heap_set cannot fail below n. */
bool heap_reserve(struct heap *h, size_t n) __attribute__((warn_unused_result));
void heap_item_init(struct heap_item *item);
/* Inserts the item, or moves it to its new moment. Room must have been reserved (asserted). */
void heap_set(struct heap *h, struct heap_item *item, int64_t when);
/* No effect when it is not in. */
void heap_remove(struct heap *h, struct heap_item *item);
/* The earliest, still inside; NULL when empty. */
struct heap_item *heap_first(const struct heap *h);

#endif
