/* A binary heap in an array. Invariants: items[i]->at == i; no item is earlier than its parent,
 * where equal moments are ordered by when heap_set was called. */
#include "base/heap.h"

#include <assert.h>

#define FIRST_CAPACITY 64

void heap_init(struct heap *h)
{
    *h = (struct heap){0};
}

void heap_free(struct heap *h)
{
    free(h->items);
    heap_init(h);
}

bool heap_reserve(struct heap *h, size_t n)
{
    size_t cap = h->cap ? h->cap : FIRST_CAPACITY;

    if (n <= h->cap)
        return true;
    while (cap < n)
        cap *= 2;
    struct heap_item **items = realloc(h->items, cap * sizeof *items);
    if (!items)
        return false;
    h->items = items;
    h->cap = cap;
    return true;
}

void heap_item_init(struct heap_item *item)
{
    *item = (struct heap_item){.at = HEAP_OUT};
}

static bool earlier(const struct heap_item *a, const struct heap_item *b)
{
    return a->when < b->when || (a->when == b->when && a->sequence < b->sequence);
}

static void place(struct heap *h, struct heap_item *item, size_t at)
{
    h->items[at] = item;
    item->at = at;
}

static void sift_up(struct heap *h, struct heap_item *item)
{
    size_t at = item->at;

    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (!earlier(item, h->items[parent]))
            break;
        place(h, h->items[parent], at);
        at = parent;
    }
    place(h, item, at);
}

static void sift_down(struct heap *h, struct heap_item *item)
{
    size_t at = item->at;

    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < h->count && earlier(h->items[child + 1], h->items[child]))
            child++;
        if (child >= h->count || !earlier(h->items[child], item))
            break;
        place(h, h->items[child], at);
        at = child;
    }
    place(h, item, at);
}

void heap_set(struct heap *h, struct heap_item *item, int64_t when)
{
    if (item->at == HEAP_OUT) {
        assert(h->count < h->cap);
        place(h, item, h->count++);
    }
    assert(h->items[item->at] == item);
    item->when = when;
    item->sequence = h->sequence++;
    sift_up(h, item);
    sift_down(h, item);
}

void heap_remove(struct heap *h, struct heap_item *item)
{
    size_t at = item->at;

    if (at == HEAP_OUT)
        return;
    assert(h->items[at] == item);
    item->at = HEAP_OUT;
    struct heap_item *last = h->items[--h->count];
    if (last == item)
        return;
    place(h, last, at);
    sift_up(h, last);
    sift_down(h, last);
}

struct heap_item *heap_first(const struct heap *h)
{
    return h->count ? h->items[0] : NULL;
}
